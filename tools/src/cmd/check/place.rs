//! Where a source file is, for tools that open it.

use std::path::{Component, Path, PathBuf};

/// The file that the compiler named, as a path from the current folder: from there or from the folder of the object, wherever it is; what
/// is in neither stays as it is.
pub(super) fn file(named: &str, object: &str) -> String {
    let path = tidy(Path::new(named));
    let here = std::env::current_dir().unwrap_or_default();
    let beside = || Path::new(object).parent().map(|folder| tidy(&folder.join(&path)));
    let found = match path.exists() {
        true => path,
        false => beside().filter(|beside| beside.exists()).unwrap_or(path),
    };
    found.strip_prefix(&here).unwrap_or(&found).display().to_string()
}

/// Without `.` and without `a/..`.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(tidy.components().next_back(), Some(Component::Normal(_))) => {
                tidy.pop();
            }
            Component::ParentDir | Component::Prefix(_) | Component::RootDir | Component::Normal(_) => tidy.push(part),
        }
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(file("./a/../nowhere.c", "x.o"), "nowhere.c");
        assert_eq!(file("/nowhere/./b.c", "x.o"), "/nowhere/b.c");
        assert_eq!(file("../nowhere.c", "x.o"), "../nowhere.c");
        // Tests run in the folder of the crate.
        assert_eq!(file("./src/main.rs", "x.o"), "src/main.rs");
        assert_eq!(file("main.rs", "src/x.o"), "src/main.rs");
        let whole = std::env::current_dir().unwrap().join("src/main.rs");
        assert_eq!(file(whole.to_str().unwrap(), "x.o"), "src/main.rs");
    }
}
