//! What can be wrong with a command line of `skep run`, beyond its syntax.

use skep::{MapError, NameError};
use skep_btf::value::{SetError, ValueError};
use skep_btf::{BtfError, PathError};

use super::syntax::SyntaxError;
use crate::exit::Failure;

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Wrong {
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    #[error("no program is called `{name}`; the object has {}", known.join(", "))]
    NoProgram { name: String, known: Vec<String> },
    #[error("`{name}` could be any of {}", known.join(", "))]
    WhichProgram { name: String, known: Vec<String> },
    #[error("the object has several programs, name one: {}", .0.join(", "))]
    NameOne(Vec<String>),
    #[error("the object has no programs")]
    NoPrograms,
    #[error("{what} has no field `{field}`; it has {}", known.join(", "))]
    NoField { what: String, field: String, known: Vec<String> },
    #[error("{what} needs `{field}=`")]
    Missing { what: &'static str, field: &'static str },
    #[error("{what}: `{value}` is no value for `{field}`")]
    Field { what: &'static str, field: String, value: String },
    #[error("no object is called `@{0}`: --object {0}=TYPE makes one")]
    NoObject(String),
    #[error(
        "nothing in the world is called `{0}`: there are `task`, `clock`, `cpu`, `cookie`, `func_ip` and objects made by --object"
    )]
    NoSetting(String),
    #[error("neither the object nor the target has a type `{0}`")]
    NoType(String),
    #[error("{0}")]
    Memory(String),
    #[error("a value of {len} bytes for {what} of {size}")]
    Length { what: String, len: usize, size: usize },
    #[error("{number} does not fit in {size} bytes")]
    Range { number: i128, size: usize },
    #[error("{what} takes a number or bytes: {given} has no type here")]
    Untyped { what: String, given: &'static str },
    #[error(
        "what the fields of `{program}` are is not known: neither its own types nor those of the target say; give bytes, hex:DIGITS"
    )]
    NoLayout { program: String },
    #[error("`{0}` is no map element: NAME[KEY]=VALUE expected")]
    Element(String),
    #[error("the object has no ring buffer or perf event array `{0}`")]
    NoStream(String),
    #[error("map `{map}` cannot hold `@{name}`")]
    NotHolder { map: String, name: String },
    #[error("{file}: {what}")]
    Fixture { file: String, what: String },
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Map(#[from] MapError),
    #[error(transparent)]
    Set(#[from] SetError),
    #[error(transparent)]
    Value(#[from] ValueError),
    #[error(transparent)]
    Path(#[from] PathError),
    #[error(transparent)]
    Btf(#[from] BtfError),
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Failure {
        Failure::usage(wrong)
    }
}
