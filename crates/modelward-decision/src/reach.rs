//! Whether somebody could reach a thing, going by grants and memberships alone.
//!
//! It evaluates no policy and proves nothing, but it can be asked about every row of a long list.

use jiff::Timestamp;

use crate::slice::{Holder, Thing};
use crate::snapshot::Snapshot;
use crate::vocabulary::{EndpointId, PrincipalRef, Privilege, ResourceRef};

impl Snapshot {
    /// Whether a live grant of one of these privileges, to the principal or to a group it is in, has the resource in
    /// its scope. That is no permission: a guardrail or a condition of the grant may still deny.
    ///
    /// `via` is the endpoint the resource is asked for through, if it is.
    pub fn is_reached_by(
        &self,
        principal: PrincipalRef,
        privileges: &[Privilege],
        resource: ResourceRef,
        via: Option<EndpointId>,
        now: Timestamp,
    ) -> bool {
        let Some(holder) = Holder::find(self, principal) else { return false };
        let Some(thing) = Thing::find(self, resource, via) else { return false };
        holder.grantees().any(|grantee| {
            thing.scopes.iter().any(|scope| {
                self.grants_between(grantee.bits(), scope.bits())
                    .iter()
                    .any(|grant| privileges.contains(&grant.privilege) && grant.is_live(now))
            })
        })
    }
}
