//! The context, and the packet behind it.

use skep_isa::{AluOp, Cond, Insn, Operand, Reg, Size, Width};
use skep_linux::contexts::{Access, Shape, Yields};

use super::{Family, Guess, Line, SIZES, Writer};

impl Writer<'_> {
    /// Where the context has a field that yields this.
    fn field(&self, yields: Yields) -> Option<i16> {
        let context = skep_linux::context(self.kind.prog_type(), self.ground.target.arch)?;
        let reads = |field: &&skep_linux::Field| {
            field.yields == yields && field.allows(self.kind.prog_type(), self.kind.attach, field.offset, 4, Access::Read)
        };
        context.fields.iter().find(reads).map(|field| field.offset as i16)
    }

    /// Pointers to start and end of the packet.
    pub(super) fn packet(&mut self) {
        if self.rng.bool() {
            return self.check_packet();
        }
        let (Some(start_at), Some(end_at)) = (self.field(Yields::PacketStart), self.field(Yields::PacketEnd)) else { return };
        let Some(base) = self.any(|guess| guess == Guess::Context) else { return };
        let (start, end) = ([Reg::R7, Reg::R2][self.rng.usize(..2)], [Reg::R8, Reg::R3][self.rng.usize(..2)]);
        if base == start || base == end || self.pinned.contains(&start) || self.pinned.contains(&end) {
            return;
        }
        self.families.add(Family::Packets);
        self.insn(Insn::Load { size: Size::W, signed: false, dst: end, base, off: end_at });
        self.insn(Insn::Load { size: Size::W, signed: false, dst: start, base, off: start_at });
        self.guesses.set(end, Guess::PacketEnd);
        self.guesses.set(start, Guess::Packet(0, 0));
        self.check_packet();
    }

    fn check_packet(&mut self) {
        let Some(packet) = self.any(|guess| matches!(guess, Guess::Packet(..))) else { return };
        let Some(end) = self.any(|guess| guess == Guess::PacketEnd) else { return };
        let scratch = [Reg::R4, Reg::R5][self.rng.usize(..2)];
        if scratch == packet || scratch == end {
            return;
        }
        let bytes = self.rng.i16(1..40);
        self.mov(scratch, packet);
        self.insn(Insn::Alu { width: Width::W64, op: AluOp::Add, dst: scratch, src: Operand::Imm(i32::from(bytes)) });
        self.guesses.set(scratch, Guess::Packet(0, 0));
        let ended = self.open == 0 && self.rng.bool();
        let out = self.label();
        if ended {
            let (a, cond, b) =
                [(scratch, Cond::Le, end), (scratch, Cond::Lt, end), (end, Cond::Ge, scratch), (end, Cond::Gt, scratch)]
                    [self.rng.usize(..4)];
            self.lines.push(Line::JumpIf(Width::W64, cond, a, Operand::Reg(b), out));
            self.set(Reg::R0, 0);
            self.insn(Insn::Exit);
            self.here(out);
            self.guesses.forget(|guess| guess == Guess::Number(Some(0)));
            return self.reached(packet, bytes);
        }
        let (a, cond, b) =
            [(scratch, Cond::Gt, end), (scratch, Cond::Ge, end), (end, Cond::Lt, scratch), (end, Cond::Le, scratch)]
                [self.rng.usize(..4)];
        self.lines.push(Line::JumpIf(Width::W64, cond, a, Operand::Reg(b), out));
        let before = self.guesses.clone();
        self.reached(packet, bytes);
        self.load();
        self.within();
        self.here(out);
        self.guesses.meet(&before);
    }

    fn reached(&mut self, packet: Reg, bytes: i16) {
        if let Guess::Packet(at, there) = self.guesses.get(packet) {
            self.guesses.set(packet, Guess::Packet(at, there.max(bytes)));
        }
    }

    /// A field of the context, read or written.
    pub(super) fn context(&mut self) {
        let Some(base) = self.any(|guess| guess == Guess::Context) else { return };
        let Some(context) = skep_linux::context(self.kind.prog_type(), self.ground.target.arch) else { return };
        self.families.add(Family::Contexts);
        if context.shape != Shape::Struct || context.fields.is_empty() {
            let dst = self.target();
            let off = 8 * self.rng.i16(0..3);
            self.insn(Insn::Load { size: Size::Dw, signed: false, dst, base, off });
            return self.guesses.set(dst, Guess::Number(None));
        }
        let field = context.fields[self.rng.usize(..context.fields.len())];
        let size = SIZES[self.rng.usize(..4)];
        let off = field.offset + self.rng.i32(0..field.size.div_ceil(u32::from(size.bytes())) as i32) * i32::from(size.bytes());
        let allows = |access| field.allows(self.kind.prog_type(), self.kind.attach, off, size.bytes(), access);
        let (reads, writes) = (allows(Access::Read), allows(Access::Write));
        if writes && (!reads || self.seldom(3)) {
            let Some(src) = self.any(Guess::is_number) else { return };
            return self.insn(Insn::Store { size, base, off: off as i16, src: Operand::Reg(src) });
        }
        if !reads && !self.seldom(40) {
            return;
        }
        let dst = self.target();
        self.insn(Insn::Load { size, signed: false, dst, base, off: off as i16 });
        let guess = match field.yields {
            Yields::Number => Guess::Number(None),
            Yields::PacketStart => Guess::Packet(0, 0),
            Yields::PacketEnd => Guess::PacketEnd,
            Yields::SockCommonOrNull | Yields::SockOrNull => Guess::SockOrNull(false),
            Yields::Sock => Guess::Sock(false),
            Yields::PacketMeta | Yields::FlowKeys | Yields::TracepointBuffer | Yields::Btf(_) => Guess::Dead,
        };
        self.guesses.set(dst, guess);
    }
}
