//! Section names are held against the libbpf that is installed.

use std::path::PathBuf;
use std::process::Command;

use skep_linux::section;

/// A program that asks libbpf, and goes away at the end.
struct Libbpf(PathBuf);

impl Libbpf {
    fn build() -> Option<Libbpf> {
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sections/types.c");
        let program = std::env::temp_dir().join(format!("skep-sections-{}", std::process::id()));
        let built = Command::new("gcc").arg(source).arg("-o").arg(&program).arg("-lbpf").status();
        if built.is_ok_and(|status| status.success()) {
            return Some(Libbpf(program));
        }
        println!("skipped: needs gcc and libbpf-dev");
        None
    }

    fn ask(&self, names: &[String]) -> String {
        let ran = Command::new(&self.0).args(names).output().expect("the program runs");
        String::from_utf8(ran.stdout).expect("text")
    }
}

impl Drop for Libbpf {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).expect("the program");
    }
}

#[test]
fn names_mean_what_libbpf_says() {
    let Some(libbpf) = Libbpf::build() else { return };
    let listed = libbpf.ask(&[]);
    let known: Vec<_> = listed.split_whitespace().map(|name| name.trim_end_matches(['+', '?'])).collect();
    assert!(known.len() > 70, "libbpf lists {} names", known.len());
    let variants = |name: &&str| ["", "/x", "/x/y", "/", "x", ".s", ".s/x", ".multi"].map(|after| format!("{name}{after}"));
    // What another row of a later libbpf takes is asked of that one.
    let later = ["uprobe.multi", "uretprobe.multi", "tc/", "tcx/", "netkit/", "session", "_unix", "sk_skb/verdict", "fsession"];
    let later = |name: &String| later.iter().any(|part| name.contains(part));
    let sleepable_later = |name: &String| {
        ["usdt.s", "tp.s", "tracepoint.s", "raw_tp.s", "raw_tracepoint.s", "tp_btf.s", "struct_ops.s"]
            .iter()
            .any(|part| name == part || name.starts_with(&format!("{part}/")))
            || [".multi", ".multi/x"].iter().any(|part| name.ends_with(part) && name.starts_with('f'))
    };
    let names: Vec<String> = known.iter().flat_map(variants).filter(|name| !later(name) && !sleepable_later(name)).collect();
    let mut wrong = Vec::new();
    for line in libbpf.ask(&names).lines() {
        let mut words = line.split(' ');
        let mut number = || words.next().expect("a number").parse::<i32>().expect("a number");
        let (prog, attach) = (number(), number());
        let name = words.next().expect("a name");
        let ours = section(name).filter(|found| !found.legacy);
        let ours = ours.map(|found| (found.row.prog_type as i32, found.row.attach_type.map_or(0, |attach| attach as i32)));
        let theirs = (prog >= 0).then_some((prog, attach));
        if ours != theirs {
            wrong.push(format!("{name}: {ours:?}, libbpf {theirs:?}"));
        }
    }
    println!("{} names", names.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
