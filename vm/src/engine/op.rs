//! The form in which an engine runs instructions: one [`Op`] per slot, each with the handler of its shape.

use super::Core;

/// What runs one instruction: gives the slot of the next, or [`LEAVE`] when something outside of the loop must happen first.
pub(crate) type Handler = fn(&mut Core, &Op, usize) -> usize;

/// "Not another slot": the reason is in [`Core::event`].
pub(crate) const LEAVE: usize = usize::MAX;

/// One slot, ready to run.
#[derive(Clone, Copy)]
pub(crate) struct Op {
    /// The handler, chosen once.
    pub(crate) run: Handler,
    /// Immediate, sign-extended; or an index into a table of the program.
    pub(crate) imm: u64,
    /// Offset of a memory access, or the slot that a jump leads to.
    pub(crate) off: i32,
    pub(crate) dst: u8,
    pub(crate) src: u8,
}

impl Op {
    #[inline(always)]
    pub(crate) fn dst(&self) -> usize {
        usize::from(self.dst & 15)
    }

    #[inline(always)]
    pub(crate) fn src(&self) -> usize {
        usize::from(self.src & 15)
    }

    #[inline(always)]
    pub(crate) fn target(&self) -> usize {
        self.off as usize
    }
}

impl std::fmt::Debug for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Op(dst={} src={} off={} imm={:#x})", self.dst, self.src, self.off, self.imm)
    }
}
