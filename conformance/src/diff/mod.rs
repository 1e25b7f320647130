//! The first difference between what two engines made of one input.
