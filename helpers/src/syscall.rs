//! Bodies: what programs ask the kernel for in place of user space.

use skep_btf::Kind;
use skep_linux::Errno;

use crate::call::{Call, Done, Fail, helpers};

helpers! {
    167 "bpf_btf_find_by_name_kind" => btf_find_by_name_kind,
    168 "bpf_sys_close" => sys_close,
    179 "bpf_kallsyms_lookup_name" => kallsyms_lookup_name,
}

/// The name of argument 1, which has as many bytes as argument 2 says, with its NUL.
fn name(c: &mut Call<'_>) -> Result<String, Fail> {
    let size = c.arg32(2) as i32;
    if size <= 1 {
        return Err(Errno::EINVAL.into());
    }
    let bytes = c.bytes(1, size as u64)?;
    if bytes.last() != Some(&0) {
        return Err(Errno::EINVAL.into());
    }
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// `(name, name_sz, kind, flags)`: the id of a type of the kernel.
fn btf_find_by_name_kind(c: &mut Call<'_>) -> Done {
    let (number, flags) = (c.arg32(3), c.arg32(4));
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let name = name(c)?;
    let btf = c.world().target.btf().cloned().ok_or_else(|| c.not_simulated("types of a target without BTF"))?;
    let kind = Kind::ALL.get(number as usize).copied().ok_or(Errno::ENOENT)?;
    Ok(btf.find(&name, kind).ok_or(Errno::ENOENT)?.0.into())
}

/// `(fd)`.
fn sys_close(c: &mut Call<'_>) -> Done {
    let descriptor = c.arg32(1);
    if c.world().task.descriptors.remove(&descriptor) { Ok(0) } else { Err(Errno::EBADF.into()) }
}

/// `(name, name_sz, flags, res)`.
fn kallsyms_lookup_name(c: &mut Call<'_>) -> Done {
    let flags = c.arg32(3);
    c.store(4, 0, 8, 0)?;
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let name = name(c)?;
    let addr = c.world().symbols.addr(&name).ok_or(Errno::ENOENT)?;
    c.store(4, 0, 8, addr)?;
    Ok(0)
}
