//! A control side in a few words, and changes out of numbers.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use modelward_decision::grant::{Conditions, Origin};
use modelward_decision::inventory::{Group, Model, OnSensitiveAsk, Person, Project};
use modelward_decision::signal::{About, Raised, SignalKey};
use modelward_decision::vocabulary::{
    Classification, Confidence, EventId, GrantId, GranteeRef, GroupId, ModelId, PersonId, PrincipalRef,
    Privilege, ProjectId, ScopeRef, SessionId,
};
use modelward_decision::{Candidate, Change, EpochScope, Grant, Reach, Removed, Snapshot};
use modelward_planes::frame::line;
use modelward_planes::{
    Beat, Challenge, FollowError, Follower, Frame, Hello, Log, News, Position, TokenKey, TokenStanding,
    Trust, TrustText, image,
};
use modelward_seal::Digest;
use modelward_seal::note::{KeyName, Signer, SoftwareSigner};
use modelward_testkit::{default_bundle, name};

pub(crate) const NOON: Timestamp = Timestamp::constant(1_800_000_000, 0);
pub(crate) const GATEWAY: &str = "gw-1";

pub(crate) struct Control {
    pub(crate) log: Log,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) keys: Vec<SoftwareSigner>,
    pub(crate) trust: TrustText,
    pub(crate) now: Timestamp,
}

pub(crate) fn key(seed: u8) -> SoftwareSigner {
    SoftwareSigner::from_seed(KeyName::new("modelward/snapshot").unwrap(), &[seed; 32])
}

pub(crate) fn trust(keys: &[SoftwareSigner]) -> TrustText {
    let signers = keys.iter().map(|key| key.verifier().unwrap().to_string()).collect();
    let token = TokenKey { id: "k1".to_owned(), public: "00".repeat(32), standing: TokenStanding::Active };
    let trust = Trust { issuer: "i".to_owned(), audience: "a".to_owned(), tokens: vec![token], signers };
    TrustText::of(&trust).unwrap()
}

impl Control {
    /// A run of its own: `run` tells it from others.
    pub(crate) fn new(run: u8, revision: u64) -> Self {
        let snapshot = Arc::new(Snapshot::empty(default_bundle()).at_revision(revision));
        let keys = vec![key(1)];
        let trust = trust(&keys);
        Self { log: Log::new([run; 16], revision), snapshot, keys, trust, now: NOON }
    }

    pub(crate) fn publish(&mut self, changes: Vec<Change>) {
        let to = self.snapshot.revision() + 1;
        self.log.append(to, self.now, &changes);
        self.snapshot = Arc::new(self.snapshot.with(changes).at_revision(to));
    }

    pub(crate) fn beat(&self, challenge: Challenge, image: Option<Digest>) -> String {
        self.beat_for(GATEWAY, self.log.head(), challenge, image)
    }

    pub(crate) fn beat_for(
        &self,
        gateway: &str,
        head: Position,
        challenge: Challenge,
        image: Option<Digest>,
    ) -> String {
        let (gateway, trust) = (gateway.to_owned(), self.trust.digest());
        let beat = Beat { gateway, head, image, trust, at: self.now, challenge };
        line::beat(&beat.sign(self.keys.iter().map(|key| key as &dyn Signer)).unwrap())
    }

    /// What goes out on a new connection: trust, then what is missing, then the beat.
    pub(crate) fn welcome(&self, hello: &Hello) -> Vec<String> {
        let mut lines = vec![line::trust(self.trust.text())];
        let missing = hello.position.and_then(|position| self.log.after(position));
        let image = match missing {
            Some(deltas) => {
                lines.extend(deltas.iter().map(|text| line::delta(text)));
                None
            }
            None => {
                let (image, content) = self.image();
                lines.extend(image);
                Some(content)
            }
        };
        lines.push(self.beat(hello.challenge, image));
        lines
    }

    pub(crate) fn image(&self) -> (Vec<String>, Digest) {
        let mut lines = vec![line::image(self.snapshot.revision())];
        let content = image::write(
            &self.snapshot,
            |text| {
                lines.push(line::part(&text));
                Ok(())
            },
            |error| error,
        );
        (lines, content.unwrap())
    }

    /// The deltas after a position, and the beat.
    pub(crate) fn news(&self, position: Position, challenge: Challenge) -> Vec<String> {
        let deltas = self.log.after(position).unwrap();
        deltas.iter().map(|text| line::delta(text)).chain([self.beat(challenge, None)]).collect()
    }
}

pub(crate) fn challenge(number: u8) -> Challenge {
    Challenge::new([number; 16])
}

pub(crate) fn follower(control: &Control, floor: u64) -> Follower {
    Follower::new(GATEWAY.to_owned(), control.trust.clone(), default_bundle(), floor)
}

/// Feeds lines until one is refused; the last news.
pub(crate) fn feed(follower: &mut Follower, lines: &[String]) -> Result<Option<News>, FollowError> {
    let mut last = None;
    for line in lines {
        let Ok(frame) = Frame::read(line.trim_end_matches('\n')) else { return Err(FollowError::Gap) };
        if let Some(news) = follower.take(frame, NOON)? {
            last = Some(news);
        }
    }
    Ok(last)
}

/// A new connection that goes well.
pub(crate) fn connect(follower: &mut Follower, control: &Control) -> News {
    let hello = follower.begin(challenge(1), 10);
    feed(follower, &control.welcome(&hello)).unwrap().unwrap()
}

/// Everything of a state, as text that can be compared.
pub(crate) fn told(snapshot: &Snapshot) -> (u64, BTreeSet<String>) {
    let steps = image::steps(snapshot).map(|step| serde_json::to_string(&step).unwrap()).collect();
    (snapshot.revision(), steps)
}

pub(crate) fn person(number: u8) -> PersonId {
    PersonId::from_bits(1000 + u128::from(number % 8))
}

pub(crate) fn grant(number: u8) -> GrantId {
    GrantId::from_bits(2000 + u128::from(number % 16))
}

fn raised(number: u8) -> Raised {
    let what = SignalKey {
        about: About::Principal(PrincipalRef::Person(person(number))),
        signal: name("risk-high"),
        device: number.is_multiple_of(2).then_some(Digest::ZERO),
    };
    Raised { what, raised_at: NOON, until: NOON, by: name("corporate"), confidence: Confidence::Managed }
}

/// A change out of two numbers: every kind is hit, and the same things again and again.
pub(crate) fn change(kind: u8, number: u8) -> Change {
    let few = u128::from(number % 8);
    match kind % 13 {
        0 => Change::Person(Arc::new(Person {
            id: person(number),
            name: name(&format!("person-{few}")),
            display_name: format!("Person {number}"),
            clearance: Classification::Internal,
            active: !number.is_multiple_of(3),
            groups: BTreeSet::from([GroupId::from_bits(few % 3)]),
        })),
        1 => Change::Group(Arc::new(Group {
            id: GroupId::from_bits(few % 3),
            name: name(&format!("group-{}", few % 3)),
            parents: BTreeSet::new(),
        })),
        2 => Change::Project(Arc::new(Project {
            id: ProjectId::from_bits(few),
            name: name(&format!("project-{few}")),
        })),
        3 => Change::Model(Arc::new(Model {
            id: ModelId::from_bits(few),
            project: ProjectId::from_bits(few),
            name: name(&format!("model-{few}")),
            classification: Classification::Internal,
            tags: BTreeSet::new(),
            quarantined: number.is_multiple_of(2),
            on_sensitive_ask: OnSensitiveAsk::Refuse,
            fail_static: false,
        })),
        4 | 5 => Change::Grant(Arc::new(Grant {
            id: grant(number),
            grantee: GranteeRef::Person(person(number)),
            privilege: Privilege::Inference,
            scope: ScopeRef::Project(ProjectId::from_bits(few)),
            conditions: Conditions { max_uses: Some(u64::MAX - u64::from(number)), ..Conditions::default() },
            not_before: NOON,
            not_after: NOON + std::time::Duration::from_secs(3600),
            origin: Origin::Request { request: EventId::from_bits(7), approvals: 2 },
        })),
        6 => Change::Revoke(grant(number)),
        7 => Change::Bump(EpochScope::Principal(PrincipalRef::Person(person(number)))),
        8 => Change::Bump(EpochScope::Session(SessionId::from_bits(few))),
        10 => Change::Raise(Arc::new(raised(number))),
        11 => Change::Lift(raised(number).what),
        9 => Change::Remove(Removed::Model(ModelId::from_bits(few))),
        _ => Change::Candidate(
            number.is_multiple_of(2).then(|| Candidate { bundle: default_bundle(), reach: Reach::Shadow }),
        ),
    }
}
