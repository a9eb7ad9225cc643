//! Workloads at the token endpoint: their own platform's token in, a session for the length of it.

use std::sync::Arc;

use modelward_decision::vocabulary::PrincipalRef;
use modelward_identity::session::{self, Opened, Since};

use super::{believe, refused};
use crate::caller::{Caller, Visit};
use crate::control::ControlPlane;
use crate::ops::account;
use crate::problem::Problem;

/// The machine a foreign token stands for, with the session its tokens will belong to: to be begun once it is decided
/// that the machine may sign in.
pub(crate) async fn attest(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    token: &str,
) -> Result<(Caller, Opened), Problem> {
    let before = plane.snapshot();
    let Some(issuer) = plane.federation.of_workload(token).map(Arc::clone) else {
        return Err(
            visit.unauthenticated(plane, "the token is of no issuer that workloads are believed from")
        );
    };
    believe(plane, &issuer).await?;
    let no = |refusal| refused(plane, visit, &issuer, refusal);
    let key = issuer.trusted.key_of_workload(token).map_err(no)?;
    let keys = plane.federation.keys(&issuer, key, plane.now()).await?;
    let now = plane.now();
    let attested = issuer.trusted.attest(token, &keys, plane.federation.workloads(), now).map_err(no)?;
    let Some(machine) = before.machine_named(attested.machine().as_str()).map(|machine| machine.id) else {
        tracing::warn!(rule = %attested.rule(), machine = %attested.machine(), "a workload stands for no machine");
        return Err(visit.unauthenticated(plane, "the workload stands for a machine that does not exist"));
    };
    let since = Since::read(&*before, PrincipalRef::Machine(machine));
    let opened = session::open_workload(&attested, machine, since, &*plane.ids, now);
    let who = opened
        .record
        .authenticate(&opened.token, &plane.snapshot(), now)
        .map_err(account::ended_meanwhile)?;
    let caller =
        Caller { who, situation: visit.situation.clone(), mark: visit.mark, session: None, form_token: None };
    Ok((caller, opened))
}
