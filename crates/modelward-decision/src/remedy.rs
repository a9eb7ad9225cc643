//! A denial in words, and what would change it.
//!
//! The caller's sentence names no policy and no other person. Where no grant of the caller's covers the resource at all,
//! it does not even tell whether the resource exists.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;
use smol_str::SmolStr;

use crate::decide::{COVERING_MAX, Finding, of_privilege};
use crate::decision::{Outcome, Remedy, Request};
use crate::grant::{Conditions, Grant};
use crate::policy::{Policy, RemedyKind};
use crate::signal::Response;
use crate::slice::Key;
use crate::snapshot::Snapshot;
use crate::vocabulary::{Facts, Field, Name, Privilege, ResourceKind};

/// One sentence for the caller, and what would change a denial.
pub(crate) fn words(
    snapshot: &Snapshot,
    request: &Request,
    finding: &Finding,
    held: &[Field],
) -> (String, Vec<Remedy>) {
    if finding.outcome.is_allow() {
        let sentence =
            format!("You may {}: {}.", request.action.phrase(), snapshot.describe(request.resource));
        return (sentence, Vec::new());
    }
    let holdings = Holdings::find(snapshot, request);
    (sentence(snapshot, request, finding, held, &holdings), remedies(request, finding, held, &holdings))
}

fn sentence(
    snapshot: &Snapshot,
    request: &Request,
    finding: &Finding,
    held: &[Field],
    holdings: &Holdings,
) -> String {
    let phrase = request.action.phrase();
    if !holdings.may_know_of(request) {
        return format!(
            "You may not {phrase}: no grant of yours covers this {}. It needs a grant of {}.",
            noun(request.resource.kind()),
            request.action.privilege(),
        );
    }
    let what = snapshot.describe(request.resource);
    let why = match finding.outcome {
        // Whoever holds no grant of the privilege at all needs to hear that first.
        Outcome::Forbidden if finding.covering.is_empty() && needs_grant(request) => {
            holdings.why_not(request)
        }
        Outcome::Forbidden => finding
            .determining
            .first()
            .map_or_else(|| "a guardrail says no".to_owned(), |policy| reason(policy, request, held)),
        Outcome::ErrorClosed if finding.covering.len() > COVERING_MAX => {
            format!("more than {COVERING_MAX} grants of yours cover it, and that many are not tried")
        }
        Outcome::ErrorClosed => {
            "a policy could not be evaluated, so the answer is no; give your administrator the decision id"
                .to_owned()
        }
        Outcome::ObligationUnmet => "what it would oblige us to do cannot be done here".to_owned(),
        Outcome::Permitted | Outcome::NotPermitted => holdings.why_not(request),
    };
    format!("You may not {phrase} ({what}): {why}.")
}

fn needs_grant(request: &Request) -> bool {
    request.action.privilege() != Privilege::SelfService
}

/// The policy's own words, with the fields it is about.
fn reason(policy: &Policy, request: &Request, held: &[Field]) -> String {
    let unheld: Vec<&str> = unheld(request, held).map(Field::as_str).collect();
    if policy.remedy != Some(RemedyKind::Fields) || unheld.is_empty() {
        return policy.reason.to_string();
    }
    format!("{} ({})", policy.reason, unheld.join(", "))
}

fn unheld(request: &Request, held: &[Field]) -> impl Iterator<Item = Field> {
    request.facts.ask.fields.iter().copied().filter(|field| !held.contains(field))
}

/// Most promising first.
fn remedies(request: &Request, finding: &Finding, held: &[Field], holdings: &Holdings) -> Vec<Remedy> {
    let needed = Remedy::Grant { privilege: request.action.privilege(), resource: request.resource };
    if !holdings.may_know_of(request) {
        return vec![needed];
    }
    let mut remedies = Vec::new();
    if finding.outcome == Outcome::NotPermitted || (finding.covering.is_empty() && needs_grant(request)) {
        let waiting = holdings.waiting(request);
        remedies.extend(waiting.map(|grant| Remedy::Wait { grant: grant.id, until: Some(grant.not_before) }));
        remedies.push(needed);
    }
    for policy in &finding.determining {
        let offered = policy.remedy.map(|kind| remedy(kind, policy, request, &finding.covering, held));
        remedies.extend(offered.filter(|offered| !remedies.contains(offered)));
    }
    remedies
}

fn remedy(
    kind: RemedyKind,
    policy: &Policy,
    request: &Request,
    covering: &[Arc<Grant>],
    held: &[Field],
) -> Remedy {
    let union = |pick: fn(&Conditions) -> Option<&BTreeSet<Name>>| -> BTreeSet<Name> {
        covering.iter().filter_map(|grant| pick(&grant.conditions)).flatten().cloned().collect()
    };
    match kind {
        RemedyKind::Administrator => Remedy::Administrator { reason: policy.reason.clone() },
        RemedyKind::Binding => Remedy::BoundCredential,
        RemedyKind::Clearance => Remedy::Clearance,
        RemedyKind::Credential => Remedy::WiderCredential { privilege: request.action.privilege() },
        RemedyKind::Device => Remedy::Device,
        RemedyKind::Environment => {
            Remedy::Environment { environments: union(|conditions| conditions.environments.as_ref()) }
        }
        // A request that is about the field itself is nothing without it.
        RemedyKind::Fields if request.action.privilege() == Privilege::InferenceSensitive => {
            Remedy::Grant { privilege: Privilege::InferenceSensitive, resource: request.resource }
        }
        RemedyKind::Fields => Remedy::WithoutFields { fields: unheld(request, held).collect() },
        RemedyKind::Network => Remedy::Network { segments: union(|conditions| conditions.segments.as_ref()) },
        RemedyKind::Place => Remedy::Place { regions: union(|conditions| conditions.regions.as_ref()) },
        RemedyKind::Purpose => Remedy::Purpose { purposes: union(|conditions| conditions.purposes.as_ref()) },
        RemedyKind::StepUp => {
            let (strength, max_age_seconds) = step_up(request.action.privilege());
            Remedy::StepUp { strength, max_age_seconds: max_age_seconds.min(since_signal(request)) }
        }
        RemedyKind::Window => match covering.first() {
            Some(grant) => Remedy::Wait { grant: grant.id, until: None },
            None => Remedy::Administrator { reason: SmolStr::new_static("no time window is open") },
        },
    }
}

/// How strong a sign-in policy asks for, and how many seconds old it may be.
const fn step_up(privilege: Privilege) -> (u8, u32) {
    match privilege {
        Privilege::Retraining | Privilege::Export | Privilege::DataExport => (3, 300),
        Privilege::SelfService
        | Privilege::ReadOnly
        | Privilege::Inference
        | Privilege::InferenceSensitive
        | Privilege::Experiment
        | Privilege::Registry
        | Privilege::Deploy
        | Privilege::Govern
        | Privilege::Audit => (2, 12 * 3600),
    }
}

/// Seconds since the signal that asks for a new sign-in: one of before it does not answer it.
fn since_signal(request: &Request) -> u32 {
    let Facts { risk, now, .. } = &request.facts;
    if risk.value < Response::StepUp.risk() {
        return u32::MAX;
    }
    u32::try_from(now.duration_since(risk.observed_at).as_secs().max(0)).unwrap_or(u32::MAX)
}

/// Grants that ended longer ago than this are no longer spoken of.
///
/// It bounds what a state must remember for its denials to be said again word by word.
pub const ENDED_GRANTS_TOLD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Whether the caller holds, or lately held, anything on the resource, and so may know that it exists.
pub fn may_know_of(snapshot: &Snapshot, request: &Request) -> bool {
    let governed = snapshot.governed(request.principal);
    Holdings::find(governed.as_ref().unwrap_or(snapshot), request).may_know_of(request)
}

/// The caller's grants on the resource, of every privilege, live or not.
struct Holdings {
    grants: Vec<Arc<Grant>>,
}

impl Holdings {
    fn find(snapshot: &Snapshot, request: &Request) -> Self {
        let key = Key {
            principal: request.principal,
            action: request.action,
            resource: request.resource,
            endpoint: request.facts.endpoint,
            environment: request.facts.environment.clone(),
        };
        let Some(slice) = snapshot.cache().slice(snapshot, key) else { return Self { grants: Vec::new() } };
        let told = |grant: &Arc<Grant>| {
            grant.not_after.checked_add(ENDED_GRANTS_TOLD).is_ok_and(|until| request.facts.now < until)
                || request.facts.now < grant.not_after
        };
        let of_each = |each| of_privilege(snapshot, &slice, each);
        Self { grants: Privilege::ALL.into_iter().flat_map(of_each).filter(told).collect() }
    }

    /// The platform is no secret; of anything else only those may know who hold something on it.
    fn may_know_of(&self, request: &Request) -> bool {
        request.resource.kind() == ResourceKind::Platform
            || self.grants.iter().any(|grant| grant.not_before <= request.facts.now)
    }

    fn of_needed_privilege(&self, request: &Request) -> impl Iterator<Item = &Arc<Grant>> {
        let privilege = request.action.privilege();
        self.grants.iter().filter(move |grant| grant.privilege == privilege)
    }

    fn waiting(&self, request: &Request) -> impl Iterator<Item = &Arc<Grant>> {
        let now = request.facts.now;
        self.of_needed_privilege(request).filter(move |grant| now < grant.not_before)
    }

    fn why_not(&self, request: &Request) -> String {
        let now = request.facts.now;
        let needed = request.action.privilege();
        if let Some(grant) = self.waiting(request).min_by_key(|grant| grant.not_before) {
            return format!("your grant {} starts at {}", grant.id.short(), grant.not_before);
        }
        if self.of_needed_privilege(request).any(|grant| grant.is_live(now)) {
            return format!("your grant of {needed} does not meet the conditions that {needed} asks for");
        }
        if let Some(grant) = self.of_needed_privilege(request).max_by_key(|grant| grant.not_after) {
            return format!("your grant {} ended at {}", grant.id.short(), grant.not_after);
        }
        let held: BTreeSet<&str> = self
            .grants
            .iter()
            .filter(|grant| grant.is_live(now))
            .map(|grant| grant.privilege.as_str())
            .collect();
        if held.is_empty() {
            return format!("no grant of yours covers it now; it needs a grant of {needed}");
        }
        let held = held.into_iter().collect::<Vec<_>>().join(" and ");
        format!("you hold {held} here, which does not include it; it needs a grant of {needed}")
    }
}

const fn noun(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::Platform => "platform",
        ResourceKind::Project => "project",
        ResourceKind::Model | ResourceKind::Version => "model",
        ResourceKind::Endpoint => "endpoint",
        ResourceKind::Dataset => "dataset",
    }
}
