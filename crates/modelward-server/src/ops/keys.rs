//! Keys: seeing their public halves, replacing them, ending them.

use std::sync::Arc;
use std::time::Duration;

use modelward_decision::vocabulary::{Action, ResourceRef};
use modelward_enforcement::Summary;
use modelward_ledger::Lane;
use modelward_ledger::LedgerSink as _;
use modelward_ledger::entry::{EntryDraft, Kind, SubjectKind};

use crate::caller::Caller;
use crate::control::{Allowed, ControlPlane};
use crate::keeper::KeeperError;
use crate::problem::Problem;
use crate::wire::{ErrorCode, KeyChanged, KeyView, List, RotateKeyRequest};

/// How long a rotation waits for gateways that are heard of. One that is slower than this is stale, and says so.
const KEYS_TRAVEL_AT_MOST: Duration = Duration::from_secs(3);

impl From<KeeperError> for Problem {
    fn from(error: KeeperError) -> Self {
        match &error {
            KeeperError::Unknown(_) => Self::new(ErrorCode::NotFound, error.to_string()),
            KeeperError::Refused(_) => Self::new(ErrorCode::Refused, error.to_string()),
            KeeperError::Storage(_) => Self::internal("writing keys", &error),
        }
    }
}

async fn kept<T: Send + 'static>(
    plane: &Arc<ControlPlane>,
    work: impl FnOnce(&ControlPlane) -> Result<T, KeeperError> + Send + 'static,
) -> Result<T, Problem> {
    let plane = Arc::clone(plane);
    let done = tokio::task::spawn_blocking(move || work(&plane)).await;
    Ok(done.map_err(|error| Problem::internal("working with keys", &error))??)
}

pub(crate) async fn list(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<KeyView>>, Problem> {
    let summary = Summary::default().with("what", "keys");
    let ((), pass) =
        plane.permit(caller, Action::ReadConfiguration, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let items = kept(plane, |plane| Ok(plane.keeper.keys(plane.now()))).await?;
        Ok(List { items, revision: plane.snapshot().revision() })
    })
    .await
}

pub(crate) async fn rotate(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    purpose: &str,
    request: RotateKeyRequest,
) -> Result<Allowed<KeyChanged>, Problem> {
    let summary = Summary::default().with("what", "rotate").with("purpose", purpose).with("now", request.now);
    let (request, pass) =
        plane.permit(caller, Action::ManageKeys, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let at_once = request.now;
        let asked = purpose.to_owned();
        kept(plane, move |plane| plane.keeper.rotate(&asked, at_once, plane.now())).await?;
        if !at_once {
            // Nobody may meet a token of a key they do not know yet.
            plane.gateways.believed(&*plane.clock, KEYS_TRAVEL_AT_MOST).await;
            let asked = purpose.to_owned();
            kept(plane, move |plane| plane.keeper.sign_with_newest(&asked)).await?;
        }
        record(plane, caller, "rotate-key", purpose).await?;
        let keys = kept(plane, |plane| Ok(plane.keeper.keys(plane.now()))).await?;
        Ok(KeyChanged { keys })
    })
    .await
}

pub(crate) async fn revoke(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    key: &str,
) -> Result<Allowed<KeyChanged>, Problem> {
    let summary = Summary::default().with("what", "revoke").with("key", key);
    let ((), pass) = plane.permit(caller, Action::ManageKeys, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let asked = key.to_owned();
        kept(plane, move |plane| plane.keeper.revoke(&asked, plane.now())).await?;
        record(plane, caller, "revoke-key", key).await?;
        let keys = kept(plane, |plane| Ok(plane.keeper.keys(plane.now()))).await?;
        Ok(KeyChanged { keys })
    })
    .await
}

/// The history of keys stands in the ledger.
pub(crate) async fn record(
    plane: &ControlPlane,
    caller: &Caller,
    what: &str,
    which: &str,
) -> Result<(), Problem> {
    let (kind, subject) = match caller.who.principal() {
        modelward_decision::vocabulary::PrincipalRef::Person(id) => (SubjectKind::Human, id.to_string()),
        modelward_decision::vocabulary::PrincipalRef::Machine(id) => (SubjectKind::Service, id.to_string()),
    };
    let draft = EntryDraft::new(Kind::KeyEvent, plane.ids.uuid().to_string())
        .subject(kind, subject)
        .action(what)
        .detail("which", which);
    plane.ledger.submit(Lane::Control, draft)?.await?;
    Ok(())
}
