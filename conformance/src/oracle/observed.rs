//! What can be seen of a run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Bytes that are written as hex.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(#[serde(with = "hex::serde")] pub Vec<u8>);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        Bytes(bytes)
    }
}

/// Everything that a run shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// How it ended.
    pub ended: Ended,
    /// Contents of the maps afterwards, by name.
    pub maps: BTreeMap<String, Contents>,
    /// What was written to ring buffers and perf event arrays, by the map's name, in order.
    pub records: BTreeMap<String, Vec<Bytes>>,
    /// Fills that the map did not take, by their place in the case: the error number's name.
    pub unfilled: BTreeMap<usize, String>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// It returned.
    Returned {
        /// The low 32 bits of `r0`.
        value: u32,
        /// The packet, as `data_out` of `BPF_PROG_TEST_RUN`.
        packet: Option<Bytes>,
        /// The context, as `ctx_out`; none if none came in.
        context: Option<Bytes>,
    },
    /// The input was refused with this error number (its name).
    Refused(String),
    /// The simulation ended it: what a verified program cannot do, which is a bug of one of the two.
    Stopped(String),
    /// The simulation ended it at something that it says it does not simulate.
    NotSimulated(String),
}

/// What a map holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contents {
    /// The values of an array, one after the other.
    Array {
        /// Bytes of one value, with the pieces of all CPUs.
        size: usize,
        /// All values.
        values: Bytes,
    },
    /// Values by key.
    Keyed(BTreeMap<Bytes, Bytes>),
    /// What a queue or stack held, in the order in which it comes out.
    Queue(Vec<Bytes>),
    /// Nothing that user space can see, and why.
    Hidden(String),
}
