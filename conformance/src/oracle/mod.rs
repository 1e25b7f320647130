//! The kernel of this host, as an engine that is right by definition.
//!
//! A set of relocated programs and their maps are put into the kernel once; then inputs are run through them, one after the other,
//! each from the same initial map contents. Both engines, this one and the simulated one of [`crate::diff`], take a [`Case`] and give an
//! [`Observed`].

mod create;
mod host;
mod observed;
mod records;
mod set;
mod shape;
mod table;

pub use create::HostError;
pub use host::Host;
pub use observed::{Bytes, Contents, Ended, Observed};
pub use set::{Set, SetError};
pub use shape::{Shape, shape};
pub use table::{Keeper, Table, TableError};

use serde::{Deserialize, Serialize};

/// One input: the event, and what the maps hold beside their initial contents.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Case {
    /// The packet from its link-layer header on, for program types that see one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packet: Option<Bytes>,
    /// The context as uapi lays it out (`ctx_in`), or the arguments of a raw tracepoint, eight bytes each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Bytes>,
    /// Entries that are written to maps before the run, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fills: Vec<Fill>,
}

/// A map entry that is there before the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// Name of the map.
    pub map: String,
    /// Key; none of queues and stacks.
    pub key: Bytes,
    /// Value of one CPU: per-CPU maps get it on every CPU.
    pub value: Bytes,
}

/// An engine that runs cases.
pub trait Engine {
    /// Puts all maps into their initial state with the fills of the case, runs the case, and tells what came of it.
    ///
    /// # Errors
    /// What keeps the engine from saying anything of this case: not what the program did.
    fn run(&mut self, case: &Case) -> Result<Observed, TableError>;
}
