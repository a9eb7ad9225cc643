//! Whom of here an event is about.
//!
//! In doubt it is about more: a session that cannot be told from the one that is named counts as named, and a device
//! that no session is known by counts against its person.

use std::collections::BTreeSet;

use modelward_decision::signal::About;
use modelward_decision::vocabulary::{PersonId, PrincipalRef, SessionId};
use modelward_decision::{EpochScope, Snapshot};
use modelward_identity::federation::{Identity, Party, Subject, Transmitter};
use modelward_seal::Digest;
use modelward_store::session::Session;

use super::bidding::{Bidding, Ends, Of};
use crate::control::ControlPlane;
use crate::federation::Issuer;
use crate::names;
use crate::problem::Problem;

/// Who and what was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    people: BTreeSet<PersonId>,
    /// Against whom signals stand.
    pub(super) about: Vec<About>,
    /// What ends.
    pub(super) ends: Vec<EpochScope>,
    pub(super) identities: Vec<Identity>,
    pub(super) device: Option<Digest>,
}

impl Found {
    pub(super) const fn is_nobody(&self) -> bool {
        self.about.is_empty() && self.ends.is_empty()
    }

    /// `dana`, or how many sessions where only those are known.
    pub(super) fn in_words(&self, state: &Snapshot) -> String {
        if self.people.is_empty() {
            return format!("{} sessions", self.about.len().max(self.ends.len()));
        }
        let name = |person: &PersonId| names::principal_view(state, PrincipalRef::Person(*person)).name;
        self.people.iter().map(name).collect::<Vec<_>>().join(", ")
    }
}

pub(super) async fn find(
    plane: &ControlPlane,
    state: &Snapshot,
    (issuer, transmitter): (&Issuer, &Transmitter),
    subject: &Subject,
    bidding: Bidding,
) -> Result<Found, Problem> {
    let mut found = Found::default();
    for party in subject.user.iter().chain(&subject.plain) {
        match party {
            Party::IssSub { issuer, subject } => {
                let identity = Identity { issuer: issuer.clone(), subject: subject.clone() };
                if let Some(link) = plane.store.link(&identity).await? {
                    found.people.insert(link.person);
                    found.identities.push(identity);
                }
            }
            Party::Email(address) => found.people.extend(by_mail(state, transmitter, address)),
            Party::Opaque(_) | Party::Other => {}
        }
    }
    let url = issuer.trusted.url.as_str();
    let named = sessions(plane, url, subject, bidding, &found).await?;
    let people: Vec<_> = found.people.iter().copied().map(PrincipalRef::Person).collect();
    found.about = match &named {
        Some(sessions) if bidding.of != Of::Person => sessions.iter().copied().map(About::Session).collect(),
        _ => people.iter().copied().map(About::Principal).collect(),
    };
    if bidding.of == Of::Device {
        found.device = subject.device.iter().chain(&subject.plain).find_map(|party| device(url, party));
    }
    found.ends = match (bidding.ends, named) {
        (Ends::Nothing, _) => Vec::new(),
        (Ends::Session, Some(sessions)) => sessions.into_iter().map(EpochScope::Session).collect(),
        (Ends::Session, None) | (Ends::Everything, _) => {
            people.into_iter().map(EpochScope::Principal).collect()
        }
        (Ends::FromIssuer, _) => from_issuer(plane, url, &found).await?,
    };
    Ok(found)
}

/// Whoever is called here as the part before the domain says.
fn by_mail(state: &Snapshot, transmitter: &Transmitter, address: &str) -> Option<PersonId> {
    let (name, domain) = address.rsplit_once('@')?;
    let ours = transmitter.mail_domain.as_deref()?;
    let person = state.person_named(name).or_else(|| state.person_named(&name.to_ascii_lowercase()));
    person.filter(|_| domain.eq_ignore_ascii_case(ours)).map(|person| person.id)
}

/// The sessions an event names; `None` where it names none.
async fn sessions(
    plane: &ControlPlane,
    url: &str,
    subject: &Subject,
    bidding: Bidding,
    found: &Found,
) -> Result<Option<BTreeSet<SessionId>>, Problem> {
    let plain = subject.plain.iter().filter(|_| bidding.of == Of::Session);
    let ids: Vec<&str> = subject.session.iter().chain(plain).filter_map(opaque).collect();
    if subject.session.is_empty() && ids.is_empty() {
        return Ok(None);
    }
    let limit = modelward_store::PAGE_MAX;
    let mut named = BTreeSet::new();
    for sid in ids {
        let known = plane.store.sessions_from(url, None, Some(sid), limit).await?;
        named.extend(known.iter().map(|session| session.record.id));
    }
    if named.is_empty() && !found.people.is_empty() {
        // Theirs that came without a name of the session: any of them may be the one.
        for identity in &found.identities {
            if identity.issuer == url {
                let theirs = plane.store.sessions_from(url, Some(&identity.subject), None, limit).await?;
                named.extend(theirs.iter().filter(|one| !has_name(one)).map(|one| one.record.id));
            }
        }
        if named.is_empty() && found.identities.is_empty() {
            return Ok(None);
        }
    }
    Ok(Some(named))
}

fn has_name(session: &Session) -> bool {
    session.record.origin.as_ref().is_some_and(|origin| origin.sid.is_some())
}

fn opaque(party: &Party) -> Option<&str> {
    match party {
        Party::Opaque(id) => Some(id),
        Party::IssSub { .. } | Party::Email(_) | Party::Other => None,
    }
}

/// What a device is told from others by. Its name at the transmitter is somebody else's secret to keep.
fn device(url: &str, party: &Party) -> Option<Digest> {
    let id = match party {
        Party::Opaque(id) => id.as_str(),
        Party::IssSub { subject, .. } => subject,
        Party::Email(_) | Party::Other => return None,
    };
    Some(Digest::of(format!("modelward device v1\n{url}\n{id}").as_bytes()))
}

/// The sessions that rest on what this issuer said; everything of a person of whom it said nothing here.
async fn from_issuer(plane: &ControlPlane, url: &str, found: &Found) -> Result<Vec<EpochScope>, Problem> {
    let mut ends = BTreeSet::new();
    for person in &found.people {
        let links = plane.store.links_of(*person).await?;
        let subjects: Vec<String> = links
            .into_iter()
            .filter(|link| link.identity.issuer == url)
            .map(|link| link.identity.subject)
            .collect();
        if subjects.is_empty() {
            ends.insert(EpochScope::Principal(PrincipalRef::Person(*person)));
        }
        for subject in subjects {
            let limit = modelward_store::PAGE_MAX;
            let theirs = plane.store.sessions_from(url, Some(&subject), None, limit).await?;
            ends.extend(theirs.iter().map(|session| EpochScope::Session(session.record.id)));
        }
    }
    Ok(ends.into_iter().collect())
}
