//! Contexts of programs that trace: registers, records, arguments.

use super::shape::{ContextRow, Field, Shape, Width, Yields, in_order};
use crate::sets::Users;
use crate::target::Release;

const V4_1: Release = Release::new(4, 1);
const V4_7: Release = Release::new(4, 7);
const V4_9: Release = Release::new(4, 9);
const V4_17: Release = Release::new(4, 17);
const V5_2: Release = Release::new(5, 2);
const V5_5: Release = Release::new(5, 5);
const V5_14: Release = Release::new(5, 14);
const V6_4: Release = Release::new(6, 4);

/// Any aligned load of up to eight bytes.
const ANY: Width = Width::up_to(8);
const WORD64: Width = Width::exactly(8);

/// A register of `pt_regs`, by its number in the struct.
const fn reg(name: &'static str, index: i32) -> Field {
    Field::new(name, index * 8, 8, V4_1).read(Users::ALL, ANY)
}

/// A register of the copy that perf events see.
const fn perf_reg(name: &'static str, index: i32) -> Field {
    Field::new(name, index * 8, 8, V4_9).read(Users::ALL, WORD64)
}

const X86_64: &[Field] = &[
    reg("r15", 0),
    reg("r14", 1),
    reg("r13", 2),
    reg("r12", 3),
    reg("bp", 4),
    reg("bx", 5),
    reg("r11", 6),
    reg("r10", 7),
    reg("r9", 8),
    reg("r8", 9),
    reg("ax", 10),
    reg("cx", 11),
    reg("dx", 12),
    reg("si", 13),
    reg("di", 14),
    reg("orig_ax", 15),
    reg("ip", 16),
    reg("cs", 17),
    reg("flags", 18),
    reg("sp", 19),
    reg("ss", 20),
];

pub(super) const PT_REGS_X86_64: ContextRow =
    ContextRow { name: "pt_regs", size: 168, shape: Shape::Memory, translated: false, fields: X86_64 };

const AARCH64: &[Field] = &[
    reg("regs[0]", 0),
    reg("regs[1]", 1),
    reg("regs[2]", 2),
    reg("regs[3]", 3),
    reg("regs[4]", 4),
    reg("regs[5]", 5),
    reg("regs[6]", 6),
    reg("regs[7]", 7),
    reg("regs[8]", 8),
    reg("regs[9]", 9),
    reg("regs[10]", 10),
    reg("regs[11]", 11),
    reg("regs[12]", 12),
    reg("regs[13]", 13),
    reg("regs[14]", 14),
    reg("regs[15]", 15),
    reg("regs[16]", 16),
    reg("regs[17]", 17),
    reg("regs[18]", 18),
    reg("regs[19]", 19),
    reg("regs[20]", 20),
    reg("regs[21]", 21),
    reg("regs[22]", 22),
    reg("regs[23]", 23),
    reg("regs[24]", 24),
    reg("regs[25]", 25),
    reg("regs[26]", 26),
    reg("regs[27]", 27),
    reg("regs[28]", 28),
    reg("regs[29]", 29),
    reg("regs[30]", 30),
    reg("sp", 31),
    reg("pc", 32),
    reg("pstate", 33),
    reg("orig_x0", 34),
    Field::new("syscallno", 280, 4, V4_1).read(Users::ALL, Width::up_to(4)),
    Field::new("pmr", 284, 4, V4_1).read(Users::ALL, Width::up_to(4)),
    reg("sdei_ttbr1", 36),
    reg("stackframe.record.fp", 37),
    reg("stackframe.record.lr", 38),
    reg("stackframe.type", 39),
];

/// The layout of Linux 6.14 and later; the first 34 words are the same in all.
pub(super) const PT_REGS_AARCH64: ContextRow =
    ContextRow { name: "pt_regs", size: 320, shape: Shape::Memory, translated: false, fields: AARCH64 };

const PERF_X86_64: &[Field] = &[
    perf_reg("r15", 0),
    perf_reg("r14", 1),
    perf_reg("r13", 2),
    perf_reg("r12", 3),
    perf_reg("bp", 4),
    perf_reg("bx", 5),
    perf_reg("r11", 6),
    perf_reg("r10", 7),
    perf_reg("r9", 8),
    perf_reg("r8", 9),
    perf_reg("ax", 10),
    perf_reg("cx", 11),
    perf_reg("dx", 12),
    perf_reg("si", 13),
    perf_reg("di", 14),
    perf_reg("orig_ax", 15),
    perf_reg("ip", 16),
    perf_reg("cs", 17),
    perf_reg("flags", 18),
    perf_reg("sp", 19),
    perf_reg("ss", 20),
    Field::new("sample_period", 168, 8, V4_9).read(Users::ALL, ANY),
    Field::new("addr", 176, 8, Release::new(4, 17)).read(Users::ALL, ANY),
];

pub(super) const PERF_EVENT_X86_64: ContextRow =
    ContextRow { name: "bpf_perf_event_data", size: 184, shape: Shape::Struct, translated: true, fields: PERF_X86_64 };

const PERF_AARCH64: &[Field] = &[
    perf_reg("regs[0]", 0),
    perf_reg("regs[1]", 1),
    perf_reg("regs[2]", 2),
    perf_reg("regs[3]", 3),
    perf_reg("regs[4]", 4),
    perf_reg("regs[5]", 5),
    perf_reg("regs[6]", 6),
    perf_reg("regs[7]", 7),
    perf_reg("regs[8]", 8),
    perf_reg("regs[9]", 9),
    perf_reg("regs[10]", 10),
    perf_reg("regs[11]", 11),
    perf_reg("regs[12]", 12),
    perf_reg("regs[13]", 13),
    perf_reg("regs[14]", 14),
    perf_reg("regs[15]", 15),
    perf_reg("regs[16]", 16),
    perf_reg("regs[17]", 17),
    perf_reg("regs[18]", 18),
    perf_reg("regs[19]", 19),
    perf_reg("regs[20]", 20),
    perf_reg("regs[21]", 21),
    perf_reg("regs[22]", 22),
    perf_reg("regs[23]", 23),
    perf_reg("regs[24]", 24),
    perf_reg("regs[25]", 25),
    perf_reg("regs[26]", 26),
    perf_reg("regs[27]", 27),
    perf_reg("regs[28]", 28),
    perf_reg("regs[29]", 29),
    perf_reg("regs[30]", 30),
    perf_reg("sp", 31),
    perf_reg("pc", 32),
    perf_reg("pstate", 33),
    Field::new("sample_period", 272, 8, V4_9).read(Users::ALL, ANY),
    Field::new("addr", 280, 8, Release::new(4, 17)).read(Users::ALL, ANY),
];

/// User space sees `user_pt_regs` here.
pub(super) const PERF_EVENT_AARCH64: ContextRow =
    ContextRow { name: "bpf_perf_event_data", size: 288, shape: Shape::Struct, translated: true, fields: PERF_AARCH64 };

const TRACEPOINT_FIELDS: &[Field] = &[
    // Linux compares a signed offset as an unsigned one, so that loads before the record pass.
    Field::new("before the record", -32768, 32768, V4_7).read(Users::ALL, ANY),
    // The first eight bytes are the kernel's own pointer.
    Field::new("record", 8, 8184, V4_7).read(Users::ALL, ANY),
];

/// The record of the tracepoint; its fields are in the tracepoint's format file and, for programs that were attached, the
/// record must be as long as the furthest load.
pub(super) const TRACEPOINT: ContextRow =
    ContextRow { name: "tracepoint record", size: 0, shape: Shape::Memory, translated: false, fields: TRACEPOINT_FIELDS };

/// An argument of a raw tracepoint.
const fn raw(name: &'static str, index: i32, since: Release) -> Field {
    Field::new(name, index * 8, 8, since).read(Users::ALL, ANY)
}

const RAW_FIELDS: &[Field] = &[
    raw("args[0]", 0, V4_17),
    raw("args[1]", 1, V4_17),
    raw("args[2]", 2, V4_17),
    raw("args[3]", 3, V4_17),
    raw("args[4]", 4, V4_17),
    raw("args[5]", 5, V4_17),
    raw("args[6]", 6, V4_17),
    raw("args[7]", 7, V4_17),
    raw("args[8]", 8, V4_17),
    raw("args[9]", 9, V4_17),
    raw("args[10]", 10, V4_17),
    raw("args[11]", 11, V4_17),
];

pub(super) const RAW_TRACEPOINT: ContextRow =
    ContextRow { name: "bpf_raw_tracepoint_args", size: 96, shape: Shape::Memory, translated: false, fields: RAW_FIELDS };

const RAW_WRITABLE_FIELDS: &[Field] = &[
    raw("args[0]", 0, V5_2).read(Users::ALL, WORD64).yields(Yields::TracepointBuffer),
    // Linux refuses shorter loads at offset 0 alone.
    Field::new("args[0], other bytes", 1, 7, V5_2).read(Users::ALL, ANY),
    raw("args[1]", 1, V5_2),
    raw("args[2]", 2, V5_2),
    raw("args[3]", 3, V5_2),
    raw("args[4]", 4, V5_2),
    raw("args[5]", 5, V5_2),
    raw("args[6]", 6, V5_2),
    raw("args[7]", 7, V5_2),
    raw("args[8]", 8, V5_2),
    raw("args[9]", 9, V5_2),
    raw("args[10]", 10, V5_2),
    raw("args[11]", 11, V5_2),
];

pub(super) const RAW_TRACEPOINT_WRITABLE: ContextRow = ContextRow {
    name: "bpf_raw_tracepoint_args",
    size: 96,
    shape: Shape::Memory,
    translated: false,
    fields: RAW_WRITABLE_FIELDS,
};

const NETFILTER_FIELDS: &[Field] = &[
    Field::new("state", 0, 8, V6_4).whole().yields(Yields::Btf("nf_hook_state")),
    Field::new("skb", 8, 8, V6_4).whole().yields(Yields::Btf("sk_buff")),
];

pub(super) const NETFILTER: ContextRow =
    ContextRow { name: "bpf_nf_ctx", size: 16, shape: Shape::Struct, translated: false, fields: NETFILTER_FIELDS };

const LIRC_FIELDS: &[Field] = &[Field::new("sample", 0, 4, Release::new(4, 18)).whole()];

/// One sample; from the kernel's source, since few kernels are built with it.
pub(super) const LIRC: ContextRow =
    ContextRow { name: "unsigned int", size: 4, shape: Shape::Memory, translated: false, fields: LIRC_FIELDS };

const SYSCALL_FIELDS: &[Field] = &[Field::new("argument", 0, 65536, V5_14).read(Users::ALL, ANY).write(Users::ALL, ANY)];

/// What the caller of the program hands over; at run time it must be as long as the furthest access.
pub(super) const SYSCALL: ContextRow =
    ContextRow { name: "system call argument", size: 0, shape: Shape::Memory, translated: false, fields: SYSCALL_FIELDS };

const BTF_FIELDS: &[Field] = &[Field::new("arguments", 0, 13 * 8, V5_5).read(Users::ALL, ANY)];

/// Up to 12 arguments and, for programs that see it, the return value.
pub(super) const BTF_ARGS: ContextRow =
    ContextRow { name: "arguments", size: 0, shape: Shape::BtfArgs, translated: false, fields: BTF_FIELDS };

const _: () = in_order(X86_64, PT_REGS_X86_64.size);
const _: () = in_order(AARCH64, PT_REGS_AARCH64.size);
const _: () = in_order(PERF_X86_64, PERF_EVENT_X86_64.size);
const _: () = in_order(PERF_AARCH64, PERF_EVENT_AARCH64.size);
const _: () = in_order(TRACEPOINT_FIELDS, TRACEPOINT.size);
const _: () = in_order(RAW_FIELDS, RAW_TRACEPOINT.size);
const _: () = in_order(NETFILTER_FIELDS, NETFILTER.size);
const _: () = in_order(LIRC_FIELDS, LIRC.size);
const _: () = in_order(SYSCALL_FIELDS, SYSCALL.size);
