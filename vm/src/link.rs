//! A program joined to the maps, helpers and addresses of one instance.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep_helpers::{HelperFn, Machine, Stop};

use crate::image::Image;

/// A helper that an embedding application supplies: five argument registers in, `r0` out. State lives in what the closure captures.
pub type Closure = Arc<dyn Fn(&mut dyn Machine, [u64; 5]) -> Result<u64, Stop> + Send + Sync>;

/// What a call out of the program goes to.
#[derive(Clone)]
pub(crate) enum Outside {
    /// A helper or kernel function that skep has a body of.
    Body(HelperFn),
    /// One that the application supplies.
    Closure(Closure),
    /// One that the program was allowed to name without there being any: what to say if it is called after all.
    Absent(Arc<str>),
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Outside::Body(_) => "Body",
            Outside::Closure(_) => "Closure",
            Outside::Absent(what) => what,
        })
    }
}

/// A program of an instance.
#[derive(Debug)]
pub(crate) struct Linked {
    /// Its place among the programs of the instance.
    pub(crate) index: usize,
    /// The decoded program.
    pub(crate) image: Arc<Image>,
    /// Values of its wide loads, in the order of [`Image::links`].
    pub(crate) links: Vec<u64>,
    /// What its calls go to, in the order of [`Image::calls`].
    pub(crate) calls: Vec<Outside>,
    /// Helpers that `callx` finds by number: none in programs for a kernel.
    pub(crate) by_number: BTreeMap<u64, Outside>,
}
