//! The whole state in parts of bounded size.

use modelward_decision::Snapshot;
use modelward_seal::Digest;
use serde::{Deserialize, Serialize};

use crate::delta::link;
use crate::step::{Step, Trial};

/// Some of the steps that lead from nothing to a state.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    pub steps: Vec<Step>,
}

/// Steps in one part. The longest single thing bounds a part's bytes.
pub const STEPS_IN_PART: usize = 256;

/// Steps in one image: bounds what a gateway takes in.
pub const STEPS_MAX: u64 = 50_000_000;

/// What an image hashes to before its first part.
pub(crate) fn begin(revision: u64) -> Digest {
    Digest::of_parts(&[b"modelward/image/v1\n", &revision.to_be_bytes()])
}

/// Writes a state part by part and returns the digest of all parts. Stops early when `write` says so, and returns nothing.
pub fn write<E>(
    snapshot: &Snapshot,
    mut write: impl FnMut(String) -> Result<(), E>,
    unwritable: impl FnOnce(serde_json::Error) -> E,
) -> Result<Digest, E> {
    let mut content = begin(snapshot.revision());
    let mut steps = steps(snapshot).peekable();
    while steps.peek().is_some() {
        let part = Part { steps: steps.by_ref().take(STEPS_IN_PART).collect() };
        let text = match serde_json::to_string(&part) {
            Ok(text) => text,
            Err(error) => return Err(unwritable(error)),
        };
        content = link(content, &text);
        write(text)?;
    }
    Ok(content)
}

/// Every step that leads from an empty state to this one.
pub fn steps(snapshot: &Snapshot) -> impl Iterator<Item = Step> + '_ {
    let bundle = std::iter::once(Step::Bundle(snapshot.bundle().digest()));
    let things = snapshot
        .groups()
        .cloned()
        .map(Step::Group)
        .chain(snapshot.people().cloned().map(Step::Person))
        .chain(snapshot.machines().cloned().map(Step::Machine))
        .chain(snapshot.projects().cloned().map(Step::Project))
        .chain(snapshot.environments().cloned().map(Step::Environment))
        .chain(snapshot.models().cloned().map(Step::Model))
        .chain(snapshot.versions().cloned().map(Step::Version))
        .chain(snapshot.aliases().cloned().map(Step::Alias))
        .chain(snapshot.datasets().cloned().map(Step::Dataset))
        .chain(snapshot.endpoints().cloned().map(Step::Endpoint));
    let grants = snapshot.grants().cloned().map(Step::Grant);
    let epochs = snapshot.epochs().map(|(scope, count)| Step::Epoch { scope, count });
    let raised = snapshot.raised().cloned().map(Step::Raise);
    let trial = snapshot.candidate().map(|candidate| Step::Candidate(Some(Trial::of(candidate))));
    bundle.chain(things).chain(grants).chain(epochs).chain(raised).chain(trial)
}
