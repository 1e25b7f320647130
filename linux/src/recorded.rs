//! Types and configuration of kernels, recorded from the packages of a distribution (see `recorded/README.md`).

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::{Arc, OnceLock};

use ruzstd::decoding::StreamingDecoder;
use skep_btf::{Btf, BtfError};

use crate::target::{Arch, Release, Version, kconfig};

/// A recorded kernel.
pub(crate) struct Row {
    /// The kernel that it was taken from.
    pub(crate) version: Version,
    arch: Arch,
    /// BTF, compressed with zstd.
    btf: &'static [u8],
    /// `CONFIG_*` lines, compressed with zstd.
    config: &'static [u8],
    /// What was asked for is kept.
    kept: Kept,
}

/// The types and the configuration, each once it was asked for.
struct Kept {
    types: OnceLock<Result<Arc<Btf>, RecordedError>>,
    config: OnceLock<Result<BTreeMap<String, String>, RecordedError>>,
}

impl Kept {
    const fn new() -> Kept {
        Kept { types: OnceLock::new(), config: OnceLock::new() }
    }
}

const WHOLE: &str = "what is recorded is part of this program, and a test reads it";

impl Row {
    pub(crate) fn types(&self) -> &Arc<Btf> {
        self.try_types().expect(WHOLE)
    }

    pub(crate) fn config(&self) -> &BTreeMap<String, String> {
        self.try_config().expect(WHOLE)
    }

    fn try_types(&self) -> Result<&Arc<Btf>, RecordedError> {
        self.kept.types.get_or_init(|| read_types(self)).as_ref().map_err(Clone::clone)
    }

    fn try_config(&self) -> Result<&BTreeMap<String, String>, RecordedError> {
        self.kept.config.get_or_init(|| read_config(self)).as_ref().map_err(Clone::clone)
    }

    fn packed(&self, what: &'static str, why: String) -> RecordedError {
        RecordedError::Packed { what, version: self.version.release, arch: self.arch, why }
    }
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Linux {} {}", self.version.release, self.arch)
    }
}

/// The kernel of this release and machine, if one is recorded.
pub(crate) fn row(release: Release, arch: Arch) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.version.release == release && row.arch == arch)
}

static ROWS: [Row; 1] = [Row {
    version: Version { release: Release::new(6, 18), patch: 15 },
    arch: Arch::X86_64,
    btf: include_bytes!("../recorded/linux-6.18-x86_64.btf.zst"),
    config: include_bytes!("../recorded/linux-6.18-x86_64.config.zst"),
    kept: Kept::new(),
}];

/// Largest size of a recording when it is unpacked, in bytes: the types of a kernel take 5 to 10 MB.
const MOST: u64 = 64 << 20;

/// What is known of a kernel that was recorded.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The kernel that it was taken from: the release, and its stable update.
    pub version: Version,
    /// Its types.
    pub btf: Arc<Btf>,
    /// Its `CONFIG_*` values.
    pub kconfig: BTreeMap<String, String>,
}

/// A recording that is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordedError {
    /// It cannot be unpacked.
    #[error("recorded {what} of Linux {version} for {arch} cannot be unpacked: {why}")]
    Packed {
        /// Which part: types or configuration.
        what: &'static str,
        /// The release.
        version: Release,
        /// The machine.
        arch: Arch,
        /// What the unpacking says.
        why: String,
    },
    /// It is no BTF.
    #[error("recorded types of Linux {version} for {arch}: {error}")]
    Btf {
        /// The release.
        version: Release,
        /// The machine.
        arch: Arch,
        /// What is wrong.
        error: BtfError,
    },
}

/// The kernel of this release and machine, if one is recorded.
///
/// # Errors
/// A recording that is damaged, which a test of this crate would have shown.
pub fn recorded(release: Release, arch: Arch) -> Result<Option<Recorded>, RecordedError> {
    let Some(row) = row(release, arch) else { return Ok(None) };
    let (btf, kconfig) = (Arc::clone(row.try_types()?), row.try_config()?.clone());
    Ok(Some(Recorded { version: row.version, btf, kconfig }))
}

/// The types of the kernel of this release and machine, if they are recorded.
///
/// # Errors
/// As [`recorded`].
pub fn recorded_btf(release: Release, arch: Arch) -> Result<Option<Arc<Btf>>, RecordedError> {
    row(release, arch).map(|row| row.try_types().cloned()).transpose()
}

/// Releases and machines that are recorded.
pub fn recordings() -> impl Iterator<Item = (Version, Arch)> {
    ROWS.iter().map(|row| (row.version, row.arch))
}

fn read_types(row: &Row) -> Result<Arc<Btf>, RecordedError> {
    let types = unpack(row.btf).map_err(|why| row.packed("types", why))?;
    let (version, arch) = (row.version.release, row.arch);
    let btf = Btf::parse_shared(types.into()).map_err(|error| RecordedError::Btf { version, arch, error })?;
    Ok(Arc::new(btf))
}

fn read_config(row: &Row) -> Result<BTreeMap<String, String>, RecordedError> {
    let config = unpack(row.config).map_err(|why| row.packed("configuration", why))?;
    let config = String::from_utf8(config).map_err(|error| row.packed("configuration", error.to_string()))?;
    Ok(kconfig(&config))
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, String> {
    let mut stream = StreamingDecoder::new(packed).map_err(|error| error.to_string())?;
    let mut plain = Vec::new();
    let read = (&mut stream).take(MOST + 1).read_to_end(&mut plain).map_err(|error| error.to_string())?;
    if read as u64 > MOST {
        return Err(format!("it has more than {MOST} bytes"));
    }
    let (stored, computed) = (stream.decoder.get_checksum_from_data(), stream.decoder.get_calculated_checksum());
    if stored.is_none() || stored != computed { Err("its checksum is wrong".to_string()) } else { Ok(plain) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Target;

    #[test]
    fn every_recording_is_whole() {
        for (version, arch) in recordings() {
            let kernel = recorded(version.release, arch).unwrap().expect("a row");
            assert_eq!(kernel.version, version);
            assert!(kernel.btf.len() > 100_000, "{} types", kernel.btf.len());
            let pointer = kernel.btf.find("task_struct", skep_btf::Kind::Struct);
            assert!(pointer.is_some());
            assert_eq!(kernel.kconfig["CONFIG_BPF_SYSCALL"], "y");
            let target = Target::of(version.release, arch);
            assert_eq!(target.version_code(), version.code());
            assert!(Arc::ptr_eq(target.btf().unwrap(), &kernel.btf));
        }
        assert!(recorded(Release::new(2, 6), Arch::X86_64).unwrap().is_none());
        assert!(Target::of(Release::new(2, 6), Arch::X86_64).btf().is_none());
    }

    #[test]
    fn damage_is_an_error() {
        let whole = ROWS[0].config;
        assert!(unpack(whole).is_ok());
        for cut in [0, 1, 4, 9, whole.len() / 2, whole.len() - 1] {
            assert!(unpack(&whole[..cut]).is_err(), "{cut} bytes");
        }
        let mut damaged = whole.to_vec();
        damaged[whole.len() / 2] ^= 0x10;
        let row = |btf, config| Row { version: ROWS[0].version, arch: ROWS[0].arch, btf, config, kept: Kept::new() };
        let of_config = read_config(&row(ROWS[0].btf, damaged.leak())).unwrap_err();
        assert!(of_config.to_string().starts_with("recorded configuration of Linux 6.18 for x86_64"), "{of_config}");
        // Text where types should be.
        let of_types = read_types(&row(whole, whole)).unwrap_err();
        assert!(matches!(of_types, RecordedError::Btf { .. }), "{of_types}");
    }
}
