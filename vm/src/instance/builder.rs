//! From programs and maps to an [`Instance`].

use std::collections::BTreeMap;
use std::sync::Arc;

use skep_btf::{Btf, Kind};
use skep_isa::{Callee, TargetError, Wide};
use skep_linux::{Errno, MapType, Target};
use skep_maps::{Arena, CreateError, CreateOptions, HandleLayout, Map, PerfEventArray, ProgArray};
use skep_object::{Linker, Object, ObjectError, ProgramRef, RelocateError};
use skep_program::{MapDef, Program, Verified};
use skep_verifier::{Reject, Undecided, Verdict, verified};
use skep_world::{Context, FreedField, KernelObjectError, World};

use super::{CompileError, Entry, Instance, as_verified};
use crate::engine::{Core, Environment, MapTable};
use crate::image::Image;
use crate::link::{Closure, Linked, Outside};

/// Instructions that a run may execute unless the builder says otherwise: about a second.
pub const DEFAULT_BUDGET: u64 = 1 << 28;

/// Why programs and maps do not make an instance.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A program that does not fit the target.
    #[error(transparent)]
    Relocate(Box<RelocateError>),
    /// A name that is no program of the object.
    #[error(transparent)]
    Object(Box<ObjectError>),
    /// A map that cannot be created.
    #[error(transparent)]
    Map(#[from] CreateError),
    /// A jump that leads nowhere.
    #[error("program `{program}`: {error}")]
    Jump {
        /// The program.
        program: String,
        /// The jump.
        error: TargetError,
    },
    /// A helper or kernel function that skep does not simulate and the application does not supply.
    #[error("program `{program}`, instruction {slot}: {what} is not simulated")]
    NoBody {
        /// The program.
        program: String,
        /// Slot of the first call.
        slot: usize,
        /// Name or number.
        what: String,
    },
    /// A wide load that names nothing.
    #[error("program `{program}`, instruction {slot}: {what}")]
    Link {
        /// The program.
        program: String,
        /// Slot of the load.
        slot: usize,
        /// What is wrong.
        what: String,
    },
    /// A program that was to be verified, and that the kernel would refuse.
    #[error("program `{program}` is refused{}: {}", at(reject.pc), reject.why)]
    Refused {
        /// The program.
        program: String,
        /// Why.
        reject: Box<Reject>,
    },
    /// A program that was to be verified, and of which skep cannot tell.
    #[error("program `{program}`{}: cannot decide: {}", at(undecided.pc), undecided.what)]
    Undecided {
        /// The program.
        program: String,
        /// What skep does not know.
        undecided: Box<Undecided>,
    },
    /// What a verified program is linked to is not what it was verified with.
    #[error("program `{program}` was not verified with this: {what}")]
    NotAsVerified {
        /// The program.
        program: String,
        /// What differs.
        what: String,
    },
    /// Programs that cannot be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// A variable of the kernel that cannot be made.
    #[error("program `{program}`: {error}")]
    Variable {
        /// The program.
        program: String,
        /// Why.
        error: Box<KernelObjectError>,
    },
    /// A value that a map is to start with.
    #[error("map `{map}`, key {key}: {what}")]
    Slot {
        /// The map.
        map: String,
        /// The key.
        key: u32,
        /// What is wrong.
        what: String,
    },
}

fn at(slot: Option<usize>) -> String {
    slot.map_or_else(String::new, |slot| format!(", instruction {slot}"))
}

impl From<ObjectError> for BuildError {
    fn from(error: ObjectError) -> BuildError {
        BuildError::Object(Box::new(error))
    }
}

impl From<RelocateError> for BuildError {
    fn from(error: RelocateError) -> BuildError {
        BuildError::Relocate(Box::new(error))
    }
}

/// Collects what an [`Instance`] is made of.
pub struct Builder {
    world: World,
    programs: Vec<Arc<Program>>,
    maps: Vec<Arc<MapDef>>,
    given: Vec<(String, Arc<dyn Map>)>,
    helpers: BTreeMap<i32, Closure>,
    budget: u64,
    absent: bool,
    stack_byte: u8,
    map_memory: Option<u64>,
    pub(super) verify: Option<skep_verifier::Options>,
    pub(super) compile: bool,
}

impl Builder {
    pub(super) fn new(target: Arc<Target>) -> Builder {
        Builder {
            world: World::new(target),
            programs: Vec::new(),
            maps: Vec::new(),
            given: Vec::new(),
            helpers: BTreeMap::new(),
            budget: DEFAULT_BUDGET,
            absent: false,
            stack_byte: 0,
            map_memory: None,
            verify: None,
            compile: false,
        }
    }

    /// Adds the programs of an object that loaders load by default, and all its maps.
    ///
    /// # Errors
    /// A program that does not fit the target.
    pub fn object(self, object: &Object) -> Result<Builder, BuildError> {
        let programs: Vec<ProgramRef<'_>> = object.programs().filter(ProgramRef::autoload).collect();
        self.programs_of(object, &programs)
    }

    /// Adds these programs of an object, by their entry functions, those that their prog arrays start with, and all maps of the object.
    ///
    /// # Errors
    /// A name that is not there, or a program that does not fit the target.
    pub fn object_programs(self, object: &Object, names: &[&str]) -> Result<Builder, BuildError> {
        let programs = names.iter().map(|name| object.program(name)).collect::<Result<Vec<_>, _>>()?;
        self.programs_of(object, &programs)
    }

    /// As [`Builder::object_programs`], for programs whose type the caller may have chosen ([`ProgramRef::as_type`]).
    ///
    /// # Errors
    /// A program that does not fit the target.
    pub fn programs_of<'o>(mut self, object: &'o Object, programs: &[ProgramRef<'o>]) -> Result<Builder, BuildError> {
        let target = self.world.target.clone();
        let mut linker = Linker::new(object, &target);
        let mut wanted = programs.to_vec();
        let mut next = 0;
        while let Some(program) = wanted.get(next) {
            let program = program.relocate_in(&mut linker)?;
            next += 1;
            let arrays = program.maps.iter().filter(|def| def.map_type == MapType::ProgArray);
            for (_, called) in arrays.flat_map(|def| &def.slots) {
                if !wanted.iter().any(|program| program.name() == called) {
                    wanted.push(object.program(called)?);
                }
            }
            self.programs.push(Arc::new(program));
        }
        // Maps that none of these programs names may start with programs that were not asked for.
        let of_others = |def: &MapDef| def.slots.iter().any(|(_, name)| !wanted.iter().any(|program| program.name() == name));
        let is_array = |def: &MapDef| def.map_type == MapType::ProgArray;
        // A struct_ops map holds functions of the kernel, not values.
        let holds_values = |def: &&Arc<MapDef>| def.map_type != MapType::StructOps && !(is_array(def) && of_others(def));
        self.maps.extend(object.maps().filter(holds_values).cloned());
        Ok(self)
    }

    /// Adds a program. Programs name the same map if they share its definition, or if their maps have the same name.
    #[must_use]
    pub fn program(mut self, program: impl Into<Arc<Program>>) -> Builder {
        self.programs.push(program.into());
        self
    }

    /// Adds a map that programs need not name: inner maps, maps that only the application reads.
    #[must_use]
    pub fn map(mut self, def: impl Into<Arc<MapDef>>) -> Builder {
        self.maps.push(def.into());
        self
    }

    /// Uses a live map, such as another instance's, for the map of this name.
    #[must_use]
    pub fn share_map(mut self, name: impl Into<String>, map: Arc<dyn Map>) -> Builder {
        self.given.push((name.into(), map));
        self
    }

    /// Starts with this world in place of a fresh one.
    #[must_use]
    pub fn world(mut self, world: World) -> Builder {
        self.world = world;
        self
    }

    /// Supplies the helper with this number; it takes the place of skep's own.
    #[must_use]
    pub fn helper(mut self, id: i32, body: Closure) -> Builder {
        self.helpers.insert(id, body);
        self
    }

    /// Instructions that one run may execute.
    #[must_use]
    pub fn budget(mut self, instructions: u64) -> Builder {
        self.budget = instructions;
        self
    }

    /// What stacks hold before a program writes to them; 0 by default. A run that this changes read what nothing had written, which
    /// privileged programs may do.
    #[must_use]
    pub fn stack_byte(mut self, byte: u8) -> Builder {
        self.stack_byte = byte;
        self
    }

    /// Helpers and kernel functions without a body end the run that calls them, in place of failing the build.
    #[must_use]
    pub fn allow_absent(mut self) -> Builder {
        self.absent = true;
        self
    }

    /// Bytes that one map may take for its values, or for its keys; a map that needs more is refused with `ENOMEM`. Without this, 4 GiB.
    #[must_use]
    pub fn map_memory(mut self, bytes: u64) -> Builder {
        self.map_memory = Some(bytes);
        self
    }

    /// Verifies the programs as the kernel would. What it would refuse, or what skep cannot decide, does not build; what is accepted runs
    /// without the tests of memory accesses that this makes needless.
    #[must_use]
    pub fn verify(mut self, options: skep_verifier::Options) -> Builder {
        self.verify = Some(options);
        self
    }

    /// Creates the maps and links the programs.
    ///
    /// # Errors
    /// [`BuildError`], with the program and the place.
    pub fn build(mut self) -> Result<Instance, BuildError> {
        let mut options = CreateOptions::new(self.world.cpus);
        let freed = self.world.freed.clone();
        options.on_free = Some(Arc::new(move |field, slot| {
            freed.push(FreedField { kind: field.kind, addr: slot.addr(), word: slot.block.load(slot.offset, slot.len.min(8)) });
        }));
        options.max_bytes = self.map_memory.unwrap_or(options.max_bytes);
        options.handle = self.world.target.btf().and_then(|btf| handle_layout(btf)).unwrap_or_default();
        let mut maps = Maps { entries: Vec::new(), options, given: self.given.clone() };
        let mut linked = Vec::new();
        for program in self.programs.clone() {
            let known = maps.entries.len();
            let own = program.maps.iter().map(|def| maps.entry(def, known)).collect::<Result<Vec<_>, _>>()?;
            linked.push(Arc::new(self.link(program, linked.len(), &own, &maps.entries)?));
        }
        for def in &self.maps {
            let known = maps.entries.len();
            maps.entry(def, known)?;
        }
        let entries = maps.entries;
        fill_slots(&entries, &self.programs)?;
        let first = match linked.first() {
            Some(first) => first.clone(),
            None => Arc::new(nothing()),
        };
        let mut core = Core::new(self.world, Context::memory(skep_memory::Block::zeroed(0)), first);
        if self.stack_byte != 0 {
            core.set_stack_byte(self.stack_byte);
        }
        let mut environment = Environment { programs: linked, maps: MapTable::default() };
        for Entry { map, .. } in &entries {
            core.add_map(map.as_ref());
            environment.maps.insert(map.clone());
        }
        let mut instance = Instance { core: Box::new(core), environment, maps: entries, budget: self.budget };
        if self.compile {
            instance.compile()?;
        }
        Ok(instance)
    }

    fn link(&mut self, program: Arc<Program>, index: usize, own: &[usize], maps: &[Entry]) -> Result<Linked, BuildError> {
        let name = program.name.clone();
        let wrong_jump = |error| BuildError::Jump { program: name.clone(), error };
        let image = match self.verify.clone() {
            None => Image::new(program).map_err(wrong_jump)?,
            Some(options) => {
                let verified = self.verified(program, &options)?;
                as_verified::check_claims(&verified)
                    .and_then(|()| as_verified::check(&verified, own, maps, self.world.cpus))
                    .map_err(|what| BuildError::NotAsVerified { program: name.clone(), what })?;
                Image::trusted(&verified).map_err(wrong_jump)?
            }
        };
        let mut links = Vec::with_capacity(image.links.len());
        for (slot, wide) in &image.links {
            links.push(self.value(&image, *slot, *wide, own, maps)?);
        }
        let calls = image.calls.iter().map(|callee| self.callee(&image, *callee)).collect::<Result<Vec<_>, _>>()?;
        if self.verify.is_some() && calls.iter().any(|callee| matches!(callee, Outside::Closure(_))) {
            let what = "it calls a helper that the application supplies".to_owned();
            return Err(BuildError::NotAsVerified { program: name, what });
        }
        let arena = own.iter().map(|at| &maps[*at].map).find(|map| map.def().map_type == MapType::Arena).cloned();
        Ok(Linked { index, image: Arc::new(image), links, calls, arena, by_number: BTreeMap::new(), native: None })
    }

    /// The program, accepted.
    fn verified(&self, program: Arc<Program>, options: &skep_verifier::Options) -> Result<Verified<Program>, BuildError> {
        let name = program.name.clone();
        let (report, verified) = verified(program, &self.world.target, options);
        match (report.verdict, verified) {
            (Verdict::Accept, Some(verified)) => Ok(verified),
            (Verdict::Reject(reject), _) => Err(BuildError::Refused { program: name, reject }),
            (Verdict::Undecided(undecided), _) => Err(BuildError::Undecided { program: name, undecided }),
            (Verdict::Accept, None) => unreachable!("what is accepted is vouched for"),
        }
    }

    /// The value of a wide load.
    fn value(&mut self, image: &Image, slot: usize, wide: Wide, own: &[usize], maps: &[Entry]) -> Result<u64, BuildError> {
        let program = || image.program.name.clone();
        let wrong = |what: String| BuildError::Link { program: program(), slot, what };
        let map_at = |map: i32| {
            let entry = usize::try_from(map).ok().and_then(|map| own.get(map)).map(|at| &maps[*at].map);
            entry.ok_or_else(|| wrong(format!("the program has no map {map}")))
        };
        match wide {
            Wide::Const(value) => Ok(value),
            Wide::MapIndex(map) => Ok(map_at(map)?.handle().addr()),
            Wide::MapIndexValue { index, off } => {
                let map = map_at(index)?;
                if let Some(arena) = map.as_any().downcast_ref::<Arena>() {
                    return Ok(arena.user_start().wrapping_add(off as u32 as u64));
                }
                let value = map
                    .direct_value()
                    .map_err(|errno| wrong(format!("map `{}` has no direct values: {errno}", map.def().name)))?;
                Ok(value.addr().wrapping_add(off as u32 as u64))
            }
            Wide::MapFd(fd) | Wide::MapFdValue { fd, .. } => {
                Err(wrong(format!("map descriptor {fd} was not replaced by an index")))
            }
            Wide::BtfId { id, btf_fd: 0 } => self
                .world
                .variable(skep_btf::TypeId(id as u32))
                .map_err(|error| BuildError::Variable { program: program(), error: Box::new(error) }),
            Wide::BtfId { id, btf_fd } => Err(wrong(format!("variable {id} of module BTF {btf_fd} is not simulated"))),
            Wide::Func(_) => match image.code.target(slot) {
                Ok(Some(target)) => Ok(image.address_of(target)),
                Ok(None) => Err(wrong("a function address that leads nowhere".into())),
                Err(error) => Err(BuildError::Jump { program: program(), error }),
            },
        }
    }

    /// What a call out of the program goes to.
    fn callee(&self, image: &Image, callee: Callee) -> Result<Outside, BuildError> {
        let what = match callee {
            Callee::Helper(id) => {
                if let Some(closure) = self.helpers.get(&id) {
                    return Ok(Outside::Closure(closure.clone()));
                }
                let row = u32::try_from(id).ok().and_then(|id| Some((skep_linux::helper(id)?, id)));
                match row {
                    Some((row, id)) => match skep_helpers::helper(id) {
                        Some(body) => return Ok(Outside::Body(body)),
                        None => format!("helper {}", row.name),
                    },
                    // Numbers that no helper will ever have are what loaders put where a relocation failed; the code around them is
                    // never reached, and the verifier drops it.
                    None if id > POISON => return Ok(Outside::Absent(poison(id).into())),
                    None => format!("helper number {id}"),
                }
            }
            Callee::Kfunc { id, module } => match self.kfunc(image, id, module) {
                FoundKfunc::Body(body) => return Ok(body),
                FoundKfunc::Unknown(name) => format!("kernel function {name}"),
            },
            Callee::Local(_) | Callee::Reg(_) => "a call of another kind".to_owned(),
        };
        if self.absent {
            return Ok(Outside::Absent(what.into()));
        }
        Err(BuildError::NoBody { program: image.program.name.clone(), slot: image.call_site(callee), what })
    }

    fn kfunc(&self, image: &Image, id: i32, module: i16) -> FoundKfunc {
        let named = image.program.kfuncs.iter().find(|kfunc| kfunc.id == id);
        if let Some(kfunc) = named.filter(|kfunc| !kfunc.present) {
            return FoundKfunc::Body(Outside::Absent(
                format!("kernel function {}, which the target does not have", kfunc.name).into(),
            ));
        }
        let name = match (named, self.world.target.btf()) {
            (Some(kfunc), _) => kfunc.name.clone(),
            (None, Some(btf)) if module == 0 => btf.name(skep_btf::TypeId(id as u32)).to_owned(),
            (None, Some(_) | None) => String::new(),
        };
        match skep_helpers::kfunc(&name) {
            Some(body) => FoundKfunc::Body(Outside::Body(body)),
            None if name.is_empty() => FoundKfunc::Unknown(format!("number {id}")),
            None => FoundKfunc::Unknown(name),
        }
    }
}

enum FoundKfunc {
    Body(Outside),
    Unknown(String),
}

/// Numbers of calls from here on are marks that loaders leave.
const POISON: i32 = 100_000_000;

fn poison(id: i32) -> String {
    const FAILED_CO_RE: i32 = 0xbad_2310;
    const ABSENT_KFUNC: i32 = 2_002_000_000;
    match id {
        FAILED_CO_RE => "code behind a CO-RE relocation that the target cannot satisfy".into(),
        ABSENT_KFUNC.. => format!("a call of weak kernel function {}, which the target does not have", id - ABSENT_KFUNC),
        _ => format!("a call of {id}, which is no helper"),
    }
}

/// Maps on their way into an instance.
struct Maps {
    entries: Vec<Entry>,
    options: CreateOptions,
    given: Vec<(String, Arc<dyn Map>)>,
}

impl Maps {
    /// The place of the map with this definition among the first `known`, by its name, or among all, by its definition; it is made if
    /// there is none.
    fn entry(&mut self, def: &Arc<MapDef>, known: usize) -> Result<usize, BuildError> {
        let same = self.entries.iter().position(|entry| Arc::ptr_eq(&entry.def, def));
        let named = || self.entries[..known].iter().position(|entry| entry.def.name == def.name);
        if let Some(at) = same.or_else(named) {
            return Ok(at);
        }
        let given = self.given.iter().find(|(name, _)| *name == def.name).map(|(_, map)| map.clone());
        let map = match given {
            Some(map) => map,
            None => create(&def.on_cpus(self.options.cpus), &self.options)?,
        };
        if let Some(events) = map.as_any().downcast_ref::<PerfEventArray>() {
            events.open_all();
        }
        if let (Some(arena), Some(data)) = (map.as_any().downcast_ref::<Arena>(), &def.arena_data) {
            arena.write(data.offset, &data.bytes).map_err(|errno| BuildError::Slot {
                map: def.name.clone(),
                key: 0,
                what: format!("its variables do not fit: {errno}"),
            })?;
        }
        self.entries.push(Entry { def: def.clone(), map });
        Ok(self.entries.len() - 1)
    }
}

/// Creates a map as loaders do: types that the kernel does not take with it are left away.
fn create(def: &Arc<MapDef>, options: &CreateOptions) -> Result<Arc<dyn Map>, CreateError> {
    match skep_maps::create(def, options) {
        Err(CreateError::Refused { .. }) if def.has_types() => skep_maps::create(&Arc::new(def.without_types()), options),
        made => made,
    }
}

/// Whether the kernel lets one go on in the other: both are run at hooks of one kind.
fn may_call(caller: &Program, called: &Program) -> bool {
    let frags = |program: &Program| program.flags & skep_linux::flags::BPF_F_XDP_HAS_FRAGS != 0;
    caller.prog_type == called.prog_type && caller.attach_type == called.attach_type && frags(caller) == frags(called)
}

/// Writes what prog arrays and maps of maps start with.
fn fill_slots(maps: &[Entry], programs: &[Arc<Program>]) -> Result<(), BuildError> {
    for Entry { def, map } in maps {
        for (key, name) in &def.slots {
            let wrong = |what: String| BuildError::Slot { map: def.name.clone(), key: *key, what };
            match map.as_any().downcast_ref::<ProgArray>() {
                Some(array) => {
                    let Some(index) = programs.iter().position(|program| program.name == *name) else {
                        return Err(wrong(format!("no program `{name}`")));
                    };
                    let program = &programs[index];
                    // The first that names the map says for which programs it is.
                    let owner = programs.iter().find(|program| program.maps.iter().any(|named| named.name == def.name));
                    if let Some(owner) = owner.filter(|owner| !may_call(owner, program)) {
                        return Err(wrong(format!("program `{name}` is for another hook than `{}`, which calls it", owner.name)));
                    }
                    array.set(*key, index as u32 + 1).map_err(|errno| wrong(errno.to_string()))?;
                }
                None => {
                    let Some(inner) = maps.iter().find(|entry| entry.def.name == *name) else {
                        return Err(wrong(format!("no map `{name}`")));
                    };
                    set_inner(map.as_ref(), *key, &inner.map).map_err(wrong)?;
                }
            }
        }
    }
    Ok(())
}

/// Puts a map into a map of maps, under a number as loaders write it.
fn set_inner(outer: &dyn Map, key: u32, inner: &Arc<dyn Map>) -> Result<(), String> {
    let mut bytes = key.to_le_bytes().to_vec();
    bytes.resize(outer.def().key_size as usize, 0);
    outer.user_update_map(&bytes, inner.clone(), 0).map_err(|errno| match errno {
        Errno::EINVAL => format!("map `{}` has another shape than `{}` takes ({errno})", inner.def().name, outer.def().name),
        errno => errno.to_string(),
    })
}

/// Where the fields of `struct bpf_map` lie in a kernel; `None` if it does not say.
fn handle_layout(btf: &Btf) -> Option<HandleLayout> {
    let id = btf.find("bpf_map", Kind::Struct)?;
    let at = |path| btf.walk(id, path).ok().map(|access| access.place.offset() as usize);
    Some(HandleLayout {
        size: btf.size_of(id).ok()? as usize,
        map_type: at("map_type"),
        key_size: at("key_size"),
        value_size: at("value_size"),
        max_entries: at("max_entries"),
        map_extra: at("map_extra"),
        map_flags: at("map_flags"),
        id: at("id"),
        name: at("name"),
    })
}

/// A program without instructions, for instances of maps alone.
fn nothing() -> Linked {
    let image = Image::new(Arc::new(Program::bare("", skep_linux::ProgType::Unspec, [])))
        .unwrap_or_else(|_| unreachable!("no instructions, no jumps"));
    Linked {
        index: 0,
        image: Arc::new(image),
        links: Vec::new(),
        calls: Vec::new(),
        arena: None,
        by_number: BTreeMap::new(),
        native: None,
    }
}
