//! BTF in the kernel.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use skep_linux::Errno;

use crate::sys;

/// BTF that the kernel holds: of an object, of vmlinux, or of a module.
#[derive(Debug)]
pub struct Btf {
    fd: OwnedFd,
}

/// The kernel did not take a blob of BTF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the kernel refuses the BTF: {errno}{}{log}", if log.is_empty() { "" } else { "\n" })]
pub struct BtfError {
    /// Its error number.
    pub errno: Errno,
    /// Its log, which names the type that it refuses.
    pub log: String,
}

impl Btf {
    /// Loads raw BTF (little-endian, as `.BTF` sections hold it).
    pub fn load(data: &[u8]) -> Result<Btf, BtfError> {
        match sys::btf_load(data, &mut []) {
            Ok(fd) => Ok(Btf { fd }),
            Err(_) => {
                let mut log = vec![0; 1 << 20];
                match sys::btf_load(data, &mut log) {
                    Ok(fd) => Ok(Btf { fd }),
                    Err(errno) => Err(BtfError { errno, log: text(&log) }),
                }
            }
        }
    }

    /// Loads the types of an object, after what the compiler leaves to a loader is filled in: sizes of sections, places of
    /// variables, externs. Ids stay what they are.
    pub fn of_object(btf: &skep_btf::Btf) -> Result<Btf, BtfError> {
        Btf::load(&crate::types::loadable(btf))
    }

    /// The BTF of vmlinux (`"vmlinux"`) or of a loaded module; `ENOENT` if there is none of that name.
    pub fn of_kernel(name: &str) -> Result<Btf, Errno> {
        let mut id = 0;
        loop {
            id = sys::btf_next_id(id)?;
            let fd = match sys::btf_by_id(id) {
                Ok(fd) => fd,
                Err(Errno::ENOENT) => continue, // gone since
                Err(e) => return Err(e),
            };
            if sys::btf_info(fd.as_fd(), &mut [])?.0 == name {
                return Ok(Btf { fd });
            }
        }
    }

    /// The raw BTF.
    pub fn bytes(&self) -> Result<Vec<u8>, Errno> {
        let (_, size) = sys::btf_info(self.fd.as_fd(), &mut [])?;
        let mut data = vec![0; size];
        sys::btf_info(self.fd.as_fd(), &mut data)?;
        Ok(data)
    }
}

impl AsFd for Btf {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A log buffer as text, to its first zero byte.
pub(crate) fn text(log: &[u8]) -> String {
    let end = log.iter().position(|b| *b == 0).unwrap_or(log.len());
    String::from_utf8_lossy(&log[..end]).into_owned()
}

/// A name as the kernel takes it: at most 15 bytes, of letters, digits, `_` and `.`.
pub(crate) fn object_name(name: &str) -> [u8; 16] {
    let mut out = [0; 16];
    for (to, b) in out[..15].iter_mut().zip(name.bytes()) {
        *to = if b.is_ascii_alphanumeric() || b == b'_' || b == b'.' { b } else { b'_' };
    }
    out
}
