//! Paths that do not end, end too late, or end with something left.

/// What is wrong with a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs)] // fields are the numbers in the text
pub enum Flow {
    #[error("infinite loop detected at insn {0}")]
    InfiniteLoop(usize),
    #[error("BPF program is too large. Processed {0} insn")]
    TooLarge(u32),
    #[error("The sequence of {0} jumps is too complex.")]
    TooManyJumps(usize),
    #[error("verifier bug: scc exit: no visit info for call chain {0}")]
    LoopNotEntered(String),
    #[error("{what} cannot be used inside {section} region")]
    Held { what: &'static str, section: &'static str },
    #[error("{}{what} would lead to reference leak", leaks(refs))]
    Leak {
        /// Ids, and the slots where they were taken.
        refs: Vec<(u32, u32)>,
        what: &'static str,
    },
    #[error("cannot return stack pointer to the caller")]
    ReturnsStack,
    #[error("R0 not a scalar value")]
    CallbackReturnsPointer,
    #[error("At subprogram exit the register R0 is not a scalar value ({0})")]
    SubprogReturns(String),
    #[error("{when} the register R0 is not a known value ({kind})")]
    ReturnNotKnown { when: &'static str, kind: String },
    #[error("{when} the register {name} has{} should have been in [{min}, {max}]", bounds(*smin, *smax))]
    ReturnRange { when: &'static str, name: &'static str, smin: i64, smax: i64, min: i32, max: i32 },
}

fn leaks(refs: &[(u32, u32)]) -> String {
    refs.iter().map(|(id, pc)| format!("Unreleased reference id={id} alloc_insn={pc}\n")).collect()
}

fn bounds(smin: i64, smax: i64) -> String {
    let mut text = String::new();
    if smin > i64::MIN {
        text += &format!(" smin={smin}");
    }
    if smax < i64::MAX {
        text += &format!(" smax={smax}");
    }
    if text.is_empty() { " unknown scalar value".to_owned() } else { text }
}
