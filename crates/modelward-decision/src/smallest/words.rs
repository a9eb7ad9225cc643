//! A change of facts as a sentence, as a request ready to file, and as AuthZEN context.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Counterfactual, FactChange, Smallest};
use crate::decision::{Decision, Request};
use crate::grant::Conditions;
use crate::vocabulary::{PrincipalRef, Privilege, ScopeRef};

/// A request for a grant with everything filled in but the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessRequest {
    pub grantee: PrincipalRef,
    pub privilege: Privilege,
    pub scope: ScopeRef,
    pub conditions: Conditions,
    /// How many must approve before it counts.
    pub approvals: u8,
    pub duration_seconds: u32,
    /// To be filled in by whoever files it.
    pub reason: String,
}

const HOUR: u32 = 3_600;

impl Smallest {
    pub const fn change(&self) -> Option<&Counterfactual> {
        match self {
            Self::Change(change) => Some(change),
            Self::Nothing | Self::TooFar => None,
        }
    }

    /// For the caller. `what` is the resource as the caller calls it.
    pub fn sentence(&self, privilege: Privilege, what: &str) -> String {
        match self {
            Self::Change(change) if change.changes.is_empty() => "It is allowed as things are.".to_owned(),
            Self::Change(change) => {
                let parts: Vec<String> = change.changes.iter().map(|it| part(it, privilege, what)).collect();
                format!("It would be allowed with {}.", joined(&parts, "and"))
            }
            Self::Nothing => {
                "Nothing you can change or ask for would allow it; only an administrator could.".to_owned()
            }
            Self::TooFar => "What would allow it was not found within the bounds of the search.".to_owned(),
        }
    }
}

impl Counterfactual {
    /// The request to file for the grant, or the approvals, that the change consists of.
    pub fn access_request(&self, request: &Request) -> Option<AccessRequest> {
        let privilege = request.action.privilege();
        let (scope, conditions, approvals) = self.changes.iter().find_map(|change| match change {
            FactChange::Grant(wanted) => Some((wanted.scope, wanted.conditions.clone(), wanted.approvals)),
            FactChange::Approvals { approvals, .. } => {
                let environments = Some(BTreeSet::from([request.facts.environment.clone()]));
                let purposes = request.facts.ask.purpose.clone().map(|purpose| BTreeSet::from([purpose]));
                let conditions = Conditions { environments, purposes, ..Conditions::default() };
                Some((request.resource.as_scope(), conditions, *approvals))
            }
            _ => None,
        })?;
        Some(AccessRequest {
            grantee: request.principal,
            privilege,
            scope,
            conditions,
            approvals,
            duration_seconds: duration(privilege),
            reason: String::new(),
        })
    }
}

/// As long as such work takes: a month of using, a day of changing, a shift of taking out.
const fn duration(privilege: Privilege) -> u32 {
    match privilege {
        Privilege::SelfService | Privilege::ReadOnly | Privilege::Inference => 30 * 24 * HOUR,
        Privilege::InferenceSensitive | Privilege::Experiment | Privilege::Registry | Privilege::Audit => {
            7 * 24 * HOUR
        }
        Privilege::Retraining | Privilege::Deploy | Privilege::Govern => 24 * HOUR,
        Privilege::Export | Privilege::DataExport => 8 * HOUR,
    }
}

/// What an AuthZEN answer carries beside a denial: words for the caller, and a request to file. `admin` goes only to
/// those who may see others' decisions in full.
pub fn authzen_context(
    decision: &Decision,
    smallest: &Smallest,
    what: &str,
    template: Option<Value>,
    admin: bool,
) -> Value {
    let would = smallest.sentence(decision.action.privilege(), what);
    let mut context = json!({
        "id": decision.id.to_string(),
        "reason_user": { "en": format!("{} {would}", decision.sentence) },
    });
    let mut put = |name: &str, value: Value| {
        if let Some(members) = context.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
    };
    if admin {
        let by: Vec<String> =
            decision.determining.iter().map(|it| format!("{} ({})", it.policy, it.title)).collect();
        let by = if by.is_empty() { "no policy permits it".to_owned() } else { by.join(", ") };
        put("reason_admin", json!({ "en": format!("{}: {by}", decision.outcome.as_str()) }));
    }
    if let Some(template) = template {
        put("access_request", json!({ "template": template }));
    }
    context
}

impl FactChange {
    /// The word for its kind, as in its JSON form.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::WithoutFields { .. } => "without-fields",
            Self::Purpose { .. } => "purpose",
            Self::Environment { .. } => "environment",
            Self::StepUp { .. } => "step-up",
            Self::Binding => "binding",
            Self::Credential => "credential",
            Self::Network { .. } => "network",
            Self::Place { .. } => "place",
            Self::Device => "device",
            Self::Wait { .. } => "wait",
            Self::Approvals { .. } => "approvals",
            Self::Grant(_) => "grant",
            Self::Risk => "risk",
        }
    }

    /// To follow "with".
    pub fn in_words(&self, privilege: Privilege, what: &str) -> String {
        part(self, privilege, what)
    }
}

fn part(change: &FactChange, privilege: Privilege, what: &str) -> String {
    match change {
        FactChange::WithoutFields { fields } => {
            let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
            format!("a request without {}", joined(&fields, "and"))
        }
        FactChange::Purpose { purpose } => format!("the purpose {purpose} stated"),
        FactChange::Environment { environment } => format!("a request through an endpoint of {environment}"),
        FactChange::StepUp { strength, max_age_seconds } => sign_in(*strength, *max_age_seconds),
        FactChange::Binding => "a credential that is bound to its holder".to_owned(),
        FactChange::Credential => format!("a credential that covers {privilege}"),
        FactChange::Network { segment: Some(segment) } => format!("a request from the network {segment}"),
        FactChange::Network { segment: None } => "a request from another network".to_owned(),
        FactChange::Place { region: Some(region) } => format!("a request from the region {region}"),
        FactChange::Place { region: None } => "a request from another region".to_owned(),
        FactChange::Device => "a managed, compliant device".to_owned(),
        FactChange::Wait { until } => format!("patience until {}", until.strftime("%Y-%m-%d %H:%M:%S UTC")),
        FactChange::Approvals { grant, approvals } => {
            format!("{} of the grant {}", approved(*approvals), grant.short())
        }
        FactChange::Grant(wanted) if wanted.approvals == 0 => format!("a grant of {privilege} on {what}"),
        FactChange::Grant(wanted) => {
            format!("a grant of {privilege} on {what} with {}", approved(wanted.approvals))
        }
        FactChange::Risk => "the security signal cleared".to_owned(),
    }
}

fn approved(approvals: u8) -> String {
    if approvals == 1 { "one approval".to_owned() } else { format!("{approvals} approvals") }
}

fn sign_in(strength: u8, max_age_seconds: Option<u32>) -> String {
    let how = match strength {
        0 | 1 => "a sign-in",
        2 => "a sign-in with two factors",
        _ => "a phishing-resistant sign-in",
    };
    match max_age_seconds {
        None => how.to_owned(),
        Some(0) => format!("{how} just before"),
        Some(seconds) if seconds % 60 == 0 => format!("{how} of the last {} minutes", seconds / 60),
        Some(seconds) => format!("{how} of the last {seconds} seconds"),
    }
}

fn joined(parts: &[String], word: &str) -> String {
    match parts.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} {word} {last}", before.join(", ")),
    }
}
