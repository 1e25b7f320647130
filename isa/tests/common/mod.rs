//! What several tests need: random instructions, the shared corpus.
#![allow(dead_code)] // each test uses a part

use std::path::PathBuf;

use proptest::prelude::*;
use skep_isa::*;

/// A file or folder of the shared corpus, if it is here; says so otherwise.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SKEP_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: needs {} (SKEP_SHARED)", found.display());
    None
}

pub(crate) fn reg() -> impl Strategy<Value = Reg> {
    prop::sample::select(&Reg::ALL[..])
}

pub(crate) fn width() -> impl Strategy<Value = Width> {
    prop_oneof![Just(Width::W32), Just(Width::W64)]
}

pub(crate) fn size() -> impl Strategy<Value = Size> {
    prop::sample::select(vec![Size::B, Size::H, Size::W, Size::Dw])
}

/// Numbers near the edges, and any.
pub(crate) fn imm() -> impl Strategy<Value = i32> {
    prop_oneof![any::<i32>(), -2..3_i32, Just(i32::MIN), Just(i32::MAX), (0..32_u32).prop_map(|bit| 1_i32 << bit)]
}

pub(crate) fn off() -> impl Strategy<Value = i16> {
    prop_oneof![any::<i16>(), -9..9_i16]
}

pub(crate) fn operand() -> impl Strategy<Value = Operand> {
    prop_oneof![reg().prop_map(Operand::Reg), imm().prop_map(Operand::Imm)]
}

pub(crate) const ALU_OPS: [AluOp; 13] = [
    AluOp::Add,
    AluOp::Sub,
    AluOp::Mul,
    AluOp::Div,
    AluOp::Sdiv,
    AluOp::Mod,
    AluOp::Smod,
    AluOp::Or,
    AluOp::And,
    AluOp::Xor,
    AluOp::Lsh,
    AluOp::Rsh,
    AluOp::Arsh,
];

pub(crate) const CONDS: [Cond; 11] =
    [Cond::Eq, Cond::Ne, Cond::Gt, Cond::Ge, Cond::Lt, Cond::Le, Cond::Set, Cond::Sgt, Cond::Sge, Cond::Slt, Cond::Sle];

fn atomic_op() -> impl Strategy<Value = AtomicOp> {
    (0..6, any::<bool>()).prop_map(|(op, fetch)| match op {
        0 => AtomicOp::Add { fetch },
        1 => AtomicOp::Or { fetch },
        2 => AtomicOp::And { fetch },
        3 => AtomicOp::Xor { fetch },
        4 => AtomicOp::Xchg,
        _ => AtomicOp::Cmpxchg,
    })
}

fn wide() -> impl Strategy<Value = Wide> {
    prop_oneof![
        any::<u64>().prop_map(Wide::Const),
        imm().prop_map(|imm| Wide::Const(imm as u64)),
        imm().prop_map(Wide::MapFd),
        (imm(), imm()).prop_map(|(fd, off)| Wide::MapFdValue { fd, off }),
        (imm(), imm()).prop_map(|(id, btf_fd)| Wide::BtfId { id, btf_fd }),
        imm().prop_map(|id| Wide::BtfId { id, btf_fd: 0 }),
        imm().prop_map(Wide::Func),
        imm().prop_map(Wide::MapIndex),
        (imm(), imm()).prop_map(|(index, off)| Wide::MapIndexValue { index, off }),
    ]
}

fn arithmetic() -> impl Strategy<Value = Insn> {
    let orders = vec![ByteOrder::Le, ByteOrder::Be, ByteOrder::Swap];
    prop_oneof![
        (width(), prop::sample::select(&ALU_OPS[..]), reg(), operand()).prop_map(|(width, op, dst, src)| Insn::Alu {
            width,
            op,
            dst,
            src
        }),
        (width(), reg(), operand()).prop_map(|(width, dst, src)| Insn::Mov { width, dst, src }),
        (width(), size(), reg(), reg())
            .prop_filter("exists", |(width, from, ..)| *from < Size::W || *from == Size::W && *width == Width::W64)
            .prop_map(|(width, from, dst, src)| Insn::MovSx { width, from, dst, src }),
        (width(), reg()).prop_map(|(width, dst)| Insn::Neg { width, dst }),
        (prop::sample::select(orders), size(), reg())
            .prop_filter("exists", |(_, size, _)| *size > Size::B)
            .prop_map(|(order, size, dst)| Insn::Swap { order, size, dst }),
        (reg(), reg(), 0..2_u16).prop_map(|(dst, src, to)| Insn::AddrSpaceCast { dst, src, to, from: 1 - to }),
        (reg(), wide()).prop_map(|(dst, value)| Insn::LoadWide { dst, value }),
    ]
}

fn memory() -> impl Strategy<Value = Insn> {
    let small = || size().prop_filter("exists", |size| *size < Size::Dw);
    let large = || size().prop_filter("exists", |size| *size >= Size::W);
    prop_oneof![
        (size(), reg(), reg(), off()).prop_map(|(size, dst, base, off)| Insn::Load { size, signed: false, dst, base, off }),
        (small(), reg(), reg(), off()).prop_map(|(size, dst, base, off)| Insn::Load { size, signed: true, dst, base, off }),
        (small(), prop::option::of(reg()), imm()).prop_map(|(size, index, off)| Insn::LoadPacket { size, index, off }),
        (size(), reg(), off(), operand()).prop_map(|(size, base, off, src)| Insn::Store { size, base, off, src }),
        (large(), atomic_op(), reg(), off(), reg()).prop_map(|(size, op, base, off, src)| Insn::Atomic {
            size,
            op,
            base,
            off,
            src
        }),
        (size(), reg(), reg(), off()).prop_map(|(size, dst, base, off)| Insn::LoadAcquire { size, dst, base, off }),
        (size(), reg(), reg(), off()).prop_map(|(size, base, src, off)| Insn::StoreRelease { size, base, off, src }),
    ]
}

fn control() -> impl Strategy<Value = Insn> {
    prop_oneof![
        off().prop_map(|off| Insn::Jump { off: off.into(), long: false }),
        imm().prop_map(|off| Insn::Jump { off, long: true }),
        (width(), prop::sample::select(&CONDS[..]), reg(), operand(), off())
            .prop_map(|(width, cond, dst, src, off)| Insn::JumpIf { width, cond, dst, src, off }),
        reg().prop_map(|dst| Insn::JumpReg { dst }),
        off().prop_map(|off| Insn::MayGoto { off }),
        imm().prop_map(|id| Insn::Call(Callee::Helper(id))),
        imm().prop_map(|off| Insn::Call(Callee::Local(off))),
        (imm(), off()).prop_map(|(id, module)| Insn::Call(Callee::Kfunc { id, module })),
        reg().prop_map(|reg| Insn::Call(Callee::Reg(reg))),
        Just(Insn::Exit),
    ]
}

/// Every instruction that has an encoding.
pub(crate) fn insn() -> impl Strategy<Value = Insn> {
    prop_oneof![arithmetic(), memory(), control()]
}

/// Slots, most of them near to an instruction.
pub(crate) fn raw() -> impl Strategy<Value = RawInsn> {
    let field = || prop_oneof![3 => Just(0_u8), 2 => 0..12_u8, 1 => 0..16_u8];
    let small = prop_oneof![3 => Just(0_i16), 2 => prop::sample::select(vec![1, 8, 16, 32, -1]), 1 => any::<i16>()];
    let kinds = vec![1, 16, 32, 64, 0x100, 0x110, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1, 0x10000];
    let imm = prop_oneof![3 => Just(0), 3 => prop::sample::select(kinds), 1 => any::<i32>()];
    (prop_oneof![any::<u8>(), Just(0x18), Just(0)], field(), field(), small, imm)
        .prop_map(|(code, dst, src, off, imm)| RawInsn::new(code, dst, src, off, imm))
}
