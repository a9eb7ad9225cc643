//! Under which circumstances requests are made: `with` lines, and what stands after a `when`.
//!
//! Unless something else is said, all is well: a phishing-resistant sign-in a minute ago, a bound credential, a managed and
//! compliant device, the office network, no risk.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use modelward_decision::vocabulary::{
    Ask, Binding, Confidence, CredentialScope, DeviceFacts, EndpointId, Fact, Facts, Field, Name, Privilege,
    ResourceRef, SessionFacts, SessionId, Source,
};

use super::line::{Line, Word};
use super::world::{World, known};
use crate::Finding;

/// The day on which times of day are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    day: Date,
}

#[derive(Debug, Clone)]
pub(super) struct Circumstances {
    pub(super) clock: Clock,
    at: Timestamp,
    via: Option<(EndpointId, Name)>,
    environment: Option<Name>,
    strength: u8,
    age: SignedDuration,
    binding: Binding,
    methods: Vec<Name>,
    credential: CredentialScope,
    managed: bool,
    compliant: bool,
    network: Name,
    place: Name,
    risk: u8,
    risk_age: SignedDuration,
    fields: BTreeSet<Field>,
    bytes: Option<u64>,
    purpose: Option<Name>,
}

const OPTIONS: &str = "at TIME, day DATE, via ENDPOINT, in ENVIRONMENT, strength 0-3, age DURATION, binding none|cookie|dpop|mtls, \
                       methods M, credential full|PRIVILEGES[:MODELS], device none|managed|compliant, network N, place P, \
                       risk N, risk-age DURATION, asking FIELDS, bytes N, for PURPOSE";

/// A Friday.
const DAY: Date = jiff::civil::date(2026, 11, 20);

impl Circumstances {
    /// All is well, at noon.
    pub(super) fn well() -> Result<Self, Finding> {
        let name = |text| Name::new(text).map_err(|error| Finding::error("scenario", error.to_string()));
        let clock = Clock { day: DAY };
        Ok(Self {
            clock,
            at: clock.start_of_day() + SignedDuration::from_hours(12),
            via: None,
            environment: None,
            strength: 3,
            age: SignedDuration::from_mins(1),
            binding: Binding::Dpop,
            methods: vec![name("hwk")?],
            credential: CredentialScope::Full,
            managed: true,
            compliant: true,
            network: name("office")?,
            place: name("eu")?,
            risk: 0,
            risk_age: SignedDuration::ZERO,
            fields: BTreeSet::new(),
            bytes: None,
            purpose: None,
        })
    }

    /// Reads what is left of a line.
    pub(super) fn read(&mut self, line: &mut Line<'_>, world: &World) -> Result<(), Finding> {
        while let Some(option) = line.next() {
            self.read_one(line, world, &option)?;
        }
        Ok(())
    }

    fn read_one(&mut self, line: &mut Line<'_>, world: &World, option: &Word<'_>) -> Result<(), Finding> {
        match option.text {
            "at" => self.at = self.clock.time(line)?,
            "day" => {
                let time = self.at.duration_since(self.clock.start_of_day());
                self.clock.day = line.value("a date")?;
                self.at = self.clock.start_of_day() + time;
            }
            "via" => {
                let word = line.word("an endpoint")?;
                self.via = Some(world.endpoint(line, &word)?.clone());
            }
            "in" => self.environment = Some(line.value("an environment")?),
            "strength" => self.strength = at_most(line, "a strength", 3)?,
            "age" => self.age = duration(line)?,
            "binding" => self.binding = binding(line)?,
            "methods" => self.methods = line.list::<Name>("methods")?.into_iter().collect(),
            "credential" => self.credential = credential(line, world)?,
            "device" => (self.managed, self.compliant) = device(line)?,
            "network" => self.network = line.value("a network segment")?,
            "place" => self.place = line.value("a region")?,
            "risk" => self.risk = at_most(line, "a risk", 100)?,
            "risk-age" => self.risk_age = duration(line)?,
            "asking" => self.fields = line.list("fields")?,
            "bytes" => self.bytes = Some(line.value("a number of bytes")?),
            "for" => self.purpose = Some(line.value("a purpose")?),
            other => {
                let message = format!("`{other}` is not known here");
                return Err(line.wrong(option, message).hint(format!("known here: {OPTIONS}")));
            }
        }
        Ok(())
    }

    /// The facts of a request on this resource.
    pub(super) fn facts(&self, resource: ResourceRef, line: &Line<'_>) -> Result<Facts, Finding> {
        let now = self.at;
        let usual = if resource == ResourceRef::Platform { "control" } else { "production" };
        let usual = Name::new(usual).map_err(|error| line.wrong_line(error.to_string()))?;
        let served_in = self.via.as_ref().map(|(_, environment)| environment.clone());
        Ok(Facts {
            now,
            environment: self.environment.clone().or(served_in).unwrap_or(usual),
            endpoint: self.via.as_ref().map(|(id, _)| *id),
            session: Arc::new(SessionFacts {
                id: SessionId::from_bits(1),
                strength: self.strength,
                methods: self.methods.clone(),
                authenticated_at: now - self.age,
                binding: self.binding,
                scope: self.credential.clone(),
            }),
            device: DeviceFacts {
                managed: self.managed,
                compliant: self.compliant,
                confidence: Confidence::Proved,
            },
            network: Fact::new(self.network.clone(), Source::Socket, now, Confidence::Proved),
            place: Fact::new(self.place.clone(), Source::TrustedProxy, now, Confidence::Managed),
            risk: Fact::new(self.risk, Source::Signal, now - self.risk_age, Confidence::Managed),
            ask: Ask { fields: self.fields.clone(), bytes: self.bytes, purpose: self.purpose.clone() },
        })
    }
}

impl Clock {
    pub(super) fn start_of_day(&self) -> Timestamp {
        // Every date a file can name is within the range of timestamps.
        self.day.to_zoned(TimeZone::UTC).map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp())
    }

    pub(super) fn end_of_day(&self) -> Timestamp {
        self.start_of_day() + SignedDuration::from_hours(24)
    }

    /// `16:00` of the day, in UTC, or a whole `2026-11-20T16:00:00Z`.
    pub(super) fn time(&self, line: &mut Line<'_>) -> Result<Timestamp, Finding> {
        let word = line.word("a time")?;
        if let Ok(timestamp) = word.text.parse::<Timestamp>() {
            return Ok(timestamp);
        }
        let time = word.text.parse::<jiff::civil::Time>().ok();
        let zoned = time.and_then(|time| self.day.to_datetime(time).to_zoned(TimeZone::UTC).ok());
        zoned.map(|zoned| zoned.timestamp()).ok_or_else(|| {
            let message = format!("`{}` is not a time", word.text);
            line.wrong(&word, message).hint("write 16:00 or 2026-11-20T16:00:00Z; both are UTC")
        })
    }
}

fn at_most(line: &mut Line<'_>, what: &str, max: u8) -> Result<u8, Finding> {
    let word = line.word(what)?;
    let value = word.text.parse::<u8>().ok().filter(|value| *value <= max);
    value.ok_or_else(|| line.wrong(&word, format!("{what} is a number from 0 to {max}")))
}

/// `90s`, `5m` or `2h`.
fn duration(line: &mut Line<'_>) -> Result<SignedDuration, Finding> {
    let word = line.word("a duration")?;
    let unit = word.text.chars().next_back();
    let seconds = match unit {
        Some('s') => Some(1),
        Some('m') => Some(60),
        Some('h') => Some(3_600),
        _ => None,
    };
    let count =
        unit.and_then(|unit| word.text.strip_suffix(unit)).and_then(|count| count.parse::<u32>().ok());
    match (count, seconds) {
        (Some(count), Some(seconds)) => Ok(SignedDuration::from_secs(i64::from(count) * seconds)),
        _ => Err(line.wrong(&word, format!("`{}` is not a duration", word.text)).hint("write 90s, 5m or 2h")),
    }
}

fn binding(line: &mut Line<'_>) -> Result<Binding, Finding> {
    let word = line.word("a binding")?;
    Ok(match word.text {
        "none" => Binding::None,
        "cookie" => Binding::Cookie,
        "dpop" => Binding::Dpop,
        "mtls" => Binding::MutualTls,
        other => {
            let message = format!("`{other}` is not a binding");
            return Err(line.wrong(&word, message).hint("write none, cookie, dpop or mtls"));
        }
    })
}

fn device(line: &mut Line<'_>) -> Result<(bool, bool), Finding> {
    let word = line.word("a device")?;
    Ok(match word.text {
        "none" => (false, false),
        "managed" => (true, false),
        "compliant" => (true, true),
        other => {
            let message = format!("`{other}` is not a kind of device");
            return Err(line.wrong(&word, message).hint("write none, managed or compliant"));
        }
    })
}

/// `full`, or privileges with commas, then a colon and models with commas.
fn credential(line: &mut Line<'_>, world: &World) -> Result<CredentialScope, Finding> {
    let word = line.word("a credential")?;
    if word.text == "full" {
        return Ok(CredentialScope::Full);
    }
    let (privileges, models) = word.text.split_once(':').unwrap_or((word.text, ""));
    let privileges = privileges.split(',').map(|text| {
        let hint = "write full, or privileges such as inference,read-only, and models after a colon";
        text.parse::<Privilege>().map_err(|error| line.wrong(&word, error.to_string()).hint(hint))
    });
    let models = models.split(',').filter(|name| !name.is_empty());
    Ok(CredentialScope::Limited {
        privileges: privileges.collect::<Result<_, Finding>>()?,
        models: models
            .map(|name| known(line, &word, name, "model", &world.models).copied())
            .collect::<Result<_, Finding>>()?,
        actions: BTreeSet::new(),
    })
}
