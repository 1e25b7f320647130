//! Objects that are refused, and what is said of them.

use skep_object::{ElfError, Object, ObjectError};

use super::{open, read, target};

fn error(bytes: &[u8]) -> String {
    Object::parse(bytes).unwrap_err().to_string()
}

#[test]
fn the_other_byte_order() {
    let refused = Object::parse(&read("legacy.bpfeb.o")).unwrap_err();
    assert_eq!(refused, ObjectError::Elf(ElfError::BigEndian));
    assert!(refused.to_string().contains("bpfeb"));
}

#[test]
fn every_truncation_is_refused_with_a_place() {
    let whole = read("maps.bpf.o");
    for len in 0..whole.len() {
        let text = error(&whole[..len]);
        assert!(
            text.contains("bytes") || text.contains("offset") || text.contains("section") || text.contains("ELF"),
            "{len}: {text}"
        );
    }
}

#[test]
fn unknown_names_are_answered_with_known_ones() {
    let object = open("sections");
    let error = object.program("frist").unwrap_err();
    assert!(error.to_string().contains("`first`"), "{error}");
}

#[test]
fn not_what_it_should_be() {
    assert!(error(b"#!/bin/sh\n").contains("ELF"));
    let mut machine = read("sections.bpf.o");
    machine[18] = 62;
    assert!(error(&machine).contains("machine at offset 18 is 62"));
    let mut kind = read("sections.bpf.o");
    kind[16] = 2;
    assert!(error(&kind).contains("type at offset 16 is 2"));
}

#[test]
fn relocations_need_the_target_only_where_they_ask_for_it() {
    let object = open("core");
    let refused = object.program("fields").unwrap().relocate(&target()).unwrap_err();
    assert!(refused.to_string().contains("BTF"), "{refused}");
}
