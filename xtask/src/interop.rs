//! Real clients against the demonstration system, and the store against a real database server.
//!
//! Each suite installs what it needs into a folder of its own below the target folder, says what it does, and counts
//! what passed and what failed.

mod clients;
mod database;

use clap::ValueEnum;

use crate::system::{Behind, Profile, System, build};
use crate::{Error, report, say};

/// What to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// The `openai` package for Python against the gateway
    Openai,
    /// The `tritonclient` package for Python against the gateway
    Oip,
    /// The console in Chromium
    Console,
    /// Signing in through npm `oidc-provider`, in Chromium and on the command line
    Identity,
    /// PyPI `scim2-tester` against the provisioning protocol
    Scim,
    /// A ledger verifier in Python that shares no code with ours
    Ledger,
    /// The store's own suite on a PostgreSQL server
    Postgres,
    /// All of them
    All,
}

const EVERY: [Suite; 7] =
    [Suite::Openai, Suite::Oip, Suite::Console, Suite::Identity, Suite::Scim, Suite::Ledger, Suite::Postgres];

impl Suite {
    const fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Oip => "oip",
            Self::Console => "console",
            Self::Identity => "identity",
            Self::Scim => "scim",
            Self::Ledger => "ledger",
            Self::Postgres => "postgres",
            Self::All => "all",
        }
    }
}

/// Runs suites, those against the system against one and the same; all of them when none or [`Suite::All`] is named.
/// Tells all failures, not only the first.
pub async fn run(asked: &[Suite]) -> Result<(), Error> {
    let every = asked.is_empty() || asked.contains(&Suite::All);
    let suites = if every { &EVERY } else { asked };
    let mut system = None;
    let mut failed = Vec::new();
    for suite in suites {
        match try_one(*suite, &mut system).await {
            Ok(()) => say(&format!("interop {}: passed", suite.name())),
            Err(error) => {
                say(&report(&error));
                say(&format!("interop {}: FAILED", suite.name()));
                failed.push(suite.name());
            }
        }
    }
    say(&format!("interop: {} suites passed, {} failed", suites.len() - failed.len(), failed.len()));
    if failed.is_empty() { Ok(()) } else { Err(Error::Unmet(format!("failed: {}", failed.join(", ")))) }
}

async fn try_one(suite: Suite, system: &mut Option<System>) -> Result<(), Error> {
    match suite {
        Suite::Openai => clients::openai(started(system).await?),
        Suite::Oip => clients::oip(started(system).await?),
        Suite::Console => {
            clients::console(started(system).await?)?;
            clients::passkeys(&build(Profile::Release)?)
        }
        Suite::Identity => clients::identity(&build(Profile::Release)?),
        Suite::Scim => clients::scim(&build(Profile::Release)?),
        Suite::Ledger => clients::ledger(started(system).await?),
        Suite::Postgres => database::run().await,
        // Named in place of the others, see `run`.
        Suite::All => Ok(()),
    }
}

/// The running system, which is started when the first suite asks for it.
async fn started(system: &mut Option<System>) -> Result<&System, Error> {
    if system.is_none() {
        say("interop: building and starting `modelward demo --stay-for-tests`");
        *system = Some(System::start(build(Profile::Release)?, &Behind::Own, None).await?);
    }
    system.as_ref().ok_or_else(|| Error::Unmet("the demonstration did not start".to_owned()))
}
