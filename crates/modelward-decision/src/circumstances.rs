//! The facts of a request as policies see them: the context record, and the grant it is tried under.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy_core::ast::{Context, Value};
use jiff::Timestamp;
use smol_str::SmolStr;

use crate::cedar::{self, Record, Types};
use crate::grant::{Grant, Window};
use crate::slice::Slice;
use crate::vocabulary::{
    Ask, Binding, Confidence, DeviceFacts, Fact, Facts, Field, Name, SessionFacts, Source,
};

/// The context without a grant. `risk` takes the place of the facts' own; `covers` says whether the credential may be used for the action at all.
pub(crate) fn base(
    types: &Types,
    slice: &Slice,
    facts: &Facts,
    risk: &Fact<u8>,
    ask: &Ask,
    held: &[Field],
    covers: bool,
) -> Option<Record> {
    let now = facts.now;
    let mut record: Record = [
        ("now", moment(types, now.as_second())?),
        ("environment", cedar::string(facts.environment.as_str())),
        ("production", cedar::boolean(slice.production)),
        ("session", session(&facts.session, now, covers)),
        ("device", device(&facts.device)),
        ("network", text(&facts.network, now)),
        ("place", text(&facts.place, now)),
        ("risk", number(risk, now)),
        ("ask", asked(ask, slice.own_field, held)),
    ]
    .into_iter()
    .map(|(name, value)| (SmolStr::new_static(name), value))
    .collect();
    if let Some(endpoint) = &slice.endpoint {
        record.insert(SmolStr::new_static("endpoint"), endpoint.clone());
    }
    Some(record)
}

/// The context with one grant.
pub(crate) fn with_grant(base: &Record, grant: Value, window_open: bool) -> Context {
    let mut record = base.clone();
    record.insert(SmolStr::new_static("grant"), grant);
    record.insert(SmolStr::new_static("grantWindowOpen"), cedar::boolean(window_open));
    Context::Value(Arc::new(record))
}

/// A grant as policies see it. Times are widened to whole seconds; the exact ones were checked before.
pub(crate) fn grant(types: &Types, grant: &Grant) -> Option<Value> {
    let conditions = &grant.conditions;
    let not_after = grant.not_after.as_second() + i64::from(grant.not_after.subsec_nanosecond() > 0);
    let mut record: Record = [
        ("id", cedar::string(&grant.id.to_string())),
        ("privilege", cedar::string(grant.privilege.as_str())),
        ("grantee", cedar::entity(types.grantee_leaf(grant.grantee))),
        ("personal", cedar::boolean(grant.grantee.is_personal())),
        ("scope", cedar::entity(types.scope_leaf(grant.scope))),
        ("notBefore", types.datetime(grant.not_before.as_second())?),
        ("notAfter", types.datetime(not_after)?),
        ("approvals", cedar::long(grant.origin.approvals())),
    ]
    .into_iter()
    .map(|(name, value)| (SmolStr::new_static(name), value))
    .collect();
    let mut condition = |name: &'static str, values: Option<Value>| {
        if let Some(values) = values {
            record.insert(SmolStr::new_static(name), values);
        }
    };
    let names = |set: &BTreeSet<Name>| cedar::strings(set.iter().map(Name::as_str));
    condition("environments", conditions.environments.as_ref().map(names));
    condition("regions", conditions.regions.as_ref().map(names));
    condition("segments", conditions.segments.as_ref().map(names));
    condition("purposes", conditions.purposes.as_ref().map(names));
    let fields = conditions.fields.as_ref();
    condition("fields", fields.map(|fields| cedar::strings(fields.iter().map(|field| field.as_str()))));
    Some(Value::record_arc(Arc::new(record), None))
}

/// Whether one of the grant's windows is open; a grant that names none is always open.
pub(crate) fn window_open(grant: &Grant, now: Timestamp) -> bool {
    grant.conditions.windows.as_ref().is_none_or(|windows| windows.iter().any(|window| is_open(window, now)))
}

/// A window in an unknown zone is closed.
fn is_open(window: &Window, now: Timestamp) -> bool {
    let Ok(local) = now.in_tz(&window.zone) else { return false };
    let time = local.time();
    let opens_on = |weekday| window.days.contains(&crate::grant::Day::from(weekday));
    if window.from <= window.until {
        return opens_on(local.weekday()) && window.from <= time && time < window.until;
    }
    // Past midnight: the day on which it opened counts.
    (opens_on(local.weekday()) && window.from <= time)
        || (opens_on(local.weekday().previous()) && time < window.until)
}

thread_local! {
    /// Requests of one second share its value.
    static LAST_MOMENT: RefCell<Option<(i64, Value)>> = const { RefCell::new(None) };
}

fn moment(types: &Types, second: i64) -> Option<Value> {
    LAST_MOMENT.with_borrow_mut(|last| match last {
        Some((known, value)) if *known == second => Some(value.clone()),
        _ => {
            let value = types.datetime(second)?;
            *last = Some((second, value.clone()));
            Some(value)
        }
    })
}

fn session(session: &SessionFacts, now: Timestamp, covers: bool) -> Value {
    let bound = match session.binding {
        Binding::Dpop | Binding::MutualTls => true,
        Binding::None | Binding::Cookie => false,
    };
    cedar::record([
        ("strength", cedar::long(session.strength)),
        ("ageSeconds", cedar::long(age(session.authenticated_at, now))),
        ("bound", cedar::boolean(bound)),
        ("covers", cedar::boolean(covers)),
        ("methods", cedar::strings(session.methods.iter().map(Name::as_str))),
    ])
}

fn device(device: &DeviceFacts) -> Value {
    cedar::record([
        ("managed", cedar::boolean(device.managed)),
        ("compliant", cedar::boolean(device.compliant)),
        ("confidence", cedar::long(confidence(device.confidence))),
    ])
}

fn text(fact: &Fact<Name>, now: Timestamp) -> Value {
    evidence(cedar::string(fact.value.as_str()), fact.source, fact.confidence, fact.observed_at, now)
}

fn number(fact: &Fact<u8>, now: Timestamp) -> Value {
    evidence(cedar::long(fact.value), fact.source, fact.confidence, fact.observed_at, now)
}

fn evidence(value: Value, source: Source, sure: Confidence, observed_at: Timestamp, now: Timestamp) -> Value {
    cedar::record([
        ("value", value),
        ("source", cedar::string(source.as_str())),
        ("confidence", cedar::long(confidence(sure))),
        ("ageSeconds", cedar::long(age(observed_at, now))),
    ])
}

/// An action that is about a field asks for it, named or not: else a grant of other fields would reach it.
fn asked(ask: &Ask, own: Option<Field>, held: &[Field]) -> Value {
    let fields: BTreeSet<Field> = ask.fields.iter().copied().chain(own).collect();
    let fields = cedar::strings(fields.iter().map(|field| field.as_str()));
    let held = cedar::strings(held.iter().map(|field| field.as_str()));
    let mut record: Record = [("fields", fields), ("held", held)]
        .into_iter()
        .map(|(name, value)| (SmolStr::new_static(name), value))
        .collect();
    if let Some(bytes) = ask.bytes {
        // More bytes than Cedar can count is as many as it can count.
        record.insert(SmolStr::new_static("bytes"), cedar::long(i64::try_from(bytes).unwrap_or(i64::MAX)));
    }
    if let Some(purpose) = &ask.purpose {
        record.insert(SmolStr::new_static("purpose"), cedar::string(purpose.as_str()));
    }
    Value::record_arc(Arc::new(record), None)
}

/// Whole seconds since; what seems to come from the future is new.
fn age(at: Timestamp, now: Timestamp) -> i64 {
    now.as_second().saturating_sub(at.as_second()).max(0)
}

const fn confidence(confidence: Confidence) -> i64 {
    match confidence {
        Confidence::None => 0,
        Confidence::Claimed => 1,
        Confidence::Managed => 2,
        Confidence::Proved => 3,
    }
}
