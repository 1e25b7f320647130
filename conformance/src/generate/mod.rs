//! Inputs generated from a seed.
