//! The order of definitions in a C file: what a definition needs stands before it, and what only needs a name is declared before.

use std::collections::{HashMap, HashSet};

use super::names::is_builtin;
use crate::{Btf, BtfError, Kind, Type, TypeId, TypeProblem};

/// A piece of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// `struct x;`
    Forward(TypeId),
    /// A struct, union or enum with a tag.
    Definition(TypeId),
    /// A typedef of BTF.
    Typedef(TypeId),
    /// A number that C does not know by its name.
    Number(TypeId),
    /// An enum without a tag that nothing refers to: its constants alone.
    Constants(TypeId),
}

/// What a place needs of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// That its name is declared.
    Name,
    /// That its size is known.
    Whole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its needs are being met.
    Active,
    /// It is defined.
    Done,
}

/// Deepest nesting of what definitions need.
const MAX_DEPTH: u16 = 400;

/// The order, as far as it is known.
pub(super) struct Order<'a> {
    btf: &'a Btf,
    state: HashMap<TypeId, State>,
    forwarded: HashSet<TypeId>,
    pub(super) items: Vec<Item>,
    /// Types that may still be looked at, so that the work stays in proportion to the types.
    budget: u64,
    /// Pointers to what C cannot name at their place, since it would contain itself: they are written as `void *`.
    pub(super) cut: HashSet<TypeId>,
}

impl<'a> Order<'a> {
    pub(super) fn new(btf: &'a Btf, budget: u64) -> Order<'a> {
        Order { btf, state: HashMap::new(), forwarded: HashSet::new(), items: Vec::new(), budget, cut: HashSet::new() }
    }

    /// Adds a type as a whole, and what it needs.
    pub(super) fn add(&mut self, id: TypeId) -> Result<(), BtfError> {
        self.visit(id, Need::Whole, 0).map(|_| ())
    }

    /// Adds what must be declared before the type is named, such as the parameters of a function.
    pub(super) fn add_names(&mut self, id: TypeId) -> Result<(), BtfError> {
        self.visit(id, Need::Name, 0).map(|_| ())
    }

    /// Adds the constants of an enum without a tag.
    pub(super) fn add_constants(&mut self, id: TypeId) {
        if self.state.insert(id, State::Done).is_none() {
            self.items.push(Item::Constants(id));
        }
    }

    fn once(&mut self, id: TypeId, item: Item) {
        if self.state.insert(id, State::Done) != Some(State::Done) {
            self.items.push(item);
        }
    }

    /// Whether the need can be met: not where a type is needed while it is being defined.
    fn visit(&mut self, id: TypeId, need: Need, depth: u16) -> Result<bool, BtfError> {
        if depth > MAX_DEPTH {
            let offset = self.btf.offset_of(id).unwrap_or(0);
            return Err(BtfError::Type { id, offset, problem: TypeProblem::TooDeep(MAX_DEPTH) });
        }
        self.budget = self.budget.checked_sub(1).ok_or(BtfError::TooManySteps { id })?;
        let depth = depth + 1;
        match self.btf.ty(id)? {
            Type::Ptr(_) | Type::FuncProto(_) if self.state.contains_key(&id) => Ok(true),
            Type::Void => Ok(true),
            Type::Int(_) | Type::Float(_) => {
                if !is_builtin(self.btf.name(id)) {
                    self.once(id, Item::Number(id));
                }
                Ok(true)
            }
            Type::Ptr(to) => {
                if !self.visit(to.to, Need::Name, depth)? {
                    self.cut.insert(id);
                }
                self.state.insert(id, State::Done);
                Ok(true)
            }
            Type::Volatile(to) | Type::Const(to) | Type::Restrict(to) => self.visit(to.to, need, depth),
            Type::TypeTag(tag) => self.visit(tag.to, need, depth),
            // Elements must be whole even behind a pointer.
            Type::Array(array) => self.visit(array.element, Need::Whole, depth),
            Type::Enum(e) => {
                if !e.name().is_empty() {
                    self.once(id, Item::Definition(id));
                }
                Ok(true)
            }
            Type::Fwd(_) => {
                self.once(id, Item::Forward(id));
                Ok(true)
            }
            Type::Struct(c) | Type::Union(c) => self.composite(id, c.name().is_empty(), need, depth),
            Type::Typedef(tag) => self.typedef(id, tag.to, need, depth),
            Type::FuncProto(proto) => {
                if !self.visit(proto.ret(), Need::Name, depth)? {
                    return Ok(false);
                }
                for param in proto.params() {
                    if !self.visit(param.ty, Need::Name, depth)? {
                        return Ok(false);
                    }
                }
                self.state.insert(id, State::Done);
                Ok(true)
            }
            Type::Func(func) => self.visit(func.proto, Need::Name, depth),
            Type::Var(var) => self.visit(var.ty, Need::Whole, depth),
            Type::Datasec(_) | Type::DeclTag(_) => Ok(true),
        }
    }

    fn composite(&mut self, id: TypeId, anonymous: bool, need: Need, depth: u16) -> Result<bool, BtfError> {
        // One without a tag is written where it is used.
        let need = if anonymous { Need::Whole } else { need };
        match (self.state.get(&id), need) {
            (Some(State::Done), _) => return Ok(true),
            (_, Need::Name) => {
                if self.forwarded.insert(id) {
                    self.items.push(Item::Forward(id));
                }
                return Ok(true);
            }
            (Some(State::Active), Need::Whole) => return Ok(false),
            (None, Need::Whole) => {}
        }
        self.state.insert(id, State::Active);
        let (Type::Struct(composite) | Type::Union(composite)) = self.btf.ty(id)? else { return Ok(true) };
        for member in composite.members() {
            if !self.visit(member.ty, Need::Whole, depth)? {
                self.state.remove(&id);
                return Ok(false);
            }
        }
        self.state.insert(id, State::Done);
        if !anonymous {
            self.items.push(Item::Definition(id));
        }
        Ok(true)
    }

    fn typedef(&mut self, id: TypeId, to: TypeId, need: Need, depth: u16) -> Result<bool, BtfError> {
        match self.state.get(&id) {
            Some(State::Active) => return Ok(false),
            Some(State::Done) => {}
            None => {
                self.state.insert(id, State::Active);
                if !self.visit(to, Need::Name, depth)? {
                    self.state.remove(&id);
                    return Ok(false);
                }
                self.once(id, Item::Typedef(id));
            }
        }
        if need == Need::Whole { self.visit(to, Need::Whole, depth) } else { Ok(true) }
    }
}

/// The enums without a tag that no type refers to.
pub(super) fn lone_constants(btf: &Btf) -> Vec<TypeId> {
    let mut referred = HashSet::new();
    let mut refer = |id: TypeId| {
        if btf.kind(id).is_enum() {
            referred.insert(id);
        }
    };
    for id in btf.ids() {
        match btf.get(id) {
            Some(Type::Struct(c) | Type::Union(c)) => c.members().for_each(|member| refer(member.ty)),
            Some(Type::FuncProto(proto)) => {
                refer(proto.ret());
                proto.params().for_each(|param| refer(param.ty));
            }
            Some(Type::Array(array)) => refer(array.element),
            _ => btf.referred(id).into_iter().for_each(&mut refer),
        }
    }
    let lone = |id: &TypeId| btf.kind(*id).is_enum() && btf.name(*id).is_empty() && !referred.contains(id);
    btf.ids().filter(lone).collect()
}

/// Whether a type is one that a file of all types has by itself, not only where another needs it.
pub(super) fn is_root(btf: &Btf, id: TypeId) -> bool {
    let named = !btf.name(id).is_empty();
    match btf.kind(id) {
        Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Typedef | Kind::Fwd => named,
        Kind::Void
        | Kind::Int
        | Kind::Ptr
        | Kind::Array
        | Kind::Volatile
        | Kind::Const
        | Kind::Restrict
        | Kind::Func
        | Kind::FuncProto
        | Kind::Var
        | Kind::Datasec
        | Kind::Float
        | Kind::DeclTag
        | Kind::TypeTag => false,
    }
}
