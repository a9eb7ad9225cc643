//! Follows the control plane: connects, takes lines, puts in force what a beat signs for, says so, begins again.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use jiff::Timestamp;
use modelward_decision::Bundle;
use modelward_decision::bundle::BundleError;
use modelward_enforcement::{Publisher, Pulse};
use modelward_identity::token::Verifier;
use modelward_planes::frame::FrameError;
use modelward_planes::message::{Acknowledgement, BundleText, Certificate, Renew, path};
use modelward_planes::{Challenge, FollowError, Follower, Frame, LINE_BYTES_MAX, News, TrustText};
use modelward_seal::Digest;
use modelward_seal::source::{Clock as _, Ids as _};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::counters::Standing;
use super::link::{Link, LinkError};
use super::member::{Candidate, Member, MemberError};
use crate::clock::{SystemClock, SystemIds};
use crate::exit::chain;
use crate::house::outpost::{self, TrustKeysError};

const ACKNOWLEDGE_EVERY: Duration = Duration::from_secs(1);
/// A feed says something each second. One that is silent for this long is given up.
const SILENCE_MAX: Duration = Duration::from_secs(10);
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// What follows, and what it puts news into.
pub(crate) struct Following {
    pub(crate) address: String,
    pub(crate) member: Arc<Member>,
    pub(crate) follower: Follower,
    pub(crate) publisher: Publisher,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) link: Standing,
    pub(crate) clock: Arc<SystemClock>,
    pub(crate) ids: Arc<SystemIds>,
}

/// Why a connection was given up.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("what the control plane sent cannot be read")]
    Frame(#[from] FrameError),
    #[error("what the control plane sent cannot be followed")]
    Follow(#[from] FollowError),
    #[error("the control plane sent a line of more than {LINE_BYTES_MAX} bytes")]
    LongLine,
    #[error("the control plane sent a line that is no text")]
    NoText,
    #[error("the control plane ended the feed")]
    Closed,
    #[error("the control plane said nothing for {} s", SILENCE_MAX.as_secs())]
    Silent,
    #[error("a policy bundle cannot be used")]
    Bundle(#[from] BundleError),
    #[error("a policy bundle is not the one it was asked for as")]
    OtherBundle,
    #[error("what must not be forgotten could not be written")]
    Member(#[from] MemberError),
    #[error(transparent)]
    TokenKeys(#[from] TrustKeysError),
    #[error("a state that was put in force is older than the one before")]
    Backwards(#[from] modelward_enforcement::snapshots::NotNewer),
    #[error("the certificate was renewed")]
    Renewed,
    #[error("a task ended early")]
    Task(#[from] tokio::task::JoinError),
}

impl Following {
    /// Until told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut pause = RETRY_FIRST;
        let mut told = String::new();
        loop {
            let began = Instant::now();
            let Some(ended) = stop.run_until_cancelled(self.connection()).await else { break };
            self.link.store(None);
            if matches!(ended, Ended::Link(LinkError::Unknown(_))) {
                // Not an outage: we are told that nothing we hold counts.
                self.pulse.forget();
            }
            let why = chain(&ended);
            if matches!(ended, Ended::Renewed) {
                tracing::info!("connecting with the renewed certificate");
            } else if why != told {
                tracing::warn!(why, "the control plane is not followed");
            }
            told = why;
            if began.elapsed() > SILENCE_MAX {
                pause = RETRY_FIRST;
                told.clear();
            }
            if stop.run_until_cancelled(sleep(pause)).await.is_none() {
                break;
            }
            pause = (pause * 2).min(RETRY_MAX);
        }
        self.link.store(None);
    }

    async fn connection(&mut self) -> Ended {
        match self.follow().await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn follow(&mut self) -> Result<std::convert::Infallible, Ended> {
        let link = Link::connect(&self.address, self.member.tls()?).await?;
        self.renew_if_due(&link).await?;
        let (challenge, sent_at) = self.challenge();
        let hello = self.follower.begin(challenge, sent_at);
        let mut lines = Lines::new(link.stream(path::FEED, &hello).await?);
        self.link.store(Some(Arc::new(link.clone())));
        tracing::info!(
            revision = self.follower.position().map(|at| at.revision),
            "following the control plane"
        );
        let mut due = interval(ACKNOWLEDGE_EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut saying = None;
        let mut is_due = false;
        loop {
            if is_due && saying.is_none() {
                is_due = false;
                saying = Some(Box::pin(self.acknowledge(link.clone())));
            }
            let acknowledged = async {
                match &mut saying {
                    Some(saying) => saying.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                line = timeout(SILENCE_MAX, lines.next()) => {
                    let line = line.map_err(|_| Ended::Silent)??;
                    is_due |= self.take(&link, &line).await?;
                }
                said = acknowledged => {
                    saying = None;
                    said?;
                }
                _ = due.tick() => {
                    is_due = true;
                    if self.member.should_renew(self.clock.now()) {
                        self.renew_if_due(&link).await?;
                    }
                }
            }
        }
    }

    fn challenge(&self) -> (Challenge, u64) {
        let mut random = [0; 16];
        self.ids.fill(&mut random);
        // Without such a clock nothing is ever fresh.
        (Challenge::new(random), self.clock.monotonic_micros().unwrap_or(0))
    }

    /// One at a time: a challenge that overtook another would make the other's answer look replayed.
    fn acknowledge(&mut self, link: Link) -> impl Future<Output = Result<(), LinkError>> + use<> {
        let (challenge, sent_at) = self.challenge();
        self.follower.challenge(challenge, sent_at);
        let trust = self.follower.trust().digest();
        let acknowledgement = Acknowledgement { position: self.follower.position(), trust, challenge };
        async move { link.tell(path::ACKNOWLEDGE, &acknowledgement).await }
    }

    /// Takes a line; true where something new is in force.
    async fn take(&mut self, link: &Link, line: &[u8]) -> Result<bool, Ended> {
        let frame = Frame::read(std::str::from_utf8(line).map_err(|_| Ended::NoText)?)?;
        let missing: Vec<Digest> = frame.bundles().filter(|bundle| self.follower.lacks(*bundle)).collect();
        for bundle in missing {
            self.follower.keep(fetch(link, bundle).await?);
        }
        match self.follower.take(frame, self.clock.wall())? {
            Some(news) => self.put_in_force(news).await,
            None => Ok(false),
        }
    }

    async fn put_in_force(&mut self, news: News) -> Result<bool, Ended> {
        let News { snapshot, position, trust, at, fresh_at } = news;
        let is_new = snapshot.is_some() || trust.is_some();
        if let Some(trust) = trust {
            self.believe(trust).await?;
        }
        if let Some(snapshot) = snapshot {
            let member = Arc::clone(&self.member);
            // Noted first: a state that was ever in force here is never followed by an older one.
            tokio::task::spawn_blocking(move || member.keep_revision(position.revision)).await??;
            self.publisher.publish_again(snapshot)?;
        }
        self.clock.raise(at);
        match fresh_at {
            Some(sent_at) if sent_at > 0 => self.pulse.fresh(sent_at),
            Some(_) => {}
            None => {
                tracing::warn!(%at, "the clock of this machine and the control plane's are more than 30 s apart");
            }
        }
        Ok(is_new)
    }

    async fn believe(&self, trust: TrustText) -> Result<(), Ended> {
        self.verifier.replace_keys(outpost::token_keys(&trust)?);
        let member = Arc::clone(&self.member);
        Ok(tokio::task::spawn_blocking(move || member.keep_trust(&trust)).await??)
    }

    /// A new key and certificate, and a new connection with them.
    async fn renew_if_due(&self, link: &Link) -> Result<(), Ended> {
        let now: Timestamp = self.clock.now();
        if !self.member.should_renew(now) {
            return Ok(());
        }
        let candidate = Candidate::new(&*self.ids)?;
        let request = Renew { request: candidate.request.clone() };
        let certificate: Certificate = link.ask(path::RENEW, &request).await?;
        self.member.renewed(candidate, certificate)?;
        Err(Ended::Renewed)
    }
}

/// The files of a bundle, checked against the digest it goes by.
async fn fetch(link: &Link, digest: Digest) -> Result<Arc<Bundle>, Ended> {
    let text = link.bundle(&format!("{}{digest}", path::BUNDLES)).await?;
    let text: BundleText = serde_json::from_slice(&text).map_err(FrameError::from)?;
    let bundle = tokio::task::spawn_blocking(move || text.read()).await??;
    if bundle.digest() == digest { Ok(Arc::new(bundle)) } else { Err(Ended::OtherBundle) }
}

/// The lines of a feed.
struct Lines {
    body: Incoming,
    rest: BytesMut,
    /// How much of the rest is known to hold no end of a line.
    searched: usize,
}

impl Lines {
    fn new(body: Incoming) -> Self {
        Self { body, rest: BytesMut::new(), searched: 0 }
    }

    /// The next one, without its end. Cancel-safe.
    async fn next(&mut self) -> Result<Bytes, Ended> {
        loop {
            let found = self.rest.iter().skip(self.searched).position(|byte| *byte == b'\n');
            if let Some(place) = found {
                let line = self.rest.split_to(self.searched + place).freeze();
                drop(self.rest.split_to(1));
                self.searched = 0;
                return Ok(line);
            }
            self.searched = self.rest.len();
            if self.rest.len() > LINE_BYTES_MAX {
                return Err(Ended::LongLine);
            }
            let frame = self.body.frame().await.ok_or(Ended::Closed)?.map_err(LinkError::from)?;
            if let Ok(data) = frame.into_data() {
                self.rest.extend_from_slice(&data);
            }
        }
    }
}
