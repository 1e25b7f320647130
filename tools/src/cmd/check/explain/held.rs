//! What a register holds, in words.

use skep::{Program, Target};
use skep_verifier::state::{Flags, Kind, Reg, TypesOf};

/// What a register holds, in words: what it is, where it points, what is known of it.
pub(super) fn describe(reg: &Reg, program: &Program, target: &Target) -> String {
    match reg.kind {
        Kind::NotInit => "nothing: it was not written".to_owned(),
        Kind::Scalar => number(reg),
        _pointer => pointer(reg, program, target),
    }
}

/// A number: its value, or its bounds.
fn number(reg: &Reg) -> String {
    let num = &reg.num;
    if let Some(value) = num.constant() {
        return format!("the number {}", value as i64);
    }
    let wide = &num.wide;
    let signed = format!("from {} to {}", wide.smin, wide.smax);
    match (wide.umin, wide.umax, wide.smin, wide.smax) {
        (0, u64::MAX, i64::MIN, i64::MAX) => "a number of which nothing is known".to_owned(),
        (_, umax, _, _) if umax <= i64::MAX as u64 => format!("a number from {} to {umax}", wide.umin),
        (_, _, i64::MIN, i64::MAX) => format!("a number from {} up, or negative", wide.umin),
        (_, _, i64::MIN, smax) => format!("a number of at most {smax}, perhaps negative"),
        (_, _, smin, i64::MAX) => format!("a number of at least {smin}"),
        (_, _, _, _) => format!("a number {signed}"),
    }
}

/// A pointer: to what, where in it, and whether it may be NULL.
fn pointer(reg: &Reg, program: &Program, target: &Target) -> String {
    let map = |index: u16| match program.maps.get(usize::from(index)) {
        Some(map) => format!("map `{}`", map.section.as_deref().unwrap_or(&map.name)),
        None => "a map in a map".to_owned(),
    };
    let mut suffix = String::new();
    let what = match reg.kind {
        Kind::NotInit => "nothing".to_owned(),
        Kind::Scalar => "a number".to_owned(),
        Kind::Ctx => "the context".to_owned(),
        Kind::MapPtr { map: of, .. } => map(of.0),
        Kind::MapValue { map: of, .. } => {
            suffix = program.maps.get(usize::from(of.0)).map_or(String::new(), |map| format!(" ({} bytes)", map.value_size));
            format!("a value of {}", map(of.0))
        }
        Kind::MapKey { map: of, .. } => format!("a key of {}", map(of.0)),
        Kind::Stack { .. } => "the stack".to_owned(),
        Kind::Packet { range } => {
            suffix = match range {
                ..0 => ", the end of which was compared with another".to_owned(),
                0 => ", of which no byte is known to be there".to_owned(),
                range => format!(", of which {range} bytes are known to be there"),
            };
            "the packet".to_owned()
        }
        Kind::PacketMeta { .. } => "the metadata before the packet".to_owned(),
        Kind::PacketEnd => "the end of the packet".to_owned(),
        Kind::FlowKeys => "struct bpf_flow_keys".to_owned(),
        Kind::Socket => "struct bpf_sock".to_owned(),
        Kind::SockCommon => "the common part of a socket".to_owned(),
        Kind::TcpSock => "struct bpf_tcp_sock".to_owned(),
        Kind::XdpSock => "struct bpf_xdp_sock".to_owned(),
        Kind::TracepointBuffer => "the buffer of a writable tracepoint".to_owned(),
        Kind::Btf { types, id } => {
            let types = match types {
                TypesOf::Kernel => target.btf().map(|btf| &**btf),
                TypesOf::Program => program.btf.as_deref(),
            };
            let name = types.map_or("", |btf| btf.name(id));
            if name.is_empty() { "a struct of the kernel".to_owned() } else { format!("struct {name}") }
        }
        Kind::Mem { size, .. } => format!("memory of {size} bytes"),
        Kind::Buf => "a buffer".to_owned(),
        Kind::Func { subprog } => format!("function number {subprog} of the program"),
        Kind::Arena => "the arena".to_owned(),
        Kind::ConstDynptr { .. } | Kind::DynptrSlot { .. } => "a dynptr".to_owned(),
        Kind::IterSlot { .. } => "an iterator".to_owned(),
        Kind::IrqSlot { .. } => "a saved flag of interrupts".to_owned(),
    };
    let flags = [
        (Flags::USER, "user memory, "),
        (Flags::PERCPU, "per CPU, "),
        (Flags::UNTRUSTED, "not trusted: it may point anywhere, "),
        (Flags::RDONLY, "read-only, "),
    ];
    let notes: String = flags.iter().filter(|(flag, _)| reg.flags.has(*flag)).map(|(_, text)| *text).collect();
    let notes = notes.strip_suffix(", ").map_or(String::new(), |notes| format!(" ({notes})"));
    let null = if reg.maybe_null() { ", or NULL" } else { "" };
    format!("a pointer to {what}{suffix}{notes}{}{null}", offset(reg))
}

fn offset(reg: &Reg) -> String {
    if let Kind::MapPtr { .. } | Kind::PacketEnd | Kind::Func { .. } = reg.kind {
        return String::new();
    }
    match (reg.fixed_offset(), reg.kind) {
        (Some(off), Kind::Stack { .. }) => format!(", at fp{off:+}"),
        (Some(0), _) => String::new(),
        (Some(off), _) => format!(", at offset {off}"),
        (None, _) => {
            let variable = Reg { kind: Kind::Scalar, off: 0, ..*reg };
            let fixed = if reg.off == 0 { String::new() } else { format!("{} and ", reg.off) };
            format!(", at offset {fixed}{}", number(&variable))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skep::ProgType;
    use skep_verifier::domain::{Cond, Scalar64};

    fn says(reg: Reg) -> String {
        let mut program = Program::bare("p", ProgType::Xdp, Vec::new());
        let map = skep::MapDef { value_size: 16, ..skep::MapDef::new("counts", skep::MapType::Array) };
        program.maps.push(std::sync::Arc::new(map));
        describe(&reg, &program, &Target::new(skep::Release::new(6, 18), skep::Arch::X86_64))
    }

    #[test]
    fn words() {
        assert_eq!(says(Reg::exact(u64::MAX)), "the number -1");
        assert_eq!(says(Reg::UNKNOWN), "a number of which nothing is known");
        let mut small = Scalar64::UNKNOWN;
        small.assume(Cond::Less, &mut Scalar64::exact(16));
        assert_eq!(says(Reg { num: small, ..Reg::UNKNOWN }), "a number from 0 to 15");
        let map = skep_verifier::state::MapRef(0);
        let value = Reg::pointer(Kind::MapValue { map, uid: 0 });
        assert_eq!(says(value.flagged(Flags::MAYBE_NULL)), "a pointer to a value of map `counts` (16 bytes), or NULL");
        assert_eq!(
            says(Reg { num: small, off: 4, ..value }),
            "a pointer to a value of map `counts` (16 bytes), at offset 4 and a number from 0 to 15"
        );
        assert_eq!(says(Reg { off: -8, ..Reg::pointer(Kind::Stack { frame: 0 }) }), "a pointer to the stack, at fp-8");
        let packet = Reg::pointer(Kind::Packet { range: 14 });
        assert_eq!(says(packet), "a pointer to the packet, of which 14 bytes are known to be there");
    }
}
