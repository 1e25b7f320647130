//! Bodies: call stacks. The stacks are the task's, in the world.

use skep_linux::Errno;
use skep_maps::{BPF_F_SKIP_FIELD_MASK, BPF_F_USER_STACK, StackTrace};
use skep_world::Task;

use crate::call::{Call, Done, Fail, helpers};

helpers! {
    27 "bpf_get_stackid" => get_stackid,
    67 "bpf_get_stack" => get_stack,
    141 "bpf_get_task_stack" => get_task_stack,
}

/// `BPF_F_USER_BUILD_ID`.
const USER_BUILD_ID: u64 = 1 << 11;
/// Frames that a stack may have (`kernel.perf_event_max_stack`).
const FRAMES_MAX: u64 = 127;
/// `sizeof(struct bpf_stack_build_id)`, and its `status`.
const BUILD_ID_SIZE: u64 = 32;
const STATUS_VALID: u32 = 1;
const STATUS_IP: u32 = 2;

/// `(ctx, map, flags)`.
fn get_stackid(c: &mut Call<'_>) -> Done {
    let flags = c.arg(3);
    let map = c.map(2)?;
    let stacks = map.as_any().downcast_ref::<StackTrace>().ok_or_else(|| c.bad(2, "not a map of stacks"))?;
    let task = &c.world().task;
    let frames = if flags & BPF_F_USER_STACK != 0 { &task.user_stack } else { &task.kernel_stack };
    Ok(stacks.record(frames, flags)?.into())
}

/// `(ctx, buf, size, flags)`.
fn get_stack(c: &mut Call<'_>) -> Done {
    let (size, flags) = (u64::from(c.arg32(3)), c.arg(4));
    let task = c.world().task.clone();
    put(c, 2, size, flags, Some(&task))
}

/// `(task, buf, size, flags)`.
fn get_task_stack(c: &mut Call<'_>) -> Done {
    let (size, flags) = (u64::from(c.arg32(3)), c.arg(4));
    let task = crate::task::task(c, 1)?;
    // The user stack of another task cannot be walked.
    let foreign = flags & BPF_F_USER_STACK != 0 && !crate::task::is_current(c, 1);
    put(c, 2, size, flags, Some(&task).filter(|_| !foreign))
}

/// Writes a stack to argument `n`, which is zeroed behind it, or as a whole on an error.
fn put(c: &mut Call<'_>, n: usize, size: u64, flags: u64, task: Option<&Task>) -> Done {
    c.writable(n, size)?;
    match stack(size, flags, task) {
        Ok(bytes) => {
            c.fill(n, size, 0)?;
            c.write(n, &bytes)?;
            Ok(bytes.len() as u64)
        }
        Err(errno) => {
            c.fill(n, size, 0)?;
            Err(Fail::Errno(errno))
        }
    }
}

/// The bytes of a stack that fits `size` bytes; no task stands for one whose user stack cannot be walked.
fn stack(size: u64, flags: u64, task: Option<&Task>) -> Result<Vec<u8>, Errno> {
    let user = flags & BPF_F_USER_STACK != 0;
    let build_ids = flags & USER_BUILD_ID != 0;
    if flags & !(BPF_F_SKIP_FIELD_MASK | BPF_F_USER_STACK | USER_BUILD_ID) != 0 || (build_ids && !user) {
        return Err(Errno::EINVAL);
    }
    let each = if build_ids { BUILD_ID_SIZE } else { 8 };
    if !size.is_multiple_of(each) {
        return Err(Errno::EINVAL);
    }
    let task = task.ok_or(Errno::EOPNOTSUPP)?;
    let frames = if user { &task.user_stack } else { &task.kernel_stack };
    let skip = flags & BPF_F_SKIP_FIELD_MASK;
    let walked = frames.len().min((size / each + skip).min(FRAMES_MAX) as usize);
    let frames = frames[..walked].get(skip as usize..).ok_or(Errno::EFAULT)?;
    Ok(match build_ids {
        true => frames.iter().flat_map(|frame| build_id(task, *frame)).collect(),
        false => frames.iter().flat_map(|frame| frame.to_le_bytes()).collect(),
    })
}

/// An address as `struct bpf_stack_build_id`: by build id and offset in the file, or as it is.
fn build_id(task: &Task, addr: u64) -> [u8; BUILD_ID_SIZE as usize] {
    let known = task.mapping(addr).and_then(|mapping| Some((mapping.build_id?, addr - mapping.start + mapping.offset)));
    let (status, id, word) = match known {
        Some((id, offset)) => (STATUS_VALID, id, offset),
        None => (STATUS_IP, [0; 20], addr),
    };
    let mut bytes = [0; BUILD_ID_SIZE as usize];
    bytes[..4].copy_from_slice(&status.to_le_bytes());
    bytes[4..24].copy_from_slice(&id);
    bytes[24..].copy_from_slice(&word.to_le_bytes());
    bytes
}
