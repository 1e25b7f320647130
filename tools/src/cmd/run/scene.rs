//! The world of a run as the command line describes it: objects by name, memory for values, settings.

use std::collections::BTreeMap;
use std::net::IpAddr;

use skep::{Btf, Literal, World};
use skep_btf::{Kind, Layout, Type, TypeId};

use super::error::Wrong;
use super::syntax::{Assignment, Given, Space, time};
use super::types::Types;

/// Objects by name, and the types that values have.
pub(super) struct Scene {
    /// The types.
    pub(super) types: Types,
    objects: BTreeMap<String, u64>,
}

fn memory(error: skep::KernelObjectError) -> Wrong {
    Wrong::Memory(error.to_string())
}

/// The bytes of an address, as packets have them.
fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// Bytes as a number, the first being the lowest.
fn number(bytes: &[u8]) -> i128 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | i128::from(*byte))
}

fn sort(literal: &Literal) -> &'static str {
    match literal {
        Literal::Number(_) => "a number",
        Literal::Float(_) => "a floating-point number",
        Literal::Text(_) => "text",
        Literal::Name(_) => "a name",
        Literal::List(_) => "a list",
        Literal::Record(_) => "a record",
    }
}

/// The bytes of a value without a type, for a place of `size` bytes: numbers are little-endian, text is filled up with zeros.
pub(super) fn untyped(what: &str, size: usize, given: &Given) -> Result<Vec<u8>, Wrong> {
    let exactly = |bytes: Vec<u8>| match bytes.len() == size {
        true => Ok(bytes),
        false => Err(Wrong::Length { what: what.to_owned(), len: bytes.len(), size }),
    };
    match given {
        Given::Bytes(bytes) => exactly(bytes.clone()),
        Given::Ip(ip) => exactly(octets(*ip)),
        Given::Literal(Literal::Number(number)) => {
            let bits = size * 8;
            let fits = bits >= 128 || (*number >= -(1i128 << bits >> 1) && *number < 1i128 << bits);
            if !fits {
                return Err(Wrong::Range { number: *number, size });
            }
            let sign = if *number < 0 { 0xff } else { 0 };
            let mut bytes = number.to_le_bytes().to_vec();
            bytes.resize(size, sign);
            Ok(bytes)
        }
        Given::Literal(Literal::Text(text)) if text.len() <= size => {
            let mut bytes = text.clone();
            bytes.resize(size, 0);
            Ok(bytes)
        }
        Given::Literal(Literal::Text(text)) => Err(Wrong::Length { what: what.to_owned(), len: text.len(), size }),
        Given::Literal(Literal::List(items)) if !items.is_empty() && size.is_multiple_of(items.len()) => {
            let each = size / items.len();
            let bytes = items.iter().map(|item| untyped(what, each, &Given::Literal(item.clone())));
            Ok(bytes.collect::<Result<Vec<_>, _>>()?.concat())
        }
        Given::Literal(literal) => Err(Wrong::Untyped { what: what.to_owned(), given: sort(literal) }),
        Given::Named(_) => Err(Wrong::Untyped { what: what.to_owned(), given: "the name of an object" }),
        Given::Address { .. } | Given::In(..) => Err(Wrong::Untyped { what: what.to_owned(), given: "an address" }),
    }
}

/// What of a type matters for how a value is given.
enum Sort {
    /// A pointer to this.
    Pointer(TypeId),
    /// An integer as wide as an address.
    Word,
    /// An array of this.
    Array(TypeId),
    Other,
}

fn sort_of(btf: &Btf, ty: TypeId) -> Sort {
    match btf.get(btf.resolve(ty)) {
        Some(Type::Ptr(to)) => Sort::Pointer(to.to),
        Some(Type::Int(int)) if int.size == 8 => Sort::Word,
        Some(Type::Array(array)) => Sort::Array(array.element),
        _ => Sort::Other,
    }
}

impl Scene {
    pub(super) fn new(types: Types) -> Scene {
        Scene { types, objects: BTreeMap::new() }
    }

    /// `--object NAME=TYPE`.
    pub(super) fn make(&mut self, world: &mut World, text: &str) -> Result<(), Wrong> {
        let Assignment { path, value } = Assignment::parse(text)?;
        let name = value.strip_prefix("struct ").or_else(|| value.strip_prefix("union ")).unwrap_or(&value).trim();
        let addr = world.new_object(name).map_err(memory)?;
        self.objects.insert(path, addr);
        Ok(())
    }

    /// The address of `@NAME`.
    pub(super) fn address(&self, world: &mut World, name: &str) -> Result<u64, Wrong> {
        match self.objects.get(name) {
            Some(addr) => Ok(*addr),
            None if name == "task" => world.current_task().map_err(memory),
            None => Err(Wrong::NoObject(name.to_owned())),
        }
    }

    /// `--set`, `--task`, and what an event says with `@`.
    pub(super) fn set(&self, world: &mut World, setting: &Assignment) -> Result<(), Wrong> {
        let (name, path) = setting.path.split_once('.').unwrap_or((&setting.path, ""));
        if path.is_empty() {
            return set_world(world, name, &setting.value);
        }
        if name == "task" && set_task(world, path, setting)? {
            return Ok(());
        }
        let addr = match self.objects.contains_key(name) || name == "task" {
            true => self.address(world, name)?,
            false => return Err(Wrong::NoSetting(name.to_owned())),
        };
        let literal = match (self.types.kernel.clone(), world.objects.get(addr).map(|(ty, _)| ty)) {
            (Some(btf), Some(ty)) => {
                let place = btf.walk(ty, path)?.place;
                self.lower(world, &btf, place.ty, &setting.given()?, Space::Kernel)?
            }
            (_, _) => return Err(Wrong::NoObject(name.to_owned())),
        };
        world.set(addr, path, literal).map_err(memory)
    }

    /// The literal that stands for a value where the type is `ty`; memory that it needs is made.
    pub(super) fn lower(&self, world: &mut World, btf: &Btf, ty: TypeId, given: &Given, space: Space) -> Result<Literal, Wrong> {
        let sort = sort_of(btf, ty);
        Ok(match (given, sort) {
            (Given::In(space, inner), _) => return self.lower(world, btf, ty, inner, *space),
            (Given::Named(name), _) => Literal::Number(self.address(world, name)?.into()),
            (Given::Address { ty, of }, _) => Literal::Number(self.store(world, ty.as_deref(), of, space)?.into()),
            (Given::Bytes(bytes), sort) => self.lower_bytes(world, btf, bytes, &sort, space)?,
            (Given::Ip(ip), sort) => self.lower_bytes(world, btf, &octets(*ip), &sort, space)?,
            (Given::Literal(literal), Sort::Pointer(to)) => self.point(world, btf, Some(to), literal, space)?,
            (Given::Literal(literal), Sort::Word) => self.point(world, btf, None, literal, space)?,
            (Given::Literal(literal), Sort::Array(_) | Sort::Other) => literal.clone(),
        })
    }

    fn lower_bytes(&self, world: &mut World, btf: &Btf, bytes: &[u8], sort: &Sort, space: Space) -> Result<Literal, Wrong> {
        Ok(match sort {
            Sort::Pointer(_) => Literal::Number(allocate(world, bytes, space)?.into()),
            Sort::Array(element) => match btf.size_of(*element)? as usize {
                0 | 1 => Literal::Text(bytes.to_vec()),
                size => Literal::List(bytes.chunks(size).map(|chunk| Literal::Number(number(chunk))).collect()),
            },
            Sort::Word | Sort::Other if bytes.len() > 15 => {
                return Err(Wrong::Length { what: "a number".into(), len: bytes.len(), size: 8 });
            }
            Sort::Word | Sort::Other => Literal::Number(number(bytes)),
        })
    }

    /// The address of memory that holds a value which stands where an address belongs; numbers and names stay what they are.
    fn point(&self, world: &mut World, btf: &Btf, to: Option<TypeId>, literal: &Literal, space: Space) -> Result<Literal, Wrong> {
        let addr = match literal {
            Literal::Number(_) | Literal::Float(_) | Literal::Name(_) => return Ok(literal.clone()),
            Literal::Text(text) => allocate(world, &with_nul(text), space)?,
            Literal::List(items) => self.list(world, btf, to, items, space)?,
            Literal::Record(_) => match to.map(|to| btf.resolve(to)) {
                Some(to) if matches!(btf.kind(to), Kind::Struct | Kind::Union) => self.typed(world, btf, to, literal, space)?,
                _ => return Err(Wrong::Untyped { what: "a pointer to no struct".into(), given: sort(literal) }),
            },
        };
        Ok(Literal::Number(addr.into()))
    }

    /// The word that stands for a value of which no type is known: text and lists get memory.
    pub(super) fn lower_word(&self, world: &mut World, given: &Given, space: Space) -> Result<[u8; 8], Wrong> {
        let nothing = Btf::default();
        let addr = match given {
            Given::In(space, inner) => return self.lower_word(world, inner, *space),
            Given::Named(name) => self.address(world, name)?,
            Given::Address { ty, of } => self.store(world, ty.as_deref(), of, space)?,
            Given::Literal(Literal::Text(text)) => allocate(world, &with_nul(text), space)?,
            Given::Literal(Literal::List(items)) => self.list(world, &nothing, None, items, space)?,
            Given::Bytes(_) | Given::Ip(_) | Given::Literal(_) => {
                let bytes = untyped("a word", 8, given)?;
                return Ok(std::array::from_fn(|i| bytes[i]));
            }
        };
        Ok(addr.to_le_bytes())
    }

    /// Memory for elements in a row: values of the type that is pointed to, or else words that end with a NULL, as `argv` does.
    fn list(&self, world: &mut World, btf: &Btf, to: Option<TypeId>, items: &[Literal], space: Space) -> Result<u64, Wrong> {
        let to = to.map(|to| btf.resolve(to));
        if let Some(to) = to.filter(|to| matches!(btf.kind(*to), Kind::Int | Kind::Enum | Kind::Enum64 | Kind::Struct)) {
            let mut bytes = Vec::new();
            for item in items {
                let mut element = vec![0; btf.size_of(to)? as usize];
                Layout::new(btf, to).set(&mut element, "", item.clone())?;
                bytes.extend(element);
            }
            return allocate(world, &bytes, space);
        }
        let mut bytes = Vec::new();
        for item in items {
            let word = match item {
                Literal::Text(text) => i128::from(allocate(world, &with_nul(text), space)?),
                Literal::Number(number) => *number,
                other => return Err(Wrong::Untyped { what: "a list of addresses".into(), given: sort(other) }),
            };
            bytes.extend((word as u64).to_le_bytes());
        }
        bytes.extend([0; 8]);
        allocate(world, &bytes, space)
    }

    /// Memory that holds a value: `&VALUE`, `&(TYPE)VALUE`.
    fn store(&self, world: &mut World, ty: Option<&str>, of: &Given, space: Space) -> Result<u64, Wrong> {
        let (space, of) = match of {
            Given::In(space, inner) => (*space, inner.as_ref()),
            other => (space, other),
        };
        match (ty, of) {
            (Some(name), Given::Literal(literal)) => {
                let (btf, id) = match space {
                    Space::Kernel => self.types.find_kernel(name).ok_or_else(|| Wrong::NoType(name.to_owned()))?,
                    Space::User => self.types.find(name)?,
                };
                self.typed(world, &btf, id, literal, space)
            }
            (Some(_), other) => Err(Wrong::Untyped { what: "a typed value".into(), given: what(other) }),
            (None, Given::Bytes(bytes)) => allocate(world, bytes, space),
            (None, Given::Ip(ip)) => allocate(world, &octets(*ip), space),
            (None, Given::Literal(Literal::Text(text))) => allocate(world, &with_nul(text), space),
            (None, Given::Literal(Literal::Number(_))) => allocate(world, &untyped("a word", 8, of)?, space),
            (None, Given::Named(name)) => {
                let word = self.address(world, name)?;
                allocate(world, &word.to_le_bytes(), space)
            }
            (None, Given::Literal(_) | Given::Address { .. } | Given::In(..)) => {
                Err(Wrong::Untyped { what: "memory without a type".into(), given: what(of) })
            }
        }
    }

    /// Memory that holds a value of a type. In the kernel it is an object, so that pointers on a path get objects too.
    fn typed(&self, world: &mut World, btf: &Btf, ty: TypeId, literal: &Literal, space: Space) -> Result<u64, Wrong> {
        let of_kernel = self.types.kernel.as_deref().is_some_and(|kernel| std::ptr::eq(kernel, btf));
        if let (Space::Kernel, true, Literal::Record(fields)) = (space, of_kernel, literal) {
            let addr = world.new_object(btf.name(ty)).map_err(memory)?;
            for (path, value) in fields {
                world.set(addr, path, value.clone()).map_err(memory)?;
            }
            return Ok(addr);
        }
        let mut bytes = vec![0; btf.size_of(ty)? as usize];
        Layout::new(btf, ty).set(&mut bytes, "", literal.clone())?;
        allocate(world, &bytes, space)
    }
}

fn what(given: &Given) -> &'static str {
    match given {
        Given::Literal(literal) => sort(literal),
        Given::Named(_) => "the name of an object",
        Given::Bytes(_) => "bytes",
        Given::Ip(_) => "an IP address",
        Given::Address { .. } | Given::In(..) => "an address",
    }
}

fn with_nul(text: &[u8]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    bytes.push(0);
    bytes
}

fn allocate(world: &mut World, bytes: &[u8], space: Space) -> Result<u64, Wrong> {
    let made = match space {
        Space::User => world.new_user_memory(bytes),
        Space::Kernel => world.new_kernel_memory(bytes),
    };
    made.map_err(memory)
}

/// A setting without a path.
fn set_world(world: &mut World, name: &str, text: &str) -> Result<(), Wrong> {
    let number = |size| untyped(name, size, &Given::parse(text)?).map(|bytes| number(&bytes) as u64);
    match name {
        "clock" => {
            let (at, relative) = time(text)?;
            world.clock.monotonic = if relative { world.clock.monotonic.wrapping_add(at) } else { at };
        }
        "cpu" => world.cpu = number(4)? as u32,
        "cookie" => world.event.cookie = number(8)?,
        "func_ip" => world.event.func_ip = number(8)?,
        other => return Err(Wrong::NoSetting(other.to_owned())),
    }
    Ok(())
}

/// A field of the task that helpers see; `false` if the name is none of theirs.
fn set_task(world: &mut World, name: &str, setting: &Assignment) -> Result<bool, Wrong> {
    let number = |size| untyped(name, size, &setting.given()?).map(|bytes| number(&bytes) as u64);
    let task = &mut world.task;
    match name {
        "pid" => task.pid = number(4)? as u32,
        "tgid" => task.tgid = number(4)? as u32,
        "uid" => task.uid = number(4)? as u32,
        "gid" => task.gid = number(4)? as u32,
        "cgroup" => task.cgroup_id = number(8)?,
        "comm" => {
            task.comm = match setting.given() {
                Ok(Given::Literal(Literal::Text(text))) => String::from_utf8_lossy(&text).into_owned(),
                // A bare word, which need not be a value: `comm=kworker/0:1`.
                Ok(_) | Err(_) => setting.value.clone(),
            };
        }
        _path_in_the_struct => return Ok(false),
    }
    Ok(true)
}
