//! Names and definitions of types that no kernel has.

use std::process::Command;

use skep_btf::{Btf, BtfBuilder, IntEncoding, Linkage, MemberDef, TypeDef, TypeId};

fn member(name: &str, ty: TypeId, bit_offset: u32, bits: u8) -> MemberDef {
    MemberDef { name: name.to_owned(), ty, bit_offset, bits }
}

/// The types that every case begins with.
struct Basic {
    build: BtfBuilder,
    int: TypeId,
    long: TypeId,
    char: TypeId,
}

fn basic() -> Basic {
    let mut build = BtfBuilder::new();
    let int = build.int("int", 4, IntEncoding::Signed);
    let long = build.int("long unsigned int", 8, IntEncoding::Unsigned);
    let char = build.int("char", 1, IntEncoding::Char);
    Basic { build, int, long, char }
}

fn proto(ret: TypeId, params: &[(&str, TypeId)]) -> TypeDef {
    TypeDef::FuncProto { ret, params: params.iter().map(|(name, ty)| ((*name).to_owned(), *ty)).collect() }
}

/// Whether clang takes the whole, in a file where these assertions hold too.
fn compiles(btf: &Btf, assertions: &[&str]) -> String {
    let header = btf.c_header().unwrap();
    let file = std::env::temp_dir().join(format!("skep-btf-names-{}-{:p}.c", std::process::id(), btf));
    let checks: String = assertions.iter().map(|check| format!("_Static_assert({check}, \"\");\n")).collect();
    std::fs::write(&file, format!("{header}{checks}")).unwrap();
    let ran = Command::new("clang-19").arg("-fsyntax-only").arg(&file).output();
    std::fs::remove_file(&file).unwrap();
    match ran {
        Ok(ran) => assert!(ran.stderr.is_empty(), "{}\n{header}", String::from_utf8_lossy(&ran.stderr)),
        Err(_) => println!("skipped: needs clang-19"),
    }
    header
}

#[test]
fn names_in_one_line() {
    let Basic { mut build, int, char, long } = basic();
    let constant = build.add(TypeDef::Const { to: char });
    let text = build.ptr(constant);
    let texts = build.array(text, int, 16);
    let table = build.array(texts, int, 2);
    let to_table = build.ptr(table);
    let void_ptr = build.ptr(TypeId::VOID);
    let variadic = build.add(proto(int, &[("", void_ptr), ("", TypeId::VOID)]));
    let to_function = build.ptr(variadic);
    let task = build.structure("task_struct", 0, vec![]);
    let to_task = build.ptr(task);
    let fixed = build.add(TypeDef::Const { to: to_task });
    let none = build.add(proto(TypeId::VOID, &[]));
    let function = build.add(TypeDef::Func { name: "exit".to_owned(), proto: none, linkage: Linkage::Global });
    let handler = build.add(proto(to_function, &[("task", fixed), ("n", long)]));
    let handlers = build.ptr(handler);
    let untagged = build.structure("", 4, vec![member("a", int, 0, 0)]);
    let tagged = build.add(TypeDef::TypeTag { value: "user".to_owned(), attribute: false, to: int });
    let user = build.ptr(tagged);
    let alias = build.typedef("pid_t", int);
    let volatile = build.add(TypeDef::Volatile { to: alias });
    let restrict = build.add(TypeDef::Restrict { to: to_task });
    let constant_array = build.add(TypeDef::Const { to: texts });
    let variable = build.add(TypeDef::Var { name: "count".to_owned(), ty: volatile, linkage: Linkage::Global });
    let forward = build.add(TypeDef::Fwd { name: "sock".to_owned(), union: false });
    let e = build.add(TypeDef::Enum { name: "color".to_owned(), size: 4, signed: false, values: vec![("RED".to_owned(), 0)] });
    let arena = build.add(TypeDef::TypeTag { value: "address_space(1)".to_owned(), attribute: true, to: TypeId::VOID });
    let to_arena = build.ptr(arena);
    let btf = build.build().unwrap();
    for (id, name) in [
        (TypeId::VOID, "void"),
        (int, "int"),
        (text, "const char *"),
        (texts, "const char *[16]"),
        (to_table, "const char *(*)[2][16]"),
        (to_function, "int (*)(void *, ...)"),
        (variadic, "int (void *, ...)"),
        (fixed, "struct task_struct * const"),
        (restrict, "struct task_struct * restrict"),
        (function, "void exit(void)"),
        (handlers, "int (*(*)(struct task_struct * const task, long unsigned int n))(void *, ...)"),
        (untagged, "struct { ... }"),
        (user, "int __attribute__((btf_type_tag(\"user\"))) *"),
        (to_arena, "void __attribute__((address_space(1))) *"),
        (volatile, "volatile pid_t"),
        (constant_array, "const char * const [16]"),
        (variable, "volatile pid_t count"),
        (forward, "struct sock"),
        (e, "enum color"),
    ] {
        assert_eq!(btf.type_name(id), name, "{id}");
    }
    assert_eq!(btf.declaration(texts, "names"), "const char *names[16]");
    assert_eq!(btf.declaration(to_function, "call"), "int (*call)(void *, ...)");
    assert!(btf.type_name(TypeId(999)).contains("no type [999]"));
    assert_eq!(btf.c_definition(untagged).unwrap(), "struct {\n\tint a;\n};\n");
    assert_eq!(btf.c_definition(alias).unwrap(), "typedef int pid_t;\n");
    assert_eq!(btf.c_definition(e).unwrap(), "enum color {\n\tRED = 0,\n};\n");
    compiles(&btf, &["sizeof(struct task_struct) == 0"]);
}

#[test]
fn needs_come_first() {
    let Basic { mut build, int, .. } = basic();
    // struct list { struct node *first; };  struct node { struct list of; node_t *next; int (*visit)(node_t *, struct later *); };
    let node = TypeId(build.next_id().0 + 8);
    let to_node = build.ptr(node);
    let list = build.structure("list", 8, vec![member("first", to_node, 0, 0)]);
    let node_t = build.typedef("node_t", node);
    let to_node_t = build.ptr(node_t);
    let later = TypeId(node.0 + 1);
    let to_later = build.ptr(later);
    let visit = build.add(proto(int, &[("", to_node_t), ("", to_later)]));
    let to_visit = build.ptr(visit);
    let unused = build.structure("unused", 4, vec![member("a", int, 0, 0)]);
    let members = vec![member("of", list, 0, 0), member("next", to_node_t, 64, 0), member("visit", to_visit, 128, 0)];
    assert_eq!(build.structure("node", 24, members), node);
    assert_eq!(build.structure("later", 24, vec![member("first", node, 0, 0)]), later);
    let btf = build.build().unwrap();
    compiles(&btf, &["sizeof(struct later) == 24", "sizeof(node_t) == 24", "sizeof(struct unused) == 4"]);
    let part = btf.c_definitions(&[list]).unwrap();
    assert_eq!(part, "struct node;\n\nstruct list {\n\tstruct node *first;\n};\n\n");
    let part = btf.c_definitions(&[node]).unwrap();
    assert!(!part.contains("unused") && !part.contains("struct later {"), "{part}");
    assert_eq!(btf.c_definitions(&[unused]).unwrap(), "struct unused {\n\tint a;\n};\n\n");
}

#[test]
fn members_come_to_lie_where_they_should() {
    let Basic { mut build, int, long, char } = basic();
    build.structure("packed", 5, vec![member("a", char, 0, 0), member("b", int, 8, 0)]);
    build.structure("holes", 64, vec![member("a", int, 32, 0), member("b", long, 256, 0)]);
    build.structure("bits", 16, vec![member("a", int, 0, 3), member("b", int, 5, 2), member("c", long, 64, 40)]);
    build.structure("straddles", 8, vec![member("a", int, 0, 30), member("b", int, 30, 30)]);
    build.structure("reordered", 16, vec![member("b", long, 64, 0), member("a", int, 0, 0)]);
    build.union("wide", 32, vec![member("a", long, 0, 0), member("b", char, 0, 0)]);
    build.union("tight", 3, vec![member("a", int, 0, 17)]);
    let inner = build.structure("aligned", 64, vec![member("a", char, 0, 0)]);
    build.structure("around", 192, vec![member("a", char, 0, 0), member("inner", inner, 512, 0)]);
    build.structure("anonymous_tag", 128, vec![member("", inner, 0, 0), member("after", int, 512, 0)]);
    build.structure("overlap", 8, vec![member("a", long, 0, 0), member("b", int, 32, 0)]);
    build.union("shifted", 8, vec![member("a", int, 32, 0)]);
    build.structure("unsized", 8, vec![member("a", TypeId::VOID, 0, 0)]);
    let btf = build.build().unwrap();
    let header = compiles(
        &btf,
        &[
            "sizeof(struct packed) == 5 && __builtin_offsetof(struct packed, b) == 1",
            "sizeof(struct holes) == 64 && __builtin_offsetof(struct holes, a) == 4 && __builtin_offsetof(struct holes, b) == 32",
            "sizeof(struct bits) == 16",
            "sizeof(struct straddles) == 8",
            "sizeof(struct reordered) == 16 && __builtin_offsetof(struct reordered, b) == 8",
            "sizeof(union wide) == 32",
            "sizeof(union tight) == 3",
            "sizeof(struct around) == 192 && __builtin_offsetof(struct around, inner) == 64",
            "sizeof(struct anonymous_tag) == 128 && __builtin_offsetof(struct anonymous_tag, after) == 64",
            "sizeof(struct overlap) == 8 && sizeof(union shifted) == 8 && sizeof(struct unsized) == 8",
        ],
    );
    assert_eq!(header.matches("C has no way").count(), 3, "{header}");
}

#[test]
fn names_are_told_apart() {
    let Basic { mut build, int, long, .. } = basic();
    build.structure("x", 4, vec![member("a", int, 0, 0)]);
    build.structure("x", 8, vec![member("a", long, 0, 0)]);
    build.structure("x___2", 1, vec![]);
    build.union("x", 8, vec![member("int", long, 0, 0)]);
    build.add(TypeDef::Fwd { name: "x".to_owned(), union: true });
    build.typedef("x", int);
    build.typedef("x", long);
    build.typedef("bool", int);
    let constants = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), 1)).collect::<Vec<_>>();
    build.add(TypeDef::Enum { name: String::new(), size: 4, signed: false, values: constants(&["x", "Y", "true"]) });
    build.add(TypeDef::Enum { name: "e".to_owned(), size: 1, signed: true, values: constants(&["Y"]) });
    build.add(TypeDef::Enum { name: "empty".to_owned(), size: 4, signed: true, values: Vec::new() });
    let values = vec![("BIG".to_owned(), i64::MAX), ("LOW".to_owned(), i64::MIN)];
    build.add(TypeDef::Enum64 { name: "wide".to_owned(), size: 8, signed: true, values });
    let small = build.int("u24", 3, IntEncoding::Unsigned);
    let own = build.int("u32", 4, IntEncoding::Unsigned);
    build.structure("Option<u32>", 8, vec![member("0", own, 0, 0), member("small part", small, 32, 0)]);
    let btf = build.build().unwrap();
    let header = compiles(
        &btf,
        &[
            "sizeof(struct x) == 4 && sizeof(x___2) == 8 && sizeof(enum e) == 1 && sizeof(enum wide) == 8",
            "Y == 1 && Y___2 == 1 && x___3 == 1 && BIG == 0x7fffffffffffffffLL && LOW + 1 == -BIG",
            "sizeof(struct Option_u32_) == 8 && sizeof(u32) == 4",
        ],
    );
    assert!(header.contains("__STDC_VERSION__ < 202311L\ntypedef int bool;"), "{header}");
}

#[test]
fn types_that_c_cannot_name_are_cut() {
    let Basic { mut build, int, .. } = basic();
    // typedef F (*F)(F), which C cannot say.
    let f = TypeId(build.next_id().0 + 2);
    let call = build.add(proto(f, &[("", f)]));
    let to_call = build.ptr(call);
    assert_eq!(build.typedef("F", to_call), f);
    // A struct with a pointer to an array of itself.
    let own = TypeId(build.next_id().0 + 2);
    let array = build.array(own, int, 4);
    let to_array = build.ptr(array);
    assert_eq!(build.structure("own", 8, vec![member("all", to_array, 0, 0)]), own);
    // Two untagged structs that point to each other.
    let first = TypeId(build.next_id().0 + 2);
    let to_first = build.ptr(first);
    let second = build.structure("", 8, vec![member("a", to_first, 0, 0)]);
    let to_second = TypeId(first.0 + 1);
    assert_eq!(build.structure("", 8, vec![member("b", to_second, 0, 0)]), first);
    assert_eq!(build.ptr(second), to_second);
    build.typedef("loop_t", first);
    let btf = build.build().unwrap();
    let header = compiles(&btf, &["sizeof(struct own) == 8 && sizeof(loop_t) == 8 && sizeof(F) == 8"]);
    assert!(header.contains("void *all"), "{header}");
    assert_eq!(btf.type_name(to_second), "struct { ... } *");
    // Without an order, the loop of untagged structs has no end.
    assert!(btf.c_definition(first).is_err());
}

#[test]
fn deep_and_wide_types_are_errors() {
    // A function that returns a pointer to a function that ...
    let Basic { mut build, int, .. } = basic();
    let mut at = int;
    for _ in 0..20_000 {
        let call = build.add(proto(at, &[]));
        at = build.ptr(call);
    }
    build.typedef("deep", at);
    // Functions with two parameters that are functions with two parameters ...
    let mut wide = int;
    for _ in 0..64 {
        let call = build.add(proto(int, &[("", wide), ("", wide)]));
        wide = build.ptr(call);
    }
    let named = build.typedef("wide", wide);
    let btf = build.build().unwrap();
    assert!(btf.c_header().unwrap_err().to_string().contains("nests deeper"));
    assert!(btf.c_definitions(&[named]).unwrap_err().to_string().contains("too many steps"));
    assert!(btf.type_name(at).contains("nests deeper"));
    assert!(btf.type_name(wide).contains("too many steps"));
}
