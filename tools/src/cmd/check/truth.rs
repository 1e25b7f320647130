//! `--truth`: verdicts held against those that a kernel gave.

use std::io::Write;
use std::path::Path;

use skep_conformance::corpus::Truth;
use skep_conformance::verdicts::{Kind, judge};

use super::args::Args;
use crate::exit::{Exit, Failure};

/// Of each kind, so many differences are shown unless one kind is asked for.
const SHOWN: usize = 10;

/// Writes the table. Fails where skep takes what the kernel refuses.
pub(super) fn compare(args: &Args, loads: &Path, out: &mut dyn Write) -> Result<Exit, Failure> {
    let path = args.truth.as_deref().unwrap_or(Path::new(""));
    let kind = args.list.as_deref().map(|name| {
        let known = || Kind::ALL.map(Kind::name).join(", ");
        Kind::named(name).ok_or_else(|| Failure::usage(format!("--list {name}: the kinds are {}", known())))
    });
    let kind = kind.transpose()?;
    let mut truths: Vec<Truth> = Truth::file(path).map_err(Failure::usage)?.collect::<Result<_, _>>().map_err(Failure::usage)?;
    truths.retain(|truth| truth.id.contains(&args.id));
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let (loads, types) = args.recorded(loads)?;
    let table = judge(&name, &truths, &loads, &types, args.jobs()).map_err(Failure::usage)?;
    write!(out, "{table}")?;
    for shown in Kind::ALL.into_iter().filter(|shown| kind.is_none_or(|kind| kind == *shown)) {
        let most = if kind.is_some() { usize::MAX } else { SHOWN };
        for line in table.list(shown).take(most) {
            writeln!(out, "    {}: {line}", shown.name())?;
        }
    }
    Ok(if table.count(Kind::FalseAccept) > 0 { Exit::Failed } else { Exit::Passed })
}
