//! What people sign in with: passkeys to sign in, and one's own passkeys, authenticator app and recovery codes.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use modelward_decision::vocabulary::{Action, Binding, PersonId, PrincipalRef, ResourceRef, SessionId};
use modelward_enforcement::{Rejection, RejectionKind, Summary};
use modelward_identity::factors::{self, FactorRefusal, Held};
use modelward_identity::login::Login;
use modelward_identity::passkey::{
    self, ANSWER_BYTES_MAX, Asserted, Ceremony, NAME_CHARS_MAX, Passkey, PasskeyRefusal, RelyingParty,
};
use modelward_identity::recovery;
use modelward_identity::totp::{self, TotpSecret};
use modelward_seal::Digest;
use modelward_store::StateChange;
use modelward_store::credential::{Credential, CredentialChange, Factor};
use modelward_store::passkey::{NewPasskey, StoredCeremony, StoredPasskey};
use modelward_store::secret::Sealed;
use serde_json::Value;

use crate::caller::{Caller, Visit};
use crate::control::{Allowed, ControlPlane};
use crate::ops::account::{self, Opening, SignedIn};
use crate::ops::{self, people};
use crate::problem::{Problem, chain};
use crate::turn::{Changed, Settled};
use crate::wire::{
    AddPasskeyRequest, AttemptView, AuthenticatorOffered, AuthenticatorRequest, ErrorCode, FactorsChanged,
    FactorsView, List, PasskeyLoginRequest, PasskeyOptions, PasskeyView, RecoveryCodesMade, Secret,
};

/// Attempts to sign in that are shown.
const ATTEMPTS_SHOWN: u32 = 20;

// --- Signing in ---

/// A challenge that anybody who holds a passkey of this house can answer. It tells nothing about anybody.
pub(crate) async fn begin_sign_in(plane: &ControlPlane, visit: &Visit) -> Result<PasskeyOptions, Problem> {
    let (options, ceremony) = party(plane)?.begin_sign_in().map_err(|refusal| fault(&refusal))?;
    keep(plane, visit.situation.peer.as_str(), StoredCeremony::SIGN_IN.to_owned(), options, ceremony).await
}

/// Signs in with a passkey. Whatever is wrong, the answer is the same.
pub(crate) async fn sign_in(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    request: &PasskeyLoginRequest,
    binding: Binding,
) -> Result<Allowed<SignedIn>, Problem> {
    // Before anything is looked at: what is revoked from here on ends the session too.
    let before = plane.snapshot();
    let answer = bounded(&request.credential)?;
    let person = party(plane)?.claimed(answer).map_err(|refusal| wrong(plane, visit, &refusal))?;
    // A person nobody is has a name nobody could type.
    let name = before.person(person).map_or_else(|| person.to_string(), |person| person.name.to_string());
    let now = plane.now();
    let attempt = plane
        .with_softlocks(|locks| locks.begin_passkey(&name, visit.address, now))
        .map_err(|until| account::wait(until, now))?;
    let proved = prove(plane, visit, person, answer, StoredCeremony::SIGN_IN).await;
    if proved.is_ok() {
        plane.with_softlocks(|locks| locks.succeed(&attempt, now));
    }
    account::remember(plane, visit, &name, if proved.is_ok() { "passkey" } else { "refused" }).await?;
    let opening = Opening { login: proved?, how: "passkey", recovery_codes_left: None };
    account::open_session(plane, visit, &before, opening, binding).await
}

/// Checks an answer against the challenge it is for, which is used up by that, and against the passkeys of the person.
async fn prove(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    person: PersonId,
    answer: &Value,
    purpose: &str,
) -> Result<Login, Problem> {
    let no = |refusal: &PasskeyRefusal| wrong(plane, visit, refusal);
    let ceremony = taken(plane, visit, answer, purpose).await?;
    let stored = counting(plane, person).await?;
    let known: Vec<Passkey> = stored.iter().map(|each| each.passkey.clone()).collect();
    let party = party(plane)?;
    let checked = if purpose == StoredCeremony::SIGN_IN {
        party.finish_sign_in(answer, &ceremony.state, &known)
    } else {
        party.finish_step_up(person, answer, &ceremony.state, &known)
    };
    let asserted = match checked {
        Ok(asserted) => asserted,
        Err(PasskeyRefusal::Copied) => {
            copied(plane, visit, answer, &stored).await?;
            return Err(no(&PasskeyRefusal::Copied));
        }
        Err(refusal) => return Err(no(&refusal)),
    };
    used(plane, &asserted, &stored).await?.then(|| asserted.login(plane.now())).ok_or_else(unaccepted)
}

/// Writes down that a passkey was used, before that counts. Of two answers at once, one gets here first.
async fn used(plane: &ControlPlane, asserted: &Asserted, stored: &[StoredPasskey]) -> Result<bool, Problem> {
    let Some(before) = stored.iter().find(|each| each.id() == asserted.passkey()) else { return Ok(false) };
    Ok(plane.store.use_passkey(before, asserted.after(), asserted.counter(), plane.now()).await?)
}

/// Somebody holds a copy of a passkey: neither it nor the original counts any more, and the ledger says so.
async fn copied(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    answer: &Value,
    stored: &[StoredPasskey],
) -> Result<(), Problem> {
    let id = passkey::credential_of(answer);
    let Some(passkey) = stored.iter().find(|each| Some(each.id()) == id) else { return Ok(()) };
    if !plane.store.passkey_was_copied(&passkey.id(), plane.now()).await? {
        return Ok(());
    }
    let snapshot = plane.snapshot();
    let name = snapshot.person(passkey.person).map(|person| person.name.to_string()).unwrap_or_default();
    tracing::warn!(passkey = %passkey.id(), "a passkey was copied: its counter did not go up");
    account::remember(plane, visit, &name, "passkey-copied").await?;
    let lines = vec![format!(
        "the passkey `{}` of {name} was copied: its counter did not go up; it is not accepted any more",
        passkey.name
    )];
    let changed = Changed { actor: None, what: "passkey-copied", lines, changes: Vec::new() };
    plane.turn().await?.make(changed).await?;
    Ok(())
}

/// A challenge for the passkeys of somebody who is signed in, to prove themselves again.
pub(crate) async fn begin_again(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<PasskeyOptions>, Problem> {
    let ((), pass) =
        plane.permit(caller, Action::SignIn, ResourceRef::Platform, said("prove-again"), ()).await?;
    pass.carry_out(async {
        let stored = counting(plane, person(caller)?).await?;
        if stored.is_empty() {
            return Err(Problem::new(ErrorCode::Refused, "you have no passkey here")
                .hint("sign in again with password and code"));
        }
        let known: Vec<Passkey> = stored.into_iter().map(|each| each.passkey).collect();
        let (options, ceremony) = party(plane)?.begin_step_up(&known).map_err(|refusal| fault(&refusal))?;
        let purpose = again_purpose(caller.who.session().id);
        keep(plane, caller.situation.peer.as_str(), purpose, options, ceremony).await
    })
    .await
}

/// Proves with a passkey who is signed in already: a session with a fresh sign-in takes the place of the present one.
pub(crate) async fn again(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    visit: &Visit,
    request: &PasskeyLoginRequest,
) -> Result<Allowed<SignedIn>, Problem> {
    let before = plane.snapshot();
    let answer = bounded(&request.credential)?;
    let person = person(caller)?;
    let now = plane.now();
    let name = before.person(person).map(|person| person.name.to_string()).unwrap_or_default();
    let attempt = plane
        .with_softlocks(|locks| locks.begin_passkey(&name, visit.address, now))
        .map_err(|until| account::wait(until, now))?;
    let purpose = again_purpose(caller.who.session().id);
    let proved = prove(plane, visit, person, answer, &purpose).await;
    if proved.is_ok() {
        plane.with_softlocks(|locks| locks.succeed(&attempt, now));
    }
    account::remember(plane, visit, &name, if proved.is_ok() { "passkey" } else { "refused" }).await?;
    account::open_again(plane, caller, visit, &before, &proved?).await
}

fn again_purpose(session: SessionId) -> String {
    format!("again {session}")
}

// --- One's own ---

pub(crate) async fn own(plane: &Arc<ControlPlane>, caller: &Caller) -> Result<Allowed<FactorsView>, Problem> {
    let ((), pass) =
        plane.permit(caller, Action::ReadSelf, ResourceRef::Platform, said("factors"), ()).await?;
    pass.carry_out(async { view(plane, person(caller)?).await }).await
}

/// What a person signs in with, for whoever audits or governs.
pub(crate) async fn of(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
) -> Result<Allowed<FactorsView>, Problem> {
    let action = ops::either(plane, caller, Action::ReadAccess, Action::ReadConfiguration);
    let summary = said("factors").with("person", people::known_as(plane, name));
    let ((), pass) = plane.permit(caller, action, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async { view(plane, people::person_named(&plane.snapshot(), name)?).await }).await
}

/// The last attempts to sign in under one's own name.
pub(crate) async fn attempts(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<AttemptView>>, Problem> {
    let ((), pass) =
        plane.permit(caller, Action::ReadSelf, ResourceRef::Platform, said("sign-ins"), ()).await?;
    pass.carry_out(async {
        let snapshot = plane.snapshot();
        let name = snapshot.person(person(caller)?).map(|person| person.name.to_string());
        let found = plane.store.attempts(Some(name.as_deref().unwrap_or("")), None, ATTEMPTS_SHOWN).await?;
        let items = found
            .into_iter()
            .map(|(_, attempt)| AttemptView {
                at: attempt.at,
                source: attempt.source,
                outcome: attempt.outcome,
            })
            .collect();
        Ok(List { items, revision: snapshot.revision() })
    })
    .await
}

/// First half of a further passkey.
pub(crate) async fn begin_passkey(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<PasskeyOptions>, Problem> {
    let summary = said("begin-passkey");
    let ((), pass) = plane.permit(caller, Action::SignIn, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let mine = changeable(plane, caller).await?;
        Held::may_add_passkey(mine.passkeys.len()).map_err(refused)?;
        let snapshot = plane.snapshot();
        let person = snapshot.person(mine.person).cloned().ok_or_else(Problem::unauthenticated)?;
        let known: Vec<Passkey> = mine.passkeys.into_iter().map(|each| each.passkey).collect();
        let (options, ceremony) = party(plane)?
            .begin_registration(person.id, person.name.as_str(), &person.display_name, &known)
            .map_err(|refusal| fault(&refusal))?;
        let purpose = add_purpose(caller.who.session().id);
        keep(plane, caller.situation.peer.as_str(), purpose, options, ceremony).await
    })
    .await
}

/// Second half.
pub(crate) async fn add_passkey(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    visit: &Visit,
    request: AddPasskeyRequest,
) -> Result<Allowed<FactorsChanged>, Problem> {
    let summary = said("add-passkey");
    let (request, pass) =
        plane.permit(caller, Action::SignIn, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let name = called(&request.name)?;
        let purpose = add_purpose(caller.who.session().id);
        let passkey = registered(plane, visit, &request.credential, &purpose).await?;
        let turn = plane.turn().await?;
        let mine = changeable(plane, caller).await?;
        Held::may_add_passkey(mine.passkeys.len()).map_err(refused)?;
        let lines = vec![format!("{} has a new passkey `{name}`", mine.name)];
        let change = CredentialChange {
            passkey: Some(NewPasskey { name, passkey }),
            ..CredentialChange::of(mine.person)
        };
        let changes = vec![StateChange::Credential(Box::new(change))];
        let changed = Changed { actor: Some(caller.who.principal()), what: "add-passkey", lines, changes };
        let settled = turn.make(changed).await?;
        plane.observe_bootstrap().await?;
        changed_view(plane, mine.person, settled).await
    })
    .await
}

pub(crate) async fn remove_passkey(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    id: &str,
) -> Result<Allowed<FactorsChanged>, Problem> {
    let summary = said("remove-passkey");
    let ((), pass) = plane.permit(caller, Action::SignIn, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let turn = plane.turn().await?;
        let mine = changeable(plane, caller).await?;
        let found = mine.passkeys.iter().find(|each| each.id().to_string() == id);
        let found = found.ok_or_else(|| Problem::not_found("passkey", id))?;
        mine.held().may_remove_passkey(found.counts()).map_err(refused)?;
        let lines = vec![format!("{} gave up the passkey `{}`", mine.name, found.name)];
        let changes = vec![StateChange::DropFactor(mine.person, Factor::Passkey(found.id()))];
        let changed = Changed { actor: Some(caller.who.principal()), what: "remove-passkey", lines, changes };
        let settled = turn.make(changed).await?;
        changed_view(plane, mine.person, settled).await
    })
    .await
}

/// A secret for an authenticator app, which counts once [`add_authenticator`] saw a code of it.
pub(crate) async fn begin_authenticator(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<AuthenticatorOffered>, Problem> {
    let summary = said("begin-authenticator");
    let ((), pass) = plane.permit(caller, Action::SignIn, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let mine = changeable(plane, caller).await?;
        let secret = TotpSecret::generate(&*plane.ids);
        let sealed = plane.totp_key.seal(mine.person, &secret, &*plane.ids)?;
        let now = plane.now();
        let offered = StoredCeremony {
            challenge: offer_key(caller.who.session().id),
            purpose: offer_purpose(caller.who.session().id),
            source: caller.situation.peer.as_str().to_owned(),
            state: URL_SAFE_NO_PAD.encode(sealed.as_bytes()),
            expires_at: Ceremony::ends_at(now),
        };
        plane.store.begin_ceremony(&offered, now).await?;
        authenticator(plane, &mine, &secret, offered.expires_at)
    })
    .await
}

/// The secret that was offered, to show the same square again after a typing error.
pub(crate) async fn resume_authenticator(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<AuthenticatorOffered>, Problem> {
    let summary = said("begin-authenticator");
    let ((), pass) = plane.permit(caller, Action::SignIn, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let mine = changeable(plane, caller).await?;
        let (offered, secret) = offer(plane, caller, mine.person).await?;
        plane.store.begin_ceremony(&offered, plane.now()).await?;
        authenticator(plane, &mine, &secret, offered.expires_at)
    })
    .await
}

pub(crate) async fn add_authenticator(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: AuthenticatorRequest,
) -> Result<Allowed<FactorsChanged>, Problem> {
    let summary = said("add-authenticator");
    let (request, pass) =
        plane.permit(caller, Action::SignIn, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let mine = changeable(plane, caller).await?;
        let (offered, secret) = offer(plane, caller, mine.person).await?;
        let Ok(step) = totp::verify(&secret, request.totp.expose().trim(), plane.now(), None) else {
            // They know the secret: they only mistyped.
            plane.store.begin_ceremony(&offered, plane.now()).await?;
            return Err(Problem::new(ErrorCode::Refused, "the code of the authenticator is wrong")
                .hint("send the code the app shows now"));
        };
        let turn = plane.turn().await?;
        let mine = changeable(plane, caller).await?;
        let change = CredentialChange {
            totp: Some(plane.totp_key.seal(mine.person, &secret, &*plane.ids)?),
            totp_step: Some(step.number()),
            ..CredentialChange::of(mine.person)
        };
        let lines = vec![format!("{} has a new authenticator app", mine.name)];
        let changes = vec![StateChange::Credential(Box::new(change))];
        let actor = Some(caller.who.principal());
        let settled = turn.make(Changed { actor, what: "add-authenticator", lines, changes }).await?;
        plane.observe_bootstrap().await?;
        changed_view(plane, mine.person, settled).await
    })
    .await
}

pub(crate) async fn remove_authenticator(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<FactorsChanged>, Problem> {
    let summary = said("remove-authenticator");
    let ((), pass) = plane.permit(caller, Action::SignIn, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let turn = plane.turn().await?;
        let mine = changeable(plane, caller).await?;
        if mine.credential.totp.is_none() {
            return Err(Problem::not_found("authenticator app of", &mine.name));
        }
        mine.held().may_remove_totp().map_err(refused)?;
        let lines = vec![format!("{} gave up the authenticator app", mine.name)];
        let changes = vec![StateChange::DropFactor(mine.person, Factor::Totp)];
        let actor = Some(caller.who.principal());
        let settled = turn.make(Changed { actor, what: "remove-authenticator", lines, changes }).await?;
        changed_view(plane, mine.person, settled).await
    })
    .await
}

pub(crate) async fn new_recovery_codes(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<RecoveryCodesMade>, Problem> {
    let summary = said("recovery-codes");
    let ((), pass) = plane.permit(caller, Action::SignIn, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let turn = plane.turn().await?;
        let mine = changeable(plane, caller).await?;
        let (codes, hashes) = recovery::generate(&*plane.ids);
        let change = CredentialChange { recovery: Some(hashes), ..CredentialChange::of(mine.person) };
        let lines = vec![format!("{} has new recovery codes", mine.name)];
        let changes = vec![StateChange::Credential(Box::new(change))];
        let actor = Some(caller.who.principal());
        let settled = turn.make(Changed { actor, what: "recovery-codes", lines, changes }).await?;
        let recovery_codes = codes.iter().map(|code| Secret::new(code.expose().as_str())).collect();
        Ok(RecoveryCodesMade { recovery_codes, revision: settled.revision })
    })
    .await
}

// --- What all of them share ---

/// What the caller signs in with, once it is clear that they may change it.
struct Mine {
    person: PersonId,
    name: String,
    credential: Credential,
    passkeys: Vec<StoredPasskey>,
}

impl Mine {
    fn held(&self) -> Held {
        Held {
            totp: self.credential.totp.is_some(),
            passkeys: self.passkeys.iter().filter(|each| each.counts()).count(),
        }
    }
}

async fn changeable(plane: &ControlPlane, caller: &Caller) -> Result<Mine, Problem> {
    let person = person(caller)?;
    let session = account::current_session(plane, caller).await?;
    factors::may_change(&session, plane.now()).map_err(refused)?;
    let credential = plane.store.credential(person).await?;
    let credential = credential.ok_or_else(|| refused(FactorRefusal::Elsewhere))?;
    let snapshot = plane.snapshot();
    let name = snapshot.person(person).map(|person| person.name.to_string()).unwrap_or_default();
    Ok(Mine { person, name, credential, passkeys: plane.store.passkeys(person).await? })
}

pub(crate) fn person(caller: &Caller) -> Result<PersonId, Problem> {
    match caller.who.principal() {
        PrincipalRef::Person(person) => Ok(person),
        PrincipalRef::Machine(_) => {
            Err(Problem::new(ErrorCode::Refused, "a machine signs in with nothing of its own"))
        }
    }
}

async fn view(plane: &ControlPlane, person: PersonId) -> Result<FactorsView, Problem> {
    let credential = plane.store.credential(person).await?;
    let passkeys = plane.store.passkeys(person).await?;
    Ok(FactorsView {
        password: credential.as_ref().is_some_and(|credential| credential.password.is_some()),
        authenticator: credential.as_ref().is_some_and(|credential| credential.totp.is_some()),
        passkeys: passkeys.iter().map(passkey_view).collect(),
        recovery_codes_left: credential.as_ref().map_or(0, |credential| credential.recovery_codes_left),
        changed_at: credential.map(|credential| credential.changed_at),
        passkeys_possible: plane.passkeys.is_some(),
    })
}

fn passkey_view(stored: &StoredPasskey) -> PasskeyView {
    PasskeyView {
        id: stored.id().to_string(),
        name: stored.name.clone(),
        added_at: stored.added_at,
        used_at: stored.used_at,
        synced: stored.passkey.is_synced(),
        copied_at: stored.copied_at,
    }
}

async fn changed_view(
    plane: &ControlPlane,
    person: PersonId,
    settled: Settled,
) -> Result<FactorsChanged, Problem> {
    Ok(FactorsChanged { factors: view(plane, person).await?, revision: settled.revision })
}

async fn counting(plane: &ControlPlane, person: PersonId) -> Result<Vec<StoredPasskey>, Problem> {
    let stored = plane.store.passkeys(person).await?;
    Ok(stored.into_iter().filter(StoredPasskey::counts).collect())
}

/// A passkey that a device just made for the challenge of this purpose.
pub(crate) async fn registered(
    plane: &ControlPlane,
    visit: &Visit,
    answer: &Value,
    purpose: &str,
) -> Result<Passkey, Problem> {
    let answer = bounded(answer)?;
    let ceremony = taken(plane, visit, answer, purpose).await?;
    let passkey = party(plane)?
        .finish_registration(answer, &ceremony.state)
        .map_err(|refusal| wrong(plane, visit, &refusal))?;
    match plane.store.passkey_owner(&passkey.id()).await? {
        None => Ok(passkey),
        Some(_) => Err(wrong(plane, visit, &PasskeyRefusal::Known)),
    }
}

/// Keeps a challenge until it is answered.
pub(crate) async fn keep(
    plane: &ControlPlane,
    source: &str,
    purpose: String,
    options: Value,
    ceremony: Ceremony,
) -> Result<PasskeyOptions, Problem> {
    let now = plane.now();
    let stored = StoredCeremony {
        challenge: ceremony.challenge,
        purpose,
        source: source.to_owned(),
        state: ceremony.state,
        expires_at: Ceremony::ends_at(now),
    };
    plane.store.begin_ceremony(&stored, now).await?;
    Ok(PasskeyOptions { options, expires_at: stored.expires_at })
}

/// Takes the challenge of an answer out of the store: it is not there a second time.
async fn taken(
    plane: &ControlPlane,
    visit: &Visit,
    answer: &Value,
    purpose: &str,
) -> Result<StoredCeremony, Problem> {
    let challenge = passkey::challenge_of(answer).map_err(|refusal| wrong(plane, visit, &refusal))?;
    let found = plane.store.take_ceremony(&challenge, purpose, plane.now()).await?;
    found.ok_or_else(|| rejected(plane, visit, "a passkey answered no open challenge"))
}

/// A name for a passkey.
pub(crate) fn called(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(Problem::malformed(format!(
            "the name of a passkey has 1 to {NAME_CHARS_MAX} printable characters"
        )));
    }
    Ok(name.to_owned())
}

fn bounded(answer: &Value) -> Result<&Value, Problem> {
    if answer.to_string().len() > ANSWER_BYTES_MAX {
        return Err(Problem::new(
            ErrorCode::TooLarge,
            format!("the answer of a passkey has at most {ANSWER_BYTES_MAX} bytes"),
        ));
    }
    Ok(answer)
}

pub(crate) fn party(plane: &ControlPlane) -> Result<&RelyingParty, Problem> {
    plane.passkeys.as_ref().ok_or_else(|| {
        Problem::new(ErrorCode::Refused, "there are no passkeys here: they need a host with a name")
            .hint("open the console at a name, such as localhost, that is its `external_url`")
    })
}

fn wrong(plane: &ControlPlane, visit: &Visit, refusal: &PasskeyRefusal) -> Problem {
    if let PasskeyRefusal::Stored(error) = refusal {
        return Problem::internal("reading a passkey", error);
    }
    rejected(plane, visit, &chain(refusal))
}

/// The log has the reason; the one who asked hears the same whatever it was.
fn rejected(plane: &ControlPlane, visit: &Visit, reason: &str) -> Problem {
    tracing::info!(reason, "a passkey was refused");
    plane.enforcer().reject(&Rejection {
        kind: RejectionKind::Unauthenticated,
        peer: visit.situation.peer.clone(),
        protocol: "control",
        reason: "a passkey was refused".to_owned(),
        request: Some(visit.mark),
    });
    unaccepted()
}

fn unaccepted() -> Problem {
    Problem::new(ErrorCode::BadCredentials, "the passkey was not accepted")
        .hint("try again within five minutes of beginning, or sign in another way")
}

fn fault(refusal: &PasskeyRefusal) -> Problem {
    Problem::internal("making a challenge", refusal)
}

fn refused(refusal: FactorRefusal) -> Problem {
    let hint = match refusal {
        FactorRefusal::Elsewhere => "your issuer is the place to change how you sign in",
        FactorRefusal::Weak | FactorRefusal::Stale => "sign in again with both factors, then repeat it",
        FactorRefusal::Last => "add another passkey or an authenticator app first",
        FactorRefusal::TooMany => "remove one you do not use any more",
    };
    Problem::new(ErrorCode::Refused, refusal.to_string()).hint(hint)
}

fn said(what: &'static str) -> Summary {
    Summary::default().with("what", what)
}

fn add_purpose(session: SessionId) -> String {
    format!("add {session}")
}

fn offer_purpose(session: SessionId) -> String {
    format!("authenticator {session}")
}

fn offer_key(session: SessionId) -> Digest {
    Digest::of(offer_purpose(session).as_bytes())
}

async fn offer(
    plane: &ControlPlane,
    caller: &Caller,
    person: PersonId,
) -> Result<(StoredCeremony, TotpSecret), Problem> {
    let session = caller.who.session().id;
    let found = plane.store.take_ceremony(&offer_key(session), &offer_purpose(session), plane.now()).await?;
    let found = found.ok_or_else(|| {
        Problem::new(
            ErrorCode::Conflict,
            "ask for an authenticator secret first, and answer within five minutes",
        )
    })?;
    let bytes = URL_SAFE_NO_PAD
        .decode(&found.state)
        .map_err(|error| Problem::internal("reading an offered secret", &error))?;
    let secret = plane
        .totp_key
        .open(person, &Sealed::new(bytes)?)
        .map_err(|error| Problem::internal("opening an offered secret", &error))?;
    Ok((found, secret))
}

fn authenticator(
    plane: &ControlPlane,
    mine: &Mine,
    secret: &TotpSecret,
    expires_at: Timestamp,
) -> Result<AuthenticatorOffered, Problem> {
    let account = mine.name.parse().map_err(|error| Problem::internal("naming an account", &error))?;
    Ok(AuthenticatorOffered {
        otpauth: Secret::new(secret.uri(&plane.settings.issuer_name, &account).as_str()),
        secret: Secret::new(secret.base32().as_str()),
        expires_at,
    })
}
