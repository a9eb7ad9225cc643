//! From the name a caller uses to one version of one model, at the moment of the decision.

use std::sync::Arc;

use modelward_decision::Snapshot;
use modelward_decision::inventory::{Endpoint, Served, Version};

use crate::refusal::Refusal;

/// What a public name means right now. The upstream is asked for exactly this.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    endpoint: Arc<Endpoint>,
    place: usize,
    pub(crate) version: Arc<Version>,
}

/// The served model of that name; where a version is named, the one that is in that version.
///
/// Several models of one public name can stand behind an endpoint, each in another version.
pub(crate) fn model(
    snapshot: &Snapshot,
    endpoint: &Arc<Endpoint>,
    name: &str,
    version: Option<&str>,
) -> Result<Bound, Refusal> {
    endpoint
        .serves
        .iter()
        .enumerate()
        .filter(|(_, served)| served.public_name == name)
        .find_map(|(place, served)| {
            let resolved = snapshot.resolve(served.target)?;
            let is_asked = version.is_none_or(|label| resolved.label.as_str() == label);
            // INVARIANT: an alias never leads to a version of another model.
            let is_of_model = resolved.model == served.model;
            (is_asked && is_of_model).then(|| Bound {
                endpoint: Arc::clone(endpoint),
                place,
                version: Arc::clone(resolved),
            })
        })
        .ok_or_else(Refusal::unknown_model)
}

/// Every served entry with the version it means, for lists.
pub(crate) fn all(snapshot: &Snapshot, endpoint: &Arc<Endpoint>) -> Vec<Bound> {
    let bound = |(place, served): (usize, &Served)| {
        let version = snapshot.resolve(served.target).filter(|version| version.model == served.model)?;
        Some(Bound { endpoint: Arc::clone(endpoint), place, version: Arc::clone(version) })
    };
    endpoint.serves.iter().enumerate().filter_map(bound).collect()
}

impl Bound {
    /// What callers call it.
    pub(crate) fn public_name(&self) -> &str {
        self.served().map_or("", |served| served.public_name.as_str())
    }

    /// What the upstream calls it.
    pub(crate) fn upstream_name(&self) -> &str {
        self.served().map_or("", |served| served.upstream_name.as_str())
    }

    /// What the upstream calls the version.
    pub(crate) fn label(&self) -> &str {
        self.version.label.as_str()
    }

    fn served(&self) -> Option<&Served> {
        self.endpoint.serves.get(self.place)
    }
}
