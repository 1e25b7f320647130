//! `skep run`, `skep diff` and `skep plugin` as a user calls them.

mod common;
mod corpus;
mod engines;
mod inputs;
mod packets;
