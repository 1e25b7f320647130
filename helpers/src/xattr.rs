//! Bodies: extended attributes of inodes and cgroups.

use skep_linux::Errno;

use crate::call::{Call, Done, Fail, kfuncs};
use crate::dynptr::Dynptr;
use crate::object::field;
use crate::print::const_string;

kfuncs! {
    "bpf_get_dentry_xattr" => |c| {
        let inode = inode(c)?;
        get(c, inode, &[USER, SECURITY])
    },
    "bpf_get_file_xattr" => |c| {
        let file = c.arg(1);
        let inode = field(c, 1, file, "file", "f_inode")?;
        get(c, inode, &[USER, SECURITY])
    },
    "bpf_cgroup_read_xattr" => |c| {
        crate::cgroup::id(c, 1)?;
        let cgroup = c.arg(1);
        get(c, cgroup, &[USER])
    },
    "bpf_set_dentry_xattr" => set,
    "bpf_remove_dentry_xattr" => remove,
}

/// Names that programs may read, and those that they may write.
const USER: &str = "user.";
const SECURITY: &str = "security.bpf.";

fn inode(c: &mut Call<'_>) -> Result<u64, Fail> {
    let dentry = c.arg(1);
    match field(c, 1, dentry, "dentry", "d_inode")? {
        0 => Err(Errno::EINVAL.into()),
        inode => Ok(inode),
    }
}

/// The name in argument 2, which must begin with one of these.
fn name(c: &mut Call<'_>, allowed: &[&str]) -> Result<String, Fail> {
    let mut text = const_string(c, 2)?;
    text.pop();
    let name = String::from_utf8_lossy(&text).into_owned();
    if allowed.iter().any(|prefix| name.starts_with(prefix)) { Ok(name) } else { Err(Errno::EPERM.into()) }
}

/// The dynptr in argument 3; it must have bytes.
fn value(c: &mut Call<'_>, writable: bool) -> Result<Dynptr, Fail> {
    let value = Dynptr::load(c, 3)?;
    if value.is_null() || (writable && value.read_only) { Err(Errno::EINVAL.into()) } else { Ok(value) }
}

/// `(object, name, value)`: the length of the value, which is written to the dynptr unless that has no bytes.
fn get(c: &mut Call<'_>, object: u64, allowed: &[&str]) -> Done {
    let into = value(c, true)?;
    let name = name(c, allowed)?;
    let found = c.world().xattrs.get(&(object, name)).cloned().ok_or(Errno::ENODATA)?;
    if into.size == 0 {
        return Ok(found.len() as u64);
    }
    if found.len() > into.size as usize {
        return Err(Errno::ERANGE.into());
    }
    into.write(c, 0, &found)?;
    Ok(found.len() as u64)
}

/// `(dentry, name, value, flags)`.
fn set(c: &mut Call<'_>) -> Done {
    const CREATE: u32 = 1;
    const REPLACE: u32 = 2;
    let (inode, flags) = (inode(c)?, c.arg32(4));
    let from = value(c, false)?;
    let name = name(c, &[SECURITY])?;
    let bytes = from.read(c, 0, from.size)?;
    let key = (inode, name);
    let there = c.world().xattrs.contains_key(&key);
    match flags {
        CREATE if there => return Err(Errno::EEXIST.into()),
        REPLACE if !there => return Err(Errno::ENODATA.into()),
        _fits => {}
    }
    c.world().xattrs.insert(key, bytes);
    Ok(0)
}

/// `(dentry, name)`.
fn remove(c: &mut Call<'_>) -> Done {
    let inode = inode(c)?;
    let name = name(c, &[SECURITY])?;
    c.world().xattrs.remove(&(inode, name)).map(|_| 0).ok_or(Fail::Errno(Errno::ENODATA))
}
