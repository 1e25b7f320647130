//! Releases that rows came with are held against what older kernels have: lists made from the types of Debian's kernels of those
//! releases (`linux-image-...-cloud-amd64`), and for 6.18 the types themselves.
//!
//! A list is made by `SKEP_RECORD=6.1 SKEP_BTF=FILE cargo test -p skep-linux --test since`, from the BTF of that kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use skep_btf::{Btf, Composite, Kind, Type};
use skep_linux::contexts::{self, CONTEXTS, Field, Shape};
use skep_linux::helpers::HELPERS;
use skep_linux::kfuncs::KFUNCS;
use skep_linux::{Arch, Release, maps, programs, recorded_btf};

/// Releases before 6.18 that there are lists of.
const RELEASES: &[Release] =
    &[Release::new(5, 10), Release::new(6, 1), Release::new(6, 12), Release::new(6, 16), Release::new(6, 17)];

fn list_of(release: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/since/{release}.txt"))
}

/// The structs whose fields have rows, with those fields.
fn structs() -> BTreeMap<&'static str, Vec<&'static Field>> {
    let mut structs: BTreeMap<_, Vec<_>> = BTreeMap::new();
    // Registers lie in a struct of the machine.
    for row in CONTEXTS.iter().filter(|row| row.shape == Shape::Struct && row.name != "bpf_perf_event_data") {
        structs.entry(row.name).or_default().extend(row.fields);
    }
    for object in [&contexts::SOCK_COMMON, &contexts::SOCK, &contexts::TCP_SOCK, &contexts::XDP_SOCK] {
        structs.entry(object.name).or_default().extend(object.fields);
    }
    structs
}

/// Members with those of nameless ones, and where they lie.
fn members(btf: &Btf, composite: Composite<'_>, base: u32, name: &str, facts: &mut BTreeSet<String>) {
    for member in composite.members() {
        let offset = base + member.bit_offset / 8;
        match btf.get(btf.resolve(member.ty)) {
            Some(Type::Struct(inner) | Type::Union(inner)) if member.name.is_empty() => {
                members(btf, inner, offset, name, facts);
            }
            _ => {
                let size = btf.size_of(member.ty).expect("a member with a size");
                facts.insert(format!("field {name}.{} {offset} {size}", member.name));
            }
        }
    }
}

/// What the types of a kernel say of what rows are about.
fn facts(btf: &Btf) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for id in btf.ids() {
        let Some(Type::Enum(e)) = btf.get(id) else { continue };
        for value in e.values() {
            for (prefix, what) in [("BPF_FUNC_", "helper"), ("BPF_PROG_TYPE_", "program"), ("BPF_MAP_TYPE_", "map")] {
                if value.name.starts_with(prefix) && value.value != 0 {
                    facts.insert(format!("{what} {}", value.name));
                }
            }
        }
    }
    for name in structs().into_keys() {
        if let Some(Type::Struct(composite)) = btf.find(name, Kind::Struct).and_then(|id| btf.get(id)) {
            members(btf, composite, 0, name, &mut facts);
        }
    }
    let functions: BTreeSet<_> = btf.ids().filter(|id| btf.kind(*id) == Kind::Func).map(|id| btf.name(id)).collect();
    facts.extend(KFUNCS.iter().filter(|row| functions.contains(row.name)).map(|row| format!("function {}", row.name)));
    facts
}

/// What is known of a release: its list, or for the release that is recorded its types.
fn known(release: Release) -> BTreeSet<String> {
    if release == Release::new(6, 18) {
        return facts(&recorded_btf(release, Arch::X86_64).expect("whole").expect("recorded"));
    }
    let text = std::fs::read_to_string(list_of(&release.to_string())).expect("a list");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn record() {
    let (Ok(release), Ok(file)) = (std::env::var("SKEP_RECORD"), std::env::var("SKEP_BTF")) else { return };
    let btf = Btf::parse(&std::fs::read(file).expect("a file")).expect("types");
    let lines: Vec<_> = facts(&btf).into_iter().collect();
    std::fs::write(list_of(&release), lines.join("\n") + "\n").expect("a list");
}

fn every_release() -> impl Iterator<Item = Release> {
    RELEASES.iter().copied().chain([Release::new(6, 18)])
}

#[test]
fn helpers_programs_and_maps() {
    for release in every_release() {
        let known = known(release);
        let mut asked = 0;
        let mut hold = |what: String, since: Release| {
            assert_eq!(since.at_most(release), known.contains(&what), "{what} in {release}");
            asked += 1;
        };
        for row in HELPERS {
            hold(format!("helper BPF_FUNC_{}", row.short_name()), row.since);
        }
        for row in programs::PROGRAMS {
            hold(format!("program {}", row.prog_type.name()), row.since);
        }
        for row in maps::MAPS {
            hold(format!("map {}", row.map_type.name()), row.since);
        }
        assert!(asked > 270, "{asked} rows");
    }
}

#[test]
fn fields_of_contexts() {
    let mut wrong = Vec::new();
    for release in every_release() {
        let known = known(release);
        let names: BTreeSet<_> = known.iter().filter_map(|fact| fact.strip_prefix("field ")?.split(' ').next()).collect();
        let mut asked = 0;
        for (of, fields) in structs() {
            for field in fields {
                let name = format!("{of}.{}", field.name);
                if field.since.at_most(release) != names.contains(name.as_str()) {
                    wrong.push(format!("{name} in {release}, its row has {}", field.since));
                }
                // Some rows begin within an array, or go on over the unused bytes behind a member.
                let prefix = format!("field {name} ");
                let place = known.iter().find_map(|fact| fact.strip_prefix(&prefix)?.split_once(' '));
                if let Some((offset, size)) = place
                    && field.since.at_most(release)
                {
                    let (offset, size) = (offset.parse::<i32>().expect("a number"), size.parse::<u32>().expect("a number"));
                    let inside = field.offset >= offset && field.offset as u32 + field.size <= offset as u32 + size;
                    if field.offset != offset && !inside {
                        wrong.push(format!("{name} lies at {offset} in {release}"));
                    }
                }
                asked += 1;
            }
        }
        assert!(asked > 200, "{asked} fields");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Functions that the kernel had before programs could call them.
const OLDER: &[&str] =
    &["crash_kexec", "tcp_cong_avoid_ai", "tcp_reno_cong_avoid", "tcp_reno_ssthresh", "tcp_reno_undo_cwnd", "tcp_slow_start"];

#[test]
fn kernel_functions() {
    for release in every_release() {
        let known = known(release);
        for row in KFUNCS.iter().filter(|row| !OLDER.contains(&row.name)) {
            // A function that came later is not there; one that is not there may be left out of that kernel.
            let there = known.contains(&format!("function {}", row.name));
            assert!(row.since.at_most(release) || !there, "{} is in {release}, its row has {}", row.name, row.since);
        }
    }
}

/// Functions that Debian's kernels had in modules, or left out, for longer than Linux.
fn came_late(name: &str) -> bool {
    name.starts_with("cubictcp_") || name == "bpf_verify_pkcs7_signature"
}

/// A function that is in no list before its release, but could be, has its release from the first list that has it.
#[test]
fn kernel_functions_that_are_built_in_are_in_the_next_list() {
    let (mut missing, mut asked) = (Vec::new(), 0);
    let last = known(Release::new(6, 18));
    for release in RELEASES {
        let known = known(*release);
        for row in KFUNCS.iter().filter(|row| row.since.at_most(*release) && !came_late(row.name)) {
            let fact = format!("function {}", row.name);
            // What 6.18 does not have either is left out of Debian's kernels.
            if last.contains(&fact) {
                asked += 1;
                if !known.contains(&fact) {
                    missing.push(format!("{} is not in {release}, its row has {}", row.name, row.since));
                }
            }
        }
    }
    assert!(asked > 300, "{asked} functions");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
