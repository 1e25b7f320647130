//! The one place that vouches for programs.
#![allow(unsafe_code)] // calls the constructor of `Verified`; see ARCHITECTURE.md

use std::sync::Arc;

use skep_linux::Target;
use skep_program::{Facts, Program, Verified};

use crate::{Options, Report, Verdict, run};

/// The program as one that engines may run without checks, if the kernel would take it; and the report in any case.
pub fn verified(program: impl Into<Arc<Program>>, target: &Target, options: &Options) -> (Report, Option<Verified<Program>>) {
    let program = program.into();
    let mut facts = Facts::default();
    let report = run(&program, target, options, &mut Some(&mut facts));
    let accepted = match report.verdict {
        // SAFETY: all paths of this very program were followed and none broke a rule; the facts are what they had in common.
        Verdict::Accept => Some(unsafe { Verified::new_unchecked(program, facts) }),
        Verdict::Reject(_) | Verdict::Undecided(_) => None,
    };
    (report, accepted)
}
