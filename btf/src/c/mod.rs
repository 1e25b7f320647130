//! Types as C: one name, one declaration, one definition, or a whole file that compiles.
//!
//! A file has its types in an order that C takes: what a definition needs stands before it. Structs get padding, `packed` and
//! `aligned` where C would not place their members as BTF says. Two types of one name get different ones (`x___2`), names that C
//! cannot have are changed. A struct whose members no C struct can place, which only other languages and damaged types have, is
//! written as so many bytes.

mod layout;
mod names;
mod order;
mod text;

use std::collections::{BTreeSet, HashSet};

use names::Names;
use order::Order;
use text::Writer;

use crate::{Btf, BtfError, Kind, Type, TypeId};

/// Bytes of text per byte of types, at most: untagged structs are written wherever they are used, and what is put together in several
/// steps counts in each. The text of a kernel's types is half as large as they are.
const BYTES_PER_BYTE: u64 = 16;

/// Fewest bytes of text that are allowed.
const LEAST: u64 = 1 << 20;

impl Btf {
    /// The type in one line, as a C declaration without a name has it: `const char *[16]`, `struct task_struct`, `int (*)(void *, ...)`.
    /// A function or variable is told with its name. Untagged structs are `struct { ... }`.
    pub fn type_name(&self, id: TypeId) -> String {
        match self.get(id) {
            Some(Type::Func(func)) => self.declaration(func.proto, func.name),
            Some(Type::Var(var)) => self.declaration(var.ty, var.name),
            Some(Type::Datasec(section)) => format!("section {}", section.name()),
            Some(Type::DeclTag(tag)) => format!("btf_decl_tag({:?})", tag.value),
            _ => self.declaration(id, ""),
        }
    }

    /// The declaration of something of this type in one line: `char comm[16]`, `int (*open)(struct inode *, struct file *)`.
    pub fn declaration(&self, id: TypeId, name: &str) -> String {
        match Writer::brief(self).declare(id, name.to_owned(), 0, 0) {
            Ok(text) => text,
            // Only types that no compiler makes are so deep or so wide.
            Err(error) => format!("/* {error} */ void {name}"),
        }
    }

    /// The definition of one type with the names that BTF has, over as many lines as it takes: `struct x {` ... `};`.
    ///
    /// # Errors
    /// An id out of range, or types that nest too deeply to be written.
    pub fn c_definition(&self, id: TypeId) -> Result<String, BtfError> {
        Writer::new(self, None, HashSet::new(), LEAST).define(id)
    }

    /// The definitions of these types and of all that they need, as a part of a C file that compiles.
    ///
    /// # Errors
    /// As [`Btf::c_definition`].
    pub fn c_definitions(&self, ids: &[TypeId]) -> Result<String, BtfError> {
        let mut order = Order::new(self, self.budget());
        for id in ids {
            order.add(*id)?;
        }
        let mut text = String::new();
        let mut writer = self.writer(&mut order);
        for item in order.items {
            text.push_str(&writer.item(item)?);
        }
        // Functions and variables are declared, not defined.
        for id in ids.iter().filter(|id| matches!(self.kind(**id), Kind::Func | Kind::Var)) {
            text.push_str(&format!("extern {}\n", writer.define(*id)?));
        }
        Ok(text)
    }

    /// A C file of all types, to be included by programs: with an include guard, records marked so that accesses are relocated
    /// (`BPF_NO_PRESERVE_ACCESS_INDEX` switches it off), and kernel functions that programs may call declared
    /// (`BPF_NO_KFUNC_PROTOTYPES` switches it off).
    ///
    /// # Errors
    /// As [`Btf::c_definition`].
    pub fn c_header(&self) -> Result<String, BtfError> {
        let mut order = Order::new(self, self.budget());
        for id in order::lone_constants(self) {
            order.add_constants(id);
        }
        for id in self.ids().filter(|id| order::is_root(self, *id)) {
            order.add(id)?;
        }
        let functions = self.kernel_functions();
        for id in &functions {
            order.add_names(*id)?;
        }
        let mut writer = self.writer(&mut order);
        let mut definitions = String::new();
        for item in order.items {
            definitions.push_str(&writer.item(item)?);
        }
        // Clang warns of marks that mark nothing.
        let (mark, end) = if writer.wrote_record() { (MARK_RECORDS, MARK_END) } else { ("", "") };
        let mut text = [HEADER_START, mark, &definitions, end].concat();
        text.push_str(HEADER_FUNCTIONS);
        for id in functions {
            let declared = writer.define(id)?;
            text.push_str(&format!("extern {} __weak __ksym;\n", declared.trim_end_matches(";\n")));
        }
        text.push_str(HEADER_END);
        Ok(text)
    }

    fn writer(&self, order: &mut Order<'_>) -> Writer<'_> {
        Writer::new(self, Some(Names::all(self)), std::mem::take(&mut order.cut), self.budget())
    }

    /// Bytes of the types, those of the base included.
    fn raw_len(&self) -> u64 {
        self.raw().len() as u64 + self.base().map_or(0, Btf::raw_len)
    }

    fn budget(&self) -> u64 {
        LEAST + BYTES_PER_BYTE * self.raw_len()
    }

    /// The first function of each name that is tagged as one that programs may call.
    fn kernel_functions(&self) -> Vec<TypeId> {
        let mut seen = HashSet::new();
        let tagged = self.ids().filter_map(|id| match self.get(id) {
            Some(Type::DeclTag(tag)) if tag.value == "bpf_kfunc" && tag.component.is_none() => Some(tag.of),
            _ => None,
        });
        let functions: BTreeSet<_> = tagged.filter(|id| self.kind(*id) == Kind::Func).collect();
        functions.into_iter().filter(|id| seen.insert(self.name(*id))).collect()
    }
}

const HEADER_START: &str = "\
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

";

const MARK_RECORDS: &str = "\
#if defined(__bpf__) && !defined(BPF_NO_PRESERVE_ACCESS_INDEX)
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

";

const MARK_END: &str = "\
#if defined(__bpf__) && !defined(BPF_NO_PRESERVE_ACCESS_INDEX)
#pragma clang attribute pop
#endif

";

const HEADER_FUNCTIONS: &str = "\
#ifndef BPF_NO_KFUNC_PROTOTYPES
#ifndef __ksym
#define __ksym __attribute__((section(\".ksyms\")))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif

";

const HEADER_END: &str = "\
#endif

#endif /* __VMLINUX_H__ */
";
