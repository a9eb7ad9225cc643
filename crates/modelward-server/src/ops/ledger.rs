//! The ledger: position, entries, proofs, and its public files.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use modelward_decision::vocabulary::{Action, ResourceRef};
use modelward_enforcement::Summary;
use modelward_ledger::TileFile;
use modelward_ledger::entry::{Entry, Kind};
use modelward_seal::checkpoint::Checkpoint;
use modelward_seal::note::SignedNote;

use crate::caller::Caller;
use crate::control::{Allowed, ControlPlane};
use crate::ops::decisions::{blocking, place, time_of};
use crate::problem::Problem;
use crate::wire::{LedgerEntryView, LedgerPosition, Page, ProofView};

pub(crate) fn size_of(note: &SignedNote) -> Option<u64> {
    checkpoint_of(note).map(|checkpoint| checkpoint.size)
}

fn checkpoint_of(note: &SignedNote) -> Option<Checkpoint> {
    note.text().parse().ok()
}

/// The word for a kind of entry.
pub(crate) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Decision => "decision",
        Kind::Outcome => "outcome",
        Kind::Indeterminate => "indeterminate",
        Kind::DenialAggregate => "denials, counted",
        Kind::StateChange => "state change",
        Kind::KeyEvent => "key event",
        Kind::Recovery => "recovery",
        Kind::Start => "start",
        Kind::Stop => "stop",
        Kind::RejectedRequest => "rejected request",
    }
}

pub(crate) async fn position(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<LedgerPosition>, Problem> {
    let summary = Summary::default().with("what", "position");
    let ((), pass) = plane.permit(caller, Action::ReadLedger, ResourceRef::Platform, summary, ()).await?;
    let plane = Arc::clone(plane);
    pass.carry_out(blocking(move || {
        let reader = plane.reader();
        let position = reader.position();
        let note = reader.checkpoint()?;
        let checkpoint = checkpoint_of(&note);
        Ok(LedgerPosition {
            origin: reader.origin().to_owned(),
            size: position.size,
            root: checkpoint.as_ref().map(|it| STANDARD.encode(it.root.as_bytes())).unwrap_or_default(),
            checkpoint_size: checkpoint.map_or(position.published, |it| it.size),
            verifier_key: plane.settings.ledger_verifier_key.clone(),
            checkpoint: note.to_string(),
        })
    }))
    .await
}

pub(crate) async fn entry(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    index: u64,
) -> Result<Allowed<LedgerEntryView>, Problem> {
    let summary = Summary::default().with("entry", index);
    let ((), pass) = plane.permit(caller, Action::ReadLedger, ResourceRef::Platform, summary, ()).await?;
    let reader = plane.reader();
    pass.carry_out(blocking(move || {
        let bytes = reader.entry_bytes(index)?;
        let entry =
            Entry::from_bytes(&bytes).map_err(|error| Problem::internal("reading an entry", &error))?;
        let value =
            serde_json::from_slice(&bytes).map_err(|error| Problem::internal("reading an entry", &error))?;
        Ok(LedgerEntryView {
            place: place(&reader, index)?,
            kind: kind(entry.kind).to_owned(),
            at: time_of(&entry),
            entry: value,
            bytes: STANDARD.encode(&bytes),
        })
    }))
    .await
}

pub(crate) async fn proof(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    index: u64,
) -> Result<Allowed<ProofView>, Problem> {
    let summary = Summary::default().with("entry", index);
    let ((), pass) = plane.permit(caller, Action::ReadLedger, ResourceRef::Platform, summary, ()).await?;
    let reader = plane.reader();
    pass.carry_out(blocking(move || {
        let proof = reader.proof(index)?;
        let bytes = reader.entry_bytes(index)?;
        Ok(ProofView {
            index,
            leaf_hash: modelward_seal::merkle::leaf_hash(&bytes).to_string(),
            path: proof.path.iter().map(|digest| STANDARD.encode(digest.as_bytes())).collect(),
            tree_size: size_of(&proof.checkpoint).unwrap_or_default(),
            checkpoint: proof.checkpoint.to_string(),
            tlog_proof: proof.to_string(),
        })
    }))
    .await
}

/// Entries newest first.
pub(crate) async fn list(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    before: Option<u64>,
    limit: usize,
) -> Result<Allowed<Page<LedgerEntryLine>>, Problem> {
    let summary = Summary::default().with("what", "entries");
    let ((), pass) = plane.permit(caller, Action::ReadLedger, ResourceRef::Platform, summary, ()).await?;
    let plane = Arc::clone(plane);
    pass.carry_out(blocking(move || {
        let reader = plane.reader();
        let looked = u64::try_from(limit).unwrap_or(u64::MAX);
        let page = reader.search(before, limit, looked, |_, _| true)?;
        let mut items = Vec::new();
        for (index, entry) in &page.found {
            let bytes = reader.entry_bytes(*index)?;
            items.push(LedgerEntryLine {
                index: *index,
                at: time_of(entry),
                kind: kind(entry.kind).to_owned(),
                summary: summary_of(&plane, entry),
                leaf_hash: modelward_seal::merkle::leaf_hash(&bytes).to_string(),
            });
        }
        Ok(Page {
            items,
            next: page.next_before.map(|index| index.to_string()),
            total: Some(reader.position().size),
            complete_to: page.complete_below,
        })
    }))
    .await
}

/// One line of the ledger page.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct LedgerEntryLine {
    pub(crate) index: u64,
    pub(crate) at: jiff::Timestamp,
    pub(crate) kind: String,
    pub(crate) summary: String,
    pub(crate) leaf_hash: String,
}

/// The lines of a change, as long as their key exists.
fn lines_of(plane: &ControlPlane, entry: &Entry) -> Vec<String> {
    let clear = entry.facts.as_ref().and_then(|facts| plane.ledger.open_facts(facts).ok().flatten());
    clear.and_then(|clear| serde_json::from_slice(&clear).ok()).unwrap_or_default()
}

fn summary_of(plane: &ControlPlane, entry: &Entry) -> String {
    let text = |key: &str| entry.details.get(key).and_then(serde_json::Value::as_str);
    match (entry.kind, &entry.rationale, &entry.action) {
        (Kind::StateChange, _, Some(action)) => match lines_of(plane, entry).split_first() {
            Some((line, [])) => format!("{action}: {line}"),
            Some((line, rest)) => format!("{action}: {line}, and {} more", rest.len()),
            None => action.clone(),
        },
        (Kind::Outcome, _, _) => {
            let of = entry
                .intent
                .as_ref()
                .map(|intent| format!(" (of entry {})", intent.index))
                .unwrap_or_default();
            format!("{}{of}", entry.outcome.clone().unwrap_or_default())
        }
        (_, Some(rationale), Some(action)) => format!("{action}: {rationale}"),
        (_, Some(rationale), None) => rationale.clone(),
        (_, None, Some(action)) => action.clone(),
        (_, None, None) => text("reason").unwrap_or_default().to_owned(),
    }
}

/// The signed checkpoint: public, since it is what others check the log against.
pub(crate) async fn checkpoint(plane: &Arc<ControlPlane>) -> Result<String, Problem> {
    let reader = plane.reader();
    blocking(move || Ok(reader.checkpoint()?.to_string())).await
}

pub(crate) async fn tile(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    path: String,
) -> Result<Allowed<TileFile>, Problem> {
    let summary = Summary::default().with("tile", &path);
    let (path, pass) =
        plane.permit(caller, Action::ExportLedger, ResourceRef::Platform, summary, path).await?;
    let reader = plane.reader();
    pass.carry_out(blocking(move || Ok(reader.tile_file(&path)?))).await
}
