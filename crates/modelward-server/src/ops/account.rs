//! Signing in and out, one's own sessions, and who one is.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use modelward_decision::vocabulary::{Action, Binding, PrincipalRef, ResourceRef, SessionId};
use modelward_decision::{EpochScope, Snapshot};
use modelward_enforcement::{Rejection, RejectionKind, Summary};
use modelward_governance::Bootstrap;
use modelward_identity::login::{Account, Login, LoginRefusal};
use modelward_identity::password::Password;
use modelward_identity::recovery::RecoveryCode;
use modelward_identity::session::{self, Opened, Refusal, SessionRecord, Since};
use modelward_identity::softlock::{AccountKey, LockKey, SourcePrefix, Wait};
use modelward_identity::totp::Step;
use modelward_store::sign_in::Attempt;

use crate::caller::{Caller, Visit};
use crate::control::{Allowed, ControlPlane};
use crate::ops::{federation, grants, people};
use crate::problem::Problem;
use crate::revocation::{Bump, Bumped, Cause};
use crate::wire::{
    BootstrapView, ErrorCode, List, LoggedIn, LoggedOut, LoginRequest, Secret, SessionView, SessionsEnded,
    Whoami,
};
use crate::{names, ops, words};

pub(crate) fn wait(wait: Wait, now: Timestamp) -> Problem {
    let seconds = wait.until.duration_since(now).as_secs().max(1);
    Problem::new(ErrorCode::TooManyTries, "too many tries; wait before the next one")
        .retry_after(u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// Why a session that was just opened does not count: somebody ended all of them while it was being opened.
pub(crate) fn ended_meanwhile(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Revoked => Problem::unauthenticated(),
        Refusal::Unknown | Refusal::Idle | Refusal::Expired => {
            Problem::internal("opening a session", &refusal)
        }
    }
}

/// A session just opened, with its secret for the one who opened it.
pub(crate) struct SignedIn {
    pub(crate) opened: Opened,
    pub(crate) recovery_codes_left: Option<u32>,
}

/// Signs in. Whatever is wrong, the answer is the same, after the same work.
pub(crate) async fn sign_in(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    request: LoginRequest,
    binding: Binding,
) -> Result<Allowed<SignedIn>, Problem> {
    // Before anything is looked at: what is revoked from here on ends the session too.
    let before = plane.snapshot();
    let now = plane.now();
    let name = request.name.to_string();
    let attempt = plane
        .with_softlocks(|locks| locks.begin(&name, visit.address, now))
        .map_err(|until| wait(until, now))?;
    let result = prove(plane, visit, &request).await;
    if result.is_ok() {
        plane.with_softlocks(|locks| locks.succeed(&attempt, now));
    }
    let outcome = match &result {
        Ok(proved) if proved.recovery_codes_left.is_some() => "recovery-code",
        Ok(_) => "ok",
        Err(_) => "refused",
    };
    remember(plane, visit, &name, outcome).await?;
    open_session(plane, visit, &before, result?, binding).await
}

/// Who is to get a session, and what it rests on.
pub(crate) struct Opening {
    pub(crate) login: Login,
    /// For the ledger: `password`, `recovery-code` or `passkey`.
    pub(crate) how: &'static str,
    pub(crate) recovery_codes_left: Option<u32>,
}

/// Opens a session for somebody who just proved who they are. `before` is the state from before anything of it was looked
/// at.
pub(crate) async fn open_session(
    plane: &Arc<ControlPlane>,
    visit: &Visit,
    before: &Snapshot,
    opening: Opening,
    binding: Binding,
) -> Result<Allowed<SignedIn>, Problem> {
    let Opening { login, how, recovery_codes_left } = opening;
    let now = plane.now();
    let since = Since::read(before, login.principal());
    let mut opened = session::open(&login, since, binding, visit.user_agent.as_deref(), &*plane.ids, now);
    opened.record.source = Some(visit.situation.peer.as_str().to_owned());
    let who = opened.record.authenticate(&opened.token, &plane.snapshot(), now).map_err(ended_meanwhile)?;
    let caller =
        Caller { who, situation: visit.situation.clone(), mark: visit.mark, session: None, form_token: None };
    let summary = Summary::default().with("session", opened.record.id).with("how", how);
    let (opened, pass) =
        plane.permit(&caller, Action::SignIn, ResourceRef::Platform, summary, opened).await?;
    pass.carry_out(async {
        plane.store.begin_session(&opened.record).await?;
        Ok(SignedIn { opened, recovery_codes_left })
    })
    .await
}

/// Opens a session in the place of the caller's own: they just proved again who they are.
pub(crate) async fn open_again(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    visit: &Visit,
    before: &Snapshot,
    login: &Login,
) -> Result<Allowed<SignedIn>, Problem> {
    let now = plane.now();
    let present = current_session(plane, caller).await?;
    let since = Since::read(before, login.principal());
    let mut opened =
        present.step_up(login, since, &*plane.ids, now).map_err(|_| Problem::unauthenticated())?;
    opened.record.source = Some(visit.situation.peer.as_str().to_owned());
    let summary = Summary::default().with("what", "prove-again").with("session", opened.record.id);
    let (opened, pass) = plane.permit(caller, Action::SignIn, ResourceRef::Platform, summary, opened).await?;
    pass.carry_out(async {
        plane.store.begin_session(&opened.record).await?;
        if let Some(former) = opened.ends {
            end(plane, caller, former).await?;
        }
        Ok(SignedIn { opened, recovery_codes_left: None })
    })
    .await
}

/// Both factors, in this order, with what they use up written down before they count.
async fn prove(plane: &Arc<ControlPlane>, visit: &Visit, request: &LoginRequest) -> Result<Opening, Problem> {
    let wrong = |plane: &ControlPlane| {
        plane.enforcer().reject(&Rejection {
            kind: RejectionKind::Unauthenticated,
            peer: visit.situation.peer.clone(),
            protocol: "control",
            reason: "a sign-in was refused".to_owned(),
            request: Some(visit.mark),
        });
        Problem::new(ErrorCode::BadCredentials, "name, password or code is wrong")
    };
    let refusal = |refusal: LoginRefusal| match refusal {
        LoginRefusal::Wrong => wrong(plane),
        LoginRefusal::Busy => Problem::new(ErrorCode::Unavailable, refusal.to_string()).retry_after(1),
        LoginRefusal::Broken => Problem::internal("reading a credential", &refusal),
    };
    let person = plane.snapshot().person_named(request.name.as_str()).map(|person| person.id);
    let credential = match person {
        Some(person) => plane.store.credential(person).await?,
        None => None,
    };
    let account = credential.as_ref().and_then(|credential| {
        Some(Account { person: credential.person, password: credential.password.clone()? })
    });
    let Ok(password) = Password::new(request.password.expose()) else { return Err(wrong(plane)) };
    let login = first_factor(plane, account, password).await?.map_err(refusal)?;
    let Some(credential) = credential else { return Err(wrong(plane)) };

    let name = request.name.as_str();
    let attempt = plane
        .with_softlocks(|locks| locks.begin_totp(name, plane.now()))
        .map_err(|until| wait(until, plane.now()))?;
    let proved = match (&request.totp, &request.recovery_code) {
        (Some(code), None) => {
            let login = second_factor(plane, login, &credential, code.expose()).await?;
            login.map(|login| Opening { login, how: "password", recovery_codes_left: None })
        }
        (None, Some(code)) => recovery(plane, login, code.expose()).await?,
        _ => return Err(Problem::malformed("send `totp` or `recovery_code`, one of them")),
    };
    let Some(proved) = proved else { return Err(wrong(plane)) };
    plane.with_softlocks(|locks| locks.succeed(&attempt, plane.now()));
    Ok(proved)
}

async fn first_factor(
    plane: &Arc<ControlPlane>,
    account: Option<Account>,
    password: Password,
) -> Result<Result<Login, LoginRefusal>, Problem> {
    let (passwords, ids, now) = (Arc::clone(&plane.passwords), Arc::clone(&plane.ids), plane.now());
    let (login, rehash) = tokio::task::spawn_blocking(move || {
        let login = Login::with_password(&passwords, account.as_ref(), &password, now);
        let outdated = account.filter(|account| login.is_ok() && account.password.is_outdated());
        let rehash = outdated.and_then(|account| {
            Some((account.person, passwords.hash(&password, &*ids).ok()?, account.password))
        });
        (login, rehash)
    })
    .await
    .map_err(|error| Problem::internal("checking a password", &error))?;
    if let Some((person, after, before)) = rehash {
        plane.store.rehash_password(person, &before, &after).await?;
    }
    Ok(login)
}

async fn second_factor(
    plane: &ControlPlane,
    login: Login,
    credential: &modelward_store::credential::Credential,
    code: &str,
) -> Result<Option<Login>, Problem> {
    let Some(sealed) = &credential.totp else { return Ok(None) };
    let secret = plane
        .totp_key
        .open(credential.person, sealed)
        .map_err(|error| Problem::internal("opening an authenticator secret", &error))?;
    let last = credential.totp_step.map(Step::from_number);
    let Ok((login, step)) = login.and_totp(&secret, code.trim(), last) else { return Ok(None) };
    // Of two sign-ins with one code, one gets here first.
    let is_first = plane.store.use_totp_step(credential.person, step.number()).await?;
    Ok(is_first.then_some(login))
}

async fn recovery(plane: &ControlPlane, login: Login, typed: &str) -> Result<Option<Opening>, Problem> {
    let person = login.person();
    let codes = plane.store.recovery_codes(person).await?;
    let Ok(code) = RecoveryCode::read(typed) else { return Ok(None) };
    let Ok((login, left)) = login.and_recovery(&codes, typed) else { return Ok(None) };
    let is_first = plane.store.use_recovery_code(person, &code.digest()).await?;
    let left = u32::try_from(left.unused.len()).unwrap_or(u32::MAX);
    Ok(is_first.then_some(Opening { login, how: "recovery-code", recovery_codes_left: Some(left) }))
}

/// Keeps counters across restarts, and the attempt for its owner to see.
pub(crate) async fn remember(
    plane: &ControlPlane,
    visit: &Visit,
    name: &str,
    outcome: &str,
) -> Result<(), Problem> {
    let (account, source) = (AccountKey::of(name), SourcePrefix::of(visit.address));
    let keys = [
        LockKey::Pair(account, source),
        LockKey::Account(account),
        LockKey::Source(source),
        LockKey::Totp(account),
        LockKey::Passkey(account, source),
    ];
    let locks: Vec<_> =
        plane.with_softlocks(|locks| keys.into_iter().map(|key| (key, locks.get(&key).copied())).collect());
    plane.store.keep_softlocks(&locks).await?;
    let attempt = Attempt {
        at: plane.now(),
        name: name.to_owned(),
        source: visit.situation.peer.as_str().to_owned(),
        outcome: outcome.to_owned(),
    };
    Ok(plane.store.note_attempt(&attempt).await?)
}

pub(crate) fn logged_in(plane: &ControlPlane, signed_in: &SignedIn) -> LoggedIn {
    let record = &signed_in.opened.record;
    LoggedIn {
        session_secret: Secret::new(signed_in.opened.token.expose().as_str()),
        session: session_view(record, Some(record.id)),
        person: names::principal_view(&plane.snapshot(), record.principal),
        recovery_codes_left: signed_in.recovery_codes_left,
    }
}

pub(crate) fn session_view(record: &SessionRecord, current: Option<SessionId>) -> SessionView {
    SessionView {
        id: record.id,
        current: current == Some(record.id),
        strength: record.strength.level(),
        methods: record.methods.iter().map(ToString::to_string).collect(),
        authenticated_at: record.authenticated_at,
        created_at: record.created_at,
        last_seen_at: record.last_seen_at,
        idle_until: record.last_seen_at.checked_add(session::IDLE).unwrap_or(Timestamp::MAX),
        expires_at: record.ends_for_good_at(),
        user_agent: record.user_agent.clone().unwrap_or_default(),
        source: record.source.clone().unwrap_or_default(),
        issuer: record.origin.as_ref().map(|origin| origin.identity.issuer.clone()),
    }
}

pub(crate) async fn whoami(plane: &Arc<ControlPlane>, caller: &Caller) -> Result<Allowed<Whoami>, Problem> {
    let ((), pass) =
        plane.permit(caller, Action::ReadSelf, ResourceRef::Platform, Summary::default(), ()).await?;
    pass.carry_out(async {
        let snapshot = plane.snapshot();
        let principal = caller.who.principal();
        let clearance = match principal {
            PrincipalRef::Person(id) => snapshot.person(id).map(|person| person.clearance),
            PrincipalRef::Machine(id) => snapshot.machine(id).map(|machine| machine.clearance),
        };
        let groups: BTreeSet<String> = names::groups_of(&snapshot, principal)
            .into_iter()
            .filter_map(|id| snapshot.group(id).map(|group| group.name.to_string()))
            .collect();
        let session = current_session(plane, caller).await?;
        Ok(Whoami {
            principal: names::principal_view(&snapshot, principal),
            session: session_view(&session, Some(session.id)),
            clearance: clearance.unwrap_or_default().to_string(),
            groups: groups.into_iter().collect(),
            grants: grants::held(plane, &snapshot, principal),
            bootstrap: bootstrap_view(plane.bootstrap().await?),
            revision: snapshot.revision(),
            now: plane.now(),
        })
    })
    .await
}

pub(crate) async fn current_session(plane: &ControlPlane, caller: &Caller) -> Result<SessionRecord, Problem> {
    if let Some(record) = &caller.session {
        return Ok(SessionRecord::clone(record));
    }
    let found = plane.store.session(caller.who.session().id).await?;
    found.map(|session| session.record).ok_or_else(Problem::unauthenticated)
}

pub(crate) fn bootstrap_view(state: Bootstrap) -> BootstrapView {
    let sentence = match state {
        Bootstrap::Uninitialised => "Nobody was let in yet.",
        Bootstrap::Open { .. } => {
            "This installation is young: read-only, inference, audit and govern can be given directly, until two people in \
             two groups hold second factors."
        }
        Bootstrap::Closed { .. } => "Every grant needs a request, decided by people of other groups.",
    };
    BootstrapView { open: state.is_open(), sentence: sentence.to_owned() }
}

pub(crate) async fn sessions(
    plane: &ControlPlane,
    caller: &Caller,
) -> Result<Allowed<List<SessionView>>, Problem> {
    let ((), pass) =
        plane.permit(caller, Action::ReadSelf, ResourceRef::Platform, Summary::default(), ()).await?;
    pass.carry_out(open_sessions(plane, caller, caller.who.principal())).await
}

/// The sessions of a person, for whoever audits or governs.
pub(crate) async fn sessions_of(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
) -> Result<Allowed<List<SessionView>>, Problem> {
    let action = ops::either(plane, caller, Action::ReadAccess, Action::ReadConfiguration);
    let summary = Summary::default().with("what", "sessions").with("person", people::known_as(plane, name));
    let ((), pass) = plane.permit(caller, action, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let person = people::person_named(&plane.snapshot(), name)?;
        open_sessions(plane, caller, PrincipalRef::Person(person)).await
    })
    .await
}

/// Sessions of somebody that count, the caller's own first, then by last use.
async fn open_sessions(
    plane: &ControlPlane,
    caller: &Caller,
    whose: PrincipalRef,
) -> Result<List<SessionView>, Problem> {
    let (snapshot, now) = (plane.snapshot(), plane.now());
    let current = caller.who.session().id;
    let sessions = plane.store.sessions_of(whose, None, modelward_store::PAGE_MAX).await?;
    let mut items: Vec<SessionView> = sessions
        .iter()
        .filter(|session| session.ended_at.is_none() && now < session.record.ends_at())
        .map(|session| session_view(&session.record, Some(current)))
        .collect();
    items.sort_by_key(|session| (!session.current, std::cmp::Reverse(session.last_seen_at)));
    Ok(List { items, revision: snapshot.revision() })
}

pub(crate) async fn sign_out(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<LoggedOut>, Problem> {
    let session = caller.who.session().id;
    let (session, pass) =
        plane.permit(caller, Action::EndSession, ResourceRef::Platform, Summary::default(), session).await?;
    pass.carry_out(async {
        end(plane, caller, session).await?;
        let origin = caller.session.as_ref().and_then(|record| record.origin.as_ref());
        let issuer_sign_out_url = match origin {
            Some(origin) => federation::sign_out_url(plane, &origin.identity).await,
            None => None,
        };
        Ok(LoggedOut { session, issuer_sign_out_url })
    })
    .await
}

/// Ends a session: one's own, or somebody else's with the right to.
pub(crate) async fn end_session(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    session: SessionId,
) -> Result<Allowed<SessionsEnded>, Problem> {
    let found = plane.store.session(session).await?;
    let own = found.as_ref().is_some_and(|found| found.record.principal == caller.who.principal());
    let action = if own { Action::EndSession } else { Action::EndSessions };
    let summary = Summary::default().with("session", session);
    let (session, pass) = plane.permit(caller, action, ResourceRef::Platform, summary, session).await?;
    pass.carry_out(async {
        if found.is_none() {
            return Err(Problem::not_found("session", &session.to_string()));
        }
        let revision = end(plane, caller, session).await?;
        Ok(SessionsEnded { sessions: 1, revision: Some(revision) })
    })
    .await
}

/// Ends every session of the caller but the present one.
pub(crate) async fn end_others(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<SessionsEnded>, Problem> {
    let summary = Summary::default().with("what", "end-others");
    let ((), pass) = plane.permit(caller, Action::EndSession, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let (principal, present) = (caller.who.principal(), caller.who.session().id);
        let turn = plane.turn().await?;
        let now = plane.now();
        let sessions = plane.store.sessions_of(principal, None, modelward_store::PAGE_MAX).await?;
        let others: Vec<SessionId> = sessions
            .iter()
            .filter(|each| each.ended_at.is_none() && now < each.record.ends_at())
            .map(|each| each.record.id)
            .filter(|id| *id != present)
            .collect();
        if others.is_empty() {
            return Ok(SessionsEnded { sessions: 0, revision: None });
        }
        let ended = others.len();
        let mut bump = Bump::new(Some(principal), Cause::SessionEnded);
        for session in others {
            bump = bump.of(EpochScope::Session(session)).line(format!("session {session} ended"));
        }
        let settled = turn.bump(bump).await?.settled;
        let sessions = u64::try_from(ended).unwrap_or(u64::MAX);
        Ok(SessionsEnded { sessions, revision: Some(settled.revision) })
    })
    .await
}

/// Ends one session, with the tokens and streams that came from it.
async fn end(plane: &Arc<ControlPlane>, caller: &Caller, session: SessionId) -> Result<u64, Problem> {
    let bump = Bump::new(Some(caller.who.principal()), Cause::SessionEnded)
        .of(EpochScope::Session(session))
        .line(format!("session {session} ended"));
    Ok(plane.turn().await?.bump(bump).await?.settled.revision)
}

/// Ends every session of a person, with all tokens and streams that came from them.
pub(crate) async fn end_all(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
) -> Result<Allowed<SessionsEnded>, Problem> {
    let summary = Summary::default().with("person", people::known_as(plane, name));
    let ((), pass) = plane.permit(caller, Action::EndSessions, ResourceRef::Platform, summary, ()).await?;
    pass.carry_out(async {
        let principal = PrincipalRef::Person(people::person_named(&plane.snapshot(), name)?);
        let name = names::principal_view(&plane.snapshot(), principal).name;
        let bump = Bump::new(Some(caller.who.principal()), Cause::SessionsEnded)
            .of(EpochScope::Principal(principal))
            .line(format!("every session of {name} ended"));
        let Bumped { settled, sessions } = plane.turn().await?.bump(bump).await?;
        Ok(SessionsEnded { sessions, revision: Some(settled.revision) })
    })
    .await
}

/// How one signed in, in words.
pub(crate) fn proof_in_words(session: &SessionView) -> String {
    words::methods(&session.methods)
}
