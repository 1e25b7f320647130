//! The rows of structs of operations, held against the kernel of this host.

use std::collections::BTreeSet;

use skep_btf::{Btf, Kind as BtfKind, Type};
use skep_isa::RawInsn;
use skep_kernel::{Load, LoadError, LogLevel};
use skep_linux::ProgType;
use skep_linux::helpers::{HELPERS, Policy};
use skep_linux::struct_ops::{STRUCT_OPS, StructOpsRow, marked_args};

use crate::ask::{EXIT, can_ask, insn, set};
use crate::calls::vmlinux;

/// A member of a struct of operations that is a function.
struct Member {
    row: &'static StructOpsRow,
    /// Id of the struct.
    of: u32,
    index: u32,
    name: String,
}

impl Member {
    fn load(&self, insns: &[RawInsn], flags: u32, log_level: LogLevel) -> Result<String, String> {
        let load =
            Load { attach_type: self.index, attach_btf_id: self.of, flags, log_level, ..Load::raw(ProgType::StructOps, insns) };
        match load.load_with_log() {
            Ok((_, log)) => Ok(log),
            Err(LoadError::Refused { errno, log }) => Err(format!("{errno} {log}")),
            Err(other) => panic!("{other}"),
        }
    }
}

fn members(btf: &Btf) -> Vec<Member> {
    let mut members = Vec::new();
    for row in STRUCT_OPS {
        let id = btf.find(row.name, BtfKind::Struct).expect("the struct");
        let Some(Type::Struct(ops)) = btf.get(id) else { panic!("{} is a struct", row.name) };
        for (index, member) in (0..).zip(ops.members()) {
            let Some(Type::Ptr(to)) = btf.get(btf.resolve(member.ty)) else { continue };
            if btf.kind(to.to) == BtfKind::FuncProto {
                members.push(Member { row, of: id.0, index, name: member.name.to_owned() });
            }
        }
    }
    assert!(members.len() > 15);
    members
}

#[test]
fn structs_of_this_kernel_have_rows() {
    if !can_ask() {
        return;
    }
    let btf = vmlinux();
    let ops = btf.ids().filter(|id| btf.kind(*id) == BtfKind::Struct).filter_map(|id| {
        let name = btf.name(id).strip_prefix("bpf_struct_ops_")?;
        btf.find(name, BtfKind::Struct).map(|_| name)
    });
    let kernel: BTreeSet<_> = ops.collect();
    assert_eq!(kernel, STRUCT_OPS.iter().map(|row| row.name).collect());
}

#[test]
fn members_and_sleep() {
    if !can_ask() {
        return;
    }
    for member in members(&vmlinux()) {
        let name = format!("{}.{}", member.row.name, member.name);
        let load = |flags| member.load(&[set(0, 0), EXIT], flags, LogLevel::OnFailure);
        let (awake, sleeping) = (load(0), load(skep_linux::flags::BPF_F_SLEEPABLE));
        assert_eq!(member.row.supports(&member.name), awake.is_ok(), "{name}: {awake:?}");
        let may_sleep = member.row.supports(&member.name) && member.row.may_sleep(&member.name);
        assert_eq!(may_sleep, sleeping.is_ok(), "{name} that sleeps: {sleeping:?}");
    }
}

#[test]
fn helpers() {
    if !can_ask() {
        return;
    }
    let mut wrong = Vec::new();
    for member in members(&vmlinux()).iter().filter(|member| member.row.supports(&member.name)) {
        for row in HELPERS.iter().filter(|row| row.policy == Policy::Free) {
            let call = [insn(0x85, 0, 0, 0, row.id as i32), set(0, 0), EXIT];
            let kernel = !member.load(&call, 0, LogLevel::OnFailure).is_err_and(|log| log.contains("cannot use helper"));
            if kernel != member.row.may_call(&member.name, row) {
                wrong.push(format!("{} in {}.{}: kernel {kernel}", row.name, member.row.name, member.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn arguments_that_may_be_null() {
    if !can_ask() {
        return;
    }
    let btf = vmlinux();
    let mut marked = 0;
    for member in members(&btf).iter().filter(|member| member.row.supports(&member.name)) {
        let log = member.load(&[insn(0x79, 1, 1, 0, 0), set(0, 0), EXIT], 0, LogLevel::States).expect("taken");
        let row = marked_args(&btf, member.row.name, &member.name).first().is_some_and(|arg| arg.nullable);
        assert_eq!(log.contains("ptr_or_null_"), row, "{}.{}", member.row.name, member.name);
        marked += usize::from(row);
    }
    assert!(marked > 0);
}

#[test]
fn fields_that_may_be_written() {
    if !can_ask() {
        return;
    }
    let btf = vmlinux();
    let (mut wrong, mut allowed) = (Vec::new(), 0);
    for (row, member) in [("tcp_congestion_ops", "ssthresh"), ("bpf_dummy_ops", "test_1")] {
        let all = members(&btf);
        let member = all.iter().find(|m| m.row.name == row && m.name == member).expect("the member");
        let places: Vec<_> = member
            .row
            .writes
            .fields
            .iter()
            .map(|write| {
                let id = btf.find(write.of, BtfKind::Struct).expect("a struct");
                let place = btf.walk(id, write.field).expect("a field").place;
                (place.offset(), place.offset() + place.size(&btf).expect("a size"), write.anywhere)
            })
            .collect();
        let to = member.row.sock_is.unwrap_or("bpf_dummy_ops_state");
        let size = btf.size_of(btf.find(to, BtfKind::Struct).expect("a struct")).expect("a size");
        for offset in 0..size {
            for (bytes, code) in [(1, 0x72), (2, 0x6a), (4, 0x62), (8, 0x7a)] {
                if offset % bytes != 0 {
                    continue;
                }
                // The argument, if it is not NULL.
                let write = [insn(0x79, 1, 1, 0, 0), insn(0x15, 1, 0, 1, 0), insn(code, 1, 0, offset as i16, 0), set(0, 0), EXIT];
                let kernel = member.load(&write, 0, LogLevel::OnFailure).is_ok();
                let row = places
                    .iter()
                    .any(|(start, end, anywhere)| (*start == offset || *anywhere && *start <= offset) && offset + bytes <= *end);
                allowed += usize::from(kernel);
                if kernel != row {
                    wrong.push(format!("{bytes} bytes at {offset} of {to}: kernel {kernel}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(allowed > 100, "{allowed} writes are allowed");
}
