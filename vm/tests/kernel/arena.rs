//! Arenas: what pointers into them are, and what accesses to pages do that are not there.

use skep::{MapDef, MapType, ProgType};
use skep_maps::flags::BPF_F_MMAPABLE;

use super::both::{Both, kernel, program, target};

/// Where the arena of these tests lies for user space.
const START: u64 = 0x5000_0003_0000;

fn arena() -> MapDef {
    MapDef { max_entries: 4, flags: BPF_F_MMAPABLE, map_extra: START, ..MapDef::new("arena", MapType::Arena) }
}

/// The id of a kernel function, as calls carry it.
fn kfunc(name: &str) -> u32 {
    let target = target();
    let btf = target.btf().expect("the host shows its types");
    btf.find(name, skep_btf::Kind::Func).unwrap().0
}

/// Runs `text` with `r6` the page at the start of the arena as user space sees it, `r7` as programs see it, both pages after it absent;
/// gives what it returns.
fn with_page(text: &str) -> u32 {
    let alloc = kfunc("bpf_arena_alloc_pages");
    let text = format!(
        "r1 = map[idx:0]\nr2 = {START:#x} ll\nr3 = 1\nr4 = -1\nr5 = 0\ncall kernel-function#{alloc}\nr6 = r0\n\
         r7 = addr_space_cast(r6, 0, 1)\n{text}\nexit\n"
    );
    Both::default().value(&program(ProgType::Syscall, &text, vec![arena()]))
}

#[test]
fn pointers_are_halves() {
    if !kernel() {
        return;
    }
    assert_eq!(with_page("r0 = r7"), START as u32);
    assert_eq!(with_page("r0 = r6\nr0 >>= 32"), (START >> 32) as u32);
    assert_eq!(with_page("r0 = addr_space_cast(r7, 1, 0)\nr0 >>= 32"), (START >> 32) as u32);
    assert_eq!(with_page("r1 = 0\nr0 = addr_space_cast(r1, 1, 0)\nr0 >>= 32"), 0);
    assert_eq!(with_page("r1 = map[idx:0]+8\nr1 -= r6\nr0 = r1"), 8);
}

#[test]
fn accesses_reach_present_pages_alone() {
    if !kernel() {
        return;
    }
    assert_eq!(with_page("*(u32 *)(r7 +8) = 7\nr0 = *(u32 *)(r7 +8)"), 7);
    assert_eq!(with_page("r0 = 5\n*(u32 *)(r7 +4096) = 7\nr0 = *(u32 *)(r7 +4096)"), 0);
    assert_eq!(with_page("r0 = 5\nr0 = *(u64 *)(r7 +4092)"), 0);
    assert_eq!(with_page("r0 = 5\nr0 = *(u64 *)(r7 -8)"), 0);
    assert_eq!(with_page("r1 = 0\nr1 = addr_space_cast(r1, 0, 1)\nr0 = 5\nr0 = *(u64 *)(r1 -8)"), 0);
}

#[test]
fn atomics_on_absent_pages() {
    if !kernel() {
        return;
    }
    assert_eq!(with_page("r0 = 3\nr1 = 5\nlock *(u64 *)(r7 +0) += r1\nr0 = *(u64 *)(r7 +0)"), 5);
    assert_eq!(with_page("r0 = 3\nr1 = 5\nr1 = atomic64_fetch_add((u64 *)(r7 +4096), r1)\nr0 = r1"), 5);
    assert_eq!(with_page("r0 = 3\nr1 = 5\nr0 = atomic64_cmpxchg((u64 *)(r7 +4096), r0, r1)"), 3);
}
