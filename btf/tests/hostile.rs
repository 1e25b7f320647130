//! Types that no compiler writes.

use skep_btf::core_relo::resolve;
use skep_btf::value::ValueError;
use skep_btf::{
    Btf, BtfBuilder, BtfError, BtfExt, CoreRelo, CoreReloKind, ExtError, ExtProblem, IntEncoding, Linkage, MemberDef, SecVar,
    Targets, TypeDef, TypeId, TypeProblem, Value,
};

fn refused_as_loop(builder: &BtfBuilder) {
    let error = builder.build().unwrap_err();
    assert!(matches!(error, BtfError::Type { problem: TypeProblem::Loop, .. }), "{error}");
}

fn var(ty: TypeId) -> TypeDef {
    TypeDef::Var { name: "v".into(), ty, linkage: Linkage::Global }
}

#[test]
fn a_variable_of_itself() {
    let mut b = BtfBuilder::new();
    b.add(var(TypeId(1)));
    refused_as_loop(&b);
}

#[test]
fn a_struct_that_contains_itself_through_a_variable() {
    let mut b = BtfBuilder::new();
    let structure = b.structure("s", 8, vec![MemberDef::new("v", TypeId(2), 0)]);
    b.add(var(structure));
    refused_as_loop(&b);
}

#[test]
fn a_section_in_itself() {
    let mut b = BtfBuilder::new();
    let vars = vec![SecVar { ty: TypeId(1), offset: 0, size: 4 }];
    b.add(TypeDef::Datasec { name: ".data".into(), size: 4, vars });
    refused_as_loop(&b);
}

#[test]
fn a_pointer_to_a_variable_of_its_own_type() {
    let mut b = BtfBuilder::new();
    let pointer = b.ptr(TypeId(2));
    b.add(var(pointer));
    refused_as_loop(&b);
}

#[test]
fn a_struct_that_points_to_itself_is_fine() {
    let mut b = BtfBuilder::new();
    b.int("int", 4, IntEncoding::Signed);
    let node = b.structure("node", 8, vec![MemberDef::new("next", TypeId(3), 0)]);
    b.ptr(node);
    assert_eq!(b.build().unwrap().size_of(node), Ok(8));
}

#[test]
fn a_bitfield_of_no_bits_is_written_as_bytes() {
    let mut b = BtfBuilder::new();
    let int = b.int("int", 4, IntEncoding::Unsigned);
    let structure = b.structure("s", 4, vec![MemberDef::new("none", int, 0)]);
    let mut bytes = b.to_bytes();
    // The width is the low byte of what follows the first type's common part.
    let width = 24 + 12;
    assert_eq!(std::mem::take(&mut bytes[width]), 32);
    let btf = Btf::parse(&bytes).unwrap();
    assert!(btf.c_header().unwrap().contains("unsigned char"), "{}", btf.c_header().unwrap());
    assert_eq!(btf.size_of(structure), Ok(4));
}

#[test]
fn values_are_no_larger_than_their_bytes_justify() {
    let mut b = BtfBuilder::new();
    let int = b.int("int", 4, IntEncoding::Signed);
    let empty = b.structure("empty", 0, vec![]);
    let many = b.array(empty, int, 1 << 20);
    let some = b.array(empty, int, 100);
    let btf = b.build().unwrap();
    assert_eq!(btf.read(many, &[]), Err(ValueError::TooLarge { id: many }));
    assert!(matches!(btf.read(some, &[]), Ok(Value::Array(elements)) if elements.len() == 100));
}

#[test]
fn names_that_many_types_could_share_are_short() {
    let mut b = BtfBuilder::new();
    b.int("a", 4, IntEncoding::Signed);
    b.add(TypeDef::Float { name: "x".repeat(4096), size: 8 });
    assert!(b.build().is_ok());
    b.add(TypeDef::Float { name: "y".repeat(4097), size: 8 });
    let error = b.build().unwrap_err();
    assert!(matches!(error, BtfError::Type { id: TypeId(3), problem: TypeProblem::LongName { .. }, .. }), "{error}");
}

/// `.BTF.ext` with one CO-RE relocation whose access path is the string at an offset.
fn relocation(section: u32, access: u32) -> Vec<u8> {
    let mut bytes = vec![0x9f, 0xeb, 1, 0];
    let mut words = vec![32u32, 0, 0, 0, 0, 0, 4 + 8 + 16];
    words.extend([16, section, 1, 0, 1, access, 0]);
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bytes
}

#[test]
fn strings_that_many_records_could_share_are_short() {
    let mut b = BtfBuilder::new();
    b.int("int", 4, IntEncoding::Signed);
    let (section, short) = (b.string("xdp"), b.string("0:1"));
    let (long_section, long) = (b.string(&"s".repeat(513)), b.string(&"0:".repeat(513)));
    let btf = b.build().unwrap();
    let parse = |section, access| BtfExt::parse(&relocation(section, access), &btf);
    assert_eq!(parse(section, short).unwrap().core_relos[0].records[0].access, "0:1");
    for (section, access) in [(section, long), (long_section, short)] {
        let error = parse(section, access).unwrap_err();
        assert!(matches!(error, ExtError::Part { problem: ExtProblem::LongString { .. }, .. }), "{error}");
    }
}

/// CVE-2024-49850: a relocation that asks for the number of a type of its own may name one that is not there.
#[test]
fn relocations_of_types_that_are_not_there() {
    let mut b = BtfBuilder::new();
    b.int("int", 4, IntEncoding::Signed);
    let btf = b.build().unwrap();
    let targets = Targets::new(btf.clone(), Vec::new());
    let relo = |id, kind| CoreRelo { insn_off: 0, type_id: TypeId(id), access_off: 0, access: "0".into(), kind };
    for kind in [CoreReloKind::TypeIdLocal, CoreReloKind::TypeIdTarget, CoreReloKind::TypeSize, CoreReloKind::TypeExists] {
        assert!(resolve(&btf, &relo(1, kind), &targets).is_ok());
        for id in [2, 77, u32::MAX] {
            assert!(resolve(&btf, &relo(id, kind), &targets).is_err(), "{kind:?} of type {id}");
        }
    }
}

/// CVE-2024-46764: sections without a name, and with one byte of it.
#[test]
fn sections_without_a_name() {
    for name in ["", ".", "\u{1}"] {
        let mut b = BtfBuilder::new();
        let int = b.int("int", 4, IntEncoding::Signed);
        let of = b.add(var(int));
        b.add(TypeDef::Datasec { name: name.into(), size: 4, vars: vec![SecVar { ty: of, offset: 0, size: 4 }] });
        let btf = b.build().unwrap();
        let again = Btf::parse(btf.raw()).unwrap();
        assert_eq!(again.name(TypeId(3)), name);
    }
}
