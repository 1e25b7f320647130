//! Maps of either engine, put into a known state before a run and read after it.

use std::collections::BTreeMap;

use skep_kernel::Entry;
use skep_linux::{Errno, MapType};
use skep_program::MapDef;

use super::{Bytes, Contents};

/// A map as user space reaches it, in the kernel or in the simulation.
pub trait Table {
    /// What it was made from.
    fn def(&self) -> &MapDef;
    /// Bytes of a value as user space sees it.
    fn value_size(&self) -> usize;
    /// All values of an array, one after the other.
    fn array(&self) -> Result<Vec<u8>, Errno>;
    /// All keys and values.
    fn entries(&self) -> Result<Vec<Entry>, Errno>;
    /// Sets a value; pushes it where there are no keys.
    fn update(&self, key: &[u8], value: &[u8]) -> Result<(), Errno>;
    /// Removes a key.
    fn delete(&self, key: &[u8]) -> Result<(), Errno>;
    /// Takes the next value out of a queue or stack.
    fn pop(&self) -> Result<Vec<u8>, Errno>;
}

/// A map that could not be put into its initial state, or not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("map `{map}`: {what}: {errno}")]
pub struct TableError {
    /// The map.
    pub map: String,
    /// What was tried.
    pub what: &'static str,
    /// The answer.
    pub errno: Errno,
}

/// How a map is read and reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Array,
    Keyed,
    Queue,
    Hidden(&'static str),
}

fn access(def: &MapDef) -> Access {
    const RDONLY: u32 = 1 << 3;
    const WRONLY: u32 = 1 << 4;
    if def.flags & (RDONLY | WRONLY) != 0 {
        return Access::Hidden("user space may not read or write it");
    }
    match def.map_type {
        _ if def.frozen => Access::Hidden("frozen: nobody writes to it"),
        MapType::Array | MapType::PercpuArray => Access::Array,
        MapType::Hash | MapType::PercpuHash | MapType::LruHash | MapType::LruPercpuHash | MapType::LpmTrie => Access::Keyed,
        MapType::Queue | MapType::Stack => Access::Queue,
        MapType::Ringbuf | MapType::PerfEventArray => Access::Hidden("its records are compared"),
        MapType::UserRingbuf => Access::Hidden("its memory is user space's"),
        MapType::BloomFilter => Access::Hidden("a bloom filter does not list its values"),
        MapType::StackTrace => Access::Hidden("addresses of the kernel's code"),
        MapType::ArrayOfMaps | MapType::HashOfMaps => Access::Hidden("programs do not write to it; its inner maps are read"),
        MapType::ProgArray
        | MapType::CgroupArray
        | MapType::Devmap
        | MapType::DevmapHash
        | MapType::Cpumap
        | MapType::Xskmap
        | MapType::ReuseportSockarray => Access::Hidden("programs do not write to it"),
        MapType::Sockmap | MapType::Sockhash => Access::Hidden("sockets of the kernel"),
        MapType::CgroupStorage
        | MapType::PercpuCgroupStorage
        | MapType::SkStorage
        | MapType::InodeStorage
        | MapType::TaskStorage
        | MapType::CgrpStorage => Access::Hidden("storage of kernel objects"),
        MapType::StructOps => Access::Hidden("functions of the kernel"),
        MapType::Arena => Access::Hidden("an arena"),
        MapType::Unspec => Access::Hidden("no map type"),
    }
}

/// Brings a map to its initial contents before each run.
#[derive(Debug)]
pub struct Keeper {
    access: Access,
    /// Initial values of an array.
    start: Vec<u8>,
    /// What the map held when it was last read or written.
    now: Contents,
}

impl Keeper {
    /// Reads the map as it was created.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn new(table: &dyn Table) -> Result<Keeper, TableError> {
        let access = access(table.def());
        let now = read(table, access)?;
        let start = match &now {
            Contents::Array { values, .. } => values.0.clone(),
            Contents::Keyed(_) | Contents::Queue(_) | Contents::Hidden(_) => Vec::new(),
        };
        Ok(Keeper { access, start, now })
    }

    /// What the map holds now.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn read(&mut self, table: &dyn Table) -> Result<&Contents, TableError> {
        self.now = read(table, self.access)?;
        Ok(&self.now)
    }

    /// Puts the map into the state in which it was created. Keys that are there go, and values that changed are written.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn reset(&mut self, table: &dyn Table) -> Result<(), TableError> {
        let failed = |what| move |errno| TableError { map: table.def().name.clone(), what, errno };
        match &mut self.now {
            Contents::Array { size, values } => {
                let changed = values.0.chunks(*size).zip(self.start.chunks(*size)).enumerate().filter(|(_, (a, b))| a != b);
                for (index, (_, start)) in changed {
                    table.update(&(index as u32).to_le_bytes(), start).map_err(failed("resetting a value"))?;
                }
                values.0.copy_from_slice(&self.start);
            }
            Contents::Keyed(entries) => {
                for key in std::mem::take(entries).into_keys() {
                    match table.delete(&key.0) {
                        Ok(()) | Err(Errno::ENOENT) => {}
                        Err(errno) => return Err(failed("removing a key")(errno)),
                    }
                }
            }
            Contents::Queue(_) | Contents::Hidden(_) => {} // queues were emptied by reading
        }
        Ok(())
    }

    /// Writes an entry. What the map answers is part of the comparison.
    pub fn fill(&mut self, table: &dyn Table, key: &Bytes, value: &Bytes) -> Result<(), Errno> {
        let pieces = match table.def().value_size as usize {
            size if size == table.value_size() => 1,
            size => table.value_size() / size.next_multiple_of(8).max(1),
        };
        let mut piece = value.0.clone();
        if pieces > 1 || piece.len() != table.value_size() {
            piece.resize(table.value_size() / pieces.max(1), 0);
        }
        let value = piece.repeat(pieces.max(1));
        table.update(&key.0, &value)?;
        match &mut self.now {
            Contents::Array { size, values } => {
                let index = key.0.first_chunk::<4>().map_or(0, |k| u32::from_le_bytes(*k)) as usize;
                if let Some(to) = values.0.get_mut(index * *size..(index + 1) * *size) {
                    to.copy_from_slice(&value);
                }
            }
            Contents::Keyed(entries) => {
                entries.insert(key.clone(), value.into());
            }
            Contents::Queue(values) => values.push(value.into()),
            Contents::Hidden(_) => {}
        }
        Ok(())
    }
}

fn read(table: &dyn Table, access: Access) -> Result<Contents, TableError> {
    let failed = |errno| TableError { map: table.def().name.clone(), what: "reading it", errno };
    Ok(match access {
        Access::Array => {
            let size = table.value_size().max(1);
            Contents::Array { size, values: Bytes(table.array().map_err(failed)?) }
        }
        Access::Keyed => {
            let entries = table.entries().map_err(failed)?;
            let entries: BTreeMap<_, _> = entries.into_iter().map(|(k, v)| (Bytes(k), Bytes(v))).collect();
            Contents::Keyed(entries)
        }
        Access::Queue => {
            let mut values = Vec::new();
            loop {
                match table.pop() {
                    Ok(value) => values.push(Bytes(value)),
                    Err(Errno::ENOENT) => break,
                    Err(errno) => return Err(failed(errno)),
                }
            }
            Contents::Queue(values)
        }
        Access::Hidden(why) => Contents::Hidden(why.to_owned()),
    })
}
