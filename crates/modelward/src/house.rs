//! The data directory: what lies where, made once and opened at each start.

mod keeper;
pub mod outpost;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use modelward_decision::Bundle;
use modelward_decision::bundle::BundleError;
use modelward_enforcement::Reservations;
use modelward_ledger::subject::{DataKey, FileSubjectKeys, KeyError as SubjectKeyError, PseudonymKey};
use modelward_ledger::{Ledger, Parts as LedgerParts};
use modelward_seal::note::{KeyName, Signer as _, SoftwareSigner, VerifierError};
use modelward_seal::source::{Clock as _, Ids};
use modelward_store::{Options as StoreOptions, Store, StoreError};

pub use keeper::{Keys, TokenKeyError};

use crate::clock::{ClockError, SystemClock, SystemIds};
use crate::config::{Config, Ledger as LedgerConfig};
use crate::keys::{KeyError, KeyRing, Purpose};
use crate::private::{self, PrivateError};

pub const CONFIG_FILE: &str = "modelward.toml";
pub const LEDGER_FOLDER: &str = "ledger";
/// The public key that checks the ledger's checkpoints: made to be copied elsewhere.
pub const VERIFIER_KEY_FILE: &str = "ledger.vkey";
const KEYS_FOLDER: &str = "keys";
const STATE_FOLDER: &str = "state";
const DATABASE_FILE: &str = "modelward.db";
const CLOCK_FILE: &str = "clock";
const SUBJECT_KEYS_FOLDER: &str = "subject-keys";
const RESERVATIONS_FOLDER: &str = "reservations";

/// Everything that lies in the data directory, open.
#[derive(Debug)]
pub struct House {
    pub clock: Arc<SystemClock>,
    pub ids: Arc<SystemIds>,
    pub keys: Arc<KeyRing>,
    pub store: Store,
    pub ledger: Arc<Ledger>,
    pub reservations: Arc<Reservations>,
    pub bundle: Arc<Bundle>,
    /// What checks the checkpoints of the ledger, as `name+id+base64`.
    pub verifier_key: String,
}

/// Why a data directory cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    #[error("`{}` is not empty", path.display())]
    NotEmpty { path: PathBuf },
    #[error("there is no installation in `{}`", path.display())]
    Missing { path: PathBuf },
    #[error("failed to {doing} `{}`", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Private(#[from] PrivateError),
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error(transparent)]
    Clock(#[from] ClockError),
    #[error("the keys of subjects cannot be opened")]
    SubjectKeys(#[source] SubjectKeyError),
    #[error("the ledger cannot be opened")]
    Ledger(#[source] modelward_ledger::OpenError),
    #[error("the name of the ledger cannot be used")]
    Origin(#[source] VerifierError),
    #[error("the ledger is named `{named}`, but the configuration says `{configured}`")]
    OtherOrigin { named: String, configured: String },
    #[error("the counters of grants cannot be opened")]
    Reservations(#[source] modelward_enforcement::reservations::OpenError),
    #[error("the database cannot be opened")]
    Store(#[source] StoreError),
    #[error("the policy bundle cannot be used")]
    Bundle(#[source] BundleError),
}

impl House {
    /// Makes the data directory, which must be missing or empty but for the configuration.
    ///
    /// # Errors
    /// Something lies there already, or cannot be written.
    pub async fn create(config: &Config) -> Result<Self, HouseError> {
        let home = &config.data_dir;
        refuse_if_used(home)?;
        for folder in [home.clone(), home.join(STATE_FOLDER), home.join(RESERVATIONS_FOLDER)] {
            private::make_folder(&folder)?;
            private::check_folder(&folder)?;
        }
        let clock = Arc::new(SystemClock::marked(home.join(STATE_FOLDER).join(CLOCK_FILE))?);
        let ids = Arc::new(SystemIds);
        let keys = KeyRing::create(&home.join(KEYS_FOLDER), &*ids, clock.now())?;
        let (ledger, verifier_key) = make_ledger(config, &keys, &clock, &ids)?;
        let reservations =
            Reservations::create(&home.join(RESERVATIONS_FOLDER)).map_err(HouseError::Reservations)?;
        Self::furnish(home, clock, ids, keys, ledger, reservations, verifier_key).await
    }

    /// Opens the data directory, and finishes what a crash interrupted.
    ///
    /// # Errors
    /// There is none, or a part of it is damaged, open to others or in use by another process.
    pub async fn open(config: &Config) -> Result<Self, HouseError> {
        let home = &config.data_dir;
        if !home.join(KEYS_FOLDER).is_dir() {
            return Err(HouseError::Missing { path: home.clone() });
        }
        private::check_folder(home)?;
        let clock = Arc::new(SystemClock::marked(home.join(STATE_FOLDER).join(CLOCK_FILE))?);
        let ids = Arc::new(SystemIds);
        let keys = KeyRing::open_grown(&home.join(KEYS_FOLDER), &*ids, clock.now())?;
        let (ledger, verifier_key) = open_ledger(config, &keys, &clock, &ids)?;
        let reservations =
            Reservations::open(&home.join(RESERVATIONS_FOLDER)).map_err(HouseError::Reservations)?;
        Self::furnish(home, clock, ids, keys, ledger, reservations, verifier_key).await
    }

    /// Begins with the default bundle under these reviewers, in the form of `reviewers.toml`.
    ///
    /// # Errors
    /// The text makes no valid bundle.
    pub fn review_by(&mut self, reviewers: String) -> Result<(), HouseError> {
        let mut sources = self.bundle.sources().clone();
        sources.insert("reviewers.toml".to_owned(), reviewers);
        self.bundle = Arc::new(Bundle::from_sources(sources).map_err(HouseError::Bundle)?);
        Ok(())
    }

    /// What is the same whether new or old: the database makes or moves on its schema itself.
    async fn furnish(
        home: &Path,
        clock: Arc<SystemClock>,
        ids: Arc<SystemIds>,
        keys: KeyRing,
        ledger: Ledger,
        reservations: Reservations,
        verifier_key: String,
    ) -> Result<Self, HouseError> {
        let recovered = ledger.recovered();
        if recovered.unclean {
            tracing::warn!(
                frames_replayed = recovered.frames_replayed,
                bytes_cut = recovered.bytes_cut,
                indeterminate = recovered.indeterminate,
                "the last run did not end by itself; the ledger was recovered"
            );
        }
        let database = home.join(STATE_FOLDER).join(DATABASE_FILE);
        let store =
            Store::open(&database, StoreOptions::new(clock.now())).await.map_err(HouseError::Store)?;
        let bundle = Arc::new(Bundle::default_bundle().map_err(HouseError::Bundle)?);
        Ok(Self {
            clock,
            ids,
            keys: Arc::new(keys),
            store,
            ledger: Arc::new(ledger),
            reservations: Arc::new(reservations),
            bundle,
            verifier_key,
        })
    }

    /// Writes what is left to write and lets go of everything.
    pub async fn close(self) {
        self.store.close().await;
        close(self.ledger, self.clock).await;
    }
}

/// Writes what is left to write of a ledger, and the mark that keeps time from going back.
async fn close(ledger: Arc<Ledger>, clock: Arc<SystemClock>) {
    let closed = tokio::task::spawn_blocking(move || {
        ledger.close();
        clock.persist()
    });
    match closed.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(error = crate::exit::chain(&error), "the clock mark was not written");
        }
        Err(error) => tracing::error!(%error, "the ledger did not close"),
    }
}

/// A new ledger, with the key that checks its checkpoints beside it.
fn make_ledger(
    config: &Config,
    keys: &KeyRing,
    clock: &Arc<SystemClock>,
    ids: &Arc<SystemIds>,
) -> Result<(Ledger, String), HouseError> {
    let home = &config.data_dir;
    let signer = checkpoint_signer(keys, &config.ledger)?;
    let verifier_key = signer.verifier().map_err(HouseError::Origin)?.to_string();
    private::write(&home.join(VERIFIER_KEY_FILE), format!("{verifier_key}\n").as_bytes())?;
    let parts = ledger_parts(home, keys, signer, clock, ids)?;
    private::make_folder(&home.join(LEDGER_FOLDER))?;
    let ledger = Ledger::create(&home.join(LEDGER_FOLDER), ledger_config(&config.ledger), parts)
        .map_err(HouseError::Ledger)?;
    Ok((ledger, verifier_key))
}

/// The ledger that is there, if it is the one configured, with the key that checks its checkpoints.
fn open_ledger(
    config: &Config,
    keys: &KeyRing,
    clock: &Arc<SystemClock>,
    ids: &Arc<SystemIds>,
) -> Result<(Ledger, String), HouseError> {
    let home = &config.data_dir;
    let signer = checkpoint_signer(keys, &config.ledger)?;
    let verifier_key = check_origin(home, &signer, &config.ledger)?;
    let parts = ledger_parts(home, keys, signer, clock, ids)?;
    let ledger = Ledger::open(&home.join(LEDGER_FOLDER), ledger_config(&config.ledger), parts)
        .map_err(HouseError::Ledger)?;
    Ok((ledger, verifier_key))
}

/// `init` works once: it touches nothing that is there.
fn refuse_if_used(home: &Path) -> Result<(), HouseError> {
    let io = |source| HouseError::Io { doing: "look into", path: home.to_owned(), source };
    match fs::read_dir(home) {
        Ok(entries) => {
            for entry in entries {
                if entry.map_err(io)?.file_name() != CONFIG_FILE {
                    return Err(HouseError::NotEmpty { path: home.to_owned() });
                }
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io(error)),
    }
}

fn checkpoint_signer(keys: &KeyRing, config: &LedgerConfig) -> Result<SoftwareSigner, HouseError> {
    let name = KeyName::new(config.origin.as_str()).map_err(HouseError::Origin)?;
    Ok(SoftwareSigner::from_seed(name, keys.active(Purpose::Checkpoint)?.secret()))
}

/// A ledger that was renamed would sign checkpoints that nobody who knows it believes.
fn check_origin(home: &Path, signer: &SoftwareSigner, config: &LedgerConfig) -> Result<String, HouseError> {
    let path = home.join(VERIFIER_KEY_FILE);
    let text = fs::read_to_string(&path).map_err(|source| HouseError::Io {
        doing: "read",
        path: path.clone(),
        source,
    })?;
    let verifier = signer.verifier().map_err(HouseError::Origin)?;
    let verifier_key = verifier.to_string();
    if text.trim() == verifier_key {
        return Ok(verifier_key);
    }
    let named = text.split('+').next().unwrap_or_default().to_owned();
    Err(HouseError::OtherOrigin { named, configured: config.origin.as_str().to_owned() })
}

fn ledger_parts(
    home: &Path,
    keys: &KeyRing,
    signer: SoftwareSigner,
    clock: &Arc<SystemClock>,
    ids: &Arc<SystemIds>,
) -> Result<LedgerParts, HouseError> {
    let folder = home.join(KEYS_FOLDER).join(SUBJECT_KEYS_FOLDER);
    private::make_folder(&folder)?;
    let wrapping = DataKey::new(**keys.active(Purpose::Facts)?.secret());
    let ids: Arc<dyn Ids> = Arc::<SystemIds>::clone(ids);
    let subject_keys =
        FileSubjectKeys::open(&folder, wrapping, Arc::clone(&ids)).map_err(HouseError::SubjectKeys)?;
    Ok(LedgerParts {
        signer: Arc::new(signer),
        pseudonyms: PseudonymKey::new(**keys.active(Purpose::Pseudonym)?.secret()),
        subject_keys: Arc::new(subject_keys),
        clock: Arc::<SystemClock>::clone(clock),
        ids,
    })
}

fn ledger_config(config: &LedgerConfig) -> modelward_ledger::Config {
    modelward_ledger::Config {
        segment_bytes: config.segment_size.bytes(),
        ..modelward_ledger::Config::new(config.origin.as_str())
    }
}
