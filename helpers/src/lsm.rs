//! Bodies: security hooks and files.

use skep_linux::Errno;
use skep_world::Effect;

use crate::call::{Call, Done, Fail, helpers, kfuncs};
use crate::object::{field, object_text};

helpers! {
    147 "bpf_d_path" => d_path,
    159 "bpf_bprm_opts_set" => bprm_opts_set,
    161 "bpf_ima_inode_hash" => |c| {
        let inode = c.arg(1);
        ima_hash(c, inode)
    },
    193 "bpf_ima_file_hash" => |c| {
        let file = c.arg(1);
        let inode = field(c, 1, file, "file", "f_inode")?;
        ima_hash(c, inode)
    },
}

kfuncs! {
    "bpf_path_d_path" => d_path,
}

/// Directories on the way to the root: deeper than any path that fits a page.
const DEPTH_MAX: usize = 2048;

/// The path that the `struct path` at argument `n` names, as far up as its dentries know their parents.
fn path(c: &mut Call<'_>, n: usize) -> Result<Vec<u8>, Fail> {
    let at = c.arg(n);
    let mut dentry = field(c, n, at, "path", "dentry")?;
    let mut names = Vec::new();
    for _ in 0..DEPTH_MAX {
        let parent = field(c, n, dentry, "dentry", "d_parent")?;
        if parent == dentry {
            break;
        }
        let name = field(c, n, dentry, "dentry", "d_name.name")?;
        names.push(object_text(c, n, name)?);
        if parent == 0 {
            break;
        }
        dentry = parent;
    }
    if names.is_empty() {
        return Ok(b"/".to_vec());
    }
    Ok(names
        .iter()
        .rev()
        .filter(|name| !matches!(name.as_slice(), b"" | b"/"))
        .flat_map(|name| [b"/", name.as_slice()].concat())
        .collect())
}

/// `(path, buf, sz)`: the length of the path with its NUL.
fn d_path(c: &mut Call<'_>) -> Done {
    let size = u64::from(c.arg32(3));
    if size == 0 {
        return Ok(0);
    }
    let mut text = path(c, 1)?;
    text.push(0);
    if text.len() as u64 > size {
        return Err(Errno::ENAMETOOLONG.into());
    }
    c.writable(2, size)?;
    c.write(2, &text)?;
    Ok(text.len() as u64)
}

/// `(bprm, flags)`.
fn bprm_opts_set(c: &mut Call<'_>) -> Done {
    /// `BPF_F_BPRM_SECUREEXEC`.
    const SECURE: u64 = 1;
    let (bprm, flags) = (c.arg(1), c.arg(2));
    if flags & !SECURE != 0 {
        return Err(Errno::EINVAL.into());
    }
    let set = c.world().set(bprm, "secureexec", flags & SECURE);
    set.map_err(|error| c.bad(1, error))?;
    c.world().output.effects.push(Effect::BprmOptions(flags));
    Ok(0)
}

/// `(_, dst, size)`: the number of the hash algorithm; the digest goes to `dst`, as far as there is room.
fn ima_hash(c: &mut Call<'_>, inode: u64) -> Done {
    let size = c.arg32(3) as usize;
    let (algorithm, mut digest) = c.world().ima.get(&inode).cloned().ok_or(Errno::EOPNOTSUPP)?;
    digest.truncate(size);
    c.writable(2, size as u64)?;
    c.write(2, &digest)?;
    Ok(algorithm.into())
}
