//! The bpf_conformance suite: text files that hold a program, its memory and what it must return, and a runner over engines.
//!
//! [`Case`] is a file, [`Assembled`] is a line of a list of cases that the suite assembled itself, [`Engine`] is something that runs
//! them, and [`run_folder`] asks an engine about a folder of files.

mod assembled;
mod case;
mod engine;
mod interpreter;
mod kernel;
mod run;

pub use assembled::{Assembled, Expectation, LineProblem, read_assembled};
pub use case::{Case, CaseError, CaseProblem, Section};
pub use engine::{Answer, Engine};
pub use interpreter::{Interpreter, helpers};
pub use kernel::{HostKernel, HostProblem};
pub use run::{Failure, Report, Row, Verdict, judge, run_folder};
