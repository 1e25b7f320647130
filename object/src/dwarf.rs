//! Source lines from DWARF, for objects whose BTF.ext has none.

use std::collections::HashMap;

use skep_program::Line;

use crate::elf::Elf;

/// Lines by section of code, sorted by slot.
pub(crate) fn lines(_elf: &Elf<'_>) -> HashMap<usize, Vec<Line>> {
    HashMap::new()
}
