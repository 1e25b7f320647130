//! Declarations and definitions as text.

use std::borrow::Cow;
use std::collections::HashSet;

use super::layout::{Piece, Plan, Plans, fillers};
use super::names::{Names, identifier, is_builtin, is_keyword_of_c23};
use super::order::Item;
use crate::{Btf, BtfError, Enum, FuncProto, IntEncoding, Member, Type, TypeId, TypeProblem};

/// Deepest nesting of pointers, arrays, functions and untagged structs in one declaration.
const MAX_DEPTH: u16 = 300;

/// Bytes that a short line takes, at most.
const LINE: u64 = 24;

/// Writes types.
pub(super) struct Writer<'a> {
    btf: &'a Btf,
    /// One name for each thing of a file; without, the names of BTF are used.
    names: Option<Names>,
    plans: Plans,
    cut: HashSet<TypeId>,
    /// Untagged structs are written as `{ ... }`.
    brief: bool,
    /// The body of a struct or union was written.
    record: bool,
    /// Bytes that may still be written, so that text stays in proportion to the types. What is put together in several steps counts
    /// in each.
    budget: u64,
}

/// Qualifiers and tags on the way to a type.
#[derive(Default, Clone)]
struct Qualifiers {
    constant: bool,
    volatile: bool,
    restrict: bool,
    /// Attributes, each with a space before it.
    attributes: String,
}

impl Qualifiers {
    /// Before a plain type: `const volatile `.
    fn prefix(&self) -> String {
        let words = [(self.constant, "const "), (self.volatile, "volatile ")];
        words.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect()
    }

    /// After the star of a pointer.
    fn of_pointer(&self, inner: &str) -> String {
        let restrict = if self.restrict { "restrict " } else { "" };
        let words = format!("{}{restrict}{}", self.prefix(), self.attributes.trim_start());
        match (words.trim_end(), inner) {
            ("", inner) => format!("*{inner}"),
            (words, "") => format!("* {words}"),
            (words, inner) => format!("* {words} {inner}"),
        }
    }
}

fn indent(depth: usize) -> String {
    "\t".repeat(depth)
}

/// A number as a constant of an enum may have it.
fn constant(value: i64, signed: bool, wide: bool) -> String {
    match (signed, wide) {
        (true, true) if value == i64::MIN => "(-9223372036854775807LL - 1)".to_owned(),
        (true, true) => format!("{value}LL"),
        (false, true) => format!("{}ULL", value as u64),
        (true, false) if value == i64::from(i32::MIN) => "(-2147483647 - 1)".to_owned(),
        (_, false) => value.to_string(),
    }
}

/// A string between quotes.
fn quoted(text: &str) -> String {
    let escaped: String = text.chars().map(|c| if c.is_control() || c == '"' || c == '\\' { '_' } else { c }).collect();
    format!("\"{escaped}\"")
}

impl<'a> Writer<'a> {
    pub(super) fn new(btf: &'a Btf, names: Option<Names>, cut: HashSet<TypeId>, budget: u64) -> Writer<'a> {
        Writer { btf, names, plans: Plans::default(), cut, brief: false, record: false, budget }
    }

    /// A writer of single lines.
    pub(super) fn brief(btf: &'a Btf) -> Writer<'a> {
        Writer { brief: true, ..Writer::new(btf, None, HashSet::new(), 1 << 18) }
    }

    pub(super) fn wrote_record(&self) -> bool {
        self.record
    }

    fn spend(&mut self, id: TypeId, bytes: u64) -> Result<(), BtfError> {
        self.budget = self.budget.checked_sub(bytes).ok_or(BtfError::TooManySteps { id })?;
        Ok(())
    }

    fn name(&self, id: TypeId) -> Cow<'_, str> {
        match &self.names {
            None => Cow::Borrowed(self.btf.name(id)),
            Some(names) => names.of(self.btf, id),
        }
    }

    fn member_name<'n>(&self, name: &'n str) -> Cow<'n, str> {
        if self.names.is_some() { identifier(name) } else { Cow::Borrowed(name) }
    }

    /// `type name` as C declares it; `inner` is the name, or what stands in its place.
    pub(super) fn declare(&mut self, id: TypeId, inner: String, tabs: usize, depth: u16) -> Result<String, BtfError> {
        self.declare_with(id, Qualifiers::default(), inner, tabs, depth)
    }

    fn declare_with(
        &mut self,
        id: TypeId,
        mut with: Qualifiers,
        inner: String,
        tabs: usize,
        depth: u16,
    ) -> Result<String, BtfError> {
        self.spend(id, LINE + (inner.len() + tabs) as u64)?;
        if depth > MAX_DEPTH {
            let offset = self.btf.offset_of(id).unwrap_or(0);
            return Err(BtfError::Type { id, offset, problem: TypeProblem::TooDeep(MAX_DEPTH) });
        }
        let mut at = id;
        loop {
            match self.btf.ty(at)? {
                Type::Const(to) => (with.constant, at) = (true, to.to),
                Type::Volatile(to) => (with.volatile, at) = (true, to.to),
                Type::Restrict(to) => (with.restrict, at) = (true, to.to),
                Type::TypeTag(tag) => {
                    let value = if tag.attribute { tag.name.to_owned() } else { format!("btf_type_tag({})", quoted(tag.name)) };
                    self.spend(at, LINE + value.len() as u64)?;
                    with.attributes.push_str(&format!(" __attribute__(({value}))"));
                    at = tag.to;
                }
                _ => break,
            }
        }
        match self.btf.ty(at)? {
            Type::Ptr(to) => {
                let pointer = with.of_pointer(&inner);
                if self.cut.contains(&at) {
                    return Ok(format!("void {pointer}"));
                }
                let behind = self.btf.skip_modifiers(to.to);
                let binds = matches!(self.btf.get(behind), Some(Type::Array(_) | Type::FuncProto(_)));
                self.declare(to.to, if binds { format!("({pointer})") } else { pointer }, tabs, depth + 1)
            }
            // Qualifiers of an array are those of its elements.
            Type::Array(array) => {
                let with = Qualifiers { restrict: false, ..with };
                self.declare_with(array.element, with, format!("{inner}[{}]", array.count), tabs, depth + 1)
            }
            // Those of a function say nothing in C.
            Type::FuncProto(proto) => {
                let params = self.params(proto, tabs, depth)?;
                self.declare(proto.ret(), format!("{inner}({params})"), tabs, depth + 1)
            }
            _ => {
                let base = self.base(at, tabs, depth)?;
                let space = if inner.is_empty() { "" } else { " " };
                Ok(format!("{}{base}{}{space}{inner}", with.prefix(), with.attributes))
            }
        }
    }

    fn params(&mut self, proto: FuncProto<'_>, tabs: usize, depth: u16) -> Result<String, BtfError> {
        let mut params = Vec::new();
        for param in proto.params() {
            let name = self.member_name(param.name).into_owned();
            params.push(self.declare(param.ty, name, tabs, depth + 1)?);
        }
        if proto.is_variadic() {
            if params.is_empty() {
                return Ok(String::new());
            }
            params.push("...".to_owned());
        }
        Ok(if params.is_empty() { "void".to_owned() } else { params.join(", ") })
    }

    /// A type that is neither pointer, array nor function.
    fn base(&mut self, id: TypeId, tabs: usize, depth: u16) -> Result<String, BtfError> {
        self.spend(id, self.btf.name(id).len() as u64)?;
        Ok(match self.btf.ty(id)? {
            Type::Void => "void".to_owned(),
            Type::Int(_) | Type::Float(_) | Type::Typedef(_) => {
                let name = self.btf.name(id);
                if is_builtin(name) { name.to_owned() } else { self.name(id).into_owned() }
            }
            Type::Struct(c) | Type::Union(c) => {
                let keyword = if c.is_union() { "union" } else { "struct" };
                match (c.name().is_empty(), self.brief) {
                    (false, _) => format!("{keyword} {}", self.name(id)),
                    (true, true) => format!("{keyword} {{ ... }}"),
                    (true, false) => format!("{keyword} {}", self.body(id, tabs, depth)?),
                }
            }
            Type::Enum(e) => match (e.name().is_empty(), self.brief) {
                (false, _) => format!("enum {}", self.name(id)),
                (true, true) => "enum { ... }".to_owned(),
                (true, false) => format!("enum {}", self.constants(e, tabs)?),
            },
            Type::Fwd(fwd) => format!("{} {}", if fwd.union { "union" } else { "struct" }, self.name(id)),
            // What is no type, where a type should be.
            Type::Func(_) | Type::Var(_) | Type::Datasec(_) | Type::DeclTag(_) => "void".to_owned(),
            // `declare_with` has taken these apart.
            Type::Ptr(_)
            | Type::Array(_)
            | Type::Volatile(_)
            | Type::Const(_)
            | Type::Restrict(_)
            | Type::FuncProto(_)
            | Type::TypeTag(_) => self.declare(id, String::new(), tabs, depth + 1)?,
        })
    }

    /// The braces of a struct or union, with what follows them.
    fn body(&mut self, id: TypeId, tabs: usize, depth: u16) -> Result<String, BtfError> {
        let (Type::Struct(composite) | Type::Union(composite)) = self.btf.ty(id)? else { return Ok(String::new()) };
        self.spend(id, LINE * (1 + u64::from(composite.member_count())))?;
        self.record = true;
        let plan = self.plans.plan(self.btf, composite).clone();
        let (inside, outside) = (indent(tabs + 1), indent(tabs));
        let (pieces, packed, aligned) = match plan {
            Plan::Body { packed, aligned, pieces, .. } => (pieces, packed, aligned),
            Plan::Opaque(size) => {
                let why = "/* C has no way to place the members */";
                return Ok(format!("{{\n{inside}{why}\n{inside}unsigned char bytes[{size}];\n{outside}}}"));
            }
        };
        let mut text = "{\n".to_owned();
        for piece in pieces {
            text.push_str(&inside);
            match piece {
                Piece::Padding(from, to) => {
                    let lines: Vec<_> = fillers(from, to).map(|bits| format!("long: {bits};\n")).collect();
                    self.spend(id, lines.len() as u64 * (LINE + inside.len() as u64))?;
                    text.push_str(&lines.join(&inside));
                }
                Piece::Member(index) => {
                    let Some(member) = composite.member(index) else { continue };
                    text.push_str(&self.member(member, index, tabs + 1, depth + 1)?);
                    text.push_str(";\n");
                }
            }
        }
        text.push_str(&format!("{outside}}}"));
        if packed {
            text.push_str(" __attribute__((packed))");
        }
        if let Some(bytes) = aligned {
            text.push_str(&format!(" __attribute__((aligned({bytes})))"));
        }
        Ok(text)
    }

    fn member(&mut self, member: Member<'_>, index: u32, tabs: usize, depth: u16) -> Result<String, BtfError> {
        let name = self.member_name(member.name).into_owned();
        match (member.bitfield, name.is_empty()) {
            (Some(width), _) => Ok(format!("{}: {width}", self.declare(member.ty, name, tabs, depth)?)),
            (None, false) => self.declare(member.ty, name, tabs, depth),
            (None, true) => match self.btf.get(self.btf.skip_modifiers(member.ty)) {
                // A struct without a name as a member: its members are the outer one's, whether it has a tag or not.
                Some(Type::Struct(c) | Type::Union(c)) if !self.brief => {
                    let keyword = if c.is_union() { "union" } else { "struct" };
                    Ok(format!("{keyword} {}", self.body(c.id(), tabs, depth)?))
                }
                _ => self.declare(member.ty, format!("unnamed_{index}"), tabs, depth),
            },
        }
    }

    /// The braces of an enum, with what follows them.
    fn constants(&mut self, e: Enum<'_>, tabs: usize) -> Result<String, BtfError> {
        let names: u64 = e.values().map(|value| value.name.len() as u64).sum();
        self.spend(e.id(), names + (LINE + tabs as u64) * (1 + u64::from(e.value_count())))?;
        let (inside, outside) = (indent(tabs + 1), indent(tabs));
        let mut text = "{\n".to_owned();
        let wide = |value: i64| value != i64::from(value as i32) && value != i64::from(value as u32);
        for value in e.values() {
            let name = match &mut self.names {
                None => value.name.to_owned(),
                Some(names) => names.constant(value.name),
            };
            text.push_str(&format!("{inside}{name} = {},\n", constant(value.value, e.is_signed(), wide(value.value))));
        }
        if e.value_count() == 0 {
            // C has no enum without constants.
            let none = format!("{}___none", self.name(e.id()));
            text.push_str(&format!("{inside}{none} = 0,\n"));
        }
        text.push_str(&format!("{outside}}}"));
        let natural = if e.values().any(|value| wide(value.value)) { 8 } else { 4 };
        let mode = match e.size() {
            1 => " __attribute__((mode(QI)))",
            2 => " __attribute__((mode(HI)))",
            4 if natural == 4 => "",
            8 if natural == 4 => " __attribute__((mode(DI)))",
            _ => "",
        };
        text.push_str(mode);
        Ok(text)
    }

    /// `struct x { ... };` and its like: the whole definition, with a newline at its end.
    pub(super) fn define(&mut self, id: TypeId) -> Result<String, BtfError> {
        Ok(match self.btf.ty(id)? {
            Type::Struct(c) | Type::Union(c) => {
                let keyword = if c.is_union() { "union" } else { "struct" };
                let name = self.name(id).into_owned();
                let space = if name.is_empty() { "" } else { " " };
                format!("{keyword}{space}{name} {};\n", self.body(id, 0, 0)?)
            }
            Type::Enum(e) => {
                let name = self.name(id).into_owned();
                let space = if name.is_empty() { "" } else { " " };
                format!("enum{space}{name} {};\n", self.constants(e, 0)?)
            }
            Type::Typedef(tag) => {
                let name = self.name(id).into_owned();
                format!("typedef {};\n", self.declare(tag.to, name, 0, 0)?)
            }
            Type::Fwd(_) => format!("{};\n", self.base(id, 0, 0)?),
            Type::Func(func) => {
                let name = self.member_name(func.name).into_owned();
                format!("{};\n", self.declare(func.proto, name, 0, 0)?)
            }
            Type::Var(var) => {
                let name = self.member_name(var.name).into_owned();
                format!("{};\n", self.declare(var.ty, name, 0, 0)?)
            }
            Type::Datasec(section) => {
                let mut text = format!("/* section {} of {} bytes */\n", section.name(), section.size());
                for var in section.vars() {
                    self.spend(id, LINE)?;
                    text.push_str(&self.define(var.ty)?);
                }
                text
            }
            Type::Int(_) | Type::Float(_) if !is_builtin(self.btf.name(id)) => self.number(id)?,
            Type::Void
            | Type::Int(_)
            | Type::Float(_)
            | Type::Ptr(_)
            | Type::Array(_)
            | Type::Volatile(_)
            | Type::Const(_)
            | Type::Restrict(_)
            | Type::FuncProto(_)
            | Type::DeclTag(_)
            | Type::TypeTag(_) => format!("{};\n", self.declare(id, String::new(), 0, 0)?),
        })
    }

    /// A typedef for a number that C calls something else.
    fn number(&mut self, id: TypeId) -> Result<String, BtfError> {
        let (size, kind) = match self.btf.ty(id)? {
            Type::Float(float) => (float.size, None),
            Type::Int(int) => (int.size, Some(int.encoding)),
            _ => return Ok(String::new()),
        };
        let name = self.name(id).into_owned();
        let base = match (size, kind) {
            (1, Some(IntEncoding::Bool)) => "_Bool",
            (1, Some(IntEncoding::Char)) => "char",
            (1, Some(IntEncoding::Signed)) => "signed char",
            (1, Some(_)) => "unsigned char",
            (2, Some(IntEncoding::Signed)) => "short",
            (2, Some(_)) => "unsigned short",
            (4, Some(IntEncoding::Signed)) => "int",
            (4, Some(_)) => "unsigned int",
            (8, Some(IntEncoding::Signed)) => "long long",
            (8, Some(_)) => "unsigned long long",
            (16, Some(IntEncoding::Signed)) => "__int128",
            (16, Some(_)) => "unsigned __int128",
            (4, None) => "float",
            (8, None) => "double",
            (16, None) => "long double",
            (_, _) => return Ok(format!("typedef struct {{ unsigned char bytes[{size}]; }} {name};\n")),
        };
        Ok(format!("typedef {base} {name};\n"))
    }

    /// A piece of a file.
    pub(super) fn item(&mut self, item: Item) -> Result<String, BtfError> {
        let (id, text) = match item {
            Item::Forward(id) => return Ok(format!("{};\n\n", self.base(id, 0, 0)?)),
            Item::Definition(id) | Item::Typedef(id) | Item::Constants(id) | Item::Number(id) => (id, self.define(id)?),
        };
        let ordinary = match self.btf.ty(id)? {
            Type::Typedef(_) | Type::Int(_) | Type::Float(_) => is_keyword_of_c23(self.btf.name(id)),
            Type::Enum(e) => e.values().any(|value| is_keyword_of_c23(value.name)),
            _ => false,
        };
        if ordinary {
            return Ok(format!("#if !defined(__STDC_VERSION__) || __STDC_VERSION__ < 202311L\n{text}#endif\n\n"));
        }
        Ok(format!("{text}\n"))
    }
}
