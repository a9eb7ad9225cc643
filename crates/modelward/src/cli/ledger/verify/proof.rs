//! `modelward ledger verify --proof`: one entry, its proof and a key, and nobody else to ask.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use modelward_ledger::verify::verify_proof;
use modelward_seal::proof::TlogProof;
use modelward_server::wire::LedgerEntryView;
use serde::Serialize;

use super::trusted_key;
use crate::cli::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Style, clean};

/// An entry is at most a few hundred KiB, its proof a few.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// What a saved file claims.
struct Saved {
    proof: String,
    entry: Vec<u8>,
}

/// What was found, as scripts see it.
#[derive(Serialize)]
struct Shown {
    verdict: &'static str,
    index: u64,
    origin: String,
    size: u64,
    root: String,
}

pub(super) fn run(context: &Context, file: &Path, entry: Option<&Path>, key: Option<&str>) -> Outcome {
    let key = key.ok_or_else(|| Failure::new(Exit::Usage, "`--proof` needs `--key`"))?;
    let trusted = trusted_key(key)?;
    let Saved { proof, entry } = saved(file, entry)?;
    let index = proof.parse::<TlogProof>().map_err(|error| Failure::of(Exit::Usage, &error))?.index;
    let checkpoint =
        verify_proof(&proof, &entry, &trusted).map_err(|error| Failure::of(Exit::Failure, &error))?;
    let terminal = &context.terminal;
    let (origin, size, root) = (checkpoint.origin.to_string(), checkpoint.size, checkpoint.root.to_string());
    if terminal.json() {
        terminal.value(&Shown { verdict: "intact", index, origin, size, root })?;
    } else {
        let verdict = terminal.paint(Style::Good, "intact");
        terminal.line(&format!(
            "{verdict}: entry {index} is one of the {size} entries of {}, root {root}",
            clean(&origin)
        ))?;
    }
    Ok(Exit::Ok)
}

/// A `ledger show --json` holds entry and proof; a proof in C2SP form comes with the bytes of the entry in another file.
fn saved(file: &Path, entry: Option<&Path>) -> Result<Saved, Failure> {
    let text = String::from_utf8(read(file)?)
        .map_err(|_| Failure::new(Exit::Usage, format!("`{}` is no text", file.display())))?;
    let unusable = |why: &str| Failure::new(Exit::Usage, format!("`{}` {why}", file.display()));
    if let Ok(view) = serde_json::from_str::<LedgerEntryView>(&text) {
        let proof = view.place.proof.ok_or_else(|| {
            unusable("holds no proof: no checkpoint covered the entry when it was saved")
                .hint("save it again; a checkpoint is signed within a second")
        })?;
        let bytes = STANDARD.decode(&view.bytes).map_err(|_| unusable("has bytes that are no base64"))?;
        let entry = entry.map_or(Ok(bytes), read)?;
        return Ok(Saved { proof, entry });
    }
    let entry = entry.ok_or_else(|| {
        unusable("holds no entry, and a proof alone says nothing of one")
            .hint("give the bytes with `--entry`, or save `modelward --json ledger show INDEX`")
    })?;
    // A line end was lost or added on the way to a file; the form has exactly one.
    let proof = format!("{}\n", text.trim_end_matches('\n'));
    Ok(Saved { proof, entry: read(entry)? })
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Usage, format!("failed to read `{}`: {error}", path.display()))
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
        let message = format!("`{}` is larger than {MAX_FILE_BYTES} bytes", path.display());
        return Err(Failure::new(Exit::Usage, message));
    }
    Ok(bytes)
}
