//! Progress on stderr, where somebody watches.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::Terminal;

/// Work of unknown length.
pub(super) fn spinner(terminal: &Terminal, what: &'static str) -> ProgressBar {
    let bar = bar(terminal, ProgressBar::new_spinner());
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Steps whose number becomes known on the way.
pub(super) fn steps(terminal: &Terminal, what: &'static str) -> ProgressBar {
    let bar = bar(terminal, ProgressBar::new(0));
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {human_pos}/{human_len} {eta}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}

fn bar(terminal: &Terminal, bar: ProgressBar) -> ProgressBar {
    if !terminal.draws_progress() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}
