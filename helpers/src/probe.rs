//! Bodies: reading memory that may not be there, and user memory.

use skep_linux::Errno;

use crate::call::{Call, Done, helpers, kfuncs};
use crate::raw::{self, Space};

helpers! {
    4 "bpf_probe_read" => |c| probe_read(c, Space::Either),
    36 "bpf_probe_write_user" => probe_write_user,
    45 "bpf_probe_read_str" => |c| probe_read_str(c, Space::Either),
    112 "bpf_probe_read_user" => |c| probe_read(c, Space::User),
    113 "bpf_probe_read_kernel" => |c| probe_read(c, Space::Kernel),
    114 "bpf_probe_read_user_str" => |c| probe_read_str(c, Space::User),
    115 "bpf_probe_read_kernel_str" => |c| probe_read_str(c, Space::Kernel),
    148 "bpf_copy_from_user" => |c| probe_read(c, Space::User),
    191 "bpf_copy_from_user_task" => copy_from_user_task,
}

kfuncs! {
    "bpf_copy_from_user_str" => |c| copy_from_user_str(c, 4),
    "bpf_copy_from_user_task_str" => |c| {
        current_task(c, 4)?;
        copy_from_user_str(c, 5)
    },
}

/// `BPF_F_PAD_ZEROS`.
const PAD_ZEROS: u64 = 1;

/// `(dst, size, unsafe_ptr)`. The buffer is zeroed where the source is not all there.
fn probe_read(c: &mut Call<'_>, space: Space) -> Done {
    let size = c.arg32(2);
    copy(c, space, size)
}

fn copy(c: &mut Call<'_>, space: Space, size: u32) -> Done {
    const FEW: usize = 256;
    let from = c.arg(3);
    if size == 0 {
        // The address is looked at all the same.
        return match raw::refusal(space, from) {
            Errno::ERANGE if c.memory().find(from).is_none() => Err(Errno::ERANGE.into()),
            _fine => Ok(0),
        };
    }
    let mut few = [0; FEW];
    let read = match few.get_mut(..size as usize) {
        Some(few) => raw::read(c.memory(), space, from, few),
        None => match raw::bytes(c.memory(), space, from, u64::from(size)) {
            Some(many) => {
                c.write(1, &many)?;
                return Ok(0);
            }
            None => false,
        },
    };
    if read {
        c.write(1, &few[..size as usize])?;
        return Ok(0);
    }
    c.fill(1, u64::from(size), 0)?;
    Err(raw::refusal(space, from).into())
}

/// `(dst, size, unsafe_ptr)`: the length with the NUL. What follows the NUL in the buffer stays as it was.
fn probe_read_str(c: &mut Call<'_>, space: Space) -> Done {
    let size = u64::from(c.arg32(2));
    if size == 0 {
        return Ok(0);
    }
    let from = c.arg(3);
    match raw::string(c.memory(), space, from, size) {
        Some((mut text, _)) => {
            // Without a NUL in reach, the last byte gives way to one.
            text.truncate(size as usize - 1);
            text.push(0);
            c.write(1, &text)?;
            Ok(text.len() as u64)
        }
        None => {
            c.fill(1, size, 0)?;
            Err(raw::refusal(space, from).into())
        }
    }
}

/// `(dst, src, size)`.
fn probe_write_user(c: &mut Call<'_>) -> Done {
    let size = c.arg32(3);
    let bytes = c.bytes(2, u64::from(size))?;
    let to = c.arg(1);
    if !raw::write_user(c.memory(), to, &bytes) {
        return Err(Errno::EFAULT.into());
    }
    Ok(0)
}

/// `(dst, size, user_ptr, tsk, flags)`.
fn copy_from_user_task(c: &mut Call<'_>) -> Done {
    if c.arg(5) != 0 {
        return Err(Errno::EINVAL.into());
    }
    current_task(c, 4)?;
    let size = c.arg32(2);
    copy(c, Space::User, size)
}

/// User memory is that of the current task; other tasks have none that is modelled.
pub(crate) fn current_task(c: &mut Call<'_>, n: usize) -> Result<(), crate::call::Fail> {
    if crate::task::is_current(c, n) {
        return Ok(());
    }
    Err(c.not_simulated("user memory of a task that is not the current one"))
}

/// `(dst, dst__sz, unsafe_ptr__ign, ..., flags)`: the length with the NUL.
fn copy_from_user_str(c: &mut Call<'_>, flags: usize) -> Done {
    let (size, flags, from) = (u64::from(c.arg32(2)), c.arg(flags), c.arg(3));
    if flags & !PAD_ZEROS != 0 {
        return Err(Errno::EINVAL.into());
    }
    if size == 0 {
        return Ok(0);
    }
    let pad = flags & PAD_ZEROS != 0;
    let Some((mut text, _)) = raw::string(c.memory(), Space::User, from, size - 1) else {
        if pad {
            c.fill(1, size, 0)?;
        }
        return Err(Errno::EFAULT.into());
    };
    let len = text.len() + 1;
    text.resize(if pad { size as usize } else { len }, 0);
    c.write(1, &text)?;
    Ok(len as u64)
}
