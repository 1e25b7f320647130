//! What the tests of maps share.
#![allow(dead_code)] // each test file uses its own part

use std::sync::Arc;

use skep_linux::MapType;
use skep_maps::{CreateError, CreateOptions, Map, create};
use skep_program::MapDef;

/// A definition of a map without types.
pub(crate) fn def(map_type: MapType, key_size: u32, value_size: u32, max_entries: u32, flags: u32) -> MapDef {
    MapDef { key_size, value_size, max_entries, flags, ..MapDef::new("m", map_type) }
}

/// A map with two CPUs.
pub(crate) fn try_map(def: MapDef) -> Result<Arc<dyn Map>, CreateError> {
    create(&Arc::new(def), &CreateOptions::new(2))
}

/// A map with two CPUs that must come into being.
pub(crate) fn map(map_type: MapType, key_size: u32, value_size: u32, max_entries: u32, flags: u32) -> Arc<dyn Map> {
    try_map(def(map_type, key_size, value_size, max_entries, flags)).unwrap()
}
