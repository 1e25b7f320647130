//! Reads through pointers to structs of the kernel.

use skep_btf::{Btf, Kind, Type, TypeId};
use skep_verifier::types::walk::{Found, walk};
use skep_verifier::{Fault, why::Why};

use crate::ask::{Answer, EXIT, Random, can_ask, func, insn, kfunc, load, set, syscall, vmlinux};

/// Reads `size` bytes at `offset` of a struct through a pointer that a cast made.
fn read(cast: i32, id: TypeId, offset: u32, size: u32) -> Answer {
    let mut insns = vec![set(2, id.0 as i32), kfunc(cast)];
    if offset > i16::MAX as u32 {
        insns.push(insn(0x07, 0, 0, 0, offset as i32));
        insns.push(load(size, 6, 0, 0));
    } else {
        insns.push(load(size, 6, 0, offset as i16));
    }
    insns.extend([set(0, 0), EXIT]);
    syscall(&insns)
}

/// What ours says, as a register or as words.
fn ours(btf: &Btf, id: TypeId, offset: u32, size: u32) -> Result<String, String> {
    match walk(btf, id, offset, size) {
        Ok(Found::Scalar) => Ok("scalar".to_owned()),
        Ok(Found::Memory) => Ok("rdonly_untrusted_mem".to_owned()),
        Ok(Found::Pointer(pointer)) => Ok(format!("untrusted_ptr_{}", btf.name(pointer.to))),
        Err(Fault::Refused(why)) => match *why {
            Why::Types(why) => Err(why.to_string()),
            other => panic!("{other}"),
        },
        Err(Fault::Unknown(what)) => panic!("{what}"),
    }
}

fn kernels(answer: &Answer) -> Result<String, String> {
    if answer.accepted {
        let register = answer.register(6).unwrap_or_else(|| panic!("{}", answer.log));
        Ok(register.split('(').next().unwrap_or("").to_owned())
    } else {
        Err(answer.words().last().unwrap_or_else(|| panic!("{}", answer.log)).to_string())
    }
}

/// Structs and unions of the kernel with a size.
fn structs(btf: &Btf) -> Vec<(TypeId, u32)> {
    let ids = btf.ids().filter(|id| btf.kind(*id) == Kind::Struct);
    let sized = ids.filter_map(|id| match btf.get(id) {
        Some(Type::Struct(s)) if s.size() > 0 => Some((id, s.size())),
        _ => None,
    });
    sized.collect()
}

/// Whether a struct ends, in the end, with an array without length: what lies behind it can be read.
fn ends_open(btf: &Btf, id: TypeId) -> bool {
    match btf.get(btf.resolve(id)) {
        Some(Type::Struct(s)) => s.members().next_back().is_some_and(|member| btf.is_flexible_array(member.ty)),
        _ => false,
    }
}

#[test]
fn reads_of_kernel_structs() {
    if !can_ask() {
        return;
    }
    let btf = vmlinux();
    let cast = func("bpf_rdonly_cast");
    let structs = structs(&btf);
    let open: Vec<_> = structs.iter().copied().filter(|(id, _)| ends_open(&btf, *id)).collect();
    let unions: Vec<_> = structs.iter().copied().filter(|(id, _)| has_unions(&btf, *id)).collect();
    let mut random = Random(0x51e9);
    let mut wrong = Vec::new();
    let (mut asked, mut refused, mut pointers) = (0, 0, 0);
    for nth in 0..24_000 {
        let from = match nth % 4 {
            0 => &open,
            1 => &unions,
            _ => &structs,
        };
        let (id, size) = *random.pick(from);
        let bytes = if random.below(2) == 0 { 8 } else { 1 << random.below(4) };
        let most = u64::from(size) + if nth % 4 == 0 { 96 } else { 12 };
        let mut offset = random.below(most) as u32;
        if random.below(3) != 0 {
            offset &= !7;
        }
        let answer = read(cast, id, offset, bytes);
        let (ours, kernels) = (ours(&btf, id, offset, bytes), kernels(&answer));
        asked += 1;
        refused += u32::from(kernels.is_err());
        pointers += u32::from(kernels.as_ref().is_ok_and(|register| register.starts_with("untrusted_ptr_")));
        if ours != kernels {
            wrong.push(format!("{} +{offset} {bytes}: ours {ours:?}, kernel's {kernels:?}", btf.name(id)));
        }
    }
    println!("{asked} reads, {refused} refused, {pointers} pointers");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(refused > 500 && pointers > 500);
}

fn has_unions(btf: &Btf, id: TypeId) -> bool {
    match btf.get(btf.resolve(id)) {
        Some(Type::Struct(s)) => s.members().any(|member| btf.kind(btf.resolve(member.ty)) == Kind::Union),
        _ => false,
    }
}
