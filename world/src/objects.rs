//! Kernel objects, typed by the target's BTF.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep_btf::value::{SetError, ValueError};
use skep_btf::{Btf, BtfError, Kind, Layout, Literal, PathError, Place, Type, TypeId, Value};
use skep_memory::{Block, Region, RegionKind};

use crate::World;

/// The most bytes that one object may have: far more than any struct of a kernel.
const MAX_OBJECT: u64 = 1 << 20;

/// Why a kernel object was not made, set or read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum KernelObjectError {
    /// The target has no BTF to say what a type looks like.
    #[error("the target has no BTF")]
    NoBtf,
    /// The target's BTF has no such type.
    #[error("the target's BTF has no struct `{0}`")]
    NoType(String),
    /// No object begins at this address.
    #[error("no kernel object begins at {0:#x}")]
    NoObject(u64),
    /// A type that has no size, or an absurd one.
    #[error("an object of type `{name}` cannot be made: {bytes} bytes")]
    Size {
        /// Name of the type.
        name: String,
        /// Its size; 0 if it has none.
        bytes: u64,
    },
    /// A field path that leads nowhere.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A type that is not what it should be.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// A value that does not fit its field.
    #[error(transparent)]
    Set(#[from] SetError),
    /// A field that cannot be read.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A path that goes through a pointer that points to no object.
    #[error("`{path}` goes through {addr:#x}, where no kernel object begins")]
    Broken {
        /// The path.
        path: String,
        /// Where the pointer points.
        addr: u64,
    },
}

/// An object.
#[derive(Debug, Clone)]
struct Object {
    ty: TypeId,
    name: Arc<str>,
    block: Arc<Block>,
    /// Bytes of the copy of each CPU, for per-CPU variables.
    per_cpu: Option<u64>,
    /// Whether it lies in user memory.
    user: bool,
}

/// The objects of a world, in the order in which they were made. A clone of a world has the same objects, not copies of them: their
/// addresses are in each other's fields.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    list: Vec<Object>,
    by_addr: BTreeMap<u64, usize>,
    by_variable: BTreeMap<TypeId, u64>,
}

impl Objects {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Regions of the objects from the `from`th on.
    pub fn regions(&self, from: usize) -> impl Iterator<Item = Region> + '_ {
        let region = |object: &Object| match object.user {
            true => Region::whole(RegionKind::User, object.block.clone(), true),
            false => Region::whole(RegionKind::Kernel(object.name.clone()), object.block.clone(), false),
        };
        self.list.iter().skip(from).map(region)
    }

    /// The type and the memory of the object that begins at an address.
    pub fn get(&self, addr: u64) -> Option<(TypeId, &Arc<Block>)> {
        let object = &self.list[*self.by_addr.get(&addr)?];
        Some((object.ty, &object.block))
    }

    fn add(&mut self, object: Object) -> u64 {
        let addr = object.block.addr();
        self.by_addr.insert(addr, self.list.len());
        self.list.push(object);
        addr
    }
}

impl World {
    fn btf(&self) -> Result<Arc<Btf>, KernelObjectError> {
        self.target.btf().cloned().ok_or(KernelObjectError::NoBtf)
    }

    /// Makes an object of a struct or union of the target, all zero, and gives its address.
    ///
    /// # Errors
    /// A target without BTF, or without this type.
    pub fn new_object(&mut self, name: &str) -> Result<u64, KernelObjectError> {
        let btf = self.btf()?;
        let ty = [Kind::Struct, Kind::Union, Kind::Typedef].into_iter().find_map(|kind| btf.find(name, kind));
        self.new_object_of(&btf, ty.ok_or_else(|| KernelObjectError::NoType(name.to_owned()))?, 0)
    }

    /// An object of a type, of at least `bytes` bytes.
    fn new_object_of(&mut self, btf: &Btf, ty: TypeId, bytes: u64) -> Result<u64, KernelObjectError> {
        let ty = btf.resolve(ty);
        let bytes = u64::from(btf.size_of(ty)?).max(bytes);
        self.allocate(btf, ty, bytes, None)
    }

    fn allocate(&mut self, btf: &Btf, ty: TypeId, bytes: u64, per_cpu: Option<u64>) -> Result<u64, KernelObjectError> {
        let name = btf.name(ty).to_owned();
        let block = match bytes {
            1..=MAX_OBJECT => Block::try_zeroed(bytes as usize),
            _empty_or_absurd => None,
        };
        let block = block.ok_or(KernelObjectError::Size { name: name.clone(), bytes })?;
        Ok(self.objects.add(Object { ty, name: name.into(), block, per_cpu, user: false }))
    }

    /// Makes a piece of user memory with these bytes, and gives its address: programs reach it as user memory alone.
    ///
    /// # Errors
    /// [`KernelObjectError::Size`] for no bytes, or absurdly many.
    pub fn new_user_memory(&mut self, bytes: &[u8]) -> Result<u64, KernelObjectError> {
        self.new_memory("user memory", bytes, true)
    }

    /// Makes a piece of kernel memory without a type, with these bytes, and gives its address.
    ///
    /// # Errors
    /// As [`World::new_user_memory`].
    pub fn new_kernel_memory(&mut self, bytes: &[u8]) -> Result<u64, KernelObjectError> {
        self.new_memory("kernel memory", bytes, false)
    }

    fn new_memory(&mut self, name: &str, bytes: &[u8], user: bool) -> Result<u64, KernelObjectError> {
        let block = match bytes.len() as u64 {
            1..=MAX_OBJECT => Block::from_bytes(bytes),
            bytes => return Err(KernelObjectError::Size { name: name.to_owned(), bytes }),
        };
        Ok(self.objects.add(Object { ty: TypeId::VOID, name: name.into(), block, per_cpu: None, user }))
    }

    /// Sets the field that a path leads to in the object at `addr`. Pointers on the way that are NULL get objects to point to.
    ///
    /// # Errors
    /// No object there, a path that leads nowhere, a value that does not fit.
    pub fn set(&mut self, addr: u64, path: &str, value: impl Into<Literal>) -> Result<(), KernelObjectError> {
        let btf = self.btf()?;
        let (addr, root, place) = self.reach(&btf, addr, path, true)?;
        let literal = match value.into() {
            Literal::Text(text) if btf.kind(btf.resolve(place.ty)) == Kind::Ptr => {
                Literal::Number(self.new_text(&btf, &text)?.into())
            }
            other => other,
        };
        let (_, block) = self.objects.get(addr).ok_or(KernelObjectError::NoObject(addr))?;
        let mut bytes = block.bytes(0, block.len());
        Layout::new(&btf, root).set_place(&mut bytes, place, literal)?;
        block.write(0, &bytes);
        Ok(())
    }

    /// Reads the field that a path leads to in the object at `addr`.
    ///
    /// # Errors
    /// No object there, or a path that leads nowhere or through NULL.
    pub fn get(&mut self, addr: u64, path: &str) -> Result<Value, KernelObjectError> {
        let btf = self.btf()?;
        let (addr, _, place) = self.reach(&btf, addr, path, false)?;
        let (_, block) = self.objects.get(addr).ok_or(KernelObjectError::NoObject(addr))?;
        Ok(btf.read_place(place, &block.bytes(0, block.len()))?)
    }

    /// The object, its type and the place in it that a path from another object leads to.
    fn reach(&mut self, btf: &Btf, addr: u64, path: &str, make: bool) -> Result<(u64, TypeId, Place), KernelObjectError> {
        let (mut ty, _) = self.objects.get(addr).ok_or(KernelObjectError::NoObject(addr))?;
        let access = btf.walk(ty, path)?;
        let mut at = addr;
        let mut places = access.pointers.iter().peekable();
        while let Some(pointer) = places.next() {
            let (_, block) = self.objects.get(at).ok_or(KernelObjectError::Broken { path: path.to_owned(), addr: at })?;
            let block = block.clone();
            let offset = pointer.offset() as usize;
            let Type::Ptr(to) = btf.ty(btf.resolve(pointer.ty))? else {
                return Err(KernelObjectError::Broken { path: path.to_owned(), addr: at });
            };
            if offset + 8 > block.len() {
                return Err(KernelObjectError::Broken { path: path.to_owned(), addr: at });
            }
            let mut next = block.load(offset, 8);
            if next == 0 && make {
                // Elements behind the first need room before they are reached.
                let place = places.peek().copied().unwrap_or(&access.place);
                let room = u64::from(place.offset()) + u64::from(place.size(btf).unwrap_or(8));
                next = self.new_object_of(btf, to.to, room)?;
                block.store(offset, 8, next);
            }
            ty = btf.resolve(to.to);
            at = next;
        }
        if self.objects.get(at).is_none() {
            return Err(KernelObjectError::Broken { path: path.to_owned(), addr: at });
        }
        Ok((at, ty, access.place))
    }

    /// A string of the kernel, with its NUL.
    fn new_text(&mut self, btf: &Btf, text: &[u8]) -> Result<u64, KernelObjectError> {
        let ty = btf.find("char", Kind::Int).unwrap_or(TypeId::VOID);
        let addr = self.allocate(btf, ty, text.len() as u64 + 1, None)?;
        if let Some((_, block)) = self.objects.get(addr) {
            block.write(0, text);
        }
        Ok(addr)
    }

    /// Address of a variable of the kernel, by the id of its `VAR`; its memory, all zero, is made when it is asked for first. A
    /// per-CPU variable has a copy for each CPU, and the address is that of the first. A function, by the id of its `FUNC`, has an
    /// address too, where nothing is to be read.
    ///
    /// # Errors
    /// No BTF, or no such variable.
    pub fn variable(&mut self, id: TypeId) -> Result<u64, KernelObjectError> {
        if let Some(addr) = self.objects.by_variable.get(&id) {
            return Ok(*addr);
        }
        let btf = self.btf()?;
        let addr = match btf.ty(id)? {
            Type::Func(_) => {
                let (name, block) = (btf.name(id).into(), Block::zeroed(0));
                self.objects.add(Object { ty: TypeId::VOID, name, block, per_cpu: None, user: false })
            }
            Type::Var(var) => {
                let size = u64::from(btf.size_of(var.ty)?);
                let per_cpu = is_per_cpu(&btf, id).then(|| size.next_multiple_of(8));
                let bytes = per_cpu.map_or(size, |stride| stride * u64::from(self.cpus.max(1)));
                self.allocate(&btf, btf.resolve(var.ty), bytes, per_cpu)?
            }
            _ => return Err(KernelObjectError::NoType(btf.name(id).to_owned())),
        };
        self.objects.by_variable.insert(id, addr);
        Ok(addr)
    }

    /// The copy of a per-CPU variable that belongs to a CPU; `None` if there is no such variable or CPU.
    pub fn per_cpu(&self, addr: u64, cpu: u32) -> Option<u64> {
        let object = &self.objects.list[*self.objects.by_addr.get(&addr)?];
        let at = object.per_cpu?.checked_mul(cpu.into())?;
        // There may be more CPUs now than when it was made.
        (cpu < self.cpus && at < object.block.len() as u64).then(|| addr + at)
    }

    /// Sets a field that not every kernel has.
    pub(crate) fn set_if_there(&mut self, addr: u64, path: &str, value: impl Into<Literal>) -> Result<(), KernelObjectError> {
        match self.set(addr, path, value) {
            Err(KernelObjectError::Path(_)) => Ok(()),
            other => other,
        }
    }
}

/// Whether a variable lies in the section of per-CPU variables.
fn is_per_cpu(btf: &Btf, var: TypeId) -> bool {
    match btf.find(".data..percpu", Kind::Datasec).and_then(|id| btf.get(id)) {
        Some(Type::Datasec(section)) => section.vars().any(|v| v.ty == var),
        Some(_) | None => false,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use skep_btf::{BtfBuilder, IntEncoding, MemberDef};
    use skep_linux::{Arch, Release, Target};

    /// `struct task_struct { int tgid; struct task_struct *real_parent; char comm[16]; const char *path; }`
    pub(crate) fn world() -> World {
        let mut types = BtfBuilder::new();
        let (int, ch) = (types.int("int", 4, IntEncoding::Signed), types.int("char", 1, IntEncoding::Char));
        let comm = types.array(ch, int, 16);
        let forward = TypeId(ch.0 + 4);
        let parent = types.ptr(forward);
        let text = types.ptr(ch);
        let members = vec![
            MemberDef::new("tgid", int, 0),
            MemberDef::new("real_parent", parent, 8),
            MemberDef::new("comm", comm, 16),
            MemberDef::new("path", text, 32),
        ];
        assert_eq!(types.structure("task_struct", 40, members), forward);
        let target = Target::new(Release::new(6, 18), Arch::X86_64).with_btf(Arc::new(types.build().unwrap()));
        World::new(Arc::new(target))
    }

    #[test]
    fn a_path_makes_the_objects_on_its_way() {
        let mut world = world();
        let task = world.new_object("task_struct").unwrap();
        world.set(task, "real_parent.tgid", 1).unwrap();
        world.set(task, "real_parent->real_parent->comm", "init").unwrap();
        assert_eq!(world.get(task, "real_parent.tgid").unwrap(), Value::Signed(1));
        assert_eq!(world.get(task, "real_parent.real_parent.comm").unwrap(), Value::Text(b"init".to_vec()));
        assert_eq!(world.objects.len(), 3);
        assert!(matches!(
            world.get(task, "real_parent.real_parent.real_parent.tgid"),
            Err(KernelObjectError::Broken { addr: 0, .. })
        ));
        assert!(matches!(world.set(task, "nobody", 1), Err(KernelObjectError::Path(_))));
        assert!(matches!(world.set(task + 8, "tgid", 1), Err(KernelObjectError::NoObject(_))));
    }

    #[test]
    fn memory_of_the_user_is_apart_from_that_of_the_kernel() {
        let mut world = world();
        let user = world.new_user_memory(b"/etc/passwd\0").unwrap();
        let kernel = world.new_kernel_memory(&[1, 2]).unwrap();
        let kinds: Vec<_> = world.objects.regions(0).map(|region| (region.start(), region.kind, region.writable)).collect();
        assert!(kinds.contains(&(user, RegionKind::User, true)));
        assert!(kinds.contains(&(kernel, RegionKind::Kernel("kernel memory".into()), false)));
        assert!(matches!(world.new_user_memory(&[]), Err(KernelObjectError::Size { bytes: 0, .. })));
    }

    #[test]
    fn text_behind_a_pointer_gets_memory() {
        let mut world = world();
        let task = world.new_object("task_struct").unwrap();
        world.set(task, "path", "/bin/sh").unwrap();
        let Value::Pointer(addr) = world.get(task, "path").unwrap() else { panic!("not a pointer") };
        let (_, block) = world.objects.get(addr).unwrap();
        assert_eq!(block.bytes(0, block.len()), b"/bin/sh\0");
    }
}
