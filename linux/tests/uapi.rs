//! Numbers are held against the kernel's types, which are recorded.

use std::collections::BTreeMap;

use skep_btf::{Btf, Kind, Type};
use skep_linux::helpers::HELPERS;
use skep_linux::{Arch, AttachType, MapType, ProgType, Release, recorded_btf};

fn kernel() -> std::sync::Arc<Btf> {
    recorded_btf(Release::new(6, 18), Arch::X86_64).expect("whole").expect("recorded")
}

/// The constants of the enum that has this one.
fn constants(btf: &Btf, with: &str) -> BTreeMap<String, i64> {
    let enums = btf.ids().filter_map(|id| match btf.get(id) {
        Some(Type::Enum(e)) => Some(e),
        _ => None,
    });
    let found = enums.into_iter().find(|e| e.values().any(|value| value.name == with)).expect(with);
    found.values().map(|value| (value.name.to_owned(), value.value)).collect()
}

#[test]
fn helper_ids_and_names() {
    let mut uapi = constants(&kernel(), "BPF_FUNC_map_lookup_elem");
    assert_eq!(uapi.remove("BPF_FUNC_unspec"), Some(0));
    assert_eq!(uapi.remove("__BPF_FUNC_MAX_ID"), Some(212));
    let rows: BTreeMap<_, _> = HELPERS.iter().map(|row| (format!("BPF_FUNC_{}", row.short_name()), i64::from(row.id))).collect();
    assert_eq!(rows, uapi);
}

/// Holds the values of one of our enums against the kernel's. Ours may know later ones, the kernel's other names of the same number.
fn same(ours: impl Iterator<Item = (&'static str, u32)>, with: &str, later: &[&str]) {
    let uapi = constants(&kernel(), with);
    let mut seen = 0;
    for (name, number) in ours {
        match uapi.get(name) {
            Some(value) => assert_eq!(*value, i64::from(number), "{name}"),
            None => assert!(later.contains(&name), "the kernel has no {name}"),
        }
        seen += 1;
    }
    let numbers: std::collections::BTreeSet<_> =
        uapi.iter().filter(|(name, _)| !name.starts_with("__MAX")).map(|(_, value)| *value).collect();
    assert_eq!(seen, numbers.len() + later.len());
}

#[test]
fn program_map_and_attach_types() {
    same(ProgType::ALL.iter().map(|v| (v.name(), *v as u32)), "BPF_PROG_TYPE_XDP", &[]);
    same(MapType::ALL.iter().map(|v| (v.name(), *v as u32)), "BPF_MAP_TYPE_HASH", &[]);
    let later = ["BPF_TRACE_FSESSION", "BPF_TRACE_FENTRY_MULTI", "BPF_TRACE_FEXIT_MULTI", "BPF_TRACE_FSESSION_MULTI"];
    same(AttachType::ALL.iter().map(|v| (v.name(), *v as u32)), "BPF_CGROUP_INET_INGRESS", &later);
}

/// Every constant of `flags.rs` that the kernel's types have too, by its name.
#[test]
fn flags() {
    let btf = kernel();
    let mut all: BTreeMap<String, i64> = BTreeMap::new();
    for id in btf.ids().filter(|id| matches!(btf.kind(*id), Kind::Enum | Kind::Enum64)) {
        if let Some(Type::Enum(e)) = btf.get(id) {
            all.extend(e.values().map(|value| (value.name.to_owned(), value.value)));
        }
    }
    let source = include_str!("../src/flags.rs");
    let mut checked = 0;
    for line in source.lines().filter_map(|line| line.strip_prefix("pub const ")) {
        let (name, rest) = line.split_once(": ").expect("a type");
        let (_, value) = rest.split_once(" = ").expect("a value");
        if let Some(theirs) = all.get(name) {
            let ours = number(value.trim_end_matches(';'));
            if let Some(ours) = ours {
                assert!(ours == *theirs || ours == *theirs as u32 as i64, "{name}: {ours}, the kernel {theirs}");
                checked += 1;
            }
        }
    }
    assert!(checked > 120, "{checked} flags");
}

/// The value of `5`, `0xff`, `-1`, `1 << 4`, `0xf << 32`.
fn number(text: &str) -> Option<i64> {
    let one = |text: &str| {
        let text = text.trim().replace('_', "");
        match text.strip_prefix("0x") {
            Some(digits) => i64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        }
    };
    match text.split_once("<<") {
        Some((left, right)) => Some(one(left)? << one(right)?),
        None => one(text),
    }
}
