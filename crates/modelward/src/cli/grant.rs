//! `modelward grant`

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Time;
use modelward_decision::grant::{Conditions, Day, Window};
use modelward_decision::vocabulary::{Field, Name, Privilege};
use modelward_seal::source::Clock as _;
use modelward_server::wire::{GrantRequest, Granted};

use super::api::{Server, wait};
use super::time::{Moment, Span};
use super::{Context, view};
use crate::clock::SystemClock;
use crate::config::ByteSize;
use crate::exit::{Exit, Failure, Outcome};

/// Give a grant directly, within the limits of a young installation
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("end").required(true))]
pub(super) struct Args {
    /// `dana`, `machine:scorer` or `group:analysts`
    grantee: String,
    /// `read-only`, `inference`, …
    privilege: Privilege,
    /// `fraud`, `fraud/3`, `fraud@champion`, `endpoint:scoring`, `dataset:claims`, `project:risk` or `platform`
    scope: String,
    /// How long it counts, such as `8h` or `30d`
    #[arg(long = "for", value_name = "SPAN", group = "end")]
    span: Option<Span>,
    /// When it stops counting, such as `2026-11-20T17:00Z`
    #[arg(long, value_name = "MOMENT", group = "end")]
    until: Option<Moment>,
    /// When it starts counting; now when absent
    #[arg(long, value_name = "MOMENT")]
    from: Option<Moment>,
    /// Only in this environment; can be given several times, as all that follow
    #[arg(long = "environment", value_name = "NAME")]
    environments: Vec<Name>,
    /// Only from this region
    #[arg(long = "region", value_name = "NAME")]
    regions: Vec<Name>,
    /// Only from this network segment
    #[arg(long = "segment", value_name = "NAME")]
    segments: Vec<Name>,
    /// Only for this purpose
    #[arg(long = "purpose", value_name = "NAME")]
    purposes: Vec<Name>,
    /// A sensitive field that `inference-sensitive` reaches, such as `logprobs`
    #[arg(long = "field", value_name = "NAME")]
    fields: Vec<Field>,
    /// Only within this window, such as `mon-fri 08:00-18:00 Europe/Berlin`
    #[arg(long = "window", value_name = "WINDOW", value_parser = window)]
    windows: Vec<Window>,
    /// How often it can be used in all
    #[arg(long, value_name = "NUMBER")]
    max_uses: Option<u64>,
    /// How much may leave under it in all, such as `10 MiB`
    #[arg(long, value_name = "SIZE")]
    max_bytes: Option<ByteSize>,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: Server,
}

impl Args {
    fn request(self, now: Timestamp) -> Result<GrantRequest, Failure> {
        let not_before = self.from.map(|from| from.0);
        let not_after = match (self.until, self.span) {
            (Some(until), _) => until.0,
            (None, Some(span)) => not_before
                .unwrap_or(now)
                .checked_add(span.0)
                .map_err(|error| Failure::of(Exit::Usage, &error))?,
            (None, None) => return Err(Failure::new(Exit::Usage, "neither `--for` nor `--until` is given")),
        };
        let conditions = Conditions {
            environments: stated(self.environments),
            regions: stated(self.regions),
            segments: stated(self.segments),
            windows: if self.windows.is_empty() { None } else { Some(self.windows) },
            purposes: stated(self.purposes),
            fields: stated(self.fields),
            max_uses: self.max_uses,
            max_bytes: self.max_bytes.map(ByteSize::bytes),
        };
        let Self { grantee, privilege, scope, dry_run, .. } = self;
        Ok(GrantRequest { grantee, privilege, scope, conditions, not_before, not_after, dry_run })
    }
}

/// An option that was not given narrows nothing.
fn stated<T: Ord>(values: Vec<T>) -> Option<BTreeSet<T>> {
    if values.is_empty() { None } else { Some(values.into_iter().collect()) }
}

pub(super) fn run(context: &Context, args: Args) -> Outcome {
    let client = args.server.signed_in(context)?;
    let request = args.request(SystemClock::unmarked().now())?;
    let granted: Granted = wait(async { Ok(client.post("/api/v1/grants", &request).await?) })?;
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&granted)?;
        return Ok(Exit::Ok);
    }
    view::grants(terminal, std::slice::from_ref(&granted.grant))?;
    let people = if granted.gains == 1 {
        "1 principal gains".to_owned()
    } else {
        format!("{} principals gain", granted.gains)
    };
    match granted.revision {
        Some(revision) => terminal.note(&format!("{people} by it; it counts from revision {revision} on")),
        None => terminal.note(&format!("{people} by it; nothing was changed")),
    }
    Ok(Exit::Ok)
}

const DAYS: [(&str, Day); 7] = [
    ("mon", Day::Mon),
    ("tue", Day::Tue),
    ("wed", Day::Wed),
    ("thu", Day::Thu),
    ("fri", Day::Fri),
    ("sat", Day::Sat),
    ("sun", Day::Sun),
];

/// `mon-fri 08:00-18:00 Europe/Berlin` or `sat,sun 22:00-06:00 UTC`.
fn window(text: &str) -> Result<Window, String> {
    let wrong = || "is not a window such as `mon-fri 08:00-18:00 Europe/Berlin`".to_owned();
    let mut parts = text.split_whitespace();
    let (Some(days), Some(hours), Some(zone), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong());
    };
    let (from, until) = hours.split_once('-').ok_or_else(wrong)?;
    let hour = |text: &str| format!("{text}:00").parse::<Time>().map_err(|_| wrong());
    Ok(Window {
        days: days_of(days).ok_or_else(wrong)?,
        from: hour(from)?,
        until: hour(until)?,
        zone: zone.to_owned(),
    })
}

/// `mon-fri`, `sat,sun` or `wed`. A range can run over the end of the week.
fn days_of(text: &str) -> Option<BTreeSet<Day>> {
    let place = |name: &str| DAYS.iter().position(|(known, _)| *known == name);
    let mut days = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (place(first)?, place(last)?);
        let length = (last + DAYS.len() - first) % DAYS.len() + 1;
        days.extend(DAYS.iter().cycle().skip(first).take(length).map(|(_, day)| *day));
    }
    Some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_reads_as_typed() {
        let office = window("mon-fri 08:00-18:00 Europe/Berlin").unwrap();
        assert_eq!(office.days.len(), 5);
        assert!(!office.days.contains(&Day::Sun));
        assert_eq!(office.from, Time::constant(8, 0, 0, 0));
        let weekend = window("sat-mon,wed 22:00-06:00 UTC").unwrap();
        assert_eq!(weekend.days, [Day::Sat, Day::Sun, Day::Mon, Day::Wed].into());
        for wrong in
            ["", "mon", "mon 8-18 UTC", "mon 08:00-18:00", "moon 08:00-18:00 UTC", "mon 08:00-25:00 UTC"]
        {
            assert!(window(wrong).is_err(), "{wrong}");
        }
    }
}
