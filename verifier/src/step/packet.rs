//! Comparisons of pointers into the packet: how much of it is there.

use skep_isa::Reg as Name;

use crate::domain::Cond;
use crate::state::{Kind, Reg, State};

/// The pointer is at the end of the packet.
const AT_END: i32 = -1;
/// It is beyond.
const BEYOND_END: i32 = -2;
/// Offsets in a packet stay below.
const MAX_OFF: u64 = 0xffff;

fn range(reg: &Reg) -> Option<i32> {
    match reg.kind {
        Kind::Packet { range } | Kind::PacketMeta { range } => Some(range),
        _other => None,
    }
}

/// Whether the comparison holds, if an earlier one told that the pointer is at the end or beyond.
pub(super) fn outcome(cond: Cond, a: &Reg, b: &Reg) -> Option<bool> {
    let (pointer, cond) = match (a.kind, b.kind) {
        (_, Kind::PacketEnd) => (a, cond),
        (Kind::PacketEnd, _) => (b, cond.flipped()),
        _neither => return None,
    };
    let range = range(pointer)?;
    match (cond, range) {
        (Cond::LessOrEqual, BEYOND_END) => Some(false),
        (Cond::Greater, BEYOND_END) => Some(true),
        (Cond::Less, BEYOND_END | AT_END) => Some(false),
        (Cond::GreaterOrEqual, BEYOND_END | AT_END) => Some(true),
        _unknown => None,
    }
}

/// What both ways of a comparison learn; `false` if it is none that says something.
pub(super) fn learn(cond: Cond, a: (Name, &Reg), b: (Name, &Reg), next: &mut State, jump: &mut State) -> bool {
    // `pointer cond end`, whichever way round it is written.
    let (pointer, cond) = match (is_checked(a.1, b.1), is_checked(b.1, a.1)) {
        (true, _) => (a, cond),
        (false, true) => (b, cond.flipped()),
        (false, false) => return false,
    };
    let (name, reg) = pointer;
    match cond {
        Cond::Greater => {
            found(next, reg, false);
            mark_end(jump, name, BEYOND_END);
        }
        Cond::Less => {
            found(jump, reg, true);
            mark_end(next, name, AT_END);
        }
        Cond::GreaterOrEqual => {
            found(next, reg, true);
            mark_end(jump, name, AT_END);
        }
        Cond::LessOrEqual => {
            found(jump, reg, false);
            mark_end(next, name, BEYOND_END);
        }
        Cond::Equal
        | Cond::NotEqual
        | Cond::AnyBit
        | Cond::NoBit
        | Cond::SLess
        | Cond::SLessOrEqual
        | Cond::SGreater
        | Cond::SGreaterOrEqual => return false,
    }
    true
}

/// A pointer into the packet and its end, or into the metadata and the start of the packet.
fn is_checked(pointer: &Reg, end: &Reg) -> bool {
    match pointer.kind {
        Kind::Packet { .. } => end.kind == Kind::PacketEnd,
        Kind::PacketMeta { .. } => end.is_packet_start(),
        _other => false,
    }
}

/// Everything up to the pointer is there (and a byte more, if `beyond`): all pointers of its id know.
fn found(state: &mut State, pointer: &Reg, beyond: bool) {
    if pointer.off < 0 || pointer.off == 0 && beyond {
        return;
    }
    let most = pointer.num.wide.umax;
    if most > MAX_OFF || most + pointer.off as u64 > MAX_OFF {
        return;
    }
    let bytes = pointer.off + i32::from(beyond);
    let same = |reg: &Reg| reg.same_type(pointer) && reg.id == pointer.id;
    state.change_all(same, |reg| match &mut reg.kind {
        Kind::Packet { range } | Kind::PacketMeta { range } => *range = (*range).max(bytes),
        _other => {}
    });
}

/// The pointer is at the end, or beyond. Of metadata nothing is noted.
fn mark_end(state: &mut State, name: Name, mark: i32) {
    if let Kind::Packet { range } = &mut state.reg_mut(name).kind {
        *range = mark;
    }
}
