//! The scope index: which policies can concern a request, without looking at the others.
//!
//! Sound because a policy whose scope does not hold has no effect and cannot err: dropping it changes neither the
//! decision, nor the reasons, nor the errors. The scope is settled here exactly; only bodies reach the evaluator.

use std::sync::Arc;

use cedar_policy_core::ast::EntityUID;
use rustc_hash::FxHashMap;

use crate::policy::Policy;

#[derive(Debug)]
pub(crate) struct Index {
    policies: Table,
    obligations: Table,
}

/// Positions of policies by action, then principal bound, then resource bound.
#[derive(Debug)]
struct Table {
    all: Vec<Arc<Policy>>,
    positions: Level<Level<Level<Vec<u32>>>>,
}

/// What stands under "any", and what under an entity by name.
#[derive(Debug, Default)]
struct Level<T> {
    any: T,
    named: FxHashMap<EntityUID, T>,
}

/// The three sides of a request, each with everything it stands below.
#[derive(Debug)]
pub(crate) struct Sides<'a> {
    pub(crate) principal: Side<'a>,
    pub(crate) action: Side<'a>,
    pub(crate) resource: Side<'a>,
}

#[derive(Debug)]
pub(crate) struct Side<'a> {
    itself: &'a EntityUID,
    /// Ancestors, without the thing itself.
    above: Vec<&'a EntityUID>,
    /// Everything a policy that concerns this side can be filed under; nothing stands for "any".
    pub(crate) keys: Vec<Option<&'a EntityUID>>,
}

impl Index {
    pub(crate) fn new(policies: Vec<Arc<Policy>>, obligations: Vec<Arc<Policy>>) -> Self {
        Self { policies: Table::new(policies), obligations: Table::new(obligations) }
    }

    /// Every policy, then every obligation rule, each in order of id.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies.all.iter().chain(&self.obligations.all)
    }

    /// The policies whose scope holds, in order of id.
    pub(crate) fn policies(&self, sides: &Sides<'_>) -> Vec<Arc<Policy>> {
        self.policies.matching(sides)
    }

    /// The obligation rules whose scope holds, in order of id.
    pub(crate) fn obligations(&self, sides: &Sides<'_>) -> Vec<Arc<Policy>> {
        self.obligations.matching(sides)
    }
}

impl Table {
    fn new(all: Vec<Arc<Policy>>) -> Self {
        let mut positions = Level::<Level<Level<Vec<u32>>>>::default();
        for (policy, position) in all.iter().zip(0_u32..) {
            let actions = match &policy.actions {
                None => vec![None],
                Some(uids) => uids.iter().map(Some).collect(),
            };
            for action in actions {
                positions
                    .under(action)
                    .under(policy.principal.below.as_ref())
                    .under(policy.resource.below.as_ref())
                    .push(position);
            }
        }
        Self { all, positions }
    }

    fn matching(&self, sides: &Sides<'_>) -> Vec<Arc<Policy>> {
        let mut found: Vec<u32> = Vec::new();
        for by_principal in self.positions.reached(&sides.action) {
            for by_resource in by_principal.reached(&sides.principal) {
                for positions in by_resource.reached(&sides.resource) {
                    found.extend(positions);
                }
            }
        }
        // Positions follow ids; a policy that names both an action and its group would come twice.
        found.sort_unstable();
        found.dedup();
        found
            .into_iter()
            .filter_map(|position| self.all.get(usize::try_from(position).ok()?))
            .filter(|policy| {
                sides.principal.within(&policy.principal)
                    && sides.resource.within(&policy.resource)
                    && (!policy.action_exactly || policy.names_action(sides.action.itself))
            })
            .cloned()
            .collect()
    }
}

impl<T: Default> Level<T> {
    fn under(&mut self, key: Option<&EntityUID>) -> &mut T {
        match key {
            None => &mut self.any,
            Some(uid) => self.named.entry(uid.clone()).or_default(),
        }
    }

    /// Everything filed under one of the side's keys.
    fn reached<'a>(&'a self, side: &'a Side<'_>) -> impl Iterator<Item = &'a T> {
        side.keys.iter().filter_map(|key| match key {
            None => Some(&self.any),
            Some(uid) => self.named.get(*uid),
        })
    }
}

impl<'a> Side<'a> {
    pub(crate) fn new(itself: &'a EntityUID, above: impl IntoIterator<Item = &'a EntityUID>) -> Self {
        let above: Vec<&EntityUID> = above.into_iter().collect();
        let keys = [None, Some(itself)].into_iter().chain(above.iter().copied().map(Some)).collect();
        Self { itself, above, keys }
    }

    fn within(&self, bound: &crate::policy::Bound) -> bool {
        bound.holds(self.itself, |uid| self.above.contains(&uid))
    }
}
