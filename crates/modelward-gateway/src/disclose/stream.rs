//! One streamed answer: each event filtered by itself, and written as soon as it is complete.

use modelward_decision::vocabulary::Field;

use super::sse::{Event, EventReader, TooLarge};
use super::{FilterFault, Lens, document, open_inference, openai};
use crate::json::{Fault, Kind, Scanner, text_of, write_text};
use crate::refusal::Refusal;
use crate::routes::Call;

/// Filters the events of one stream. What `push` appends can leave at once.
#[derive(Debug)]
pub(crate) struct EventFilter {
    reader: EventReader,
    sieve: Sieve,
}

/// What events are held against; apart from the reader, so that both can be used at once.
#[derive(Debug)]
struct Sieve {
    call: Call,
    lens: Lens,
    is_done: bool,
    events: u64,
}

/// Why a stream ends early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EventFault {
    #[error("an event is larger than its bound")]
    TooLarge,
    #[error(transparent)]
    Filter(#[from] FilterFault),
}

impl From<TooLarge> for EventFault {
    fn from(_: TooLarge) -> Self {
        Self::TooLarge
    }
}

const DONE: &[u8] = b"[DONE]";

impl EventFilter {
    pub(crate) const fn new(call: Call, lens: Lens, event_bytes: usize) -> Self {
        Self { reader: EventReader::new(event_bytes), sieve: Sieve { call, lens, is_done: false, events: 0 } }
    }

    /// Reads on and appends what may leave of every event that is now complete.
    pub(crate) fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), EventFault> {
        if self.sieve.is_done {
            return Ok(());
        }
        let sieve = &mut self.sieve;
        self.reader.read(chunk, |event| sieve.take(&event, out))
    }

    /// Whether the stream said that it is complete.
    pub(crate) const fn is_done(&self) -> bool {
        self.sieve.is_done
    }

    /// Whether ending here, without a last word, is how this protocol ends.
    pub(crate) fn may_end(&self) -> bool {
        self.sieve.is_done || self.sieve.call == Call::GenerateStream
    }

    /// Events that were passed on.
    pub(crate) const fn events(&self) -> u64 {
        self.sieve.events
    }

    /// The event that tells a client why its stream ends.
    pub(crate) fn last_word(&self, refusal: &Refusal, out: &mut Vec<u8>) {
        match self.sieve.call {
            Call::Responses => {
                out.extend_from_slice(b"event: error\ndata: {\"type\":\"error\",\"code\":\"");
                out.extend_from_slice(refusal.reason.code().as_bytes());
                out.extend_from_slice(b"\",\"message\":");
                write_text(out, &refusal.sentence());
                out.extend_from_slice(b",\"param\":null}\n\n");
            }
            Call::GenerateStream => {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(&refusal.body(modelward_decision::inventory::Protocol::OpenInference));
                out.extend_from_slice(b"\n\n");
            }
            _ => {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(&refusal.body(modelward_decision::inventory::Protocol::OpenAi));
                out.extend_from_slice(b"\n\n");
            }
        }
    }
}

impl Sieve {
    /// Appends what may leave of one event; false when it was the last.
    fn take(&mut self, event: &Event<'_>, out: &mut Vec<u8>) -> Result<bool, EventFault> {
        let (name, data) = match event {
            Event::Comment => {
                out.extend_from_slice(b":\n\n");
                return Ok(true);
            }
            Event::Message { name, data } => (*name, *data),
        };
        if data == DONE && self.ends_with_done() {
            self.is_done = true;
            out.extend_from_slice(b"data: [DONE]\n\n");
            return Ok(false);
        }
        if name == "error" {
            return Err(FilterFault::Failed.into());
        }
        // Model servers cut characters in half; the standard has the rest replaced.
        let text = String::from_utf8_lossy(data);
        let mark = out.len();
        if self.call == Call::Responses {
            return self.take_response(&text, out);
        }
        let keep = match self.call {
            Call::GenerateStream => &open_inference::GENERATE,
            Call::Completions => &openai::COMPLETION,
            _ => &openai::CHAT,
        };
        out.extend_from_slice(b"data: ");
        match document(keep, &self.lens, &text, out) {
            Ok(()) => {
                out.extend_from_slice(b"\n\n");
                self.events += 1;
                Ok(true)
            }
            Err(fault) => {
                out.truncate(mark);
                Err(fault.into())
            }
        }
    }

    fn take_response(&mut self, text: &str, out: &mut Vec<u8>) -> Result<bool, EventFault> {
        let kind = type_of(text).map_err(FilterFault::from)?;
        if kind == "error" {
            return Err(FilterFault::Failed.into());
        }
        let holds_reasoning = self.lens.held.contains(&Field::HiddenStates);
        let is_known = openai::RESPONSE_PLAIN.contains(&kind.as_str())
            || (holds_reasoning && openai::RESPONSE_REASONING.contains(&kind.as_str()));
        if !is_known {
            return Ok(true);
        }
        let mark = out.len();
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        if let Err(fault) = document(&openai::RESPONSE_EVENT, &self.lens, text, out) {
            out.truncate(mark);
            return Err(fault.into());
        }
        out.extend_from_slice(b"\n\n");
        self.events += 1;
        self.is_done = openai::RESPONSE_ENDS.contains(&kind.as_str());
        Ok(!self.is_done)
    }

    fn ends_with_done(&self) -> bool {
        matches!(self.call, Call::ChatCompletions | Call::Completions | Call::GenerateStream)
    }
}

/// The `type` of an event.
fn type_of(text: &str) -> Result<String, Fault> {
    let mut kind = String::new();
    let mut scanner = Scanner::answer(text);
    scanner.object(|scanner, key| {
        let is_text = scanner.peek()? == Kind::Text;
        let raw = scanner.value()?;
        if key == "type" && is_text {
            kind = text_of(raw).unwrap_or_default().into_owned();
        }
        Ok::<(), Fault>(())
    })?;
    Ok(kind)
}
