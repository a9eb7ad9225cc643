//! Points in time and spans as people type them.

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;

/// A span such as `90m`, `8h`, `30d` or `2w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "is not a span such as `90m`, `8h`, `30d` or `2w`".to_owned();
        let unit_start = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at_checked(unit_start).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let seconds: u64 = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 24 * 3600,
            "w" => 7 * 24 * 3600,
            _ => return Err(wrong()),
        };
        let seconds = number.checked_mul(seconds).filter(|seconds| *seconds > 0).ok_or_else(wrong)?;
        Ok(Self(Duration::from_secs(seconds)))
    }
}

/// A moment: `2026-11-20T17:00Z`, or any offset in the place of `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(pub(super) Timestamp);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| "is not a moment such as `2026-11-20T17:00Z`".to_owned())
    }
}

/// A moment for people, in UTC, to the second.
pub(super) fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_moments_read_as_typed() {
        assert_eq!("8h".parse(), Ok(Span(Duration::from_secs(8 * 3600))));
        assert_eq!("2w".parse(), Ok(Span(Duration::from_secs(14 * 86400))));
        for wrong in ["", "8", "h", "0h", "8 h", "-1h", "99999999999999999999w", "1y"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
        let five: Moment = "2026-11-20T18:00+01:00".parse().unwrap();
        assert_eq!(shown(five.0), "2026-11-20 17:00:00Z");
        assert!("17:00".parse::<Moment>().is_err());
    }
}
