//! Values to text and back.

mod common;

use skep_btf::value::SetError;
use skep_btf::{Btf, BtfBuilder, IntEncoding, Kind, Layout, Literal, MemberDef, TypeDef, TypeId, Value};

struct Types {
    btf: Btf,
    event: TypeId,
}

/// `struct event { u32 pid; char comm[8]; enum state state; unsigned a:3; int b:5; union { u64 cookie; u8 raw[8]; }; bool on; double d; }`
fn types() -> Types {
    let mut b = BtfBuilder::new();
    let int = b.int("int", 4, IntEncoding::Signed);
    let unsigned = b.int("unsigned int", 4, IntEncoding::Unsigned);
    let ch = b.int("char", 1, IntEncoding::Signed);
    let byte = b.int("unsigned char", 1, IntEncoding::Unsigned);
    let long = b.int("unsigned long", 8, IntEncoding::Unsigned);
    let truth = b.int("_Bool", 1, IntEncoding::Bool);
    let double = b.add(TypeDef::Float { name: "double".into(), size: 8 });
    let comm = b.array(ch, int, 8);
    let raw = b.array(byte, int, 8);
    let state = b.add(TypeDef::Enum {
        name: "state".into(),
        size: 4,
        signed: true,
        values: vec![("DEAD".into(), -1), ("IDLE".into(), 0), ("RUN".into(), 1)],
    });
    let inner = b.union("", 8, vec![MemberDef::new("cookie", long, 0), MemberDef::new("raw", raw, 0)]);
    let bit = |name: &str, ty, bit_offset, bits| MemberDef { name: name.into(), ty, bit_offset, bits };
    let event = b.structure(
        "event",
        48,
        vec![
            MemberDef::new("pid", unsigned, 0),
            MemberDef::new("comm", comm, 4),
            MemberDef::new("state", state, 12),
            bit("a", unsigned, 128, 3),
            bit("b", int, 131, 5),
            MemberDef::new("", inner, 24),
            MemberDef::new("on", truth, 32),
            MemberDef::new("d", double, 40),
        ],
    );
    Types { btf: b.build().unwrap(), event }
}

#[test]
fn a_record_is_printed_and_read_back() {
    let Types { btf, event } = types();
    let layout = Layout::new(&btf, event);
    let mut bytes = vec![0; 48];
    let text = r#"{.pid = 4294967295, .comm = "a\"b", .state = DEAD, .a = 5, .b = -3, .cookie = 258, .raw = [2, 1, 0, 0, 0, 0, 0, 0], .on = true, .d = 1.5}"#;
    layout.set(&mut bytes, "", Literal::parse(text).unwrap()).unwrap();
    assert_eq!(btf.read(event, &bytes).unwrap().to_string(), text);
    assert_eq!(&bytes[..4], [0xff; 4]);
    assert_eq!(&bytes[4..12], b"a\"b\0\0\0\0\0");
    assert_eq!(bytes[16], 5 | (0b11101 << 3));
    assert_eq!(layout.get(&bytes, "b").unwrap(), Value::Signed(-3));
    assert_eq!(layout.get(&bytes, "raw[1]").unwrap(), Value::Unsigned(1));
    assert_eq!(format!("{:#}", layout.get(&bytes, "raw").unwrap()).lines().count(), 10);
}

#[test]
fn json_and_c_lists_are_values() {
    let Types { btf, event } = types();
    let layout = Layout::new(&btf, event);
    let mut bytes = vec![0; 48];
    layout.set(&mut bytes, "", Literal::parse(r#"{"pid": 0x10, "comm": "sh", "raw": [1, 2]}"#).unwrap()).unwrap();
    assert_eq!(layout.get(&bytes, "cookie").unwrap(), Value::Unsigned(0x201));
    layout.set(&mut bytes, "", Literal::parse("{7, 'x', RUN}").unwrap()).unwrap_err();
    layout.set(&mut bytes, "", Literal::parse("{7, \"x\", RUN}").unwrap()).unwrap();
    let value = btf.read(event, &bytes).unwrap();
    assert_eq!(value.field("pid"), Some(&Value::Unsigned(7)));
    assert_eq!(value.field("state"), Some(&Value::Enum { name: Some("RUN".into()), value: 1 }));
}

#[test]
fn what_does_not_fit_is_refused() {
    let Types { btf, event } = types();
    let layout = Layout::new(&btf, event);
    let mut bytes = vec![0; 48];
    let mut set = |path: &str, literal: Literal| layout.set(&mut bytes, path, literal).unwrap_err().to_string();
    assert_eq!(set("a", 8.into()), "`a`: 8 does not fit in 3 bits");
    assert_eq!(set("b", (-17).into()), "`b`: -17 does not fit in 5 bits");
    assert_eq!(set("comm", "too long for it".into()), "`comm`: 15 elements given, there are 8");
    assert_eq!(set("state", Literal::Name("GONE".into())), "`state`: no value is named `GONE`");
    assert_eq!(set("pid", "5".into()), "`pid` is INT: text cannot be written to it");
    assert_eq!(set("nope.x", 1.into()), "path `nope.x`: `event` has no field `nope`");
    assert_eq!(set("raw[8]", 1.into()), "path `raw[8]`: index 8 is out of bounds: the array has 8 elements");
    assert!(matches!(layout.set(&mut [0; 8], "state", 1).unwrap_err(), SetError::Value(_)));
    assert_eq!(btf.read(event, &[0; 47]).unwrap_err().to_string(), format!("value of type {event} needs 48 bytes, 47 given"));
}

#[test]
fn malformed_literals_say_where() {
    for (text, message) in [
        ("", "column 0: a value expected"),
        ("{.a = 1", "column 7: `,` or a closing bracket expected"),
        ("{.a 1}", "column 4: a field and `=` expected"),
        ("12x", "column 0: a number expected"),
        ("5 6", "column 2: the end expected"),
        ("\"ab", "column 3: a closing quote expected"),
    ] {
        let error = Literal::parse(text).unwrap_err().to_string();
        assert!(error.ends_with(message), "{text}: {error}");
    }
    assert!(Literal::parse(&"[".repeat(100_000)).is_err());
}

#[test]
fn kernel_structs_are_read_and_set_by_path() {
    let Some(path) = common::shared("corpus/btf/vmlinux-6.18.44.btf") else { return };
    let btf = Btf::parse(&std::fs::read(path).unwrap()).unwrap();
    let task = btf.find("task_struct", Kind::Struct).unwrap();
    let layout = Layout::new(&btf, task);
    let mut bytes = vec![0; layout.size().unwrap() as usize];
    layout.set(&mut bytes, "tgid", 42).unwrap();
    layout.set(&mut bytes, "comm", "bash").unwrap();
    layout.set(&mut bytes, "in_execve", 1).unwrap();
    layout.set(&mut bytes, "thread_info.flags", 0x80u64).unwrap();
    let value = btf.read(task, &bytes).unwrap();
    assert_eq!(value.field("tgid"), Some(&Value::Signed(42)));
    assert_eq!(value.field("comm"), Some(&Value::Text(b"bash".to_vec())));
    assert_eq!(layout.get(&bytes, "in_execve").unwrap(), Value::Unsigned(1));
    let error = layout.set(&mut bytes, "real_parent.tgid", 1).unwrap_err();
    assert_eq!(error.to_string(), "path `real_parent.tgid` leads through a pointer");
}
