//! The installation of the demonstration: made, started and taken down like any other.

use std::fs;
use std::path::{Path, PathBuf};

use demo_upstream::StartupReport;
use modelward_decision::vocabulary::Name;
use modelward_seal::source::{Clock as _, Ids as _};
use modelward_server::wire::Secret;
use serde_json::json;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use super::device_desk::DeviceDesk;
use super::evidence::Evidence;
use super::people::Desk;
use super::policy::Reviewers;
use super::story::Cast;
use super::upstream::Upstream;
use crate::clock::{SystemClock, SystemIds};
use crate::config::{Environment, HttpUrl, Loaded};
use crate::exit::{Exit, Failure};
use crate::house::{CONFIG_FILE, LEDGER_FOLDER, VERIFIER_KEY_FILE};
use crate::output::Terminal;
use crate::private;
use crate::service::{self, Service};

/// Everything that runs, and the folder it runs in.
#[derive(Debug)]
pub(super) struct System {
    serving: Service,
    clock: SystemClock,
    own: Option<Upstream>,
    control: HttpUrl,
    folder: TempDir,
    reviewers: Reviewers,
    devices: DeviceDesk,
    pub(super) case: Case,
}

/// A case of the data set: what was measured, and what the pathologist said.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) measurements: Vec<f32>,
    pub(super) diagnosis: &'static str,
}

/// Addresses people remember; when they are taken, any will do.
const CONTROL: &str = "127.0.0.1:7080";
const GATEWAY: &str = "127.0.0.1:7070";
const ANY: &str = "127.0.0.1:0";

impl System {
    /// Gives the system, and the code its first person enrols with. `given` is the address and credential of a model
    /// server that runs already; `stays` says that people will look for it.
    pub(super) async fn start(
        environment: &Environment,
        given: Option<(String, String)>,
        stays: bool,
    ) -> Result<(Self, Secret), Failure> {
        let folder = TempDir::with_prefix("modelward-demo-")?;
        let (own, url, credential) = match given {
            Some((url, credential)) => (None, url, Secret::new(credential)),
            None => {
                let mut bytes = [0; 32];
                SystemIds.fill(&mut bytes);
                let credential = Secret::new(hex::encode(bytes));
                let own = Upstream::start(&credential, SystemClock::unmarked().now())?;
                let url = own.report.url.clone();
                (Some(own), url, credential)
            }
        };
        let home = folder.path().join("installation");
        let devices = DeviceDesk::new(&SystemIds)?;
        let config = write_configuration(&home, (&url, &credential), &devices, stays)?;
        let loaded = Loaded::read(&config, environment).map_err(|error| Failure::of(Exit::Usage, &error))?;
        let failed = |error: &dyn std::error::Error| Failure::of(Exit::Failure, error);
        let reviewers = Reviewers::new(&SystemIds)?;
        let ada = Name::new("ada").map_err(|error| failed(&error))?;
        let invited =
            service::initialise(&loaded.config, ada, "Ada Okafor".to_owned(), Some(reviewers.text()?))
                .await
                .map_err(|error| failed(&error))?;
        let serving = Service::start(&loaded.config, environment).await.map_err(|error| failed(&error))?;
        let control = serving
            .control_url
            .parse()
            .map_err(|why| Failure::new(Exit::Failure, format!("`{}` {why}", serving.control_url)))?;
        let case = Case::malignant().ok_or_else(|| Failure::new(Exit::Failure, "the data set is empty"))?;
        Ok((
            Self { serving, clock: SystemClock::unmarked(), own, control, folder, reviewers, devices, case },
            invited.code,
        ))
    }

    pub(super) const fn reviewers(&self) -> &Reviewers {
        &self.reviewers
    }

    pub(super) const fn devices(&self) -> &DeviceDesk {
        &self.devices
    }

    pub(super) fn gateway(&self) -> &str {
        &self.serving.gateway_url
    }

    /// What the demonstration's own model server said of itself.
    pub(super) fn upstream(&self) -> Option<&StartupReport> {
        self.own.as_ref().map(|own| &own.report)
    }

    pub(super) fn desk(&self) -> Desk<'_> {
        Desk { control: &self.control, clock: &self.clock, ids: &SystemIds }
    }

    pub(super) fn evidence(&self) -> Result<Evidence, Failure> {
        Evidence::new(&self.home().join(LEDGER_FOLDER), &self.home().join(VERIFIER_KEY_FILE))
    }

    pub(super) fn scratch(&self) -> &Path {
        self.folder.path()
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("installation")
    }

    /// Tells tests where everything is. Written whole, readable by nobody else: it holds passwords.
    pub(super) fn write_info(&self, file: &Path, cast: &Cast) -> Result<(), Failure> {
        let users: Vec<_> = cast
            .everybody()
            .map(|(actor, holds)| {
                json!({
                    "name": actor.name,
                    "password": actor.password,
                    "totp_secret": actor.totp_secret,
                    "holds": holds.iter().map(|privilege| privilege.as_str()).collect::<Vec<_>>(),
                })
            })
            .collect();
        let info = json!({
            "control_url": self.serving.control_url,
            "gateway_url": self.serving.gateway_url,
            "open_inference": { "base_url": format!("{}/diagnosis", self.serving.gateway_url), "model": "breast-cancer" },
            "openai": { "base_url": format!("{}/notes/v1", self.serving.gateway_url), "model": "ward-notes" },
            "users": users,
            "ledger_dir": self.home().join(LEDGER_FOLDER).join("log"),
            "vkey_file": self.home().join(VERIFIER_KEY_FILE),
        });
        let beside = file.with_extension("part");
        private::write(&beside, info.to_string().as_bytes())
            .map_err(|error| Failure::of(Exit::Failure, &error))?;
        fs::rename(&beside, file)?;
        Ok(())
    }

    pub(super) async fn wait_for_the_end(
        &self,
        terminal: &Terminal,
        cast: &Cast,
        quietly: bool,
    ) -> Result<(), Failure> {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        if !quietly {
            terminal.note("");
            terminal.note(&format!("It stays up until Ctrl-C. Console: {}", self.serving.control_url));
            for (actor, holds) in cast.everybody() {
                let holds: Vec<&str> = holds.iter().map(|privilege| privilege.as_str()).collect();
                terminal.note(&format!(
                    "  {:<5} {}   password {}   authenticator {}",
                    actor.name,
                    holds.join(", "),
                    actor.password.expose(),
                    actor.totp_secret.expose(),
                ));
            }
        }
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    }

    pub(super) async fn stop(self) {
        self.serving.stop().await;
        drop(self.own);
    }
}

impl Case {
    fn malignant() -> Option<Self> {
        let row = demo_upstream::dataset::rows().into_iter().next()?;
        Some(Self { diagnosis: row.diagnosis.as_str(), measurements: row.features })
    }
}

fn write_configuration(
    home: &Path,
    (upstream, credential): (&str, &Secret),
    devices: &DeviceDesk,
    stays: bool,
) -> Result<PathBuf, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::of(Exit::Failure, error);
    private::make_folder(home).map_err(|error| failed(&error))?;
    // A system that stays up is worth an address people remember, if nobody listens there.
    let address = |known| if stays && std::net::TcpListener::bind(known).is_ok() { known } else { ANY };
    let secret = home.with_file_name("upstream.secret");
    private::write(&secret, credential.expose().as_bytes()).map_err(|error| failed(&error))?;
    let text = format!(
        "drain_timeout = \"2s\"\n[control]\nlisten = \"{}\"\n[gateway]\nlisten = \"{}\"\n\
         [ledger]\norigin = \"demo.localhost/modelward\"\nsegment_size = \"8 MiB\"\n[networks]\n\"127.0.0.0/8\" = \"loopback\"\n\
         [upstreams.hospital]\nurls = [\"{upstream}\"]\ncredential_file = \"{}\"\n{}",
        address(CONTROL),
        address(GATEWAY),
        secret.display(),
        devices.configuration()?,
    );
    let file = home.join(CONFIG_FILE);
    fs::write(&file, text)?;
    Ok(file)
}
