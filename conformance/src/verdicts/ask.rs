//! The verifier, asked so that nothing in it can end the one who asks.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use skep_linux::Target;
use skep_program::Program;
use skep_verifier::{NotModelled, Options, Report, Stats, Undecided, Verdict};

thread_local! {
    /// This thread is in the verifier: a panic is an answer.
    static ASKING: Cell<bool> = const { Cell::new(false) };
    /// Where the last such panic was.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What the verifier says of a program. A panic in it is "undecided: a bug in skep".
pub fn ask(program: &Program, target: &Target, options: &Options) -> Report {
    caught(|| skep_verifier::verify(program, target, options))
}

fn caught(verify: impl FnOnce() -> Report) -> Report {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| match (ASKING.get(), info.location()) {
            (false, _) => before(info),
            (true, place) => PLACE.set(place.map_or_else(|| "nowhere".to_owned(), ToString::to_string)),
        }));
    });
    ASKING.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(verify));
    ASKING.set(false);
    result.unwrap_or_else(|payload| {
        let what = format!("{}, at {}", text(&*payload), PLACE.take());
        undecided(NotModelled::Bug(what))
    })
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without words")
}

/// The answer about a program that did not come to the verifier.
pub(super) fn undecided(what: NotModelled) -> Report {
    Report {
        verdict: Verdict::Undecided(Box::new(Undecided { pc: None, what })),
        stats: Stats::default(),
        log: String::new(),
        insn_counts: Vec::new(),
        kept: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_answer() {
        for _ in 0..2 {
            let nothing: &[u8] = &[];
            let report = caught(|| panic!("index {} of {}", 3, nothing.len()));
            let Verdict::Undecided(undecided) = report.verdict else { panic!("{:?}", report.verdict) };
            let said = undecided.what.to_string();
            assert!(said.starts_with("a bug in skep: index 3 of 0, at conformance/src/verdicts/ask.rs:"), "{said}");
        }
    }
}
