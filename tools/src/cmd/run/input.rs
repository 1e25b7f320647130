//! From fields by name to the input of a program.

use std::sync::Arc;

use skep::{Btf, Input, Literal, ProgType, Program, World};
use skep_btf::{Layout, TypeId};
use skep_linux::contexts::{ContextRow, Shape, context};

use super::error::Wrong;
use super::proto::{Prototype, prototype};
use super::scene::{Scene, untyped};
use super::syntax::{Assignment, Given, Space};

/// Fields of a context, or all its bytes.
pub(super) enum Fields {
    Named(Vec<Assignment>),
    Bytes(Vec<u8>),
}

impl Fields {
    /// Reads `FIELD=VALUE,...` or `hex:DIGITS`. Settings of the world (`@clock=5ms`) are returned apart.
    pub(super) fn parse(text: &str) -> Result<(Fields, Vec<Assignment>), Wrong> {
        if text.trim_start().starts_with("hex:")
            && let Given::Bytes(bytes) = Given::parse(text)?
        {
            return Ok((Fields::Bytes(bytes), Vec::new()));
        }
        let (mut fields, mut settings) = (Vec::new(), Vec::new());
        for assignment in Assignment::list(text)? {
            match assignment.path.strip_prefix('@') {
                Some(path) => settings.push(Assignment { path: path.to_owned(), value: assignment.value }),
                None => fields.push(assignment),
            }
        }
        Ok((Fields::Named(fields), settings))
    }

    fn is_empty(&self) -> bool {
        match self {
            Fields::Named(fields) => fields.is_empty(),
            Fields::Bytes(bytes) => bytes.is_empty(),
        }
    }
}

/// What a program is run on: the packet, and a context of these fields.
pub(super) fn input(
    scene: &Scene,
    world: &mut World,
    program: &Program,
    record: Option<&(Arc<Btf>, TypeId)>,
    fields: &Fields,
    packet: Option<&[u8]>,
) -> Result<Input, Wrong> {
    let input = packet.map_or_else(Input::none, Input::packet);
    let fields = match fields {
        empty if empty.is_empty() && !is_record(program.prog_type) => return Ok(input),
        Fields::Bytes(bytes) => return Ok(input.with_context(bytes)),
        Fields::Named(fields) => fields,
    };
    let bytes = match context(program.prog_type, world.target.arch) {
        Some(row) if row.shape == Shape::BtfArgs => match record {
            // Iterators get a struct, and so do programs that take one.
            Some((btf, ty)) if program.attach_type == Some(skep::AttachType::TraceIter) => {
                Record::new(scene, btf, *ty, Space::Kernel)?.fill(world, fields)?
            }
            Some(_) | None => arguments(scene, world, program, fields)?,
        },
        Some(row) if is_raw_tracepoint(program.prog_type) => {
            let mut bytes = arguments(scene, world, program, fields)?;
            bytes.resize(bytes.len().max(row.size as usize), 0);
            bytes
        }
        Some(row) if !is_record(program.prog_type) => by_row(scene, world, row, program, fields)?,
        Some(_) | None => {
            let no_layout = || Wrong::NoLayout { program: program.name.clone() };
            match record {
                Some((btf, ty)) => Record::new(scene, btf, *ty, space(program))?.fill(world, fields)?,
                None if fields.is_empty() => return Ok(input),
                None => return Err(no_layout()),
            }
        }
    };
    Ok(input.with_context(&bytes))
}

/// Programs whose context is a record that BTF describes.
fn is_record(prog_type: ProgType) -> bool {
    matches!(prog_type, ProgType::Tracepoint | ProgType::Syscall)
}

fn is_raw_tracepoint(prog_type: ProgType) -> bool {
    matches!(prog_type, ProgType::RawTracepoint | ProgType::RawTracepointWritable)
}

/// Where memory for the arguments of an event is made: system calls and probes of programs get pointers of the user.
fn space(program: &Program) -> Space {
    let attach_to = program.attach_to.as_deref().unwrap_or_default();
    let of_user = attach_to.starts_with("syscalls/")
        || ["uprobe", "uretprobe", "ksyscall", "kretsyscall", "usdt"].iter().any(|kind| program.section.starts_with(kind));
    if of_user { Space::User } else { Space::Kernel }
}

/// A context by the rows of its fields: registers by name, or as `arg1`, `ret`; elements of arrays as `cb[1]`.
fn by_row(
    scene: &Scene,
    world: &mut World,
    row: &ContextRow,
    program: &Program,
    fields: &[Assignment],
) -> Result<Vec<u8>, Wrong> {
    const WORD: usize = 4;
    let arch = world.target.arch;
    let mut bytes = vec![0; row.size as usize];
    for assignment in fields {
        let name = match assignment.path.strip_prefix("arg").and_then(|number| number.parse::<usize>().ok()) {
            Some(number @ 1..) => arch.argument_registers().get(number - 1).copied().unwrap_or(&assignment.path),
            Some(0) | None if assignment.path == "ret" && row.field("ret").is_none() => arch.result_register(),
            Some(0) | None => &assignment.path,
        };
        let place = row.field(name).map(|field| (field.offset as usize, field.size as usize)).or_else(|| {
            let (array, index) = name.strip_suffix(']')?.split_once('[')?;
            let (field, index) = (row.field(array)?, index.parse::<usize>().ok()?);
            let end = index.checked_add(1)?.checked_mul(WORD)?;
            (end <= field.size as usize).then(|| (field.offset as usize + index * WORD, WORD))
        });
        let Some((offset, size)) = place else {
            let known = row.fields.iter().map(|field| field.name.to_owned()).collect();
            return Err(Wrong::NoField { what: row.name.to_owned(), field: assignment.path.clone(), known });
        };
        let given = assignment.given()?;
        let value = match size {
            8 => scene.lower_word(world, &given, space(program))?.to_vec(),
            _ => untyped(name, size, &given)?,
        };
        bytes[offset..offset + size].copy_from_slice(&value);
    }
    Ok(bytes)
}

/// Arguments of a function or a tracepoint, eight bytes each: by the names of its prototype, or as `arg1`, `ret`.
fn arguments(scene: &Scene, world: &mut World, program: &Program, fields: &[Assignment]) -> Result<Vec<u8>, Wrong> {
    const MOST: usize = 12;
    let prototype = prototype(&scene.types, program);
    let mut bytes = vec![0; prototype.as_ref().map_or(0, Prototype::slots) * 8];
    for assignment in fields {
        let found = prototype.as_ref().and_then(|prototype| prototype.find(&assignment.path));
        let numbered = || assignment.path.strip_prefix("arg")?.parse::<usize>().ok().filter(|number| (1..=MOST).contains(number));
        let given = assignment.given()?;
        let (slot, value) = match (found, &prototype, numbered()) {
            (Some((slot, ty)), Some(prototype), _) => (slot, typed(scene, world, &prototype.btf, ty, &given, space(program))?),
            (_, _, Some(number)) => (number - 1, scene.lower_word(world, &given, space(program))?.to_vec()),
            (_, _, None) => {
                let known = prototype.as_ref().map_or_else(|| vec!["arg1".into(), "arg2".into()], Prototype::names);
                let what = program.attach_to.clone().unwrap_or_else(|| program.name.clone());
                return Err(Wrong::NoField { what, field: assignment.path.clone(), known });
            }
        };
        let end = slot * 8 + value.len();
        bytes.resize(bytes.len().max(end.next_multiple_of(8)), 0);
        bytes[slot * 8..end].copy_from_slice(&value);
    }
    Ok(bytes)
}

/// The bytes of an argument of a type. Integers are extended to whole registers, as the caller of a function may leave them.
fn typed(scene: &Scene, world: &mut World, btf: &Btf, ty: TypeId, given: &Given, space: Space) -> Result<Vec<u8>, Wrong> {
    let literal = scene.lower(world, btf, ty, given, space)?;
    let mut bytes = vec![0; btf.size_of(ty)?.max(1) as usize];
    Layout::new(btf, ty).set(&mut bytes, "", literal.clone())?;
    let sign = matches!(literal, Literal::Number(number) if number < 0);
    if bytes.len() < 8 {
        bytes.resize(8, if sign { 0xff } else { 0 });
    }
    Ok(bytes)
}

/// A record being filled in.
struct Record<'a> {
    scene: &'a Scene,
    layout: Layout<'a>,
    space: Space,
    bytes: Vec<u8>,
    /// Text of fields that say where their bytes lie (`__data_loc`): it follows the record.
    tail: Vec<u8>,
}

/// Bytes that a flexible array at the end has: six arguments of a system call.
const FLEXIBLE: usize = 6 * 8;

/// What the kernel puts before the name of a field whose bytes follow the record.
const DATA_LOC: &str = "__data_loc_";

impl<'a> Record<'a> {
    fn new(scene: &'a Scene, btf: &'a Arc<Btf>, ty: TypeId, space: Space) -> Result<Record<'a>, Wrong> {
        let layout = Layout::new(btf, ty);
        let size = layout.size()? as usize;
        let flexible = match btf.get(btf.resolve(ty)) {
            Some(skep_btf::Type::Struct(record)) => record.members().last().is_some_and(|last| btf.is_flexible_array(last.ty)),
            _ => false,
        };
        // An array of bytes at the end is where `__data_loc` fields put theirs.
        let has_data = Self::member_exists(layout, "__data");
        let bytes = vec![0; size + if flexible && !has_data { FLEXIBLE } else { 0 }];
        Ok(Record { scene, layout, space, bytes, tail: Vec::new() })
    }

    fn member_exists(layout: Layout<'_>, name: &str) -> bool {
        layout.btf().walk(layout.root(), name).is_ok()
    }

    fn fill(mut self, world: &mut World, fields: &[Assignment]) -> Result<Vec<u8>, Wrong> {
        if Self::member_exists(self.layout, "ent.pid") {
            self.layout.set(&mut self.bytes, "ent.pid", world.task.pid)?;
        }
        for assignment in fields {
            self.set(world, assignment)?;
        }
        self.bytes.extend(self.tail);
        Ok(self.bytes)
    }

    fn set(&mut self, world: &mut World, assignment: &Assignment) -> Result<(), Wrong> {
        let given = assignment.given()?;
        let (btf, root, path) = (self.layout.btf(), self.layout.root(), assignment.path.as_str());
        let dynamic = format!("{DATA_LOC}{path}");
        if btf.walk(root, path).is_err() && Self::member_exists(self.layout, &dynamic) {
            let bytes = match given {
                Given::Literal(Literal::Text(mut text)) => {
                    text.push(0);
                    text
                }
                Given::Bytes(bytes) => bytes,
                other => untyped(path, 8, &other)?,
            };
            let at = self.bytes.len() + self.tail.len();
            self.tail.extend(&bytes);
            let place = (bytes.len() as u64) << 16 | at as u64 & 0xffff;
            return Ok(self.layout.set(&mut self.bytes, &dynamic, place)?);
        }
        let access = btf.walk(root, path)?;
        if let (Given::Bytes(bytes), true) = (&given, access.pointers.is_empty())
            && let Some(place) = self.raw(access.place, bytes.len())
        {
            place.copy_from_slice(bytes);
            return Ok(());
        }
        let literal = self.scene.lower(world, btf, access.place.ty, &given, self.space)?;
        Ok(self.layout.set(&mut self.bytes, path, literal)?)
    }

    /// The bytes of a field that has so many.
    fn raw(&mut self, place: skep_btf::Place, len: usize) -> Option<&mut [u8]> {
        let size = place.size(self.layout.btf()).ok()? as usize;
        let start = place.offset() as usize;
        if size == len && place.bitfield.is_none() { self.bytes.get_mut(start..start + len) } else { None }
    }
}
