//! Types written as C are compiled by clang, and what clang says of them is held against the types that were written.

mod common;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object, ObjectSection};
use skep_btf::{Btf, Composite, Kind, Type, TypeId};

/// A folder of its own for a test, taken away at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("skep-btf-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("the folder");
    }
}

/// Runs clang; what it complains of, or `None` where there is no clang.
fn clang(args: &[&str], files: &[&Path]) -> Option<Result<(), String>> {
    let ran = Command::new("clang-19").args(args).args(files).output();
    let Ok(ran) = ran else {
        println!("skipped: needs clang-19");
        return None;
    };
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    Some(if ran.status.success() && said.is_empty() { Ok(()) } else { Err(said) })
}

/// The C name of every named type, by the rule that later ones of a name are numbered.
fn c_names(btf: &Btf) -> Vec<(TypeId, &'static str, String)> {
    let mut tags: HashMap<&str, u32> = HashMap::new();
    let mut ordinary: HashMap<&str, u32> = HashMap::new();
    let mut named = Vec::new();
    for id in btf.ids() {
        let name = btf.name(id);
        let (space, keyword) = match btf.kind(id) {
            Kind::Struct => (&mut tags, "struct "),
            Kind::Union => (&mut tags, "union "),
            Kind::Enum | Kind::Enum64 => (&mut tags, "enum "),
            Kind::Typedef => (&mut ordinary, ""),
            _ => continue,
        };
        if name.is_empty() {
            continue;
        }
        let count = space.entry(name).or_default();
        *count += 1;
        let number = if *count == 1 { String::new() } else { format!("___{count}") };
        // A word of the compiler.
        let name = if name == "__builtin_va_list" { "__builtin_va_list_" } else { name };
        named.push((id, keyword, format!("{name}{number}")));
    }
    named
}

/// Compiles the header with a use of every named type, and reads the BTF of the object.
fn compiled(header: &str, names: &[(TypeId, &str, String)], folder: &Folder) -> Option<Btf> {
    let mut source = header.to_owned();
    // A typedef may be of a function or of `void`. One variable for each type would take clang minutes.
    source.push_str("union every_type {\n");
    for (id, keyword, name) in names {
        writeln!(source, "{keyword}{name} {}use_{};", if keyword.is_empty() { "*" } else { "" }, id.0).unwrap();
    }
    source.push_str("} every_type;\n");
    let (file, object) = (folder.0.join("all.c"), folder.0.join("all.o"));
    std::fs::write(&file, source).unwrap();
    let args = ["-target", "bpf", "-g", "-c", "-w", "-o", object.to_str().unwrap()];
    clang(&args, &[&file])?.unwrap_or_else(|said| panic!("{said}"));
    let bytes = std::fs::read(&object).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    Some(Btf::parse(file.section_by_name(".BTF").expect("BTF").data().unwrap()).unwrap())
}

/// What differs between a struct and what clang made of it.
struct Compare<'a> {
    ours: &'a Btf,
    theirs: &'a Btf,
    /// Members compared.
    members: usize,
    wrong: Vec<String>,
}

impl Compare<'_> {
    /// Compares types of these names; how many there are.
    fn named(&mut self, names: &[(TypeId, &str, String)]) -> usize {
        let mut types = 0;
        for (id, keyword, name) in names {
            let kind = self.ours.kind(*id);
            let found = self.theirs.find_all(name).find(|other| {
                let other = self.theirs.kind(*other);
                other == kind || kind.is_enum() && other.is_enum()
            });
            let Some(other) = found else {
                self.wrong.push(format!("{keyword}{name} is missing"));
                continue;
            };
            types += 1;
            match (self.ours.get(*id), self.theirs.get(other)) {
                (Some(Type::Struct(a) | Type::Union(a)), Some(Type::Struct(b) | Type::Union(b))) => {
                    self.composites(&format!("{keyword}{name}"), a, b);
                }
                (Some(Type::Enum(a)), Some(Type::Enum(b))) if a.value_count() > 0 => {
                    let values = |e: skep_btf::Enum<'_>| e.values().map(|v| v.value).collect::<Vec<_>>();
                    if (a.size(), values(a)) != (b.size(), values(b)) {
                        self.wrong.push(format!("enum {name}: {:?}, C {:?}", values(a), values(b)));
                    }
                }
                _ => self.types(name, *id, other),
            }
        }
        types
    }

    fn composites(&mut self, what: &str, a: Composite<'_>, b: Composite<'_>) {
        if a.size() != b.size() {
            self.wrong.push(format!("{what}: {} bytes, C {}", a.size(), b.size()));
            return;
        }
        let (mut ours, theirs): (Vec<_>, Vec<_>) = (a.members().collect(), b.members().collect());
        ours.sort_by_key(|member| member.bit_offset);
        // A union of which the compiler told no members has bytes in their place.
        if ours.is_empty() && a.size() > 0 {
            return;
        }
        if ours.len() != theirs.len() {
            self.wrong.push(format!("{what}: {} members, C {}", ours.len(), theirs.len()));
            return;
        }
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            self.members += 1;
            let what = format!("{what}.{}", ours.name);
            let (place, c) = ((ours.name, ours.bit_offset, ours.bitfield), (theirs.name, theirs.bit_offset, theirs.bitfield));
            if place != c {
                self.wrong.push(format!("{what}: {place:?}, C {c:?}"));
            }
            self.types(&what, ours.ty, theirs.ty);
        }
    }

    /// Sizes, and of untagged structs the members.
    fn types(&mut self, what: &str, a: TypeId, b: TypeId) {
        // Behind a pointer, clang only names a struct that it has not told by itself.
        if self.theirs.kind(self.theirs.resolve(b)) == Kind::Fwd {
            return;
        }
        let (sizes, c) = (self.ours.size_of(a).ok(), self.theirs.size_of(b).ok());
        if sizes != c {
            self.wrong.push(format!("{what}: size {sizes:?}, C {c:?}"));
        }
        let (a, b) = (self.ours.resolve(a), self.theirs.resolve(b));
        if let (Some(Type::Struct(x) | Type::Union(x)), Some(Type::Struct(y) | Type::Union(y))) =
            (self.ours.get(a), self.theirs.get(b))
            && x.name().is_empty()
        {
            self.composites(what, x, y);
        }
    }
}

#[test]
fn header_of_the_kernel_is_what_clang_reads() {
    let Some(path) = common::shared("corpus/btf/vmlinux-6.18.44.btf") else { return };
    let btf = Btf::parse(&std::fs::read(path).unwrap()).unwrap();
    let folder = Folder::new("vmlinux");
    let header = btf.c_header().unwrap();
    let file = folder.0.join("vmlinux.h");
    std::fs::write(&file, &header).unwrap();
    let Some(checked) = clang(&["-fsyntax-only", "-x", "c"], &[&file]) else { return };
    checked.unwrap_or_else(|said| panic!("{said}"));
    let names = c_names(&btf);
    // Parts, since the time that clang takes grows with the square of the types.
    let (mut types, mut members, mut wrong) = (0, 0, Vec::new());
    for part in names.chunks(1200) {
        let Some(of_clang) = compiled(&header, part, &folder) else { return };
        let mut compare = Compare { ours: &btf, theirs: &of_clang, members: 0, wrong: Vec::new() };
        types += compare.named(part);
        members += compare.members;
        wrong.append(&mut compare.wrong);
    }
    println!("{types} types, {members} members, {} bytes of C", header.len());
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(types > 14_000 && members > 60_000, "{types} types, {members} members");
}

#[test]
fn headers_of_all_objects_compile() {
    let folder = Folder::new("objects");
    let mut files = Vec::new();
    for (name, bytes) in common::corpus_blobs() {
        let header = Btf::parse(&bytes).unwrap().c_header().unwrap_or_else(|error| panic!("{name}: {error}"));
        let file = folder.0.join(format!("{name}.c"));
        std::fs::write(&file, header).unwrap();
        files.push(file);
    }
    let files: Vec<_> = files.iter().map(PathBuf::as_path).collect();
    println!("{} headers", files.len());
    for some in files.chunks(50) {
        for args in [["-fsyntax-only", "-Werror"].as_slice(), &["-fsyntax-only", "-target", "bpf"]] {
            let Some(checked) = clang(args, some) else { return };
            checked.unwrap_or_else(|said| panic!("{said}"));
        }
    }
}
