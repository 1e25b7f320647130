//! Exit codes, and how failures are told.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: all went well.
    Passed,
    /// 1: a trap, a difference.
    Failed,
    /// 2: wrong usage, or input that cannot be read.
    Usage,
    /// 3: something that skep does not simulate stands in the way.
    Undecided,
}

/// Why a verb gave no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody reads the answer any more.
    BrokenPipe,
    /// Anything else.
    Because {
        /// The exit code.
        exit: Exit,
        /// What went wrong, and the causes of it.
        chain: Vec<String>,
    },
}

/// The exit code as the system takes it.
impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Passed => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Undecided => 3,
        })
    }
}

impl Failure {
    fn new(exit: Exit, error: &(dyn Error + 'static)) -> Failure {
        let mut chain = vec![error.to_string()];
        let mut next = error.source();
        while let Some(error) = next {
            let message = error.to_string();
            // Some messages already end with that of their cause.
            if !chain.last().is_some_and(|last| last.ends_with(&message)) {
                chain.push(message);
            }
            next = error.source();
        }
        Failure::Because { exit, chain }
    }

    /// The command line or the input is wrong.
    pub(crate) fn usage(error: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
        Failure::new(Exit::Usage, &*error.into())
    }

    /// The program or the comparison failed.
    pub(crate) fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
        Failure::new(Exit::Failed, &*error.into())
    }

    /// Something is not simulated.
    pub(crate) fn undecided(error: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
        Failure::new(Exit::Undecided, &*error.into())
    }

    /// The same failure as the cause of another: `error: WHAT`, and below it what was said before.
    #[must_use]
    pub(crate) fn within(self, what: impl Into<String>) -> Failure {
        match self {
            Failure::BrokenPipe => Failure::BrokenPipe,
            Failure::Because { exit, mut chain } => {
                chain.insert(0, what.into());
                Failure::Because { exit, chain }
            }
        }
    }
}

/// Failures to write the answer.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
            _ => Failure::usage(error).within("cannot write the answer"),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Failure {
        Failure::from(io::Error::from(error))
    }
}

/// Tells a failure on standard error, and makes the exit code.
pub(crate) fn finish(result: Result<Exit, Failure>) -> ExitCode {
    let exit = match result {
        Ok(exit) => exit,
        Err(Failure::BrokenPipe) => Exit::Passed,
        Err(Failure::Because { exit, chain }) => {
            // Where standard error is gone too, there is nobody to tell.
            let _ = tell(&chain);
            exit
        }
    };
    exit.into()
}

/// Tells a failure on standard error that does not end the verb.
pub(crate) fn report(failure: &Failure) {
    if let Failure::Because { chain, .. } = failure {
        // Where standard error is gone, there is nobody to tell.
        let _ = tell(chain);
    }
}

/// Tells something on standard error that is no failure.
pub(crate) fn note(text: &str) {
    const NOTE: Style = AnsiColor::Cyan.on_default().bold();
    // Where standard error is gone, there is nobody to tell.
    let _ = writeln!(anstream::stderr().lock(), "{NOTE}note:{NOTE:#} {text}");
}

fn tell(chain: &[String]) -> io::Result<()> {
    const ERROR: Style = AnsiColor::Red.on_default().bold();
    let mut err = anstream::stderr().lock();
    let mut messages = chain.iter();
    writeln!(err, "{ERROR}error:{ERROR:#} {}", messages.next().map_or("", String::as_str))?;
    for cause in messages {
        writeln!(err, "  caused by: {cause}")?;
    }
    Ok(())
}
