//! Loops and depth: no type may contain itself, and none may nest without bound.

use crate::{Btf, BtfError, Kind, TypeId, TypeProblem};

/// Deepest nesting of structs, arrays, typedefs and modifiers that is read, so that recursion over types is bounded. The kernel's own
/// structs nest less than 20 deep.
pub(crate) const MAX_DEPTH: u16 = 256;

const UNSEEN: u16 = 0;
const ON_PATH: u16 = u16::MAX;

/// Which references count as containing.
#[derive(Clone, Copy, PartialEq)]
enum Edges {
    /// Aliases, array elements and members: what decides layout.
    ByValue,
    /// Aliases and pointers: what a declaration is made of.
    Pointers,
}

impl Edges {
    /// The `nth` type that the record contains.
    fn child(self, btf: &Btf, id: TypeId, nth: u32) -> Option<TypeId> {
        let record = btf.record(id);
        match (record.kind(), self) {
            // A variable stands for its type, wherever malformed types name one.
            (Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag | Kind::Var, _)
            | (Kind::Ptr, Edges::Pointers) => (nth == 0).then(|| TypeId(record.word(2))),
            (Kind::Array, Edges::ByValue) => (nth == 0).then(|| TypeId(record.word(3))),
            (Kind::Struct | Kind::Union, Edges::ByValue) => {
                (nth < record.vlen()).then(|| TypeId(record.word(4 + nth as usize * 3)))
            }
            (Kind::Datasec, Edges::ByValue) => (nth < record.vlen()).then(|| TypeId(record.word(3 + nth as usize * 3))),
            (Kind::Array | Kind::Struct | Kind::Union | Kind::Datasec, Edges::Pointers) | (Kind::Ptr, Edges::ByValue) => None,
            (
                Kind::Void
                | Kind::Int
                | Kind::Enum
                | Kind::Fwd
                | Kind::Func
                | Kind::FuncProto
                | Kind::Float
                | Kind::DeclTag
                | Kind::Enum64,
                _,
            ) => None,
        }
    }
}

struct Frame {
    id: TypeId,
    next: u32,
    /// The greatest height among the children seen.
    height: u16,
}

/// Visits every own type depth first; heights of types below are known when they are needed again.
fn check_edges(btf: &Btf, edges: Edges) -> Result<(), BtfError> {
    let first = btf.first_id().0;
    let mut heights = vec![UNSEEN; btf.own_ids().len()];
    let mut path: Vec<Frame> = Vec::new();
    let error = |id: TypeId, problem| BtfError::Type { id, offset: btf.offset_of(id).unwrap_or(0), problem };
    for root in btf.own_ids() {
        if heights[(root.0 - first) as usize] != UNSEEN {
            continue;
        }
        heights[(root.0 - first) as usize] = ON_PATH;
        path.push(Frame { id: root, next: 0, height: 0 });
        while let Some(top) = path.last_mut() {
            let (id, nth) = (top.id, top.next);
            top.next += 1;
            match edges.child(btf, id, nth) {
                // Types of a base were checked with it and cannot refer to types above.
                Some(child) if child.0 < first => {}
                Some(child) => match heights[(child.0 - first) as usize] {
                    UNSEEN => {
                        heights[(child.0 - first) as usize] = ON_PATH;
                        path.push(Frame { id: child, next: 0, height: 0 });
                    }
                    ON_PATH => return Err(error(child, TypeProblem::Loop)),
                    height => top.height = top.height.max(height),
                },
                None => {
                    let height = top.height + 1;
                    if height > MAX_DEPTH {
                        return Err(error(id, TypeProblem::TooDeep(MAX_DEPTH)));
                    }
                    heights[(id.0 - first) as usize] = height;
                    path.pop();
                    if let Some(parent) = path.last_mut() {
                        parent.height = parent.height.max(height);
                    }
                }
            }
        }
    }
    Ok(())
}

/// Refuses types that contain themselves by value, aliases and pointers that never end, and nesting that is too deep.
pub(crate) fn check(btf: &Btf) -> Result<(), BtfError> {
    check_edges(btf, Edges::ByValue)?;
    check_edges(btf, Edges::Pointers)
}
