//! Readers of recorded kernel loads and verdicts.
