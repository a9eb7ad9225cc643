//! Bundles by digest: read once, and kept as long as something may still ask for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use modelward_decision::Bundle;
use modelward_decision::vocabulary::PrincipalRef;
use modelward_policy::gate::Report;
use modelward_policy::parts::Header;
use modelward_policy::{BundleFile, Signature};
use modelward_seal::Digest;
use modelward_store::Store;
use modelward_store::bundles::{BundleHead, BundleRow};
use tokio::sync::OnceCell;

use crate::judged::Reports;
use crate::problem::Problem;
use crate::wire::ErrorCode;

/// Bundles kept in memory; past it those that nobody uses are let go.
const KNOWN_MAX: usize = 16;

/// The bundles of an installation.
#[derive(Debug)]
pub(crate) struct Policies {
    store: Store,
    known: Mutex<BTreeMap<Digest, Arc<Bundle>>>,
    reports: Reports,
}

/// A bundle that was proposed. Its file is read and opened when somebody first asks for it.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) head: BundleHead,
    store: Store,
    file: OnceCell<Opened>,
}

/// A bundle file, and the text it was read from.
#[derive(Debug)]
struct Opened {
    text: String,
    file: BundleFile,
}

impl Kept {
    pub(crate) async fn file(&self) -> Result<&BundleFile, Problem> {
        Ok(&self.opened().await?.file)
    }

    pub(crate) async fn text(&self) -> Result<&str, Problem> {
        Ok(&self.opened().await?.text)
    }

    /// With signatures more than are kept; `None` where somebody else signed at the same moment.
    pub(crate) async fn signed(self, signatures: &[Signature]) -> Result<Option<Self>, Problem> {
        let mut file = self.file().await?.clone();
        for signature in signatures {
            file = file.with_signature(signature.clone());
        }
        self.replaced(file).await
    }

    /// With another file of the same texts; `None` where somebody else replaced it at the same moment.
    pub(crate) async fn replaced(self, file: BundleFile) -> Result<Option<Self>, Problem> {
        let text = text_of(&file)?;
        let replaced = self.store.replace_bundle(self.head.digest, self.text().await?, &text).await?;
        Ok(replaced.then(|| Self { file: OnceCell::new_with(Some(Opened { text, file })), ..self }))
    }

    async fn opened(&self) -> Result<&Opened, Problem> {
        let digest = self.head.digest;
        let read = async || {
            let text = self.store.bundle_file(digest).await?.ok_or_else(|| unknown(digest))?;
            open(text, digest).await
        };
        self.file.get_or_try_init(read).await
    }
}

impl Policies {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, known: Mutex::default(), reports: Reports::default() }
    }

    /// A bundle that was proposed.
    pub(crate) async fn kept(&self, digest: Digest) -> Result<Kept, Problem> {
        let head = self.store.bundle_head(digest).await?.ok_or_else(|| unknown(digest))?;
        Ok(self.with_head(head))
    }

    /// The bundles that were proposed last, newest first.
    pub(crate) async fn newest(&self, limit: u32) -> Result<Vec<Kept>, Problem> {
        let heads = self.store.bundles(limit).await?;
        Ok(heads.into_iter().map(|head| self.with_head(head)).collect())
    }

    fn with_head(&self, head: BundleHead) -> Kept {
        Kept { head, store: self.store.clone(), file: OnceCell::new() }
    }

    /// What the gate says of a bundle, compared with the one in force.
    pub(crate) async fn report(
        &self,
        active: &Arc<Bundle>,
        file: &BundleFile,
    ) -> Result<Arc<Report>, Problem> {
        self.reports.of(active, file).await
    }

    /// A bundle through every check of the decision point.
    pub(crate) async fn bundle(&self, digest: Digest) -> Result<Arc<Bundle>, Problem> {
        if let Some(bundle) = self.known().get(&digest) {
            return Ok(Arc::clone(bundle));
        }
        let file = self.kept(digest).await?.file().await?.clone();
        let read = tokio::task::spawn_blocking(move || file.bundle()).await;
        let bundle = read
            .map_err(|error| Problem::internal("reading a bundle", &error))?
            .map_err(|error| Problem::internal("reading a bundle that was proposed", &error))?;
        Ok(self.keep(Arc::new(bundle)))
    }

    /// Takes note of a bundle that was read elsewhere.
    pub(crate) fn keep(&self, bundle: Arc<Bundle>) -> Arc<Bundle> {
        let mut known = self.known();
        if known.len() >= KNOWN_MAX {
            known.retain(|_, bundle| Arc::strong_count(bundle) > 1);
        }
        Arc::clone(known.entry(bundle.digest()).or_insert(bundle))
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// The file of a bundle that was proposed.
    pub(crate) async fn file(&self, digest: Digest) -> Result<BundleFile, Problem> {
        Ok(self.kept(digest).await?.file().await?.clone())
    }

    /// A bundle that is in memory.
    pub(crate) fn in_memory(&self, digest: Digest) -> Option<Arc<Bundle>> {
        self.known().get(&digest).cloned()
    }

    /// A whole that is in memory, by its root and by its other parts in order.
    pub(crate) fn known_whole(&self, root: Digest, others: &[Digest]) -> Option<Arc<Bundle>> {
        let is_it = |bundle: &&Arc<Bundle>| {
            bundle.composition().is_some_and(|composition| {
                composition.root == root && composition.others().iter().eq(others.iter())
            })
        };
        self.known().values().find(is_it).cloned()
    }

    /// Keeps a bundle that is not kept yet, and gives it back as it is kept.
    pub(crate) async fn put(
        &self,
        file: BundleFile,
        proposed_by: Option<PrincipalRef>,
        proposed_at: Timestamp,
    ) -> Result<Kept, Problem> {
        let digest = file.digest();
        let header = Header::read(file.files())
            .map_err(|finding| Problem::new(ErrorCode::Refused, finding.message))?;
        let (name, version) = (header.name.to_string(), header.version.to_string());
        let head = BundleHead { digest, name, version, proposed_by, proposed_at };
        self.store.put_bundle(&BundleRow { head, file: text_of(&file)? }).await?;
        self.kept(digest).await
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<Digest, Arc<Bundle>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn text_of(file: &BundleFile) -> Result<String, Problem> {
    let bytes = file.to_bytes().map_err(|error| Problem::internal("writing a bundle", &error))?;
    String::from_utf8(bytes).map_err(|error| Problem::internal("writing a bundle", &error))
}

/// Opens a bundle file on a thread where that may take its time.
async fn open(text: String, expected: Digest) -> Result<Opened, Problem> {
    let read = tokio::task::spawn_blocking(move || {
        BundleFile::open(text.as_bytes()).map(|file| Opened { text, file })
    });
    let opened = read
        .await
        .map_err(|error| Problem::internal("reading a bundle", &error))?
        .map_err(|error| Problem::internal("reading a bundle that was kept", &error))?;
    let found = opened.file.digest();
    if found == expected {
        return Ok(opened);
    }
    tracing::error!(%expected, %found, "the database has another bundle under this digest");
    Err(Problem::new(ErrorCode::Internal, "this failed on our side; the log of the server has the reason"))
}

fn unknown(digest: Digest) -> Problem {
    Problem::not_found("bundle", &digest.to_string())
}
