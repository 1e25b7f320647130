//! Names of kernel addresses.

use std::collections::BTreeMap;

/// `/proc/kallsyms`: symbols by address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Symbols {
    by_addr: BTreeMap<u64, (String, u64)>,
}

impl Symbols {
    /// Adds a symbol of so many bytes.
    pub fn add(&mut self, addr: u64, size: u64, name: impl Into<String>) {
        self.by_addr.insert(addr, (name.into(), size));
    }

    /// The symbol that holds an address: its name, the offset in it, and its size.
    pub fn find(&self, addr: u64) -> Option<(&str, u64, u64)> {
        let (start, (name, size)) = self.by_addr.range(..=addr).next_back()?;
        let offset = addr - start;
        (offset < *size).then_some((name, offset, *size))
    }

    /// The address of a name.
    pub fn addr(&self, name: &str) -> Option<u64> {
        self.by_addr.iter().find(|(_, (n, _))| n == name).map(|(addr, _)| *addr)
    }
}
