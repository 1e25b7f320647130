//! Programs of our own and what every engine must make of them: one file of cases beside each object.
//!
//! `NAME.cases.json` lies beside `NAME.bpf.o`. A case names a program, sets global variables, maps and the world, runs steps, and says what
//! comes of them. Values are written as they are printed: by the types of the object (`{.packets = 1, .bytes = 60}`), or as
//! `hex:DIGITS` where there are none. See [`File`] for the fields.
//!
//! [`simulate`] runs a case in skep, [`ask`] in the kernel of this host. What a case expects can be written anew from what they give:
//! the kernel's word counts where it can be asked.

mod file;
mod input;
mod render;
mod run;
mod text;

pub use file::{Case, Expected, File, FileError, Fill, KernelObject, Step, Stepped, TaskSettings, WorldSettings};
pub use input::InputProblem;
pub use run::{Asked, CaseError, CaseProblem, ask, simulate};
pub use text::ValueProblem;
