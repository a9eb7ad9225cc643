//! The smallest parts of a page: marks, ids, times, verdicts. Each writes its own safe HTML.

use std::fmt;

use askama::filters::HtmlSafe;
use jiff::{SignedDuration, Timestamp};
use modelward_decision::vocabulary::Privilege;

use crate::wire::{MarkState, MatrixMark};

/// Text with the five characters that mean something to HTML replaced.
#[derive(Debug)]
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => fmt::Write::write_char(f, other)?,
            }
        }
        Ok(())
    }
}

/// One privilege as a mark: letter, shape and hue; filled, outlined or dashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub privilege: Privilege,
    pub state: MarkState,
    pub note: Option<String>,
}

impl Mark {
    pub const fn new(privilege: Privilege, state: MarkState) -> Self {
        Self { privilege, state, note: None }
    }

    pub const fn allow(privilege: Privilege) -> Self {
        Self::new(privilege, MarkState::Allow)
    }

    /// Filled where allowed, outlined where denied.
    pub const fn of(privilege: Privilege, allowed: bool) -> Self {
        Self::new(privilege, if allowed { MarkState::Allow } else { MarkState::Deny })
    }

    #[must_use]
    pub fn with_note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }

    /// What a screen reader says and a pointer shows.
    pub fn spoken(&self) -> String {
        let state = match self.state {
            MarkState::Allow => "allowed",
            MarkState::Needs => "needs something",
            MarkState::Deny => "denied",
        };
        match &self.note {
            Some(note) => format!("{}: {state}, {note}", self.privilege),
            None => format!("{}: {state}", self.privilege),
        }
    }
}

impl From<&MatrixMark> for Mark {
    fn from(mark: &MatrixMark) -> Self {
        Self { privilege: mark.privilege, state: mark.state, note: mark.note.clone() }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            MarkState::Allow => "",
            MarkState::Needs => " needs",
            MarkState::Deny => " deny",
        };
        let spoken = self.spoken();
        write!(
            f,
            r##"<svg class="m m-{name}{state}" role="img"><title>{}</title><use href="#m-{name}"/></svg>"##,
            Escaped(&spoken),
            name = self.privilege
        )
    }
}

impl HtmlSafe for Mark {}

/// An identifier, short on screen, whole on hover and in the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdChip {
    pub short: String,
    pub full: String,
}

impl IdChip {
    /// Typed ids keep their prefix and the last six characters, digests their ends, other text itself.
    pub fn new(full: impl Into<String>) -> Self {
        let full = full.into();
        Self { short: shorten(&full), full }
    }
}

fn shorten(full: &str) -> String {
    let last =
        |count: usize| -> String { full.chars().skip(full.chars().count().saturating_sub(count)).collect() };
    if let Some(digits) = full.strip_prefix("sha256:") {
        let first: String = digits.chars().take(4).collect();
        return format!("sha256:{first}…{}", last(2));
    }
    match full.split_once('_') {
        Some((prefix, digits)) if prefix.len() == 2 && digits.len() == 26 => {
            format!("{prefix}_{}", last(6))
        }
        _ if full.chars().count() > 24 => {
            let first: String = full.chars().take(12).collect();
            format!("{first}…{}", last(6))
        }
        _ => full.to_owned(),
    }
}

impl fmt::Display for IdChip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            r#"<code class="id" data-copy="{full}" title="{full}">{short}</code>"#,
            full = Escaped(&self.full),
            short = Escaped(&self.short)
        )
    }
}

impl HtmlSafe for IdChip {}

/// A moment: the clock time, the exact instant on hover, and how far away it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    pub at: Timestamp,
    pub now: Timestamp,
    pub form: WhenForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenForm {
    /// `20 Nov 11:02 UTC`, then the distance in small print.
    Both,
    /// Only the distance.
    Distance,
    /// Only the time of day, to the second: for feeds.
    Clock,
}

impl When {
    pub const fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { at, now, form: WhenForm::Both }
    }

    pub const fn distance(at: Timestamp, now: Timestamp) -> Self {
        Self { at, now, form: WhenForm::Distance }
    }

    pub const fn clock(at: Timestamp, now: Timestamp) -> Self {
        Self { at, now, form: WhenForm::Clock }
    }

    /// `3 min ago`, `in 2 h`.
    pub fn relative(&self) -> String {
        let span = self.at.duration_since(self.now);
        let ahead = span > SignedDuration::ZERO;
        let seconds = span.as_secs().unsigned_abs();
        let (count, unit) = match seconds {
            0..=4 => return "now".to_owned(),
            5..=89 => (seconds, "s"),
            90..=5399 => ((seconds + 30) / 60, "min"),
            5400..=129_599 => ((seconds + 1800) / 3600, "h"),
            _ => ((seconds + 43_200) / 86_400, "days"),
        };
        if ahead { format!("in {count} {unit}") } else { format!("{count} {unit} ago") }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relative = self.relative();
        let form = match self.form {
            WhenForm::Both => "both",
            WhenForm::Distance => "distance",
            WhenForm::Clock => "clock",
        };
        let exact = self.at.strftime("%Y-%m-%d %H:%M:%S UTC");
        write!(f, r#"<time datetime="{}" data-form="{form}" title="{exact}">"#, self.at)?;
        match self.form {
            WhenForm::Both => {
                write!(f, "{} <small>{relative}</small>", self.at.strftime("%-d %b %H:%M UTC"))?;
            }
            WhenForm::Distance => f.write_str(&relative)?,
            WhenForm::Clock => write!(f, "{}", self.at.strftime("%H:%M:%S"))?,
        }
        f.write_str("</time>")
    }
}

impl HtmlSafe for When {}

/// Whole numbers in groups of three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count(pub u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (position, digit) in digits.chars().enumerate() {
            if position > 0 && (digits.len() - position).is_multiple_of(3) {
                // A narrow space that does not break, as in 12 048.
                f.write_str("\u{202f}")?;
            }
            fmt::Write::write_char(f, digit)?;
        }
        Ok(())
    }
}

impl HtmlSafe for Count {}

/// A line over time: no axis but its ends, the last value written out beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sparkline {
    pub values: Vec<u32>,
    /// What a screen reader says.
    pub label: String,
}

impl fmt::Display for Sparkline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WIDTH: u64 = 480;
        const HEIGHT: u64 = 64;
        let top = u64::from(self.values.iter().copied().max().unwrap_or(0).max(1));
        let steps = u64::try_from(self.values.len()).unwrap_or(u64::MAX).saturating_sub(1).max(1);
        write!(
            f,
            r#"<svg class="spark" viewBox="0 -2 {WIDTH} {}" preserveAspectRatio="none" role="img" aria-label="{}">"#,
            HEIGHT + 4,
            Escaped(&self.label)
        )?;
        f.write_str(r#"<polyline class="area" points="0,64 "#)?;
        self.points(f, WIDTH, HEIGHT, top, steps)?;
        write!(f, r#"{WIDTH},64"/><polyline class="line" points=""#)?;
        self.points(f, WIDTH, HEIGHT, top, steps)?;
        f.write_str(r#""/></svg>"#)
    }
}

impl Sparkline {
    fn points(
        &self,
        f: &mut fmt::Formatter<'_>,
        width: u64,
        height: u64,
        top: u64,
        steps: u64,
    ) -> fmt::Result {
        for (step, value) in (0_u64..).zip(&self.values) {
            let y = height - u64::from(*value) * height / top;
            write!(f, "{},{y} ", step * width / steps)?;
        }
        Ok(())
    }
}

impl HtmlSafe for Sparkline {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_people_wrote_cannot_become_markup() {
        let mark = Mark::allow(Privilege::Inference).with_note("</title><script>alert(1)</script>");
        assert!(!mark.to_string().contains("<script>"));
        let id = IdChip::new(r#"x" onmouseover="alert(1)"#);
        assert!(!id.to_string().contains(r#"" onmouseover"#));
    }

    #[test]
    fn ids_and_digests_are_short_enough_to_compare_by_eye() {
        assert_eq!(IdChip::new("gr_06ey3m9k1v7xj8t2c0d4qz5rnw").short, "gr_qz5rnw");
        assert_eq!(IdChip::new(format!("sha256:1f3a{}c9", "0".repeat(58))).short, "sha256:1f3a…c9");
        assert_eq!(IdChip::new("fraud-v3").short, "fraud-v3");
    }

    #[test]
    fn distances_in_time_read_as_people_say_them() {
        let now = at("2026-11-20T12:00:00Z");
        for (moment, words) in [
            ("2026-11-20T12:00:02Z", "now"),
            ("2026-11-20T11:59:20Z", "40 s ago"),
            ("2026-11-20T11:57:00Z", "3 min ago"),
            ("2026-11-20T17:00:00Z", "in 5 h"),
            ("2026-12-01T12:00:00Z", "in 11 days"),
        ] {
            assert_eq!(When::new(at(moment), now).relative(), words);
        }
    }

    #[test]
    fn long_numbers_are_grouped() {
        assert_eq!(Count(1_204_881).to_string(), "1\u{202f}204\u{202f}881");
        assert_eq!(Count(7).to_string(), "7");
        assert_eq!(Count(999).to_string(), "999");
    }
}
