//! Bodies: sysctl.

use skep_linux::Errno;
use skep_world::Sysctl;

use crate::call::{Call, Done, Fail, helpers};

helpers! {
    101 "bpf_sysctl_get_name" => get_name,
    102 "bpf_sysctl_get_current_value" => |c| {
        let value = sysctl(c)?.current;
        put(c, &value)
    },
    103 "bpf_sysctl_get_new_value" => |c| {
        let value = if writes(c)? { sysctl(c)?.new } else { Vec::new() };
        put(c, &value)
    },
    104 "bpf_sysctl_set_new_value" => set_new_value,
}

/// `BPF_F_SYSCTL_BASE_NAME`.
const BASE_NAME: u64 = 1;
const PAGE: u64 = 4096;

fn sysctl(c: &mut Call<'_>) -> Result<Sysctl, Fail> {
    Ok(c.world().event.sysctl.clone())
}

/// Whether the value is being written.
fn writes(c: &mut Call<'_>) -> Result<bool, Fail> {
    Ok(c.context(1)?.field("write").is_some_and(|write| write != 0))
}

/// `(ctx, buf, size, flags)`: the length of the name, which is cut to the buffer.
fn get_name(c: &mut Call<'_>) -> Done {
    let (size, flags) = (c.arg32(3) as usize, c.arg(4));
    if c.arg(2) == 0 {
        return Err(Errno::EINVAL.into());
    }
    let path = sysctl(c)?.name;
    let name = if flags & BASE_NAME == 0 { path.as_str() } else { path.rsplit('/').next().unwrap_or_default() };
    let mut text = name.as_bytes().to_vec();
    if size == 0 {
        return Err(Errno::E2BIG.into());
    }
    text.truncate(size - 1);
    let whole = text.len() == name.len();
    text.push(0);
    c.write(2, &text)?;
    if whole { Ok(name.len() as u64) } else { Err(Errno::E2BIG.into()) }
}

/// Writes a value to the buffer in arguments 2 and 3, which it fills with zeros.
fn put(c: &mut Call<'_>, value: &[u8]) -> Done {
    let size = c.arg32(3) as usize;
    if c.arg(2) == 0 {
        return Err(Errno::EINVAL.into());
    }
    if size == 0 {
        return Err(Errno::E2BIG.into());
    }
    c.fill(2, size as u64, 0)?;
    if value.is_empty() {
        return Err(Errno::EINVAL.into());
    }
    c.write(2, &value[..value.len().min(size - 1)])?;
    if size > value.len() { Ok(value.len() as u64) } else { Err(Errno::E2BIG.into()) }
}

/// `(ctx, buf, size)`.
fn set_new_value(c: &mut Call<'_>) -> Done {
    let size = u64::from(c.arg32(3));
    if !writes(c)? || sysctl(c)?.new.is_empty() || c.arg(2) == 0 || size == 0 {
        return Err(Errno::EINVAL.into());
    }
    if size > PAGE - 1 {
        return Err(Errno::E2BIG.into());
    }
    let value = c.bytes(2, size)?;
    let sysctl = &mut c.world().event.sysctl;
    sysctl.new = value;
    sysctl.replaced = true;
    Ok(0)
}
