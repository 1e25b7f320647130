//! What is encoded decodes, what decodes encodes, and text is as good as either.

mod common;

use std::borrow::Cow;

use proptest::prelude::*;
use skep_isa::*;

/// Names that depend on the number, so that text with them still says everything.
struct Numbered;

impl Names for Numbered {
    fn helper(&self, id: i32) -> Option<Cow<'_, str>> {
        (id >= 0).then(|| format!("bpf_helper_{id}").into())
    }

    fn kfunc(&self, id: i32, _module: i16) -> Option<Cow<'_, str>> {
        (id >= 0).then(|| format!("bpf_kfunc_{id}").into())
    }

    fn function(&self, slot: usize) -> Option<Cow<'_, str>> {
        slot.is_multiple_of(2).then(|| format!("func_{slot}").into())
    }
}

fn encode_all(insns: &[Insn]) -> Vec<RawInsn> {
    insns.iter().flat_map(|insn| insn.encode().unwrap().to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn encoded_decodes(insn in common::insn()) {
        let raw = insn.encode().unwrap();
        prop_assert_eq!(raw.len(), insn.slots());
        prop_assert_eq!(decode(&raw, 0), Ok(insn));
    }

    #[test]
    fn decoded_encodes(raw in prop::collection::vec(common::raw(), 1..4)) {
        if let Ok(insn) = decode(&raw, 0) {
            prop_assert_eq!(&insn.encode().unwrap()[..], &raw[..insn.slots()]);
        }
    }

    #[test]
    fn streams_keep_their_slots(insns in prop::collection::vec(common::insn(), 1..30)) {
        let raw = encode_all(&insns);
        let code = Code::decode(&raw).unwrap();
        prop_assert_eq!(code.len(), raw.len());
        prop_assert_eq!(code.iter().map(|(_, insn)| insn).collect::<Vec<_>>(), insns);
        for (slot, insn) in code.iter() {
            prop_assert_eq!(code.get(slot + 1) == Some(&Slot::Second), insn.slots() == 2);
        }
    }

    #[test]
    fn disassembled_assembles(insns in prop::collection::vec(common::insn(), 1..30)) {
        let raw = encode_all(&insns);
        let code = Code::decode(&raw).unwrap();
        let plain: String = insns.iter().map(|insn| format!("{insn}\n")).collect();
        prop_assert_eq!(&asm::kernel::assemble(&plain).unwrap(), &raw, "{}", plain);
        let listing = code.listing(&Numbered).to_string();
        prop_assert_eq!(&asm::kernel::assemble_with(&listing, &Numbered).unwrap(), &raw, "{}", listing);
    }

    #[test]
    fn any_slots_decode_or_say_where(raw in prop::collection::vec(common::raw(), 0..20)) {
        let code = Code::decode_each(&raw);
        prop_assert_eq!(code.len(), raw.len());
        for (slot, state) in code.slots().iter().enumerate() {
            if let Slot::Refused(error) = state {
                prop_assert!(error.slot() == slot || error.slot() == slot + 1, "{}: {}", slot, error);
                let place = format!("instruction {}", error.slot());
                prop_assert!(error.to_string().starts_with(&place), "{}", error);
            }
        }
        let _ = code.check_targets();
        let _ = code.listing(&NoNames).to_string();
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<[u8; 8]>(), 0..20)) {
        let raw: Vec<RawInsn> = bytes.iter().map(|&b| RawInsn::from_le_bytes(b)).collect();
        prop_assert_eq!(raw.iter().map(|insn| insn.to_le_bytes()).collect::<Vec<_>>(), bytes);
        let code = Code::decode_each(&raw);
        prop_assert_eq!(code.check().is_ok(), Code::decode(&raw).is_ok());
    }

    #[test]
    fn any_text_never_panics(text in "\\PC{0,60}") {
        let _ = asm::kernel::assemble(&text);
        let _ = asm::conformance::assemble(&text);
    }

    #[test]
    fn torn_text_never_panics(insns in prop::collection::vec(common::insn(), 1..4), cut in any::<prop::sample::Index>(), junk in "[ -~é]{0,3}") {
        let mut text: String = insns.iter().map(|insn| format!("{insn}\n")).collect();
        let at = cut.index(text.len());
        text.insert_str(at, &junk);
        if let Err(error) = asm::kernel::assemble(&text) {
            prop_assert!(error.line <= insns.len() + 1);
        }
        let _ = asm::kernel::assemble(&text[..at]);
        let _ = asm::conformance::assemble(&text);
    }
}
