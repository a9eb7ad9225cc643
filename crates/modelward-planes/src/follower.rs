//! The gateway's side: takes the lines of the feed and says what to put in force.
//!
//! Nothing is in force before a beat signs for it. What cannot be followed ends the connection; the state in force stays,
//! growing stale, and the next connection begins with an image.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use modelward_decision::{Bundle, Change, Snapshot};
use modelward_seal::Digest;
use modelward_seal::note::{NoteError, SignedNote};
use serde::{Deserialize, Serialize};

use crate::FORMAT;
use crate::beat::{Beat, BeatError, Challenge};
use crate::delta::{Delta, Position, link};
use crate::frame::Frame;
use crate::image::{self, Part, STEPS_MAX};
use crate::step::{Bundles, MissingBundle, Step};
use crate::trust::{TrustError, TrustText};

/// Follows the control plane through any number of connections.
#[derive(Debug)]
pub struct Follower {
    gateway: String,
    /// What a state is built on when it begins from nothing.
    ground: Arc<Bundle>,
    /// The highest revision that was ever in force here: nothing below it comes back.
    floor: u64,
    head: Option<Head>,
    trust: TrustText,
    staged: Staged,
    staged_trust: Option<TrustText>,
    bundles: Bundles,
    /// Sent and not answered yet, oldest first, each with the moment it was sent at.
    challenges: VecDeque<(Challenge, u64)>,
}

#[derive(Debug, Clone)]
struct Head {
    position: Position,
    snapshot: Arc<Snapshot>,
}

/// What came since the last beat.
#[derive(Debug)]
enum Staged {
    Nothing,
    Image { revision: u64, content: Digest, snapshot: Box<Snapshot>, steps: u64 },
    Deltas(Head),
}

/// How a gateway begins a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    pub format: u32,
    /// What it has in force.
    pub position: Option<Position>,
    pub challenge: Challenge,
}

/// What a beat brought.
#[derive(Debug, Clone)]
pub struct News {
    /// The state to put in force, if it is another than before.
    pub snapshot: Option<Arc<Snapshot>>,
    pub position: Position,
    /// What to believe from now on, if it is other than before.
    pub trust: Option<TrustText>,
    /// The time of the control plane.
    pub at: Timestamp,
    /// The moment at which the state was the newest for sure: when the challenge was sent. Absent when the clocks are
    /// too far apart to go by.
    pub fresh_at: Option<u64>,
}

/// Why a feed is not followed any further.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    #[error("a heartbeat is not signed as it should be")]
    Signature(#[from] NoteError),
    #[error(transparent)]
    Beat(#[from] BeatError),
    #[error("a heartbeat is for the gateway `{0}`")]
    OtherGateway(String),
    #[error("a heartbeat answers no challenge of this connection")]
    Replayed,
    #[error("revision {offered} is older than revision {floor}, which was in force here")]
    Older { offered: u64, floor: u64 },
    #[error("a delta does not follow on what came before")]
    Gap,
    #[error("a heartbeat signs for another state than the one that came")]
    OtherState,
    #[error("a part belongs to no image")]
    StrayPart,
    #[error("an image has more than {STEPS_MAX} steps")]
    TooLarge,
    #[error(transparent)]
    Bundle(#[from] MissingBundle),
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// Clocks further apart than this are no ground for decisions about time.
pub const SKEW_MAX: SignedDuration = SignedDuration::from_secs(30);

/// Challenges that can be open at once; an older one is forgotten.
const CHALLENGES_MAX: usize = 64;

impl Follower {
    /// `floor` is the highest revision that was in force in an earlier run.
    pub fn new(gateway: String, trust: TrustText, ground: Arc<Bundle>, floor: u64) -> Self {
        let bundles = Bundles::from([(ground.digest(), Arc::clone(&ground))]);
        Self {
            gateway,
            ground,
            floor,
            head: None,
            trust,
            staged: Staged::Nothing,
            staged_trust: None,
            bundles,
            challenges: VecDeque::new(),
        }
    }

    /// Begins a connection, and forgets what the one before left half done.
    pub fn begin(&mut self, challenge: Challenge, sent_at: u64) -> Hello {
        self.staged = Staged::Nothing;
        self.staged_trust = None;
        self.challenges.clear();
        self.challenge(challenge, sent_at);
        Hello { format: FORMAT, position: self.position(), challenge }
    }

    /// Notes a challenge that goes out now.
    pub fn challenge(&mut self, challenge: Challenge, sent_at: u64) {
        if self.challenges.len() == CHALLENGES_MAX {
            self.challenges.pop_front();
        }
        self.challenges.push_back((challenge, sent_at));
    }

    /// What is in force.
    pub fn position(&self) -> Option<Position> {
        self.head.as_ref().map(|head| head.position)
    }

    pub const fn trust(&self) -> &TrustText {
        &self.trust
    }

    /// Whether a bundle has to be fetched.
    pub fn lacks(&self, bundle: Digest) -> bool {
        !self.bundles.contains_key(&bundle)
    }

    /// Keeps a bundle that was fetched, under the digest of what is in it.
    pub fn keep(&mut self, bundle: Arc<Bundle>) {
        self.bundles.insert(bundle.digest(), bundle);
    }

    /// Takes a line. `wall` is what the clock of this machine says. News come with beats.
    ///
    /// After an error nothing more may be taken before [`Self::begin`].
    pub fn take(&mut self, frame: Frame, wall: Timestamp) -> Result<Option<News>, FollowError> {
        match frame {
            Frame::Image(revision) => self.image(revision)?,
            Frame::Part { part, text } => self.part(part, &text)?,
            Frame::Delta { delta, text } => self.delta(delta, &text)?,
            Frame::Trust(text) => self.staged_trust = Some(TrustText::read(&text)?),
            Frame::Beat(note) => return self.beat(&note, wall).map(Some),
        }
        Ok(None)
    }

    fn image(&mut self, revision: u64) -> Result<(), FollowError> {
        self.no_older(revision)?;
        let snapshot = Box::new(Snapshot::empty(Arc::clone(&self.ground)));
        self.staged = Staged::Image { revision, content: image::begin(revision), snapshot, steps: 0 };
        Ok(())
    }

    fn part(&mut self, part: Part, text: &str) -> Result<(), FollowError> {
        let Staged::Image { content, snapshot, steps, .. } = &mut self.staged else {
            return Err(FollowError::StrayPart);
        };
        *content = link(*content, text);
        let more =
            part.steps.iter().map(|step| if let Step::Epoch { count, .. } = step { *count } else { 1 });
        *steps = more.fold(*steps, u64::saturating_add);
        if *steps > STEPS_MAX {
            return Err(FollowError::TooLarge);
        }
        **snapshot = snapshot.with(changes(part.steps, &self.bundles)?);
        Ok(())
    }

    fn delta(&mut self, delta: Delta, text: &str) -> Result<(), FollowError> {
        let before = match &self.staged {
            Staged::Nothing => self.head.as_ref().ok_or(FollowError::Gap)?,
            Staged::Deltas(head) => head,
            Staged::Image { .. } => return Err(FollowError::Gap),
        };
        let Delta { from, to, at: _, steps } = delta;
        if from != before.position || to <= from.revision {
            return Err(FollowError::Gap);
        }
        let snapshot = before.snapshot.with(changes(steps, &self.bundles)?).at_revision(to);
        self.staged = Staged::Deltas(Head { position: from.after(text, to), snapshot: Arc::new(snapshot) });
        Ok(())
    }

    fn beat(&mut self, note: &SignedNote, wall: Timestamp) -> Result<News, FollowError> {
        let beat: Beat = note.verify(self.trust.signers())?.text.parse()?;
        if beat.gateway != self.gateway {
            return Err(FollowError::OtherGateway(beat.gateway));
        }
        let sent_at = self.answered(beat.challenge)?;
        self.no_older(beat.head.revision)?;
        let head = self.signed_for(&beat)?;
        let trust = self.trust_signed_for(beat.trust)?;
        let snapshot = head.map(|head| {
            let snapshot = Arc::clone(&head.snapshot);
            self.head = Some(head);
            snapshot
        });
        if let Some(trust) = &trust {
            self.trust = trust.clone();
        }
        self.floor = self.floor.max(beat.head.revision);
        self.drop_unused_bundles();
        let skew = beat.at.duration_since(wall).abs();
        Ok(News {
            snapshot,
            position: beat.head,
            trust,
            at: beat.at,
            fresh_at: (skew <= SKEW_MAX).then_some(sent_at),
        })
    }

    /// When the challenge that a beat answers was sent. Several beats can answer one.
    fn answered(&mut self, challenge: Challenge) -> Result<u64, FollowError> {
        let place = self.challenges.iter().position(|(open, _)| *open == challenge);
        let place = place.ok_or(FollowError::Replayed)?;
        // Those before it are answered by it too: an answer to one of them would be older news.
        self.challenges.drain(..place);
        self.challenges.front().map(|(_, sent_at)| *sent_at).ok_or(FollowError::Replayed)
    }

    /// The state the beat signs for, unless it is the one in force.
    fn signed_for(&mut self, beat: &Beat) -> Result<Option<Head>, FollowError> {
        let position = beat.head;
        match std::mem::replace(&mut self.staged, Staged::Nothing) {
            Staged::Nothing if self.position() == Some(position) && beat.image.is_none() => Ok(None),
            Staged::Deltas(head) if head.position == position && beat.image.is_none() => Ok(Some(head)),
            Staged::Image { revision, content, snapshot, .. }
                if revision == position.revision && beat.image == Some(content) =>
            {
                let snapshot = Arc::new(snapshot.at_revision(revision));
                Ok(Some(Head { position, snapshot }))
            }
            Staged::Nothing | Staged::Deltas(_) | Staged::Image { .. } => Err(FollowError::OtherState),
        }
    }

    /// The keys the beat signs for, unless they are those believed already.
    fn trust_signed_for(&mut self, digest: Digest) -> Result<Option<TrustText>, FollowError> {
        match self.staged_trust.take() {
            Some(staged) if staged.digest() == digest => {
                Ok((digest != self.trust.digest()).then_some(staged))
            }
            None if self.trust.digest() == digest => Ok(None),
            Some(_) | None => Err(FollowError::OtherState),
        }
    }

    fn no_older(&self, offered: u64) -> Result<(), FollowError> {
        let floor = self.floor;
        if offered < floor { Err(FollowError::Older { offered, floor }) } else { Ok(()) }
    }

    fn drop_unused_bundles(&mut self) {
        if self.bundles.len() <= 3 {
            return;
        }
        let Some(Head { snapshot, .. }) = &self.head else { return };
        let trial = snapshot.candidate().map(|candidate| candidate.bundle.digest());
        let used = [Some(snapshot.bundle().digest()), trial, Some(self.ground.digest())];
        self.bundles.retain(|digest, _| used.contains(&Some(*digest)));
    }
}

fn changes(steps: Vec<Step>, bundles: &Bundles) -> Result<Vec<Change>, MissingBundle> {
    let mut changes = Vec::with_capacity(steps.len());
    for step in steps {
        step.make(bundles, &mut changes)?;
    }
    Ok(changes)
}
