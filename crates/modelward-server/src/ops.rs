//! What can be done, one file per resource. Every operation takes its permit first; API and console both come here.

pub(crate) mod access;
pub(crate) mod account;
pub(crate) mod decisions;
pub(crate) mod enrol;
pub(crate) mod explain;
pub(crate) mod factors;
pub(crate) mod federation;
pub(crate) mod gateways;
pub(crate) mod grants;
pub(crate) mod inventory;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod people;
pub(crate) mod policy;
pub(crate) mod projects;
pub(crate) mod replay;
pub(crate) mod scim;
pub(crate) mod signals;
pub(crate) mod token;

use modelward_decision::vocabulary::{Action, ResourceRef};

use crate::caller::Caller;
use crate::control::ControlPlane;
use crate::problem::Problem;

/// Rows on a page unless asked otherwise, and at most.
pub(crate) const PAGE: u32 = 50;
pub(crate) const PAGE_MAX: u32 = 500;

pub(crate) fn page(limit: Option<u32>) -> Result<u32, Problem> {
    match limit {
        None => Ok(PAGE),
        Some(limit) if (1..=PAGE_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::malformed(format!("`limit` is 1 to {PAGE_MAX}"))),
    }
}

/// The first of two actions that the caller may do, or else the first, to be denied by name.
pub(crate) fn either(plane: &ControlPlane, caller: &Caller, one: Action, other: Action) -> Action {
    if !plane.may(caller, one, ResourceRef::Platform) && plane.may(caller, other, ResourceRef::Platform) {
        other
    } else {
        one
    }
}
