//! Objects with very many of everything, of which small files are made that ask for much work or memory.

use object::write::{Object as Writer, Relocation, Symbol, SymbolSection};
use object::{Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind, SymbolScope};
use skep_btf::{BtfBuilder, IntEncoding, Linkage, MemberDef, SecVar, TypeDef, TypeId};
use skep_object::{ElfError, Object, ObjectError};

fn writer() -> Writer<'static> {
    Writer::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little)
}

fn symbol(name: &str, kind: SymbolKind, section: object::write::SectionId, value: u64, size: u64) -> Symbol {
    Symbol {
        name: name.as_bytes().to_vec(),
        value,
        size,
        kind,
        scope: SymbolScope::Dynamic,
        weak: false,
        section: SymbolSection::Section(section),
        flags: SymbolFlags::None,
    }
}

const MAPS: u32 = 12_000;

/// `__uint(name, number)` and `__array(values, ..)`.
struct Types(BtfBuilder);

impl Types {
    fn uint(&mut self, name: &str, number: u32, offset: u32) -> MemberDef {
        let array = self.0.array(TypeId(1), TypeId(1), number);
        let pointer = self.0.ptr(array);
        MemberDef::new(name, pointer, offset)
    }

    fn variable(&mut self, name: &str, ty: TypeId) -> TypeId {
        self.0.add(TypeDef::Var { name: name.into(), ty, linkage: Linkage::Global })
    }
}

/// A map of maps with a slot for each of many maps: variables of `.maps` of 32 bytes each, and one with a pointer for every map.
#[test]
fn very_many_maps_in_a_map_of_maps() {
    let mut types = Types(BtfBuilder::new());
    types.0.int("int", 4, IntEncoding::Signed);
    let inner = vec![
        types.uint("type", 2, 0),
        types.uint("key_size", 4, 8),
        types.uint("value_size", 4, 16),
        types.uint("max_entries", 1, 24),
    ];
    let inner = types.0.structure("", 32, inner);
    let pointer = types.0.ptr(inner);
    let values = types.0.array(pointer, TypeId(1), 0);
    let mut outer = vec![types.uint("type", 12, 0), types.uint("key_size", 4, 8), types.uint("max_entries", MAPS, 16)];
    outer.push(MemberDef::new("values", values, 24));
    let outer = types.0.structure("", 24, outer);
    let mut vars: Vec<SecVar> =
        (0..MAPS).map(|nth| SecVar { ty: types.variable(&format!("inner_{nth}"), inner), offset: nth * 32, size: 32 }).collect();
    vars.push(SecVar { ty: types.variable("outer", outer), offset: MAPS * 32, size: 24 + MAPS * 8 });
    let size = MAPS * 32 + 24 + MAPS * 8;
    types.0.add(TypeDef::Datasec { name: ".maps".into(), size, vars });

    let mut file = writer();
    let maps = file.add_section(Vec::new(), b".maps".to_vec(), SectionKind::Data);
    file.append_section_data(maps, &vec![0; size as usize], 8);
    let btf = file.add_section(Vec::new(), b".BTF".to_vec(), SectionKind::Other);
    file.append_section_data(btf, &types.0.to_bytes(), 4);
    file.add_symbol(symbol("outer", SymbolKind::Data, maps, u64::from(MAPS) * 32, 24 + u64::from(MAPS) * 8));
    for nth in 0..MAPS {
        let inner = file.add_symbol(symbol(&format!("inner_{nth}"), SymbolKind::Data, maps, u64::from(nth) * 32, 32));
        let offset = u64::from(MAPS * 32 + 24 + nth * 8);
        let flags = RelocationFlags::Elf { r_type: 2 };
        file.add_relocation(maps, Relocation { offset, symbol: inner, addend: 0, flags }).unwrap();
    }
    let object = Object::parse(&file.write().unwrap()).unwrap();
    assert_eq!(object.maps().len(), MAPS as usize + 1);
    let slots = &object.map("outer").unwrap().slots;
    assert_eq!(slots.len(), MAPS as usize);
    assert_eq!(slots[7_000], (7_000, "inner_7000".to_owned()));
}

#[test]
fn very_many_functions_that_call_each_other() {
    const FUNCTIONS: u64 = 30_000;
    let mut file = writer();
    let code = file.add_section(Vec::new(), b"socket".to_vec(), SectionKind::Text);
    let mut bytes = Vec::new();
    for nth in 0..FUNCTIONS {
        // Calls the next one; the last one exits.
        let call: [u8; 8] = if nth + 1 < FUNCTIONS { [0x85, 0x10, 0, 0, 1, 0, 0, 0] } else { [0xb7, 0, 0, 0, 0, 0, 0, 0] };
        bytes.extend(call);
        bytes.extend([0x95, 0, 0, 0, 0, 0, 0, 0]);
        file.add_symbol(symbol(&format!("f{nth}"), SymbolKind::Text, code, nth * 16, 16));
    }
    file.append_section_data(code, &bytes, 8);
    let object = Object::parse(&file.write().unwrap()).unwrap();
    assert_eq!(object.programs().count(), FUNCTIONS as usize);
    let target = skep_linux::Target::new(skep_linux::Release::new(6, 18), skep_linux::Arch::X86_64);
    let program = object.program("f0").unwrap().relocate(&target).unwrap();
    assert_eq!((program.insns.len(), program.funcs.len()), (2 * FUNCTIONS as usize, FUNCTIONS as usize));
    assert_eq!(program.funcs[29_999].name, "f29999");
}

#[test]
fn a_long_name_is_refused() {
    let mut file = writer();
    let code = file.add_section(Vec::new(), b"socket".to_vec(), SectionKind::Text);
    file.append_section_data(code, &[0x95, 0, 0, 0, 0, 0, 0, 0], 8);
    file.add_symbol(symbol(&"x".repeat(3_000), SymbolKind::Text, code, 0, 8));
    let error = Object::parse(&file.write().unwrap()).unwrap_err();
    assert!(matches!(&error, ObjectError::Elf(ElfError::String { .. })), "{error}");
}
