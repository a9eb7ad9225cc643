//! The two threads of an open ledger. Neither is part of an async runtime: a flush must never wait for a poll.

use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use super::core::{Core, Publishing, Shared, Writer};
use super::publisher::PublishError;
use crate::entry::{EntryDraft, Kind};

/// Starts the sequencer and the publisher.
pub(crate) fn start(core: Core) -> io::Result<Vec<JoinHandle<()>>> {
    let Core { shared, writer, publishing, recovered: _, lock } = core;
    let guard = FailOnPanic(Arc::clone(&shared));
    let sequencer = Builder::new().name("ledger-sequence".to_owned()).spawn(move || {
        let guard = guard;
        sequence(writer);
        drop(guard);
    })?;
    let guard = FailOnPanic(shared);
    let publisher = Builder::new().name("ledger-publish".to_owned()).spawn(move || {
        let guard = guard;
        publish(publishing);
        drop(guard);
        // The folder is let go of last, when nothing writes to it any more.
        drop(lock);
    })?;
    Ok(vec![sequencer, publisher])
}

/// Takes whatever queued up during the previous flush: load makes batches, no timer does.
fn sequence(mut writer: Writer) {
    let config = &writer.shared.config;
    let (entries_max, bytes_max) = (config.batch_entries_max, config.frame_payload_max());
    while let Some(batch) = writer.shared.queue.take(entries_max, bytes_max) {
        if writer.write(batch).is_err() {
            return;
        }
    }
    if writer.shared.failure().is_none() {
        let run = writer.shared.sealer.boot.clone();
        if let Err(error) = writer.write_own(vec![EntryDraft::new(Kind::Stop, run)]) {
            writer.shared.fail(&error);
        }
    }
    writer.shared.recent.close();
}

fn publish(mut publishing: Publishing) {
    let config = publishing.shared.config.clone();
    loop {
        let shared = &publishing.shared;
        let closed = shared.recent.wait_unpublished(config.checkpoint_entries, config.checkpoint_interval);
        let outcome = round(&mut publishing, closed);
        let shared = &publishing.shared;
        if let Err(error @ PublishError::Inconsistent { .. }) = &outcome {
            shared.fail(error);
            return;
        }
        if closed {
            return;
        }
        shared.trouble(outcome.err().map(|error| describe(&error)));
        pause(shared, config.checkpoint_pause);
    }
}

fn round(publishing: &mut Publishing, closed: bool) -> Result<(), PublishError> {
    let refilled = if closed { Ok(()) } else { publishing.pool.refill() };
    if publishing.shared.recent.unpublished() > 0 {
        publishing.publish()?;
    }
    if closed {
        publishing.sync()?;
    } else {
        publishing.sync_if_due()?;
    }
    refilled.map_err(PublishError::Prepare)
}

/// Lets entries gather between two checkpoints under load; ends early when the ledger closes.
fn pause(shared: &Shared, length: Duration) {
    shared.recent.wait_unpublished(u64::MAX, length);
}

fn describe(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", describe(source)),
        None => error.to_string(),
    }
}

/// If a thread of the ledger dies, everything after it must fail, not wait.
struct FailOnPanic(Arc<Shared>);

impl Drop for FailOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(&io::Error::other("a thread of the ledger panicked"));
        }
    }
}
