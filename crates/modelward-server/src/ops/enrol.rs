//! Becoming a person of an installation: a code typed once, a password, an authenticator app or a passkey.

use std::sync::Arc;

use modelward_decision::Snapshot;
use modelward_decision::inventory::Person;
use modelward_decision::vocabulary::{Action, Binding, Name, ResourceRef};
use modelward_enforcement::{Rejection, RejectionKind, Summary};
use modelward_governance::Bootstrap;
use modelward_identity::enrol::{self, EnrolmentCode, EnrolmentRefusal, EnrolmentState, Factor, Named};
use modelward_identity::password::{Password, Passwords};
use modelward_identity::session::{self, Since};
use modelward_identity::totp::TotpSecret;
use modelward_seal::source::Ids;
use modelward_store::StateChange;
use modelward_store::credential::CredentialChange;
use modelward_store::enrolment::Enrolment as Stored;
use modelward_store::passkey::NewPasskey;

use crate::caller::{Caller, Visit};
use crate::control::{Allowed, ControlPlane};
use crate::ops::{account, factors};
use crate::problem::Problem;
use crate::turn::Changed;
use crate::wire::{
    EnrolConfirmRequest, EnrolPasskeyBegin, EnrolPasskeyRequest, EnrolRequest, EnrolStarted, Enrolled,
    ErrorCode, Invited, PasskeyOptions, Secret,
};

/// The first half: who the code is for, and a fresh secret for the authenticator.
pub(crate) async fn start(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    request: EnrolRequest,
) -> Result<EnrolStarted, Problem> {
    let found = find(plane, visit, &request.code).await?;
    let now = plane.now();
    let (offered, secret) = found
        .enrolment
        .offer(&found.code, &*plane.ids, now)
        .map_err(|refusal| refused(plane, visit, refusal))?;
    let sealed = plane.totp_key.seal(found.person.id, &secret, &*plane.ids)?;
    if !plane.store.offer_enrolment(&offered.code_hash, &sealed, now).await? {
        return Err(refused(plane, visit, EnrolmentRefusal::Code));
    }
    Ok(EnrolStarted {
        name: found.person.name.clone(),
        display_name: found.person.display_name.clone(),
        otpauth: Secret::new(secret.uri(&plane.settings.issuer_name, &found.person.name).as_str()),
        secret: Secret::new(secret.base32().as_str()),
        expires_at: offered.expires_at,
    })
}

/// The secret offered before, to show the same square again after a typing error.
pub(crate) async fn resume(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    code: &Secret,
) -> Result<EnrolStarted, Problem> {
    let found = find(plane, visit, code).await?;
    let EnrolmentState::Offered { secret } = &found.enrolment.state else {
        return Err(refused(plane, visit, EnrolmentRefusal::NotOffered));
    };
    Ok(EnrolStarted {
        name: found.person.name.clone(),
        display_name: found.person.display_name.clone(),
        otpauth: Secret::new(secret.uri(&plane.settings.issuer_name, &found.person.name).as_str()),
        secret: Secret::new(secret.base32().as_str()),
        expires_at: found.enrolment.expires_at,
    })
}

/// The second half: password set, authenticator proved, recovery codes handed out.
pub(crate) async fn confirm(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    request: EnrolConfirmRequest,
) -> Result<Allowed<Enrolled>, Problem> {
    let before = plane.snapshot();
    let found = find(plane, visit, &request.code).await?;
    let password = Password::new(request.password.expose()).map_err(weak)?;
    let attempt = plane
        .with_softlocks(|locks| locks.begin_totp(found.person.name.as_str(), plane.now()))
        .map_err(|wait| account::wait(wait, plane.now()))?;
    let totp = request.totp;
    let completed = hashing(plane, &found, move |done| {
        let Completing { enrolment, code, name, passwords, ids, now } = done;
        enrolment.complete(&code, &name, &password, totp.expose().trim(), &passwords, &*ids, now)
    });
    let done = completed.await?.map_err(|refusal| refused(plane, visit, refusal))?;
    plane.with_softlocks(|locks| locks.succeed(&attempt, plane.now()));
    conclude(plane, visit, &before, &found, done).await
}

/// Begins the second half with a passkey in the place of an authenticator app.
pub(crate) async fn begin_passkey(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    request: EnrolPasskeyBegin,
) -> Result<PasskeyOptions, Problem> {
    let found = find(plane, visit, &request.code).await?;
    let password = Password::new(request.password.expose()).map_err(weak)?;
    let name = found.person.name.as_str();
    found
        .enrolment
        .admits(&found.code, name, &password, plane.now())
        .map_err(|refusal| refused(plane, visit, refusal))?;
    let (options, ceremony) = factors::party(plane)?
        .begin_registration(found.person.id, name, &found.person.display_name, &[])
        .map_err(|refusal| Problem::internal("making a challenge", &refusal))?;
    factors::keep(plane, visit.situation.peer.as_str(), purpose(&found), options, ceremony).await
}

/// Ends it: password set, passkey made, recovery codes handed out.
pub(crate) async fn confirm_passkey(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    request: EnrolPasskeyRequest,
) -> Result<Allowed<Enrolled>, Problem> {
    let before = plane.snapshot();
    let found = find(plane, visit, &request.code).await?;
    let password = Password::new(request.password.expose()).map_err(weak)?;
    let label = factors::called(&request.name)?;
    let passkey = factors::registered(plane, visit, &request.credential, &purpose(&found)).await?;
    let passkey = Named { name: label, passkey };
    let completed = hashing(plane, &found, move |done| {
        let Completing { enrolment, code, name, passwords, ids, now } = done;
        enrolment.complete_with_passkey(&code, &name, &password, passkey, &passwords, &*ids, now)
    });
    let done = completed.await?.map_err(|refusal| refused(plane, visit, refusal))?;
    conclude(plane, visit, &before, &found, done).await
}

/// What the challenge of an enrolment is bound to: this code, which nobody else knows.
fn purpose(found: &Found) -> String {
    format!("enrol {}", found.stored.code_hash)
}

/// Both factors were proved, which is a sign-in: it is decided and recorded as one.
async fn conclude(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    before: &Snapshot,
    found: &Found,
    done: enrol::Enrolled,
) -> Result<Allowed<Enrolled>, Problem> {
    let now = plane.now();
    let since = Since::read(before, done.login.principal());
    let opened = session::open(&done.login, since, Binding::None, None, &*plane.ids, now);
    let who = opened
        .record
        .authenticate(&opened.token, &plane.snapshot(), now)
        .map_err(account::ended_meanwhile)?;
    let caller =
        Caller { who, situation: visit.situation.clone(), mark: visit.mark, session: None, form_token: None };
    let summary = Summary::default().with("what", "enrolment");
    let (done, pass) = plane.permit(&caller, Action::SignIn, ResourceRef::Platform, summary, done).await?;
    pass.carry_out(keep(plane, found, done)).await
}

struct Found {
    code: EnrolmentCode,
    enrolment: enrol::Enrolment,
    stored: Stored,
    person: Arc<Person>,
}

async fn find(plane: &Arc<ControlPlane>, visit: &Visit, code: &Secret) -> Result<Found, Problem> {
    // Guessing is slowed per network; the account of the lock is the code itself, which nobody else can hold up.
    let now = plane.now();
    let attempt = plane
        .with_softlocks(|locks| locks.begin(code.expose(), visit.address, now))
        .map_err(|wait| account::wait(wait, now))?;
    let code = EnrolmentCode::read(code.expose()).map_err(|refusal| refused(plane, visit, refusal))?;
    let wrong = || refused(plane, visit, EnrolmentRefusal::Code);
    let stored = plane.store.enrolment(&code.digest()).await?.ok_or_else(wrong)?;
    let person = plane.snapshot().person(stored.person).cloned().ok_or_else(wrong)?;
    let state = match (stored.used_at, &stored.offered) {
        (Some(at), _) => EnrolmentState::Enrolled { at },
        (None, None) => EnrolmentState::Pending,
        (None, Some(sealed)) => EnrolmentState::Offered { secret: open(plane, stored.person, sealed)? },
    };
    let enrolment = enrol::Enrolment {
        person: stored.person,
        code_hash: stored.code_hash,
        expires_at: stored.expires_at,
        state,
    };
    plane.with_softlocks(|locks| locks.succeed(&attempt, now));
    Ok(Found { code, enrolment, stored, person })
}

fn open(
    plane: &ControlPlane,
    person: modelward_decision::vocabulary::PersonId,
    sealed: &modelward_store::secret::Sealed,
) -> Result<TotpSecret, Problem> {
    plane
        .totp_key
        .open(person, sealed)
        .map_err(|error| Problem::internal("opening an offered secret", &error))
}

/// What the end of an enrolment needs, in a thread of its own.
struct Completing {
    enrolment: enrol::Enrolment,
    code: EnrolmentCode,
    name: String,
    passwords: Arc<Passwords>,
    ids: Arc<dyn Ids>,
    now: jiff::Timestamp,
}

/// Hashing takes a tenth of a second and much memory, so it runs where it may block.
async fn hashing(
    plane: &Arc<ControlPlane>,
    found: &Found,
    complete: impl FnOnce(Completing) -> Result<enrol::Enrolled, EnrolmentRefusal> + Send + 'static,
) -> Result<Result<enrol::Enrolled, EnrolmentRefusal>, Problem> {
    let completing = Completing {
        enrolment: found.enrolment.clone(),
        code: found.code.clone(),
        name: found.person.name.to_string(),
        passwords: Arc::clone(&plane.passwords),
        ids: Arc::clone(&plane.ids),
        now: plane.now(),
    };
    tokio::task::spawn_blocking(move || complete(completing))
        .await
        .map_err(|error| Problem::internal("hashing a password", &error))
}

async fn keep(plane: &Arc<ControlPlane>, found: &Found, done: enrol::Enrolled) -> Result<Enrolled, Problem> {
    let now = plane.now();
    let person = found.person.id;
    // Claimed before anything is written: of two at once, one gets through.
    if plane.store.use_enrolment(&done.enrolment.code_hash, now).await?.is_none() {
        return Err(Problem::new(ErrorCode::BadCredentials, EnrolmentRefusal::Code.to_string()));
    }
    let change = CredentialChange {
        password: Some(done.password),
        recovery: Some(done.recovery_hashes),
        ..CredentialChange::of(person)
    };
    let (change, with) = match done.factor {
        Factor::Totp { secret, last_step } => {
            let totp = Some(plane.totp_key.seal(person, &secret, &*plane.ids)?);
            let totp_step = Some(last_step.number());
            (CredentialChange { totp, totp_step, ..change }, "authenticator")
        }
        Factor::Passkey(named) => {
            let Named { name, passkey } = *named;
            let passkey = Some(NewPasskey { name, passkey });
            (CredentialChange { passkey, ..change }, "passkey")
        }
    };
    let changed = Changed {
        actor: Some(modelward_decision::vocabulary::PrincipalRef::Person(person)),
        what: "enrol",
        lines: vec![format!("{} enrolled with password and {with}", found.person.name)],
        changes: vec![StateChange::Credential(Box::new(change))],
    };
    let made = async { plane.turn().await?.make(changed).await };
    if let Err(problem) = made.await {
        // The code goes back, or the first person could never enrol after a moment without a ledger.
        plane.store.issue_enrolment(&found.stored).await?;
        return Err(problem);
    }
    let first = matches!(plane.bootstrap().await?, Bootstrap::Open { first, .. } if first == person);
    plane.observe_bootstrap().await?;
    Ok(Enrolled {
        person,
        name: found.person.name.clone(),
        recovery_codes: done.recovery.iter().map(|code| Secret::new(code.expose().as_str())).collect(),
        first,
    })
}

fn weak(weak: modelward_identity::password::WeakPassword) -> Problem {
    Problem::new(ErrorCode::Refused, weak.to_string()).hint(weak.hint())
}

fn refused(plane: &ControlPlane, visit: &Visit, refusal: EnrolmentRefusal) -> Problem {
    match refusal {
        EnrolmentRefusal::Code | EnrolmentRefusal::Totp => {
            plane.enforcer().reject(&Rejection {
                kind: RejectionKind::Unauthenticated,
                peer: visit.situation.peer.clone(),
                protocol: "control",
                reason: "an enrolment was refused".to_owned(),
                request: Some(visit.mark),
            });
            Problem::new(ErrorCode::BadCredentials, refusal.to_string())
        }
        EnrolmentRefusal::NotOffered => Problem::new(ErrorCode::Conflict, refusal.to_string()),
        EnrolmentRefusal::Password(reason) => weak(reason),
        EnrolmentRefusal::Hash(_) => {
            Problem::new(ErrorCode::Unavailable, "too many people are signing in at this moment")
                .retry_after(1)
        }
    }
}

/// What an administrator's invitation leaves: a code for a person who exists.
pub(crate) async fn issue(
    plane: &Arc<ControlPlane>,
    person: modelward_decision::vocabulary::PersonId,
    by: Option<modelward_decision::vocabulary::PrincipalRef>,
) -> Result<(EnrolmentCode, jiff::Timestamp), Problem> {
    let now = plane.now();
    let (code, enrolment) = enrol::Enrolment::issue(person, &*plane.ids, now);
    let stored = Stored {
        code_hash: enrolment.code_hash,
        person,
        issued_by: by,
        offered: None,
        created_at: now,
        expires_at: enrolment.expires_at,
        used_at: None,
    };
    plane.store.issue_enrolment(&stored).await?;
    Ok((code, enrolment.expires_at))
}

/// The first person of an installation, and the code to enrol with. Works once.
pub(crate) async fn initialise(
    plane: &Arc<ControlPlane>,
    name: Name,
    display_name: String,
) -> Result<Invited, Problem> {
    use modelward_decision::vocabulary::{Classification, GrantId, PersonId};
    use modelward_governance::bootstrap::first_grants;
    use modelward_governance::inventory::Thing;

    let now = plane.now();
    let person = PersonId::from_uuid(plane.ids.uuid());
    let turn = plane.turn().await?;
    let state = plane
        .bootstrap()
        .await?
        .initialise(person, now)
        .map_err(|error| Problem::new(ErrorCode::Conflict, error.to_string()))?;
    let first = Person {
        id: person,
        name: name.clone(),
        display_name,
        clearance: Classification::Restricted,
        active: true,
        groups: std::collections::BTreeSet::new(),
    };
    let ids = [(); 2].map(|()| GrantId::from_uuid(plane.ids.uuid()));
    let mut changes = vec![StateChange::Put(Box::new(Thing::Person(first))), StateChange::Bootstrap(state)];
    changes.extend(first_grants(ids, person, now).map(|grant| StateChange::Grant(Box::new(grant))));
    let lines = vec![format!("{name} is the first person and holds govern and audit over the platform")];
    turn.make(Changed { actor: None, what: "initialise", lines, changes }).await?;
    let (code, expires_at) = issue(plane, person, None).await?;
    Ok(Invited { code: Secret::new(code.expose().as_str()), name, expires_at })
}

/// Another code for the first person, for as long as they did not enrol.
pub(crate) async fn initialise_again(plane: &Arc<ControlPlane>) -> Result<Invited, Problem> {
    use modelward_governance::Bootstrap;

    let refused = |why: &str| Problem::new(ErrorCode::Conflict, why);
    let Bootstrap::Open { first, .. } = plane.bootstrap().await? else {
        return Err(refused("there is no first person who could still enrol"));
    };
    if plane.store.credential(first).await?.is_some() {
        return Err(refused("the first person has enrolled already"));
    }
    let person =
        plane.snapshot().person(first).cloned().ok_or_else(|| refused("the first person is gone"))?;
    let name = person.name.clone();
    let lines = vec![format!("{name}, the first person, gets another code to enrol with")];
    let turn = plane.turn().await?;
    turn.make(Changed { actor: None, what: "initialise-again", lines, changes: Vec::new() }).await?;
    let (code, expires_at) = issue(plane, first, None).await?;
    Ok(Invited { code: Secret::new(code.expose().as_str()), name, expires_at })
}
