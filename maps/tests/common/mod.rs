//! What the tests of maps share.
#![allow(dead_code)] // each test file uses its own part

use std::sync::Arc;

use skep_linux::MapType;
use skep_maps::{CreateError, CreateOptions, Map, create};
use skep_program::MapDef;

/// A definition of a map without types.
pub(crate) fn def(map_type: MapType, key_size: u32, value_size: u32, max_entries: u32, flags: u32) -> MapDef {
    MapDef {
        name: "m".into(),
        map_type,
        key_size,
        value_size,
        max_entries,
        flags,
        map_extra: 0,
        pinning: 0,
        numa_node: 0,
        key_type_id: 0,
        value_type_id: 0,
        kernel_value_type_id: 0,
        btf: None,
        inner: None,
        initial: None,
        frozen: false,
        slots: vec![],
        special: vec![],
    }
}

/// A map with two CPUs.
pub(crate) fn try_map(def: MapDef) -> Result<Arc<dyn Map>, CreateError> {
    create(&Arc::new(def), &CreateOptions::new(2))
}

/// A map with two CPUs that must come into being.
pub(crate) fn map(map_type: MapType, key_size: u32, value_size: u32, max_entries: u32, flags: u32) -> Arc<dyn Map> {
    try_map(def(map_type, key_size, value_size, max_entries, flags)).unwrap()
}
