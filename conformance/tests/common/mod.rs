//! What the tests share.

use std::path::{Path, PathBuf};

/// A path below `../shared`, or nothing with a note that says so.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let root = std::env::var_os("SKEP_SHARED").map_or_else(|| repository.join("../shared"), PathBuf::from);
    let found = Some(root.join(path)).filter(|path| path.exists());
    if found.is_none() {
        println!("skipped: needs ../shared/{path}");
    }
    found
}
