//! What each clause came to when one request was put to the bundle: the raw material of policy coverage.
//!
//! A decision tries a policy only with grants that cover the request. Coverage asks more: whether the text of the policy
//! itself says no. So every policy whose scope holds is tried without any grant and with each grant there is.

use std::sync::Arc;

use cedar_policy_core::evaluator::Evaluator;
use smol_str::SmolStr;

use crate::cedar::evaluate;
use crate::decide::Trial;
use crate::decision::Request;
use crate::explain::{ClauseResult, conjuncts};
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::vocabulary::Field;

/// One trial of one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    pub policy: SmolStr,
    /// Up to and including the first clause that does not hold; those after it were not looked at.
    pub clauses: Vec<ClauseResult>,
}

/// Tries every policy and obligation rule whose scope holds. `held` are the sensitive fields the decision found the caller
/// to hold. For small worlds: it looks at every grant of the snapshot.
pub fn observe(snapshot: &Snapshot, request: &Request, held: &[Field]) -> Vec<Observed> {
    let Some(trial) = Trial::new(snapshot, request, &request.facts.ask, held) else { return Vec::new() };
    let slice = Arc::clone(&trial.slice);
    let mut observed = Vec::new();
    let mut grants: Vec<_> = snapshot.grants().collect();
    grants.sort_by_key(|grant| grant.id);
    for grant in std::iter::once(None).chain(grants.into_iter().map(Some)) {
        let Some(context) = trial.context(snapshot, grant) else { continue };
        let evaluator = trial.evaluator(context);
        // Those that do not look at the grant say the same under each.
        let once = slice.once.iter().chain(&slice.obligations_once).filter(|_| grant.is_none());
        let per_grant = slice.per_grant.iter().chain(&slice.obligations_per_grant);
        observed.extend(once.chain(per_grant).map(|policy| try_one(&evaluator, policy)));
    }
    observed
}

fn try_one(evaluator: &Evaluator<'_>, policy: &Policy) -> Observed {
    let mut clauses = Vec::new();
    if let Some(body) = policy.body.as_deref() {
        conjuncts(body, &mut |expr| {
            if clauses.iter().all(|result| *result == ClauseResult::Holds) {
                clauses.push(evaluate(evaluator, Some(expr)).into());
            }
        });
    }
    Observed { policy: policy.id.clone(), clauses }
}
