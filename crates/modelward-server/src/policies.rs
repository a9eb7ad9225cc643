//! Bundles by digest: read once, and kept as long as something may still ask for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use modelward_decision::vocabulary::PrincipalRef;
use modelward_decision::{Bundle, Candidate};
use modelward_governance::policy::PolicyState;
use modelward_policy::BundleFile;
use modelward_seal::Digest;
use modelward_store::Store;
use modelward_store::bundles::BundleRow;

use crate::problem::Problem;
use crate::wire::ErrorCode;

/// Bundles kept in memory; past it those that nobody uses are let go.
const KEPT_MAX: usize = 16;

/// The bundles of an installation.
#[derive(Debug)]
pub(crate) struct Policies {
    store: Store,
    kept: Mutex<BTreeMap<Digest, Arc<Bundle>>>,
}

impl Policies {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, kept: Mutex::default() }
    }

    /// The file of a bundle that was proposed.
    pub(crate) async fn file(&self, digest: Digest) -> Result<BundleFile, Problem> {
        let row = self.store.bundle(digest).await?.ok_or_else(|| unknown(digest))?;
        opened(row.file, digest).await
    }

    /// A bundle through every check of the decision point.
    pub(crate) async fn bundle(&self, digest: Digest) -> Result<Arc<Bundle>, Problem> {
        if let Some(bundle) = self.kept().get(&digest) {
            return Ok(Arc::clone(bundle));
        }
        let file = self.file(digest).await?;
        let read = tokio::task::spawn_blocking(move || file.bundle()).await;
        let bundle = read
            .map_err(|error| Problem::internal("reading a bundle", &error))?
            .map_err(|error| Problem::internal("reading a bundle that was proposed", &error))?;
        Ok(self.keep(Arc::new(bundle)))
    }

    /// Takes note of a bundle that was read elsewhere.
    pub(crate) fn keep(&self, bundle: Arc<Bundle>) -> Arc<Bundle> {
        let mut kept = self.kept();
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, bundle| Arc::strong_count(bundle) > 1);
        }
        Arc::clone(kept.entry(bundle.digest()).or_insert(bundle))
    }

    /// The bundles that a state of policy names.
    pub(crate) async fn of(&self, state: &PolicyState) -> Result<(Arc<Bundle>, Option<Candidate>), Problem> {
        let active = self.bundle(state.active).await?;
        let candidate = match state.on_trial {
            Some(trial) => Some(Candidate { bundle: self.bundle(trial.bundle).await?, reach: trial.reach }),
            None => None,
        };
        Ok((active, candidate))
    }

    /// A bundle as the database keeps it, without signatures.
    pub(crate) fn row(
        &self,
        bundle: &Bundle,
        proposed_by: Option<PrincipalRef>,
        proposed_at: Timestamp,
    ) -> Result<BundleRow, Problem> {
        let file = BundleFile::pack(bundle.sources().clone())
            .map_err(|error| Problem::internal("packing a bundle", &error))?;
        Ok(BundleRow {
            digest: bundle.digest(),
            name: bundle.manifest().name.to_string(),
            version: bundle.manifest().version.to_string(),
            file: text_of(&file)?,
            proposed_by,
            proposed_at,
        })
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<Digest, Arc<Bundle>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn text_of(file: &BundleFile) -> Result<String, Problem> {
    let bytes = file.to_bytes().map_err(|error| Problem::internal("writing a bundle", &error))?;
    String::from_utf8(bytes).map_err(|error| Problem::internal("writing a bundle", &error))
}

/// Reads a bundle file on a thread where that may take its time.
pub(crate) async fn opened(text: String, expected: Digest) -> Result<BundleFile, Problem> {
    let read = tokio::task::spawn_blocking(move || BundleFile::open(text.as_bytes())).await;
    let file = read
        .map_err(|error| Problem::internal("reading a bundle", &error))?
        .map_err(|error| Problem::internal("reading a bundle that was kept", &error))?;
    if file.digest() == expected {
        return Ok(file);
    }
    tracing::error!(%expected, found = %file.digest(), "the database has another bundle under this digest");
    Err(Problem::new(ErrorCode::Internal, "this failed on our side; the log of the server has the reason"))
}

pub(crate) fn unknown(digest: Digest) -> Problem {
    Problem::not_found("bundle", &digest.to_string())
}
