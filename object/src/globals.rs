//! Global variables, by name: read, and set before load.

use std::ops::Range;
use std::sync::Arc;

use skep_btf::value::Layout;
use skep_btf::{Btf, Literal, Type, TypeId, Value};
use skep_program::MapDef;

use crate::error::{GlobalProblem, ObjectError};
use crate::maps::{MapEntry, Origin};
use crate::object::Object;

/// A global variable of an object, as its BTF describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Global<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its section: `.rodata`, `.data`, `.bss`, `.kconfig` or one that is named after them.
    pub section: &'a str,
    /// Its type, in the object's BTF.
    pub ty: TypeId,
    /// Bytes into the section.
    pub offset: u32,
    /// Its bytes.
    pub size: u32,
    /// Programs only read it, and a verifier knows its value.
    pub read_only: bool,
}

/// A variable and the map that holds it.
struct Found {
    map: usize,
    ty: TypeId,
    range: Range<usize>,
}

/// The variables of a map, if it holds variables that BTF describes.
fn variables(entry: &MapEntry) -> impl Iterator<Item = Global<'_>> {
    let typed = entry.def.btf.as_deref().zip(entry.def.section.as_deref());
    let section = typed.and_then(|(btf, section)| match btf.get(TypeId(entry.def.value_type_id)) {
        Some(Type::Datasec(datasec)) => Some((btf, section, datasec)),
        _ => None,
    });
    let read_only = match entry.origin {
        Origin::Data { read_only } => read_only,
        Origin::Kconfig => true,
        Origin::Defined => false,
    };
    section.into_iter().flat_map(move |(btf, section, datasec)| {
        datasec.vars().filter_map(move |var| {
            let ty = btf.referred(var.ty)?;
            Some(Global { name: btf.name(var.ty), section, ty, offset: var.offset, size: var.size, read_only })
        })
    })
}

/// A path's variable, and what leads on from it.
fn split(path: &str) -> (&str, &str) {
    let (name, rest) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
    (name, rest.strip_prefix('.').unwrap_or(rest))
}

/// The bytes of a map at load.
fn bytes(def: &MapDef) -> Vec<u8> {
    def.initial.clone().unwrap_or_else(|| vec![0; def.value_size as usize])
}

impl Object {
    /// The global variables that the object's BTF describes, by section.
    pub fn globals(&self) -> impl Iterator<Item = Global<'_>> {
        self.data.maps.all.iter().flat_map(variables)
    }

    /// The value that a global variable, or a field of it (`config.ports[2]`), has at load.
    ///
    /// # Errors
    /// [`ObjectError::Global`]: no such variable or field.
    pub fn global(&self, path: &str) -> Result<Value, ObjectError> {
        let error = |problem| ObjectError::Global { path: path.to_owned(), problem };
        let (found, btf, rest) = self.find_global(path)?;
        let def = &self.data.maps.all[found.map].def;
        let bytes = bytes(def);
        let place = bytes.get(found.range).ok_or_else(|| error(GlobalProblem::OutOfSection))?;
        Layout::new(&btf, found.ty).get(place, rest).map_err(|problem| error(problem.into()))
    }

    /// Sets a global variable, or a field of it, before load: read-only ones too, as loaders do between opening and loading.
    ///
    /// # Errors
    /// [`ObjectError::Global`]: no such variable or field, or a value that does not fit it. Values of `.kconfig` are the target's.
    pub fn set_global(&mut self, path: &str, value: impl Into<Literal>) -> Result<(), ObjectError> {
        let error = |problem| ObjectError::Global { path: path.to_owned(), problem };
        let (found, btf, rest) = self.find_global(path)?;
        let entry = &mut self.data.maps.all[found.map];
        if entry.origin == Origin::Kconfig {
            return Err(error(GlobalProblem::Fixed(crate::fixup::KCONFIG.to_owned())));
        }
        let mut bytes = bytes(&entry.def);
        let place = bytes.get_mut(found.range).ok_or_else(|| error(GlobalProblem::OutOfSection))?;
        Layout::new(&btf, found.ty).set(place, rest, value).map_err(|problem| error(problem.into()))?;
        Arc::make_mut(&mut entry.def).initial = Some(bytes);
        Ok(())
    }

    /// The one variable that a path begins with, its types, and what leads on from it.
    fn find_global<'p>(&self, path: &'p str) -> Result<(Found, Arc<Btf>, &'p str), ObjectError> {
        let error = |problem| ObjectError::Global { path: path.to_owned(), problem };
        let (name, rest) = split(path);
        let all = || self.data.maps.all.iter().enumerate().flat_map(|(map, entry)| variables(entry).map(move |var| (map, var)));
        let mut named = all().filter(|(_, var)| var.name == name);
        let Some((map, var)) = named.next() else {
            return Err(error(GlobalProblem::None(all().map(|(_, var)| var.name.to_owned()).collect())));
        };
        if let Some((_, other)) = named.next() {
            return Err(error(GlobalProblem::Ambiguous(vec![var.section.to_owned(), other.section.to_owned()])));
        }
        let start = var.offset as usize;
        let range = start..start.saturating_add(var.size as usize);
        let btf = self.data.maps.all[map].def.btf.clone().unwrap_or_default();
        Ok((Found { map, ty: var.ty, range }, btf, rest))
    }
}
