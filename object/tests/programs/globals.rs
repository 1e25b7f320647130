//! Variables and the maps that hold them.

use skep_isa::{Code, Insn, Wide};
use skep_object::Object;

use super::{open, relocate};

fn text(object: &Object, path: &str) -> String {
    object.global(path).unwrap().to_string()
}

#[test]
fn sections_are_maps() {
    let object = open("globals");
    let maps: Vec<_> =
        object.maps().map(|map| (map.name.as_str(), map.section.as_deref().unwrap(), map.frozen, map.flags)).collect();
    assert_eq!(
        maps,
        [
            ("globals.rodata", ".rodata", true, 0x480),
            ("globals.data", ".data", false, 0x400),
            (".data.aside", ".data.aside", false, 0x400),
            (".rodata.other", ".rodata.other", true, 0x480),
            ("globals.bss", ".bss", false, 0x400),
            (".bss.cleared", ".bss.cleared", false, 0x400),
        ]
    );
    assert_eq!(object.map(".bss").unwrap().initial, None);
    assert_eq!(object.map(".data.aside").unwrap().initial.as_deref(), Some(&9u32.to_le_bytes()[..]));
}

#[test]
fn values_are_those_of_the_source() {
    let object = open("globals");
    let config = text(&object, "config");
    assert!(config.contains(".ports = [80, 443, 0, 0]"), "{config}");
    for (path, value) in [
        ("config.name", "\"skep\""),
        ("config.mode", "LOUD"),
        ("config.small", "5"),
        ("config.inner.on", "false"),
        ("level", "-3"),
        ("initial", "42"),
        ("hidden", "5"),
        ("table[1].mode", "MINUS"),
        ("other", "200"),
        ("zeros[7]", "0"),
        ("text", "\"constant text\""),
    ] {
        assert_eq!(text(&object, path), value, "{path}");
    }
}

#[test]
fn values_are_set_by_path_before_load() {
    let mut object = open("globals");
    object.set_global("config.ports[2]", 8080).unwrap();
    object.set_global("config.name", "other").unwrap();
    object.set_global("config.wide", 100).unwrap();
    object.set_global("config.mode", skep_btf::Literal::Name("MINUS".into())).unwrap();
    object.set_global("zeros[3]", -1).unwrap();
    assert_eq!(text(&object, "config.ports[2]"), "8080");
    assert_eq!((text(&object, "config.small"), text(&object, "config.wide")), ("5".into(), "100".into()));
    assert_eq!(text(&object, "config.mode"), "MINUS");
    let program = relocate(object.program("read_all").unwrap());
    let bytes = |section: &str| program.maps.iter().find(|map| map.is_called(section)).unwrap().initial.clone().unwrap();
    assert_eq!(bytes(".rodata")[4..6], 8080u16.to_le_bytes());
    assert!(bytes(".bss").windows(4).any(|word| word == [0xff; 4]));
}

#[test]
fn instructions_hold_addresses_of_variables() {
    let object = open("globals");
    let program = relocate(object.program("read_all").unwrap());
    let code = Code::decode(&program.insns).unwrap();
    let mut named: Vec<(String, u32)> = code
        .iter()
        .filter_map(|(_, insn)| match insn {
            Insn::LoadWide { value: Wide::MapIndexValue { index, off }, .. } => {
                Some((program.maps[index as usize].section.clone().unwrap(), off as u32))
            }
            _ => None,
        })
        .collect();
    named.sort();
    named.dedup();
    let mut expected: Vec<(String, u32)> = object
        .globals()
        .map(|global| (global.section.to_owned(), global.offset))
        // The second element of the table is named by itself.
        .chain([(".data".to_owned(), named.iter().map(|(_, off)| *off).max().unwrap())])
        .filter(|place| named.contains(place))
        .collect();
    expected.sort();
    expected.dedup();
    assert_eq!(named, expected);
    assert!(named.len() >= 9, "{named:?}");
}
