//! How much of its context a program reads, as far as its instructions say.

use std::collections::BTreeMap;

use skep_isa::{AluOp, Callee, Code, Insn, Operand, Reg, Size, Wide, Width, eval};

use crate::Program;

/// What is known of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Nothing.
    Any,
    /// A number.
    Number(u64),
    /// The context, and so many bytes.
    Context(i64),
    /// The first value of a map by index, and so many bytes.
    Value(usize, i64),
}

impl Known {
    /// The same, so many bytes further on; a number is added to.
    fn plus(self, by: i64) -> Known {
        match self {
            Known::Any => Known::Any,
            Known::Number(number) => Known::Number(number.wrapping_add(by as u64)),
            Known::Context(at) => Known::Context(at.wrapping_add(by)),
            Known::Value(map, at) => Known::Value(map, at.wrapping_add(by)),
        }
    }

    fn map_number(self, f: impl FnOnce(u64) -> u64) -> Known {
        match self {
            Known::Number(number) => Known::Number(f(number)),
            Known::Any | Known::Context(_) | Known::Value(..) => Known::Any,
        }
    }
}

/// Registers `r0` to `r10`.
type State = [Known; 11];

impl Program {
    /// Bytes from the start of the context up to the end of the last access to it: those of instructions that can be reached, whose
    /// address is the context and a constant. Branches on constants are followed one way only; bytes of read-only variables are
    /// constants. What is reached in other ways (a context that was on the stack, or that a helper reads) is not seen.
    ///
    /// The kernel refuses to run raw tracepoint and syscall programs on less.
    pub fn context_reach(&self) -> usize {
        let code = Code::decode_each(&self.insns);
        let mut walk = Walk { program: self, code: &code, entered: BTreeMap::new(), open: Vec::new(), reach: 0 };
        let mut start = [Known::Any; 11];
        start[Reg::R1.index()] = Known::Context(0);
        walk.enter(0, &start);
        while let Some(slot) = walk.open.pop() {
            walk.follow(slot);
        }
        walk.reach
    }
}

struct Walk<'p> {
    program: &'p Program,
    code: &'p Code,
    /// What is known where control flow meets: at the start, and where jumps and calls lead.
    entered: BTreeMap<usize, State>,
    /// Those that are to be followed.
    open: Vec<usize>,
    reach: usize,
}

impl Walk<'_> {
    /// Control gets to a slot with these registers: what holds of all that get there stays known.
    fn enter(&mut self, slot: usize, state: &State) {
        let known = self.entered.get(&slot);
        let mut joined = known.copied().unwrap_or(*state);
        for (ours, theirs) in joined.iter_mut().zip(state) {
            if ours != theirs {
                *ours = Known::Any;
            }
        }
        if known != Some(&joined) {
            self.entered.insert(slot, joined);
            self.open.push(slot);
        }
    }

    /// Goes on from a slot until control flow parts or meets.
    fn follow(&mut self, from: usize) {
        let mut state = self.entered[&from];
        let mut slot = from;
        while let Some(insn) = self.code.insn(slot) {
            let next = slot + insn.slots();
            let target = self.code.target(slot).ok().flatten();
            match insn {
                Insn::Jump { .. } => return target.into_iter().for_each(|target| self.enter(target, &state)),
                Insn::JumpIf { width, cond, dst, src, .. } => {
                    let taken = match (state[dst.index()], operand(&state, src)) {
                        (Known::Number(a), Known::Number(b)) => Some(eval::cond(cond, width, a, b)),
                        _unknown => None,
                    };
                    if taken != Some(false) {
                        target.into_iter().for_each(|target| self.enter(target, &state));
                    }
                    if taken != Some(true) {
                        self.enter(next, &state);
                    }
                    return;
                }
                Insn::MayGoto { .. } => {
                    target.into_iter().chain([next]).for_each(|target| self.enter(target, &state));
                    return;
                }
                Insn::JumpReg { .. } | Insn::Exit => return,
                Insn::Call(callee) => {
                    if let (Callee::Local(_), Some(target)) = (callee, target) {
                        let mut arguments = [Known::Any; 11];
                        arguments[1..6].copy_from_slice(&state[1..6]);
                        self.enter(target, &arguments);
                    }
                    state[..6].fill(Known::Any);
                }
                Insn::Alu { .. }
                | Insn::Mov { .. }
                | Insn::MovSx { .. }
                | Insn::Neg { .. }
                | Insn::Swap { .. }
                | Insn::AddrSpaceCast { .. }
                | Insn::LoadWide { .. }
                | Insn::Load { .. }
                | Insn::LoadPacket { .. }
                | Insn::Store { .. }
                | Insn::Atomic { .. }
                | Insn::LoadAcquire { .. }
                | Insn::StoreRelease { .. } => self.step(insn, &mut state),
            }
            slot = next;
            if self.entered.contains_key(&slot) {
                return self.enter(slot, &state);
            }
        }
    }

    /// What an instruction that goes on to the next makes of the registers.
    fn step(&mut self, insn: Insn, state: &mut State) {
        match insn {
            Insn::Alu { width, op, dst, src } => {
                state[dst.index()] = match (width, op, state[dst.index()], operand(state, src)) {
                    (_, _, Known::Number(a), Known::Number(b)) => Known::Number(eval::alu(op, width, a, b)),
                    (Width::W64, AluOp::Add, a, Known::Number(b)) => a.plus(b as i64),
                    (Width::W64, AluOp::Add, Known::Number(a), b) => b.plus(a as i64),
                    (Width::W64, AluOp::Sub, a, Known::Number(b)) => a.plus((b as i64).wrapping_neg()),
                    _unknown => Known::Any,
                };
            }
            Insn::Mov { width: Width::W64, dst, src } => state[dst.index()] = operand(state, src),
            Insn::Mov { width: Width::W32, dst, src } => {
                state[dst.index()] = operand(state, src).map_number(|number| eval::mov(Width::W32, number));
            }
            Insn::MovSx { width, from, dst, src } => {
                state[dst.index()] = state[src.index()].map_number(|number| eval::mov_sx(width, from, number));
            }
            Insn::Neg { width, dst } => state[dst.index()] = state[dst.index()].map_number(|number| eval::neg(width, number)),
            Insn::Swap { order, size, dst } => {
                state[dst.index()] = state[dst.index()].map_number(|number| eval::swap(order, size, number));
            }
            Insn::AddrSpaceCast { dst, .. } => state[dst.index()] = Known::Any,
            Insn::LoadWide { dst, value } => {
                state[dst.index()] = match value {
                    Wide::Const(number) => Known::Number(number),
                    Wide::MapIndexValue { index, off } => Known::Value(index as usize, off.into()),
                    Wide::MapFd(_) | Wide::MapFdValue { .. } | Wide::BtfId { .. } | Wide::Func(_) | Wide::MapIndex(_) => {
                        Known::Any
                    }
                };
            }
            Insn::Load { size, signed, dst, base, off } => {
                let from = self.access(state, base, off, size);
                state[dst.index()] = self
                    .constant(from, size)
                    .map_or(Known::Any, |number| Known::Number(if signed { eval::sign_extend(size, number) } else { number }));
            }
            Insn::LoadAcquire { size, dst, base, off } => {
                self.access(state, base, off, size);
                state[dst.index()] = Known::Any;
            }
            Insn::LoadPacket { .. } => state[Reg::R0.index()] = Known::Any,
            Insn::Store { size, base, off, .. } | Insn::StoreRelease { size, base, off, .. } => {
                self.access(state, base, off, size);
            }
            Insn::Atomic { size, op, base, off, src } => {
                self.access(state, base, off, size);
                if op.fetches() {
                    // A compare-and-exchange leaves what it found in r0.
                    state[src.index()] = Known::Any;
                    state[Reg::R0.index()] = Known::Any;
                }
            }
            Insn::Jump { .. }
            | Insn::JumpIf { .. }
            | Insn::JumpReg { .. }
            | Insn::MayGoto { .. }
            | Insn::Call(_)
            | Insn::Exit => {}
        }
    }

    /// An access: where it is, and the reach if it is to the context.
    fn access(&mut self, state: &State, base: Reg, off: i16, size: Size) -> Known {
        let at = state[base.index()].plus(off.into());
        if let Known::Context(at) = at
            && let Ok(at) = usize::try_from(at)
        {
            self.reach = self.reach.max(at.saturating_add(size.bytes().into()));
        }
        at
    }

    /// The bytes of a read-only variable.
    fn constant(&self, from: Known, size: Size) -> Option<u64> {
        let Known::Value(index, at) = from else { return None };
        let def = self.program.maps.get(index).filter(|def| def.frozen)?;
        let at = usize::try_from(at).ok()?;
        let end = at.checked_add(size.bytes().into())?;
        if end > def.value_size as usize {
            return None;
        }
        let mut bytes = [0; 8];
        let initial = def.initial.as_deref().unwrap_or_default();
        for (to, from) in bytes.iter_mut().zip(initial.iter().take(end).skip(at)) {
            *to = *from;
        }
        Some(u64::from_le_bytes(bytes))
    }
}

fn operand(state: &State, operand: Operand) -> Known {
    match operand {
        Operand::Reg(reg) => state[reg.index()],
        Operand::Imm(imm) => Known::Number(eval::imm(imm)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use skep_isa::asm::kernel;
    use skep_linux::{MapType, ProgType};

    use crate::{MapDef, Program};

    fn reach(text: &str) -> usize {
        let insns = kernel::assemble(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let variables = MapDef { value_size: 8, frozen: true, initial: Some(vec![1]), ..MapDef::new("v", MapType::Array) };
        let maps = vec![Arc::new(variables.clone()), Arc::new(MapDef { frozen: false, ..variables })];
        Program { maps, ..Program::bare("test", ProgType::RawTracepoint, insns) }.context_reach()
    }

    #[test]
    fn accesses_reach_to_their_end() {
        assert_eq!(reach("r0 = 0\nexit"), 0);
        assert_eq!(reach("r0 = *(u64 *)(r1 +8)\nr2 = *(u8 *)(r1 +0)\nexit"), 16);
        assert_eq!(reach("r6 = r1\nr6 += 24\nr0 = *(u16 *)(r6 -2)\nexit"), 24);
        assert_eq!(reach("*(u32 *)(r1 +4) = 1\nr0 = 0\nexit"), 8);
        assert_eq!(reach("r2 = *(u64 *)(r1 +0)\nr0 = *(u64 *)(r2 +40)\nexit"), 8, "what an argument leads to is no context");
    }

    #[test]
    fn both_ways_of_a_branch_are_followed_unless_it_is_constant() {
        let after = |test: &str| format!("{test}\nr0 = *(u64 *)(r1 +8)\nexit\nr0 = *(u64 *)(r1 +16)\nexit");
        assert_eq!(reach(&after("r2 = *(u32 *)(r1 +0)\nif r2 == 0 goto +2")), 24);
        assert_eq!(reach(&after("r2 = 1\nif r2 == 0 goto +2")), 16);
        assert_eq!(reach(&after("r2 = 0\nif r2 == 0 goto +2")), 24);
    }

    #[test]
    fn read_only_variables_are_constants() {
        let after = |map: &str| {
            let test = format!("r2 = map[idx:{map}]+0\nr2 = *(u32 *)(r2 +0)\nif r2 == 1 goto +2");
            reach(&format!("{test}\nr0 = *(u64 *)(r1 +40)\nexit\nr0 = *(u64 *)(r1 +0)\nexit"))
        };
        assert_eq!((after("0"), after("1")), (8, 48));
    }

    #[test]
    fn functions_get_the_context() {
        assert_eq!(reach("r2 = r1\nr1 = 0\ncall pc+1\nexit\nr0 = *(u64 *)(r2 +32)\nexit"), 40);
        assert_eq!(reach("r6 = r1\ncall 5\nr1 = r6\nr0 = *(u64 *)(r1 +56)\nexit"), 64);
        assert_eq!(reach("call 5\nr0 = *(u64 *)(r1 +56)\nexit"), 0, "helpers leave nothing in r1");
    }

    #[test]
    fn loops_end() {
        // A register that is another number in each round is not followed.
        assert_eq!(reach("r0 = *(u64 *)(r1 +0)\nr1 += 8\nif r0 != 7 goto -3\nexit"), 8);
        assert_eq!(reach("goto -1"), 0);
        assert_eq!(reach("r0 = *(u64 *)(r1 +0)\nif r0 != 7 goto -2\nexit"), 8);
    }
}
