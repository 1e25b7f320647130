//! Licences of programs.

/// Those that the kernel counts as compatible with the GPL, spelt just so.
const COMPATIBLE: [&str; 6] = ["GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"];

/// Whether a program under this licence may call what only GPL programs may.
///
/// ```
/// assert!(skep_linux::gpl_compatible("Dual BSD/GPL"));
/// assert!(!skep_linux::gpl_compatible("GPL-2.0"));
/// ```
pub fn gpl_compatible(license: &str) -> bool {
    COMPATIBLE.contains(&license)
}
