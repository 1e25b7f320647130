//! Registers and slots of the stack as the log of Linux writes them.

use crate::domain::{log_signed as signed, log_unsigned as unsigned};
use crate::setting::Setting;
use crate::state::{ADD_CONST, Byte, Flags, Frame, IterState, Kind, MapRef, Reg, State, TypesOf};

/// Longest name of a map that the kernel keeps.
const MAP_NAME: usize = 15;

/// What a register of a frame holds, without its name.
pub(super) fn register(reg: &Reg, frame: usize, setting: &Setting<'_>) -> String {
    let constant = reg.num.constant();
    if let Kind::Scalar = reg.kind {
        let precise = if reg.precise { "P" } else { "" };
        return match constant {
            Some(value) => format!("{precise}{}", signed(value as i64)),
            None => format!("{precise}scalar({})", attributes(reg, setting).join(",")),
        };
    }
    let mut text = reg.type_name();
    if reg.kind == Kind::Arena {
        return text;
    }
    if let Kind::Stack { frame: of } = reg.kind {
        if usize::from(of) != frame {
            text += &format!("[{of}]");
        }
        if let Some(value) = constant {
            return text + &signed((value as i64).wrapping_add(i64::from(reg.off)));
        }
    }
    if let Kind::Btf { types, id } = reg.kind {
        let types = match types {
            TypesOf::Kernel => setting.vmlinux(),
            TypesOf::Program => setting.program.btf.as_deref(),
        };
        text += types.map_or("", |btf| btf.name(id));
    }
    format!("{text}({})", attributes(reg, setting).join(","))
}

/// What stands in parentheses.
fn attributes(reg: &Reg, setting: &Setting<'_>) -> Vec<String> {
    let mut parts = Vec::new();
    if reg.id != 0 {
        let added = if reg.id & ADD_CONST != 0 { format!("{:+}", reg.off) } else { String::new() };
        parts.push(format!("id={}{added}", reg.link()));
    }
    if reg.ref_id != 0 {
        parts.push(format!("ref_obj_id={}", reg.ref_id));
    }
    if reg.flags.has(Flags::NON_OWNING) {
        parts.push("non_own_ref".to_owned());
    }
    if let Kind::MapPtr { map, .. } | Kind::MapValue { map, .. } | Kind::MapKey { map, .. } = reg.kind {
        parts.extend(map_of(map, setting));
    }
    if !reg.is_scalar() && reg.off != 0 {
        parts.push(format!("off={}", signed(i64::from(reg.off))));
    }
    parts.extend(reg.kind.packet_range().map(|range| format!("r={}", unsigned(i64::from(range) as u64))));
    if let Kind::Mem { size, .. } = reg.kind {
        parts.push(format!("sz={}", unsigned(u64::from(size))));
    }
    if let Kind::ConstDynptr { of } = reg.kind {
        parts.push(format!("type={}", of.name()));
    }
    match reg.num.constant() {
        Some(0) => {}
        Some(value) => parts.push(format!("imm={}", signed(value as i64))),
        None => parts.extend(reg.num.log_parts()),
    }
    parts
}

/// Name and sizes of a map. The template of a map in a map has no name.
fn map_of(map: MapRef, setting: &Setting<'_>) -> Vec<String> {
    let Some(def) = setting.map(map) else { return Vec::new() };
    let named = usize::from(map.0) < setting.program.maps.len();
    let name = if named { def.name.as_str() } else { "" };
    let cut = (0..=name.len().min(MAP_NAME)).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    let mut parts = Vec::new();
    if !name.is_empty() {
        parts.push(format!("map={}", &name[..cut]));
    }
    parts.push(format!("ks={}", def.key_size));
    parts.push(format!("vs={}", def.value_size));
    parts
}

/// Registers and slots of a frame, and what the program holds: those in the masks, or all.
pub(super) fn state(state: &State, frame: usize, masks: Option<(u16, u64)>, setting: &Setting<'_>) -> String {
    let Some(found) = state.frames.get(frame) else { return String::new() };
    let mut text = String::new();
    if frame > 0 {
        text += &format!(" frame{frame}:");
    }
    for (number, reg) in found.regs.iter().enumerate() {
        if reg.kind != Kind::NotInit && masks.is_none_or(|(regs, _)| regs & 1 << number != 0) {
            text += &format!(" R{number}={}", register(reg, frame, setting));
        }
    }
    slots(found, frame, masks, setting, &mut text);
    let mut held = state.refs.held.iter().map(|held| held.id);
    if let Some(first) = held.next().filter(|first| *first != 0) {
        text += &format!(" refs={first}");
        held.filter(|id| *id != 0).for_each(|id| text += &format!(",{id}"));
    }
    if found.in_callback {
        text += " cb";
    }
    if found.in_async_callback {
        text += " async_cb";
    }
    text
}

fn slots(found: &Frame, frame: usize, masks: Option<(u16, u64)>, setting: &Setting<'_>, text: &mut String) {
    let mut spi = 0;
    while spi < found.stack.len() {
        let slot = found.stack.slot(spi);
        let wanted = masks.is_none_or(|(_, slots)| spi < 64 && slots & 1 << spi != 0);
        if !wanted || slot.bytes.iter().all(|byte| *byte == Byte::Invalid) {
            spi += 1;
            continue;
        }
        let place = |spi: usize| -8 * (spi as i64 + 1);
        match slot.bytes[7] {
            Byte::Spill => {
                let above: String =
                    slot.bytes.iter().take_while(|byte| **byte != Byte::Spill).map(|byte| letter(*byte)).collect();
                *text += &format!(" fp{}={above}{}", place(spi), register(&slot.reg, frame, setting));
            }
            Byte::Dynptr => {
                spi += 1;
                let reg = &found.stack.slot(spi).reg;
                let of = match reg.kind {
                    Kind::DynptrSlot { of, .. } => of.name(),
                    _ => "<invalid>", // no other value is in such a slot
                };
                let mut parts = Vec::new();
                if reg.id != 0 {
                    parts.push(format!("id={}", reg.id));
                }
                if reg.ref_id != 0 {
                    parts.push(format!("ref_id={}", reg.ref_id));
                }
                // The kernel keeps this number where it has another mark of the first half.
                parts.push("dynptr_id=1".to_owned());
                *text += &format!(" fp{}=dynptr_{of}({})", place(spi), parts.join(","));
            }
            Byte::Iter => {
                if let (Kind::IterSlot { id, state, depth }, true) = (slot.reg.kind, slot.reg.ref_id != 0) {
                    let name = setting.vmlinux().map_or("", |btf| btf.name(id));
                    let name = name.strip_prefix("bpf_iter_").unwrap_or(name);
                    let state = match state {
                        Some(IterState::Active) => "active",
                        Some(IterState::Drained) => "drained",
                        None => "<invalid>",
                    };
                    *text += &format!(" fp{}=iter_{name}(ref_id={},state={state},depth={depth})", place(spi), slot.reg.ref_id);
                }
            }
            Byte::Invalid | Byte::Misc | Byte::Zero | Byte::IrqFlag => {
                let letters: String = slot.bytes.iter().map(|byte| letter(*byte)).collect();
                *text += &format!(" fp{}={letters}", place(spi));
            }
        }
        spi += 1;
    }
}

fn letter(byte: Byte) -> char {
    match byte {
        Byte::Invalid => '?',
        Byte::Spill => 'r',
        Byte::Misc => 'm',
        Byte::Zero => '0',
        Byte::Dynptr => 'd',
        Byte::Iter => 'i',
        Byte::IrqFlag => 'f',
    }
}
