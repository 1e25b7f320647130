//! CO-RE relocations of all kinds.

use std::collections::{BTreeMap, BTreeSet};

use skep_btf::{BtfExt, CoreReloKind, Kind, TypeId};
use skep_isa::{Callee, Code, Insn, Operand, Wide, Width};
use skep_program::Program;

use super::{open, read, target_like, types};

fn program(name: &str) -> Program {
    open("core").program(name).unwrap().relocate(&target_like("core_target")).unwrap()
}

/// What straight-line code stores into `out`, by index: constants are followed through registers.
fn stored(program: &Program) -> BTreeMap<usize, u64> {
    let code = Code::decode(&program.insns).unwrap();
    let (mut regs, mut out) = (BTreeMap::new(), BTreeMap::new());
    for (_, insn) in code.iter() {
        match insn {
            Insn::Mov { width, dst, src: Operand::Imm(imm) } => {
                regs.insert(dst, if width == Width::W64 { i64::from(imm) as u64 } else { u64::from(imm as u32) });
            }
            Insn::LoadWide { dst, value: Wide::Const(value) } => {
                regs.insert(dst, value);
            }
            Insn::Store { off, src: Operand::Reg(src), .. } => {
                if let Some(value) = regs.get(&src) {
                    out.insert(off as usize / 8, *value);
                }
            }
            Insn::Store { off, src: Operand::Imm(imm), .. } => {
                out.insert(off as usize / 8, i64::from(imm) as u64);
            }
            Insn::LoadWide { dst, .. } => {
                regs.remove(&dst);
            }
            _ => {}
        }
    }
    out
}

#[test]
fn all_kinds_are_there() {
    let bytes = read("core.bpf.o");
    let file = <object::File<'_> as object::Object>::section_by_name(&object::File::parse(&*bytes).unwrap(), ".BTF.ext")
        .map(|section| object::ObjectSection::data(&section).unwrap().to_vec())
        .unwrap();
    let ext = BtfExt::parse(&file, &types("core")).unwrap();
    let kinds: BTreeSet<u32> = ext.core_relos.iter().flat_map(|part| &part.records).map(|relo| relo.kind as u32).collect();
    assert_eq!(kinds, CoreReloKind::ALL.iter().map(|kind| *kind as u32).collect());
}

#[test]
fn fields() {
    let target = types("core_target");
    let device = target.find("device", Kind::Struct).unwrap();
    let offset = |path: &str| u64::from(target.walk(device, path).unwrap().place.offset());
    let out = stored(&program("fields"));
    let expected = [
        (0, offset("moved")),
        (1, offset("at.y")),
        (2, 4),
        (3, 16),
        (4, 1),
        (5, 0),
        (6, 1),
        (7, 0),
        // 9 bits from bit 11 of a word of 4 bytes.
        (8, 64 - 20),
        (9, 64 - 9),
        (10, offset("name") + 2),
        (11, offset("moved")),
    ];
    for (index, value) in expected {
        assert_eq!(out.get(&index), Some(&value), "out[{index}] of {out:?}");
    }
}

#[test]
fn types_and_enums() {
    let (local, target) = (types("core"), types("core_target"));
    let device = |btf: &skep_btf::Btf| u64::from(btf.find("device", Kind::Struct).unwrap().0);
    let size = u64::from(target.size_of(TypeId(device(&target) as u32)).unwrap());
    let out = stored(&program("types"));
    let expected = [device(&local), device(&target), 1, 0, size, 0, 1, 0, 1, 1, 1, 1, size];
    for (index, value) in expected.into_iter().enumerate() {
        assert_eq!(out.get(&index), Some(&value), "out[{index}] of {out:?}");
    }
    let out = stored(&program("enums"));
    for (index, value) in [1, 0, 12, 1, 0xabcd_ef01_2345].into_iter().enumerate() {
        assert_eq!(out.get(&index), Some(&value), "out[{index}] of {out:?}");
    }
}

#[test]
fn loads_move_to_where_the_field_is() {
    let target = types("core_target");
    let device = target.find("device", Kind::Struct).unwrap();
    let offset = |path: &str| target.walk(device, path).unwrap().place.offset() as i16;
    let program = program("accesses");
    let code = Code::decode(&program.insns).unwrap();
    let loads: Vec<i16> = code
        .iter()
        .filter_map(|(_, insn)| match insn {
            Insn::Load { off, .. } => Some(off),
            _ => None,
        })
        .collect();
    assert!(loads.contains(&offset("moved")) && loads.contains(&offset("at.y")), "{loads:?}");
}

#[test]
fn what_is_not_there_is_poisoned() {
    let program = program("poisoned");
    let poisoned = Code::decode(&program.insns).unwrap();
    let calls = poisoned.iter().filter(|(_, insn)| *insn == Insn::Call(Callee::Helper(0xbad_2310))).count();
    // The enum's value and the type are asked for by wide loads, whose both halves are poisoned.
    assert!(calls >= 3, "{}", poisoned.listing(&skep_isa::NoNames));
}
