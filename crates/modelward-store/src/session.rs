//! Sessions of people who signed in, found by the hash of the token their browser or terminal presents.

use jiff::Timestamp;
use modelward_decision::vocabulary::{CredentialScope, PrincipalRef, SessionId};
use modelward_identity::federation::Identity;
use modelward_identity::session::{Origin, SessionRecord, USER_AGENT_MAX};
use modelward_identity::{EpochMark, Strength};
use modelward_seal::Digest;
use sqlx::any::AnyRow;

use crate::error::Doing;
use crate::sql::{FOREVER, count, from_json, micros, number, page, parse, principal, text, time, to_json};
use crate::{Store, StoreError};

/// A session, ended or not. That it is in the store proves nothing: the record has to be asked to authenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub record: SessionRecord,
    pub ended_at: Option<Timestamp>,
}

impl Store {
    pub async fn begin_session(&self, session: &SessionRecord) -> Result<(), StoreError> {
        let user_agent = session.user_agent.clone().unwrap_or_default();
        // The limit is in characters.
        if user_agent.chars().count() > USER_AGENT_MAX {
            return Err(StoreError::TooLong { what: "the user agent of a session", max: USER_AGENT_MAX });
        }
        let origin = session.origin.as_ref();
        let said = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let _writing = self.writing().await;
        sqlx::query(
            "INSERT INTO session (id, principal, token_hash, strength, methods, binding, authenticated_at,
                                  created_at, last_seen_at, expires_at, epoch_principal, epoch_session,
                                  user_agent, ended_at, scope, proof_ends_at, issuer, subject,
                                  issuer_session, source)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        )
        .bind(session.id.to_string())
        .bind(session.principal.to_string())
        .bind(session.token_hash.to_string())
        .bind(i64::from(session.strength.level()))
        .bind(to_json(&session.methods, "the methods of a session")?)
        .bind(to_json(&session.binding, "the binding of a session")?)
        .bind(micros(session.authenticated_at))
        .bind(micros(session.created_at))
        .bind(micros(session.last_seen_at))
        .bind(micros(session.ends_for_good_at()))
        .bind(signed(session.epoch.principal))
        .bind(signed(session.epoch.session))
        .bind(user_agent)
        .bind(FOREVER)
        .bind(to_json(&session.scope, "the scope of a session")?)
        .bind(session.until.map_or(FOREVER, micros))
        .bind(said(origin.map(|origin| origin.identity.issuer.as_str())))
        .bind(said(origin.map(|origin| origin.identity.subject.as_str())))
        .bind(said(origin.and_then(|origin| origin.sid.as_deref())))
        .bind(said(session.source.as_deref()))
        .execute(self.pool())
        .await
        .doing("begin a session")?;
        Ok(())
    }

    /// The session a presented token belongs to, ended or not.
    pub async fn session_by_token(&self, hash: &Digest) -> Result<Option<Session>, StoreError> {
        let row = sqlx::query(
            "SELECT id, principal, token_hash, strength, methods, binding, authenticated_at, created_at,
                    last_seen_at, epoch_principal, epoch_session, user_agent, ended_at,
                    scope, proof_ends_at, issuer, subject, issuer_session, source
             FROM session WHERE token_hash = $1",
        )
        .bind(hash.to_string())
        .fetch_optional(self.pool())
        .await
        .doing("look for a session")?;
        row.as_ref().map(from_row).transpose()
    }

    pub async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let row = sqlx::query(
            "SELECT id, principal, token_hash, strength, methods, binding, authenticated_at, created_at,
                    last_seen_at, epoch_principal, epoch_session, user_agent, ended_at,
                    scope, proof_ends_at, issuer, subject, issuer_session, source
             FROM session WHERE id = $1",
        )
        .bind(id.to_string())
        .fetch_optional(self.pool())
        .await
        .doing("read a session")?;
        row.as_ref().map(from_row).transpose()
    }

    /// Sessions of a principal in the order of their ids, after the given one.
    pub async fn sessions_of(
        &self,
        principal: PrincipalRef,
        after: Option<SessionId>,
        limit: u32,
    ) -> Result<Vec<Session>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, principal, token_hash, strength, methods, binding, authenticated_at, created_at,
                    last_seen_at, epoch_principal, epoch_session, user_agent, ended_at,
                    scope, proof_ends_at, issuer, subject, issuer_session, source
             FROM session WHERE principal = $1 AND id > $2 ORDER BY id LIMIT $3",
        )
        .bind(principal.to_string())
        .bind(after.map(|id| id.to_string()).unwrap_or_default())
        .bind(page(limit))
        .fetch_all(self.pool())
        .await
        .doing("list sessions")?;
        rows.iter().map(from_row).collect()
    }

    /// Sessions that go on and come from an issuer: all of them, or those of a subject or of a session there.
    pub async fn sessions_from(
        &self,
        issuer: &str,
        subject: Option<&str>,
        sid: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Session>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, principal, token_hash, strength, methods, binding, authenticated_at, created_at,
                    last_seen_at, epoch_principal, epoch_session, user_agent, ended_at,
                    scope, proof_ends_at, issuer, subject, issuer_session, source
             FROM session WHERE issuer = $1 AND ended_at = $2 AND ($3 = '' OR subject = $3)
                            AND ($4 = '' OR issuer_session = $4) ORDER BY id LIMIT $5",
        )
        .bind(issuer.to_owned())
        .bind(FOREVER)
        .bind(subject.unwrap_or_default().to_owned())
        .bind(sid.unwrap_or_default().to_owned())
        .bind(page(limit))
        .fetch_all(self.pool())
        .await
        .doing("list the sessions of an issuer")?;
        rows.iter().map(from_row).collect()
    }

    /// Notes that a session was used; never turns the clock back and never revives an ended one.
    pub async fn touch_session(&self, id: SessionId, at: Timestamp) -> Result<(), StoreError> {
        let _writing = self.writing().await;
        sqlx::query(
            "UPDATE session SET last_seen_at = $1 WHERE id = $2 AND last_seen_at < $1 AND ended_at = $3",
        )
        .bind(micros(at))
        .bind(id.to_string())
        .bind(FOREVER)
        .execute(self.pool())
        .await
        .doing("note the use of a session")?;
        Ok(())
    }

    /// Ends a session for good. False if it had ended, or never was.
    pub async fn end_session(&self, id: SessionId, at: Timestamp) -> Result<bool, StoreError> {
        let _writing = self.writing().await;
        let done = sqlx::query("UPDATE session SET ended_at = $1 WHERE id = $2 AND ended_at = $3")
            .bind(micros(at))
            .bind(id.to_string())
            .bind(FOREVER)
            .execute(self.pool())
            .await
            .doing("end a session")?;
        Ok(done.rows_affected() == 1)
    }

    /// Ends every session of a principal but one; says how many.
    pub async fn end_sessions_of(
        &self,
        principal: PrincipalRef,
        except: Option<SessionId>,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        let _writing = self.writing().await;
        let done = sqlx::query(
            "UPDATE session SET ended_at = $1 WHERE principal = $2 AND ended_at = $3 AND id <> $4",
        )
        .bind(micros(at))
        .bind(principal.to_string())
        .bind(FOREVER)
        .bind(except.map(|id| id.to_string()).unwrap_or_default())
        .execute(self.pool())
        .await
        .doing("end sessions")?;
        Ok(done.rows_affected())
    }

    /// Forgets sessions that were over before this moment; says how many.
    pub async fn forget_sessions(&self, before: Timestamp) -> Result<u64, StoreError> {
        let _writing = self.writing().await;
        let done = sqlx::query("DELETE FROM session WHERE expires_at < $1")
            .bind(micros(before))
            .execute(self.pool())
            .await
            .doing("forget sessions")?;
        Ok(done.rows_affected())
    }
}

fn from_row(row: &AnyRow) -> Result<Session, StoreError> {
    let strength = u8::try_from(number(row, 3)?).ok().and_then(Strength::of_level);
    let record = SessionRecord {
        id: parse(text(row, 0)?, "a session")?,
        principal: principal(text(row, 1)?)?,
        token_hash: parse(text(row, 2)?, "the token hash of a session")?,
        // An unknown strength is worth nothing.
        strength: strength.unwrap_or(Strength::Nothing),
        methods: from_json(text(row, 4)?, "the methods of a session")?,
        binding: from_json(text(row, 5)?, "the binding of a session")?,
        authenticated_at: time(row, 6)?,
        created_at: time(row, 7)?,
        last_seen_at: time(row, 8)?,
        epoch: EpochMark { principal: count(row, 9)?, session: count(row, 10)? },
        user_agent: match text(row, 11)? {
            "" => None,
            label => Some(label.to_owned()),
        },
        // Of before there were scopes.
        scope: match text(row, 13)? {
            "" => CredentialScope::Full,
            scope => from_json(scope, "the scope of a session")?,
        },
        until: if number(row, 14)? == FOREVER { None } else { Some(time(row, 14)?) },
        origin: origin(row)?,
        source: match text(row, 18)? {
            "" => None,
            network => Some(network.to_owned()),
        },
    };
    let ended_at = if number(row, 12)? == FOREVER { None } else { Some(time(row, 12)?) };
    Ok(Session { record, ended_at })
}

fn origin(row: &AnyRow) -> Result<Option<Origin>, StoreError> {
    let (issuer, subject, sid) = (text(row, 15)?, text(row, 16)?, text(row, 17)?);
    if issuer.is_empty() {
        return Ok(None);
    }
    let identity = Identity { issuer: issuer.to_owned(), subject: subject.to_owned() };
    Ok(Some(Origin { identity, sid: (!sid.is_empty()).then(|| sid.to_owned()) }))
}
