//! Names of things for people: as bpftool and C have them.

use skep_btf::{Btf, Type, TypeId};
use skep_linux::{MapType, ProgType};

/// `BPF_PROG_TYPE_SCHED_CLS` as `sched_cls`.
pub(crate) fn prog_type(prog_type: ProgType) -> String {
    short(prog_type.name(), "BPF_PROG_TYPE_")
}

/// `BPF_MAP_TYPE_LRU_HASH` as `lru_hash`.
pub(crate) fn map_type(map_type: MapType) -> String {
    short(map_type.name(), "BPF_MAP_TYPE_")
}

fn short(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase()
}

/// The name of a type as C says it, without its members: `struct event`, `char[16]`.
pub(crate) fn type_name(btf: &Btf, id: TypeId) -> String {
    let mut suffix = String::new();
    let mut at = id;
    // Types that refer to themselves without a name between have no end.
    for _ in 0..64 {
        let Some(ty) = btf.get(at) else { break };
        let tagged = |word: &str| match btf.name(at) {
            "" => format!("{word} {{...}}"),
            name => format!("{word} {name}"),
        };
        let head = match ty {
            Type::Array(array) => {
                suffix += &format!("[{}]", array.count);
                at = array.element;
                continue;
            }
            Type::Ptr(to) => return format!("{} *{suffix}", type_name(btf, to.to)),
            Type::Const(to) | Type::Volatile(to) | Type::Restrict(to) => {
                at = to.to;
                continue;
            }
            Type::TypeTag(tag) => {
                at = tag.to;
                continue;
            }
            Type::Struct(_) => tagged("struct"),
            Type::Union(_) => tagged("union"),
            Type::Enum(_) => tagged("enum"),
            Type::Void => "void".to_owned(),
            Type::FuncProto(_) => "function".to_owned(),
            Type::Fwd(_)
            | Type::Int(_)
            | Type::Float(_)
            | Type::Typedef(_)
            | Type::Func(_)
            | Type::Var(_)
            | Type::Datasec(_)
            | Type::DeclTag(_) => btf.name(at).to_owned(),
        };
        return head + &suffix;
    }
    format!("type {}", id.0)
}
