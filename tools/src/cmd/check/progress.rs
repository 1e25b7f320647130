//! A bar on a terminal, while many programs are checked.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Fewer programs than this are done before a bar could be read.
const MANY: usize = 20;

/// How far the work is. Shown where standard error is a terminal.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    /// Answers go to the terminal too: they are written at once, above the bar.
    pub(super) live: bool,
}

impl Progress {
    /// Nothing of so much is done.
    pub(super) fn new(all: usize) -> Progress {
        let shown = all >= MANY && std::io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(all as u64), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos} of {len} programs, {elapsed}") {
            bar.set_style(style);
        }
        Progress { bar, live: shown && std::io::stdout().is_terminal() }
    }

    /// One more is done.
    pub(super) fn past<T>(&mut self, done: impl FnOnce() -> T) -> T {
        let result = self.bar.suspend(done);
        self.bar.inc(1);
        result
    }

    /// All is done.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}
