//! Sizes of maps, changed before load.

use std::sync::Arc;

use skep_program::MapDef;

use crate::error::ObjectError;
use crate::maps::Origin;
use crate::object::Object;

/// What to change of a map's sizes; `None` keeps what the object says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MapSize {
    /// `max_entries`, in the unit of the type.
    pub max_entries: Option<u32>,
    /// Bytes of a key. The key then has no type, unless the size is what it was.
    pub key_size: Option<u32>,
    /// Bytes of a value. The value then has no type, unless the size is what it was.
    pub value_size: Option<u32>,
}

impl MapSize {
    fn apply(self, def: &mut MapDef) {
        def.max_entries = self.max_entries.unwrap_or(def.max_entries);
        let key_size = self.key_size.unwrap_or(def.key_size);
        let value_size = self.value_size.unwrap_or(def.value_size);
        if (key_size, value_size) != (def.key_size, def.value_size) {
            // Types of another size than the map's would be refused by the kernel; it takes none, or both.
            (def.key_type_id, def.value_type_id) = (0, 0);
            def.special.clear();
        }
        (def.key_size, def.value_size) = (key_size, value_size);
    }
}

impl Object {
    /// Changes the sizes of a map before programs are made, as loaders do for maps whose size depends on the machine or on options
    /// (`bpf_map__set_max_entries`). Names are those of [`MapDef::is_called`].
    ///
    /// # Errors
    /// [`ObjectError::NoMap`], also for maps that hold global variables: their sizes are those of the variables.
    pub fn resize_map(&mut self, name: &str, size: MapSize) -> Result<(), ObjectError> {
        let maps = &mut self.data.maps.all;
        let Some(at) = maps.iter().position(|entry| entry.origin == Origin::Defined && entry.def.is_called(name)) else {
            let defined = maps.iter().filter(|entry| entry.origin == Origin::Defined);
            let known = defined.map(|entry| entry.def.name.clone()).collect();
            return Err(ObjectError::NoMap { name: name.to_owned(), known });
        };
        size.apply(Arc::make_mut(&mut maps[at].def));
        Ok(())
    }
}
