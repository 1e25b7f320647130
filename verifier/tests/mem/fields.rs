//! Special fields of map values, held against the kernel.

use std::sync::Arc;

use skep_btf::{Btf, BtfBuilder, IntEncoding, Linkage, MemberDef, TypeDef, TypeId};
use skep_linux::{MapType, ProgType};

use skep_program::{Func, MapDef, Program, special_fields};

use crate::ask::{can_ask, compare, program};
use crate::numbers::Random;

/// Types of a program with a map value that has fields of many kinds, the id of the value, and those of two functions: a global one and
/// one that may be called back.
pub(crate) fn types() -> (Arc<Btf>, TypeId, [TypeId; 2]) {
    let mut types = BtfBuilder::new();
    let int = types.int("int", 4, IntEncoding::Signed);
    let long = types.int("long", 8, IntEncoding::Signed);
    let context = types.ptr(TypeId(0));
    let proto = types.add(TypeDef::FuncProto { ret: int, params: vec![("ctx".to_owned(), context)] });
    let func = types.add(TypeDef::Func { name: "f0".to_owned(), proto, linkage: Linkage::Global });
    let callback = types.add(TypeDef::Func { name: "f1".to_owned(), proto, linkage: Linkage::Static });
    let lock = types.structure("bpf_spin_lock", 4, vec![MemberDef::new("val", int, 0)]);
    let timer = types.structure("bpf_timer", 16, vec![MemberDef::new("a", long, 0), MemberDef::new("b", long, 8)]);
    let task = types.structure("task_struct", 8, vec![MemberDef::new("a", long, 0)]);
    let plain = types.ptr(task);
    let own = types.structure("foo", 16, vec![MemberDef::new("a", long, 0), MemberDef::new("next", plain, 8)]);
    let tagged = |types: &mut BtfBuilder, tag: &str, to: TypeId| {
        let tag = types.add(TypeDef::TypeTag { value: tag.to_owned(), attribute: false, to });
        types.ptr(tag)
    };
    let untrusted = tagged(&mut types, "kptr_untrusted", task);
    let reference = tagged(&mut types, "kptr", task);
    let object = tagged(&mut types, "kptr", own);
    let per_cpu = tagged(&mut types, "percpu_kptr", own);
    let value = types.structure(
        "value",
        72,
        vec![
            MemberDef::new("first", long, 0),
            MemberDef::new("lock", lock, 8),
            MemberDef::new("plain", int, 12),
            MemberDef::new("timer", timer, 16),
            MemberDef::new("untrusted", untrusted, 32),
            MemberDef::new("reference", reference, 40),
            MemberDef::new("object", object, 48),
            MemberDef::new("per_cpu", per_cpu, 56),
            MemberDef::new("last", long, 64),
        ],
    );
    (Arc::new(types.build().expect("types")), value, [func, callback])
}

fn load(random: &Random, base: &str, most: i64) -> String {
    let (name, bytes) = random.one(&[("u64", 8), ("u64", 8), ("u64", 8), ("u32", 4), ("u16", 2), ("u8", 1), ("s32", 4)]);
    let off = random.between(0, most / bytes) * bytes + i64::from(random.below(16) == 0);
    let unsigned = name.replace('s', "u");
    match random.below(16) {
        0 => format!("*({unsigned} *)({base} {off:+}) = 0\n"),
        1 => format!("*({unsigned} *)({base} {off:+}) = 1\n"),
        2 => format!("lock *(u64 *)({base} {off:+}) += r9\n"),
        3 => format!("r8 = *({name} *)(r7 {off:+})\n*(u64 *)({base} {off:+}) = r8\n"),
        4 => format!("call 158\n*(u64 *)({base} {off:+}) = r0\n"),
        5 => format!("call 158\nr0 += 8\n*(u64 *)({base} {off:+}) = r0\n"),
        6 => format!("r9 = *(u32 *)(r7 +12)\nr9 &= 8\n{base} += r9\nr8 = *({name} *)({base} {off:+})\n"),
        7 => format!("r1 = map[idx:0]\nr2 = r10\nr2 += -4\nr3 = r7\nr3 += {off}\nr4 = 0\ncall 2\n"),
        8 => format!("r1 = r7\nr1 += {off}\nr2 = {bytes}\nr3 = 0\nr4 = 0\nr5 = 0\ncall 28\n"),
        9 => format!("r8 = *(u64 *)({base} {off:+})\nif r8 == 0 goto out\nr0 = *(u64 *)(r8 +0)\n"),
        10 => format!("r8 = *(u64 *)({base} {off:+})\nif r8 == 0 goto out\n*(u64 *)(r8 +0) = 1\n"),
        11 => format!("r8 = *(u64 *)({base} {off:+})\nif r8 == 0 goto out\nr8 = *(u64 *)(r8 +8)\nr8 = *(u8 *)(r8 +0)\n"),
        _ => format!("r8 = *({name} *)({base} {off:+})\n"),
    }
}

/// A map of such values.
pub(crate) fn values(btf: &Arc<Btf>, value: TypeId, map_type: MapType) -> Arc<MapDef> {
    Arc::new(MapDef {
        key_size: 4,
        value_size: 72,
        max_entries: 2,
        key_type_id: 1,
        value_type_id: value.0,
        btf: Some(btf.clone()),
        special: special_fields(btf, value),
        ..MapDef::new("values_with_fields", map_type)
    })
}

/// `SKEP_MEMORY_PROGRAMS` says how many.
#[test]
fn fields_of_values() {
    if !can_ask() {
        return;
    }
    let (btf, value, [func, _]) = types();
    let map = values(&btf, value, MapType::Hash);
    let count = std::env::var("SKEP_MEMORY_PROGRAMS").map_or(1_000, |count| count.parse().expect("a number"));
    let (mut accepted, mut undecided, mut different) = (0, 0, Vec::new());
    for seed in 1..=count {
        let random = Random::new(seed);
        let mut text =
            "*(u32 *)(r10 -4) = 0\nr1 = map[idx:0]\nr2 = r10\nr2 += -4\ncall 1\nif r0 == 0 goto out\nr6 = r0\nr7 = r0\nr9 = 0\n"
                .to_owned();
        for _ in 0..1 + random.below(3) {
            text += &load(&random, "r6", 72);
        }
        text += "out:\nr0 = 0\nexit";
        let program = Program {
            maps: vec![map.clone()],
            btf: Some(btf.clone()),
            funcs: vec![Func { start: 0, name: "f0".into(), type_id: func.0, global: true }],
            ..program(ProgType::SchedCls, &text)
        };
        let compared = compare(&program);
        accepted += u64::from(compared.accepted);
        undecided += u64::from(compared.undecided);
        different.extend(compared.difference.map(|difference| (seed, text, difference)));
    }
    println!("{count} programs: {accepted} accepted by Linux, {undecided} undecided, {} different", different.len());
    for (seed, text, difference) in different.iter().take(4) {
        println!("seed {seed}\n{text}\n{difference}\n");
    }
    assert!(different.is_empty());
}
