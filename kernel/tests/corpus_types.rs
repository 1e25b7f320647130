//! The types of every object of the corpus, put to the host's kernel.

use std::path::{Path, PathBuf};

use object::{Object, ObjectSection};
use skep_kernel::{Btf, Kernel};

fn shared() -> PathBuf {
    std::env::var_os("SKEP_SHARED").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from)
}

fn objects(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            objects(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn types_of_objects_load() {
    if let Err(why) = Kernel::available() {
        return println!("skipped: needs {why}");
    }
    let mut paths = Vec::new();
    objects(&shared().join("corpus/objects"), &mut paths);
    if paths.is_empty() {
        return println!("skipped: needs ../shared/corpus");
    }
    let (mut loaded, mut unnamed, mut refused) = (0, 0, Vec::new());
    for path in &paths {
        let bytes = std::fs::read(path).unwrap();
        let Ok(elf) = object::File::parse(&*bytes) else { continue };
        let Some(section) = elf.section_by_name(".BTF") else { continue };
        let Ok(btf) = skep_btf::Btf::parse(section.data().unwrap()) else { continue };
        match Btf::of_object(&btf) {
            Ok(_) => loaded += 1,
            // Nobody can name the parameters of a function that the object itself defines: libbpf loads such objects without types.
            Err(e) if e.log.trim_end().rsplit('\n').next().is_some_and(|l| l.contains("FUNC") && l.contains("Invalid arg#")) => {
                unnamed += 1;
            }
            Err(e) => refused.push(format!("{}: {e}", path.display())),
        }
    }
    println!("{loaded} with types load, {unnamed} have functions with unnamed parameters");
    assert!(loaded > 100 * unnamed);
    assert!(refused.is_empty(), "{} refused:\n{}", refused.len(), refused.join("\n"));
}
