//! One request, one decision.
//!
//! A request is allowed when, for at least one live grant that covers it, the whole bundle says so with that grant in
//! the context. Policies that do not look at the grant are evaluated once. A forbid that errs denies.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::Effect;
use cedar_policy_core::ast::{self, Context};
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;

use crate::candidate::Comparison;
use crate::cedar::{Record, Verdict, evaluate};
use crate::circumstances;
use crate::decision::{Citation, Decision, Outcome, Request};
use crate::grant::Grant;
use crate::obligation::{self, Obligation};
use crate::policy::Policy;
use crate::remedy;
use crate::slice::{Key, Slice};
use crate::snapshot::Snapshot;
use crate::vocabulary::{Ask, DecisionId, Field, GrantId, Privilege};

/// Covering grants tried at most; more is closed, so that nobody can make a decision arbitrarily slow.
pub const COVERING_MAX: usize = 64;

/// Decides one request. Total: every input has an answer, and whatever cannot be evaluated is denied.
pub fn decide(snapshot: &Snapshot, request: &Request, id: DecisionId) -> Decision {
    let governed = snapshot.governed(request.principal);
    decide_under(governed.as_ref().unwrap_or(snapshot), request, id)
}

/// What the bundle says that was not obeyed, where one is on trial. It costs a second decision.
pub fn compare(snapshot: &Snapshot, request: &Request, obeyed: &Decision) -> Option<Comparison> {
    let other = snapshot.ungoverned(request.principal)?;
    Some(Comparison::of(obeyed, &decide_under(&other, request, obeyed.id)))
}

fn decide_under(snapshot: &Snapshot, request: &Request, id: DecisionId) -> Decision {
    let request = &*snapshot.situated(request);
    let held = held_fields(snapshot, request);
    let finding = find(snapshot, request, &request.facts.ask, &held);
    let (sentence, remedies) = remedy::words(snapshot, request, &finding, &held);
    let bundle = snapshot.bundle();
    Decision {
        id,
        principal: request.principal,
        action: request.action,
        resource: request.resource,
        at: request.facts.now,
        outcome: finding.outcome,
        determining: finding.determining.iter().map(|policy| policy.citation()).collect::<Vec<Citation>>(),
        grant: finding.grant,
        covering: finding.covering.iter().map(|grant| grant.id).collect(),
        obligations: finding.obligations,
        held_fields: held.into_iter().collect(),
        sentence,
        remedies,
        revision: snapshot.revision(),
        bundle: bundle.digest(),
        schema: bundle.schema_digest(),
        comparison: None,
    }
}

/// What the policies say, before it is put into words.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) outcome: Outcome,
    pub(crate) determining: Vec<Arc<Policy>>,
    pub(crate) grant: Option<GrantId>,
    /// Live covering grants in canonical order.
    pub(crate) covering: Vec<Arc<Grant>>,
    pub(crate) obligations: Vec<Obligation>,
}

impl Finding {
    const fn denied(outcome: Outcome, determining: Vec<Arc<Policy>>, covering: Vec<Arc<Grant>>) -> Self {
        Self { outcome, determining, grant: None, covering, obligations: Vec::new() }
    }
}

/// The sensitive fields asked for that a request of their own would be allowed to see.
pub(crate) fn held_fields(snapshot: &Snapshot, request: &Request) -> Vec<Field> {
    let allowed = |field: &Field| {
        let ask = Ask { fields: BTreeSet::from([*field]), ..request.facts.ask.clone() };
        let own = Request { action: field.action(), ..request.clone() };
        find(snapshot, &own, &ask, &[]).outcome.is_allow()
    };
    request.facts.ask.fields.iter().copied().filter(allowed).collect()
}

/// Evaluates the bundle for one action and one set of asked fields.
pub(crate) fn find(snapshot: &Snapshot, request: &Request, ask: &Ask, held: &[Field]) -> Finding {
    let Some(trial) = Trial::new(snapshot, request, ask, held) else {
        // Unknown and forbidden-to-know answer alike.
        return Finding::denied(Outcome::NotPermitted, Vec::new(), Vec::new());
    };
    let covering = covering(snapshot, request, &trial.slice);
    if covering.len() > COVERING_MAX {
        return Finding::denied(Outcome::ErrorClosed, Vec::new(), covering);
    }
    let once = trial.run(&trial.slice.once, Context::Value(Arc::clone(&trial.base)));
    if !once.forbids.is_empty() {
        return Finding::denied(Outcome::Forbidden, once.forbids, covering);
    }
    if !once.erring_forbids.is_empty() {
        return Finding::denied(Outcome::ErrorClosed, once.erring_forbids, covering);
    }
    trial.settle(snapshot, &once.permits, covering)
}

/// One request against one slice, with the context built.
pub(crate) struct Trial {
    pub(crate) slice: Arc<Slice>,
    base: Arc<Record>,
    now: jiff::Timestamp,
}

/// What some policies said under one context.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) forbids: Vec<Arc<Policy>>,
    pub(crate) erring_forbids: Vec<Arc<Policy>>,
    pub(crate) permits: Vec<Arc<Policy>>,
}

/// One grant under which everything says yes.
struct Way {
    grant: Option<GrantId>,
    permits: Vec<Arc<Policy>>,
    obligations: Vec<Obligation>,
}

impl Trial {
    pub(crate) fn new(snapshot: &Snapshot, request: &Request, ask: &Ask, held: &[Field]) -> Option<Self> {
        let facts = &request.facts;
        let key = Key {
            principal: request.principal,
            action: request.action,
            resource: request.resource,
            endpoint: facts.endpoint,
            environment: facts.environment.clone(),
        };
        let slice = snapshot.cache().slice(snapshot, key)?;
        let covers = facts.session.scope.covers(request.action, request.resource, slice.model);
        let risk = snapshot.risk(request);
        let base = circumstances::base(snapshot.bundle().types(), &slice, facts, &risk, ask, held, covers)?;
        Some(Self { slice, base: Arc::new(base), now: facts.now })
    }

    /// Tries every covering grant, then picks the allow whose obligations are least strict.
    fn settle(&self, snapshot: &Snapshot, once: &[Arc<Policy>], covering: Vec<Arc<Grant>>) -> Finding {
        let mut ways = Vec::new();
        let mut unmet = false;
        let mut forbids = Vec::new();
        let mut erring = Vec::new();
        for grant in covering.iter().map(Some).chain(once.first().map(|_| None)) {
            let Some(context) = self.context(snapshot, grant) else {
                return Finding::denied(Outcome::ErrorClosed, Vec::new(), covering);
            };
            let said = match grant {
                Some(_) => self.run(&self.slice.per_grant, context.clone()),
                None => Said::default(),
            };
            forbids.extend(said.forbids.iter().cloned());
            erring.extend(said.erring_forbids.iter().cloned());
            let permits: Vec<_> = once.iter().chain(&said.permits).cloned().collect();
            if !said.forbids.is_empty() || !said.erring_forbids.is_empty() || permits.is_empty() {
                continue;
            }
            match self.obligations(&permits, context, grant.is_some()) {
                Ok(obligations) => {
                    ways.push(Way { grant: grant.map(|grant| grant.id), permits, obligations });
                }
                Err(Unmet::Errs(policy)) => erring.push(policy),
                Err(Unmet::Conflict) => unmet = true,
            }
        }
        if let Some(way) = least_strict(ways) {
            return Finding {
                outcome: Outcome::Permitted,
                determining: unique(way.permits),
                grant: way.grant,
                covering,
                obligations: way.obligations,
            };
        }
        // The most telling reason first: a machine's failure, then a guardrail, then an obligation.
        match (erring.is_empty(), forbids.is_empty(), unmet) {
            (false, _, _) => Finding::denied(Outcome::ErrorClosed, unique(erring), covering),
            (true, false, _) => Finding::denied(Outcome::Forbidden, unique(forbids), covering),
            (true, true, true) => Finding::denied(Outcome::ObligationUnmet, Vec::new(), covering),
            (true, true, false) => Finding::denied(Outcome::NotPermitted, Vec::new(), covering),
        }
    }

    pub(crate) fn context(&self, snapshot: &Snapshot, grant: Option<&Arc<Grant>>) -> Option<Context> {
        let Some(grant) = grant else { return Some(Context::Value(Arc::clone(&self.base))) };
        let record = snapshot.cache().grant(snapshot.bundle().types(), grant)?;
        Some(circumstances::with_grant(&self.base, record, circumstances::window_open(grant, self.now)))
    }

    pub(crate) fn run(&self, policies: &[Arc<Policy>], context: Context) -> Said {
        let evaluator = self.evaluator(context);
        let mut said = Said::default();
        for policy in policies {
            match (evaluate(&evaluator, policy.body.as_deref()), policy.effect) {
                (Verdict::Holds, Effect::Forbid) => said.forbids.push(Arc::clone(policy)),
                (Verdict::Holds, Effect::Permit) => said.permits.push(Arc::clone(policy)),
                (Verdict::Errs, Effect::Forbid) => said.erring_forbids.push(Arc::clone(policy)),
                // A permit that errs permits nothing.
                (Verdict::Errs, Effect::Permit) | (Verdict::DoesNotHold, _) => {}
            }
        }
        said
    }

    /// What the permits and the obligation rules ask together.
    pub(crate) fn obligations(
        &self,
        permits: &[Arc<Policy>],
        context: Context,
        with_grant: bool,
    ) -> Result<Vec<Obligation>, Unmet> {
        let mut asked: Vec<Obligation> =
            permits.iter().filter_map(|policy| policy.obligation.clone()).collect();
        let evaluator = self.evaluator(context);
        let per_grant = self.slice.obligations_per_grant.iter().filter(|_| with_grant);
        for rule in self.slice.obligations_once.iter().chain(per_grant) {
            match evaluate(&evaluator, rule.body.as_deref()) {
                Verdict::Holds => asked.extend(rule.obligation.clone()),
                Verdict::DoesNotHold => {}
                Verdict::Errs => return Err(Unmet::Errs(Arc::clone(rule))),
            }
        }
        obligation::join(asked).map_err(|_| Unmet::Conflict)
    }

    pub(crate) fn evaluator(&self, context: Context) -> Evaluator<'_> {
        let request = ast::Request::new_unchecked(
            self.slice.principal.clone(),
            self.slice.action.clone(),
            self.slice.resource.clone(),
            Some(context),
        );
        Evaluator::new(request, &self.slice.entities, Extensions::all_available())
    }
}

#[derive(Debug)]
pub(crate) enum Unmet {
    Errs(Arc<Policy>),
    Conflict,
}

/// Live grants of the action's privilege that cover principal and resource: narrowest scope first, then by id.
pub(crate) fn covering(snapshot: &Snapshot, request: &Request, slice: &Slice) -> Vec<Arc<Grant>> {
    let now = request.facts.now;
    let mut found = of_privilege(snapshot, slice, request.action.privilege());
    found.retain(|grant| grant.is_live(now));
    found
}

/// Grants of one privilege between the request's two sides, live or not, in canonical order.
pub(crate) fn of_privilege(snapshot: &Snapshot, slice: &Slice, privilege: Privilege) -> Vec<Arc<Grant>> {
    let mut found: Vec<Arc<Grant>> = Vec::new();
    for grantee in &slice.grantees {
        for scope in &slice.scopes {
            let between = snapshot.grants_between(*grantee, *scope);
            found.extend(between.iter().filter(|grant| grant.privilege == privilege).cloned());
        }
    }
    found.sort_by_key(|grant| (grant.scope.breadth(), grant.id));
    found
}

/// The first way, in canonical order, that no other way undercuts.
fn least_strict(ways: Vec<Way>) -> Option<Way> {
    let undercut = |way: &Way| {
        ways.iter().any(|other| {
            obligation::at_most_as_strict(&other.obligations, &way.obligations)
                && !obligation::at_most_as_strict(&way.obligations, &other.obligations)
        })
    };
    let chosen = match ways.as_slice() {
        [] => return None,
        [_] => 0,
        several => several.iter().position(|way| !undercut(way))?,
    };
    ways.into_iter().nth(chosen)
}

fn unique(policies: Vec<Arc<Policy>>) -> Vec<Arc<Policy>> {
    let mut policies = policies;
    policies.sort_by(|a, b| a.id.cmp(&b.id));
    policies.dedup_by(|a, b| a.id == b.id);
    policies
}

#[cfg(test)]
pub(crate) mod tests;
