//! The layers that `ARCHITECTURE.md` promises: which crate may import which, and where `unsafe` may be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use proc_macro2::{TokenStream, TokenTree};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn architecture() -> String {
    std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()
}

/// What stands between backticks in a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// A row of the table of crates.
#[derive(Debug)]
struct Row {
    folder: String,
    name: String,
    may_import: BTreeSet<String>,
}

/// The lines of a section, without its heading.
fn section<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let from = text.lines().skip_while(|line| *line != heading).skip(1);
    let lines: Vec<&str> = from.take_while(|line| !line.starts_with("## ")).collect();
    assert!(!lines.is_empty(), "no section {heading:?} in ARCHITECTURE.md");
    lines
}

/// The table: folders that a crate may import are named, or are those of the rows above.
fn table() -> Vec<Row> {
    let text = architecture();
    let mut rows: Vec<Row> = Vec::new();
    for line in section(&text, "## Crates") {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let &[folder, name, _, imports] = cells.as_slice() else { continue };
        let Some(folder) = folder.strip_prefix('`').and_then(|folder| folder.strip_suffix('`')) else { continue };
        let above = || rows.iter().map(|row| row.folder.clone()).collect();
        let may_import = match imports {
            "nothing" => BTreeSet::new(),
            "all above" | "the rows above" => above(),
            list => list.split(", ").map(str::to_owned).collect(),
        };
        rows.push(Row { folder: folder.to_owned(), name: name.to_owned(), may_import });
    }
    rows
}

/// What the tests of any crate may use besides.
fn for_tests() -> BTreeSet<String> {
    let text = architecture();
    let line = text.lines().find(|line| line.starts_with("Tests and benches of every crate may also use "));
    quoted(line.expect("ARCHITECTURE.md says what tests may use")).map(str::to_owned).collect()
}

/// Packages of the workspace by name, with their manifests as cargo reads them.
fn packages() -> BTreeMap<String, Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.map(|package| (package["name"].as_str().unwrap().to_owned(), package.clone())).collect()
}

#[test]
fn crates_import_what_the_table_allows() {
    let (rows, for_tests) = (table(), for_tests());
    let packages = packages();
    let folders: BTreeMap<&str, &str> = rows.iter().map(|row| (row.name.as_str(), row.folder.as_str())).collect();
    let named: BTreeSet<&str> = folders.keys().copied().collect();
    assert_eq!(named, packages.keys().map(String::as_str).collect(), "the table and the workspace name other crates");
    let (mut wrong, mut imports) = (Vec::new(), 0);
    for row in &rows {
        let package = &packages[&row.name];
        let manifest = root().join(&row.folder).join("Cargo.toml");
        assert_eq!(Path::new(package["manifest_path"].as_str().unwrap()), manifest, "{}", row.name);
        for dependency in package["dependencies"].as_array().unwrap() {
            let Some(folder) = folders.get(dependency["name"].as_str().unwrap()) else { continue };
            let test = dependency["kind"] == "dev";
            imports += 1;
            if !(row.may_import.contains(*folder) || test && for_tests.contains(*folder)) {
                wrong.push(format!("{} imports {folder}{}", row.folder, if test { " in its tests" } else { "" }));
            }
        }
    }
    assert!(wrong.is_empty(), "not in ARCHITECTURE.md: {wrong:#?}");
    assert!(imports > 40, "{imports} imports were looked at");
}

/// The table itself has no cycle: every arrow leads to a row further up.
#[test]
fn the_table_leads_upwards() {
    let rows = table();
    for (index, row) in rows.iter().enumerate() {
        for import in &row.may_import {
            let place = rows[..index].iter().position(|above| above.folder == *import);
            assert!(place.is_some(), "{} may import {import}, which is not above it", row.folder);
        }
    }
}

/// The Rust sources of a folder, without what was built.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let (mut open, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Lines in which a word stands as code: not in a comment, not in a string.
fn lines_with(word: &str, tokens: TokenStream, lines: &mut Vec<usize>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => lines_with(word, group.stream(), lines),
            TokenTree::Ident(ident) if ident == word => lines.push(ident.span().start().line),
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn tokens(path: &Path) -> TokenStream {
    let text = std::fs::read_to_string(path).unwrap();
    TokenStream::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files that may have `unsafe`, relative to the repository.
fn allowed() -> Vec<PathBuf> {
    let text = architecture();
    let section = section(&text, "## Unsafe").join(" ");
    let sentence = section.split(". Every other crate").next().unwrap().to_owned();
    quoted(&sentence).filter(|name| name.ends_with(".rs")).map(PathBuf::from).collect()
}

#[test]
fn unsafe_is_where_it_may_be() {
    let allowed = allowed();
    assert!(!allowed.is_empty());
    let mut wrong = Vec::new();
    for row in table() {
        for path in sources(&root().join(&row.folder)) {
            let relative = path.strip_prefix(root()).unwrap().to_owned();
            let mut lines = Vec::new();
            lines_with("unsafe", tokens(&path), &mut lines);
            if allowed.contains(&relative) {
                assert!(!lines.is_empty(), "{} needs no unsafe: ARCHITECTURE.md names it in vain", relative.display());
            } else {
                wrong.extend(lines.iter().map(|line| format!("{}:{line}", relative.display())));
            }
        }
    }
    assert!(wrong.is_empty(), "unsafe outside of the files that ARCHITECTURE.md names: {wrong:#?}");
    for path in &allowed {
        assert!(root().join(path).is_file(), "{} is not there", path.display());
    }
}

/// The lint `unsafe_code` in the attributes of a crate: `forbid` or `deny`.
fn level(path: &Path) -> Option<String> {
    let text: String = tokens(path).to_string().split_whitespace().collect();
    let levels = ["forbid", "deny"];
    levels.into_iter().find(|level| text.contains(&format!("#![{level}(unsafe_code)]"))).map(str::to_owned)
}

#[test]
fn crates_forbid_unsafe() {
    let allowed = allowed();
    let mut roots = 0;
    for row in table() {
        let expected =
            if allowed.iter().any(|path| path.starts_with(Path::new(&row.folder).join("src"))) { "deny" } else { "forbid" };
        for name in ["src/lib.rs", "src/main.rs"] {
            let path = root().join(&row.folder).join(name);
            if path.is_file() {
                assert_eq!(level(&path).as_deref(), Some(expected), "{}/{name}", row.folder);
                roots += 1;
            }
        }
    }
    assert!(roots >= 13, "{roots} crate roots");
}

/// The scanner sees code and nothing else.
#[test]
fn words_in_comments_and_strings_are_no_code() {
    let text = "// unsafe\n/// unsafe\nfn f() {\n    let s = \"unsafe\";\n    m! { unsafe {} }\n}";
    let mut lines = Vec::new();
    lines_with("unsafe", TokenStream::from_str(text).unwrap(), &mut lines);
    assert_eq!(lines, [5]);
}
