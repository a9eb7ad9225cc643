//! Keeping a flood of denials from becoming a flood of entries.
//!
//! The first few denials of a source in a window are recorded one by one; the rest of the window are counted and
//! written as one aggregate. Pure: the caller brings the time and submits what comes out.

use std::collections::HashMap;

use crate::entry::{EntryDraft, Kind, Verdict};

/// Bounds of the aggregation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AggregationConfig {
    pub window_micros: u64,
    /// Denials per source and window that get an entry of their own.
    pub single_max: u32,
    /// Denials of all sources together that get an entry of their own in one window: whoever can send from many
    /// networks must not fill the disk either.
    pub singles_max: u32,
    /// Sources told apart at one time; further ones share a count.
    pub sources_max: usize,
    /// Reasons told apart per source and window.
    pub reasons_max: usize,
}

impl Default for AggregationConfig {
    fn default() -> Self {
        Self { window_micros: 1_000_000, single_max: 10, singles_max: 512, sources_max: 4096, reasons_max: 8 }
    }
}

/// What to do with one denial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Observed {
    /// Record it by itself.
    Single,
    /// It is counted; an aggregate will follow.
    Counted,
}

/// Counts denials per source.
#[derive(Debug)]
pub struct DenialAggregator {
    config: AggregationConfig,
    sources: HashMap<String, Window>,
    /// When the window of all sources together began, and how many entries of their own it has had.
    began: u64,
    singles: u32,
}

#[derive(Debug, Default)]
struct Window {
    began: u64,
    single: u32,
    counted: u64,
    first: u64,
    last: u64,
    reasons: HashMap<String, u64>,
}

/// Under this name all sources are counted that came when the table was full.
pub const OTHER_SOURCES: &str = "(other sources)";
const OTHER_REASONS: &str = "(other reasons)";
const SOURCE_CHARS_MAX: usize = 128;

impl DenialAggregator {
    pub fn new(config: AggregationConfig) -> Self {
        Self { config, sources: HashMap::new(), began: 0, singles: 0 }
    }

    /// Takes note of a denial at `now` (microseconds on any clock that does not go back).
    pub fn observe(&mut self, now: u64, source: &str, reason: &str) -> Observed {
        let config = self.config;
        if now.saturating_sub(self.began) >= config.window_micros {
            (self.began, self.singles) = (now, 0);
        }
        let spent = self.singles >= config.singles_max;
        let mut source: String = source.chars().take(SOURCE_CHARS_MAX).collect();
        let known = self.sources.contains_key(&source);
        // With the entries of this window spent, a count for each new source would be an entry for each again.
        if !known && (spent || self.sources.len() >= config.sources_max) {
            source = OTHER_SOURCES.to_owned();
        }
        let window = self.sources.entry(source).or_insert_with(|| Window { began: now, ..Window::default() });
        // What is counted waits for `flush`; only a window with nothing to tell begins anew here.
        if window.counted == 0 && now.saturating_sub(window.began) >= config.window_micros {
            *window = Window { began: now, ..Window::default() };
        }
        if window.single < config.single_max && !spent {
            window.single = window.single.saturating_add(1);
            self.singles = self.singles.saturating_add(1);
            return Observed::Single;
        }
        if window.counted == 0 {
            window.first = now;
        }
        window.last = now;
        window.counted = window.counted.saturating_add(1);
        let room = window.reasons.len() < config.reasons_max || window.reasons.contains_key(reason);
        let reason: String = if room { reason.chars().take(64).collect() } else { OTHER_REASONS.to_owned() };
        let count = window.reasons.entry(reason).or_default();
        *count = count.saturating_add(1);
        Observed::Counted
    }

    /// The aggregates whose window is over, one draft per source; sources that fell silent are forgotten. `id`
    /// makes an id per draft.
    pub fn flush(&mut self, now: u64, id: impl FnMut() -> String) -> Vec<EntryDraft> {
        let window_micros = self.config.window_micros;
        self.take(|window| now.saturating_sub(window.began) >= window_micros, id)
    }

    /// All counts there are, for a shutdown.
    pub fn flush_all(&mut self, id: impl FnMut() -> String) -> Vec<EntryDraft> {
        self.take(|_| true, id)
    }

    /// When the next window ends, if any denial waits to be told.
    pub fn next_flush(&self) -> Option<u64> {
        let waiting = self.sources.values().filter(|window| window.counted > 0);
        waiting.map(|window| window.began.saturating_add(self.config.window_micros)).min()
    }

    fn take(&mut self, over: impl Fn(&Window) -> bool, mut id: impl FnMut() -> String) -> Vec<EntryDraft> {
        let mut drafts = Vec::new();
        self.sources.retain(|source, window| {
            let done = over(window);
            if done && window.counted > 0 {
                drafts.push(aggregate(id(), source, window));
            }
            !done
        });
        drafts
    }
}

fn aggregate(id: String, source: &str, window: &Window) -> EntryDraft {
    let reasons: serde_json::Map<String, serde_json::Value> =
        window.reasons.iter().map(|(reason, count)| (reason.clone(), (*count).into())).collect();
    EntryDraft::new(Kind::DenialAggregate, id)
        .decision(Verdict::Deny)
        .detail("source", source)
        .detail("count", window.counted)
        .detail("span_us", window.last.saturating_sub(window.first))
        .detail("reasons", reasons)
}

#[cfg(test)]
mod tests;
