//! The signed head. It says what the newest state is, to one gateway, in answer to its own challenge.
//!
//! The challenge makes a beat worthless to anybody else and later: a recorded one answers no challenge of a new
//! connection, and a delayed one is as old as the challenge it answers, whatever the clocks say.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use modelward_seal::Digest;
use modelward_seal::note::{NoteError, SignedNote, Signer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::delta::Position;

/// Sixteen random bytes a gateway sends and wants to see signed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Challenge([u8; 16]);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Which gateway it is for.
    pub gateway: String,
    pub head: Position,
    /// The digest of the image that leads to the head, when one was sent just before.
    pub image: Option<Digest>,
    /// The digest of the keys to believe.
    pub trust: Digest,
    /// By the clock of the control plane.
    pub at: Timestamp,
    pub challenge: Challenge,
}

/// A signed text that is no beat.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a signed text is not a heartbeat: its {0} cannot be read")]
pub struct BeatError(pub &'static str);

const FIRST_LINE: &str = "modelward/heartbeat/v1";
const NONE: &str = "-";

impl Beat {
    /// Signs with every key that is in use, so that a gateway which knows only one of them believes it.
    pub fn sign<'k>(&self, keys: impl IntoIterator<Item = &'k dyn Signer>) -> Result<SignedNote, NoteError> {
        let mut note = SignedNote::new(self.to_string())?;
        for key in keys {
            note.sign(key)?;
        }
        Ok(note)
    }
}

impl Challenge {
    pub const fn new(random: [u8; 16]) -> Self {
        Self(random)
    }
}

impl fmt::Display for Beat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { gateway, head: Position { revision, hash }, image, trust, at, challenge } = self;
        let image = image.map_or_else(|| NONE.to_owned(), |image| image.to_string());
        writeln!(f, "{FIRST_LINE}\n{gateway}\n{revision}\n{hash}\n{image}\n{trust}\n{at}\n{challenge}")
    }
}

impl FromStr for Beat {
    type Err = BeatError;

    fn from_str(text: &str) -> Result<Self, BeatError> {
        let mut lines = text.lines();
        let mut line = |what| lines.next().ok_or(BeatError(what));
        if line("first line")? != FIRST_LINE {
            return Err(BeatError("first line"));
        }
        let gateway = line("gateway")?.to_owned();
        let revision = line("revision")?.parse().map_err(|_| BeatError("revision"))?;
        let hash = line("hash")?.parse().map_err(|_| BeatError("hash"))?;
        let image = match line("image")? {
            NONE => None,
            digest => Some(digest.parse().map_err(|_| BeatError("image"))?),
        };
        let trust = line("trust")?.parse().map_err(|_| BeatError("trust"))?;
        let at = line("time")?.parse().map_err(|_| BeatError("time"))?;
        let challenge = line("challenge")?.parse().map_err(|()| BeatError("challenge"))?;
        if lines.next().is_some() {
            return Err(BeatError("end"));
        }
        Ok(Self { gateway, head: Position { revision, hash }, image, trust, at, challenge })
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Challenge {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ())?;
        Ok(Self(bytes))
    }
}

impl Serialize for Challenge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Challenge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| serde::de::Error::custom("a challenge is 32 hexadecimal digits"))
    }
}
