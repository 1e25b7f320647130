//! Reads through pointers to structs of the kernel.

use std::collections::HashSet;

use skep_btf::{Btf, Kind, Type, TypeId};
use skep_linux::contexts::Access;
use skep_linux::{AttachType, ProgType};
use skep_verifier::types::Flags;
use skep_verifier::types::attach::target;
use skep_verifier::types::context::{Arg, argument};
use skep_verifier::types::walk::{Found, is_trusted, trust, walk};
use skep_verifier::{Fault, Options, Setting, why::Why};

use crate::ask::{Answer, EXIT, Random, can_ask, func, host, insn, kfunc, load, pointer_name, set, syscall, vmlinux};
use crate::context::{On, on};

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

/// Loads of pointers through the arguments of tracepoints and iterators: what each is marked with.
#[test]
fn trust_of_loaded_pointers() {
    if !can_ask() {
        return;
    }
    let btf = vmlinux();
    let tracepoints = btf.ids().filter(|id| btf.kind(*id) == Kind::Typedef && btf.name(*id).starts_with("btf_trace_"));
    let mut programs: Vec<On> = tracepoints.map(|id| on(ProgType::Tracing, AttachType::TraceRawTp, id.0)).collect();
    for row in skep_linux::iterators::ITERATORS {
        let id = btf.find(&format!("bpf_iter_{}", row.name), Kind::Func).unwrap();
        let awake = on(ProgType::Tracing, AttachType::TraceIter, id.0);
        programs.extend([awake, On { flags: 1 << 4, ..awake }]);
    }
    let (mut seen, mut random) = (HashSet::new(), Random(3));
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for on in programs {
        if on.attach == AttachType::TraceIter && !on.ask(&[set(0, 0), EXIT]).accepted {
            continue;
        }
        let (kernel, options, program) = (host(), Options::default(), on.program());
        let setting = Setting::new(&program, &kernel, &options).unwrap();
        let attach = target(&setting).unwrap().unwrap();
        for index in 0..5u32 {
            let Ok(loaded) = argument(&setting, &attach, index as i32 * 8, 8, Access::Read) else { continue };
            let Arg::Pointer { to, flags, .. } = loaded.arg else { continue };
            let sleeps = on.flags != 0;
            if seen.insert((to, flags.without(Flags::MAYBE_NULL), sleeps)) {
                asked += pointers_of(&btf, on, &Argument { index, to, flags, rcu: !sleeps }, &mut random, &mut wrong);
            }
        }
    }
    println!("{} structs, {asked} pointers", seen.len());
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(asked > 1000);
}

/// An argument that points to a struct.
struct Argument {
    index: u32,
    to: TypeId,
    flags: Flags,
    rcu: bool,
}

/// Every pointer of a struct that an argument points to.
fn pointers_of(btf: &Btf, on: On<'_>, from: &Argument, random: &mut Random, wrong: &mut Vec<String>) -> usize {
    let Argument { index, to, flags, rcu } = *from;
    let size = btf.size_of(to).unwrap();
    let nullable = flags.has(Flags::MAYBE_NULL);
    let flags = flags.without(Flags::MAYBE_NULL);
    let mut asked = 0;
    for offset in (0..size + 64).step_by(8).take(2000) {
        let Ok(Found::Pointer(found)) = walk(btf, to, offset, 8) else { continue };
        // Most are alike; those that are trusted are asked in any case.
        let marks = trust(btf, to, &found, flags, is_trusted(flags, false), rcu);
        if !marks.any(Flags::TRUSTED.with(Flags::RCU)) && random.below(3) != 0 {
            continue;
        }
        asked += 1;
        let ours = pointer_name(marks) + btf.name(found.to);
        let mut insns = vec![load(8, 6, 1, (index * 8) as i16)];
        if nullable {
            insns.extend([insn(0x55, 6, 0, 2, 0), set(0, 0), EXIT]);
        }
        insns.extend([load(8, 6, 6, offset as i16), set(0, 0), EXIT]);
        let answer = on.ask(&insns);
        let kernels = answer.log.lines().filter(|line| line.contains("= *(u64 *)(r6")).find_map(|line| {
            let (_, register) = line.split_once(" R6=")?;
            Some(register.split('(').next().unwrap_or("").to_owned())
        });
        if kernels.as_deref() != Some(&ours) {
            wrong.push(format!("{} +{offset} {}: ours {ours}, kernel's {kernels:?}", btf.name(to), on.flags));
        }
    }
    asked
}
