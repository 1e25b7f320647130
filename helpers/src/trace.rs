//! Bodies: the traced function.

use skep_btf::{Kind, Type, TypeId};
use skep_linux::{Arch, AttachType, Errno};
use skep_world::Effect;

use crate::call::{Call, Done, Fail, helpers};

helpers! {
    58 "bpf_override_return" => override_return,
    173 "bpf_get_func_ip" => |c| Ok(c.world().event.func_ip),
    174 "bpf_get_attach_cookie" => |c| Ok(c.world().event.cookie),
    183 "bpf_get_func_arg" => get_func_arg,
    184 "bpf_get_func_ret" => get_func_ret,
    185 "bpf_get_func_arg_cnt" => |c| arg_count(c).map(u64::from),
}

/// `(regs, rc)`: the function is not run; it returns `rc`.
fn override_return(c: &mut Call<'_>) -> Done {
    let value = c.arg(2);
    let register = match c.world().target.arch {
        Arch::X86_64 => "ax",
        Arch::Aarch64 => "regs[0]",
    };
    c.context(1)?.set_field(register, value);
    c.world().output.effects.push(Effect::OverrideReturn(value));
    Ok(0)
}

/// How many arguments the traced function has.
fn arg_count(c: &mut Call<'_>) -> Result<u32, Fail> {
    if let Some(count) = c.world().event.func_arg_count {
        return Ok(count);
    }
    let program = c.machine.program();
    let (id, name) = (program.attach_btf_id.map(TypeId), program.attach_to.clone());
    let count = c.world().target.btf().and_then(|btf| {
        let function = id.or_else(|| btf.find(name.as_deref()?, Kind::Func))?;
        let Some(Type::Func(function)) = btf.get(function) else { return None };
        let Some(Type::FuncProto(proto)) = btf.get(function.proto) else { return None };
        u32::try_from(proto.params().len()).ok()
    });
    count.ok_or_else(|| c.not_simulated("a function whose arguments the target's BTF does not tell"))
}

/// Copies word `index` of the context to argument `n`.
fn put_word(c: &mut Call<'_>, index: u32, n: usize) -> Done {
    let offset = index as usize * 8;
    let block = c.context(1)?.block.clone();
    if offset + 8 > block.len() {
        return Err(c.bad(1, format_args!("the context has no argument {index}")));
    }
    c.store(n, 0, 8, block.load(offset, 8))?;
    Ok(0)
}

/// `(ctx, n, value)`.
fn get_func_arg(c: &mut Call<'_>) -> Done {
    let index = c.arg32(2);
    if index >= arg_count(c)? {
        return Err(Errno::EINVAL.into());
    }
    put_word(c, index, 3)
}

/// `(ctx, value)`: for programs that run when the function has returned.
fn get_func_ret(c: &mut Call<'_>) -> Done {
    match c.machine.program().attach_type {
        Some(AttachType::TraceFexit | AttachType::ModifyReturn) => {
            let count = arg_count(c)?;
            put_word(c, count, 2)
        }
        _before => Err(Errno::EOPNOTSUPP.into()),
    }
}
