//! The feed of one gateway: what it misses, then each change as it is published, with a signed beat each second.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use modelward_planes::frame::line;
use modelward_planes::{Beat, Hello, Position, TrustText, image};
use modelward_seal::Digest;
use modelward_seal::note::NoteError;
use modelward_store::gateway::Gateway;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::Said;
use crate::authority::Authority;
use crate::control::ControlPlane;

const BEAT_EVERY: Duration = Duration::from_secs(1);

/// Writes ahead of a slow gateway; a slower one is behind, and shown so.
const AHEAD: usize = 8;

/// Why a feed ended. The gateway comes back by itself, or may not.
#[derive(Debug, thiserror::Error)]
pub(super) enum FeedEnd {
    #[error("the gateway went away")]
    Gone,
    #[error("another connection took its place, or it was removed")]
    Over,
    #[error("the control plane stopped")]
    Stopped,
    #[error("a heartbeat could not be signed")]
    Signing(#[from] NoteError),
    #[error("the state could not be written")]
    Image(#[from] serde_json::Error),
    #[error("the task that writes the state ended early")]
    Task(#[from] tokio::task::JoinError),
}

struct Feed {
    plane: Weak<ControlPlane>,
    authority: Arc<dyn Authority>,
    gateway: String,
    out: mpsc::Sender<Bytes>,
    said: watch::Receiver<Said>,
    position: Option<Position>,
    told: Option<Digest>,
}

/// Starts the feed of a gateway that said hello. Its lines come out of the channel.
pub(super) fn start(
    plane: &Arc<ControlPlane>,
    authority: Arc<dyn Authority>,
    gateway: &Gateway,
    hello: &Hello,
) -> mpsc::Receiver<Bytes> {
    let (out, lines) = mpsc::channel(AHEAD);
    let (connection, said) =
        plane.gateways.connected(&gateway.id, hello.position, hello.challenge, plane.now());
    tracing::info!(gateway = %gateway.name, connection, "a gateway connected");
    let feed = Feed {
        plane: Arc::downgrade(plane),
        authority,
        gateway: gateway.id.clone(),
        out,
        said,
        position: hello.position,
        told: None,
    };
    let name = gateway.name.clone();
    drop(tokio::spawn(async move {
        let end = feed.run().await;
        tracing::info!(gateway = %name, connection, %end, "the feed of a gateway ended");
    }));
    lines
}

impl Feed {
    async fn run(mut self) -> FeedEnd {
        match self.follow().await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn follow(&mut self) -> Result<std::convert::Infallible, FeedEnd> {
        let mut trust = self.authority.trust();
        let mut heads = self.plane.upgrade().ok_or(FeedEnd::Stopped)?.gateways.heads();
        let mut beats = interval(BEAT_EVERY);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said = self.said.clone();
        loop {
            heads.mark_unchanged();
            let believed = trust.borrow_and_update().clone();
            self.say(&believed).await?;
            tokio::select! {
                _ = beats.tick() => {}
                changed = heads.changed() => changed.map_err(|_| FeedEnd::Stopped)?,
                changed = trust.changed() => changed.map_err(|_| FeedEnd::Stopped)?,
                // A new challenge is answered with the next beat.
                () = over(&mut said) => return Err(FeedEnd::Over),
                () = self.out.closed() => return Err(FeedEnd::Gone),
            }
        }
    }

    /// Whatever is missing, and the beat that signs for it.
    async fn say(&mut self, trust: &TrustText) -> Result<(), FeedEnd> {
        let plane = self.plane.upgrade().ok_or(FeedEnd::Stopped)?;
        let mut text = String::new();
        if self.told != Some(trust.digest()) {
            text.push_str(&line::trust(trust.text()));
            self.told = Some(trust.digest());
        }
        let missing = self.position.and_then(|position| plane.gateways.after(position));
        let (head, content) = match missing {
            Some((deltas, head)) => {
                deltas.iter().for_each(|delta| text.push_str(&line::delta(delta)));
                (head, None)
            }
            None => {
                let (head, content) = self.image(&plane).await?;
                (head, Some(content))
            }
        };
        let challenge = self.said.borrow().challenge;
        let beat = Beat {
            gateway: self.gateway.clone(),
            head,
            image: content,
            trust: trust.digest(),
            at: plane.now(),
            challenge,
        };
        drop(plane);
        text.push_str(&line::beat(&self.authority.sign(&beat)?));
        self.send(text).await?;
        self.position = Some(head);
        Ok(())
    }

    /// The whole state, written on a thread that may take its time.
    async fn image(&self, plane: &Arc<ControlPlane>) -> Result<(Position, Digest), FeedEnd> {
        let (head, snapshot) = plane.newest();
        self.send(line::image(head.revision)).await?;
        let out = self.out.clone();
        let written = tokio::task::spawn_blocking(move || {
            let part =
                |text: String| out.blocking_send(Bytes::from(line::part(&text))).map_err(|_| FeedEnd::Gone);
            image::write(&snapshot, part, FeedEnd::Image)
        });
        Ok((head, written.await??))
    }

    async fn send(&self, text: String) -> Result<(), FeedEnd> {
        let mut said = self.said.clone();
        tokio::select! {
            sent = self.out.send(Bytes::from(text)) => sent.map_err(|_| FeedEnd::Gone),
            () = over(&mut said) => Err(FeedEnd::Over),
        }
    }
}

/// Ready once nothing more is to be said to the gateway on this connection.
async fn over(said: &mut watch::Receiver<Said>) {
    let _known_or_forgotten = said.wait_for(|said| said.over).await.is_ok();
}
