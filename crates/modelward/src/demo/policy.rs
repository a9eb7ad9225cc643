//! The chapter on policy: a change is proposed, two people sign it, it comes into force, and goes again.

use std::collections::BTreeMap;

use modelward_decision::Bundle;
use modelward_decision::matrix::{matrix, render};
use modelward_decision::vocabulary::Name;
use modelward_policy::BundleFile;
use modelward_policy::review::sign;
use modelward_seal::Digest;
use modelward_seal::note::{KeyName, Signer as _, SoftwareSigner};
use modelward_seal::source::Ids;
use modelward_server::wire::{
    BundleText, BundleView, DecisionLine, DecisionView, Page, PolicyChanged, PolicyStatus, ProposeRequest,
    StepRequest,
};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::people::Actor;
use super::report::Step;
use super::story::Teller;
use crate::client::ClientError;
use crate::exit::{Exit, Failure};

/// Two people who read policy, and never need an account: their signatures speak for them.
#[derive(Debug)]
pub(super) struct Reviewers {
    ben: SoftwareSigner,
    eve: SoftwareSigner,
}

const BEN: (&str, &str) = ("ben", "platform");
const EVE: (&str, &str) = ("eve", "security");

/// What the change says in place of what the bundle in force says.
const CHANGE: [(&str, &str, &str); 6] = [
    ("guardrails.cedar", "context.session.ageSeconds <= 300", "context.session.ageSeconds <= 7200"),
    ("guardrails.cedar", "sign-in of the last five minutes", "sign-in of the last two hours"),
    ("guardrails.cedar", "sign-in from the last five minutes", "sign-in from the last two hours"),
    (
        "invariants/guardrails.cedar",
        "context.session.ageSeconds <= 300",
        "context.session.ageSeconds <= 7200",
    ),
    ("tests/guardrails.scenario", "age 5m", "age 2h"),
    ("tests/guardrails.scenario", "age 301s", "age 7201s"),
];

impl Reviewers {
    pub(super) fn new(ids: &dyn Ids) -> Result<Self, Failure> {
        let signer = |name: &str| {
            let mut seed = Zeroizing::new([0; 32]);
            ids.fill(&mut *seed);
            let name = KeyName::new(name).map_err(|error| Failure::of(Exit::Failure, &error))?;
            Ok::<_, Failure>(SoftwareSigner::from_seed(name, &seed))
        };
        Ok(Self { ben: signer(BEN.0)?, eve: signer(EVE.0)? })
    }

    /// `reviewers.toml`, as an installation is given it.
    pub(super) fn text(&self) -> Result<String, Failure> {
        let entry = |(name, group): (&str, &str), signer: &SoftwareSigner| {
            let key = signer.verifier().map_err(|error| Failure::of(Exit::Failure, &error))?;
            Ok::<_, Failure>(format!(
                "[[reviewer]]\nname = \"{name}\"\ngroup = \"{group}\"\nkeys = [\"{key}\"]\n"
            ))
        };
        Ok(format!("{}\n{}", entry(BEN, &self.ben)?, entry(EVE, &self.eve)?))
    }

    fn signed(
        &self,
        file: BundleFile,
        previous: Digest,
        reviewer: (&str, &str),
    ) -> Result<BundleFile, Failure> {
        let signer = if reviewer == BEN { &self.ben } else { &self.eve };
        let [author, name, role] = [name("ada")?, name(reviewer.0)?, name(reviewer.1)?];
        let signature = sign(&file, previous, &author, &name, &role, signer)
            .map_err(|error| Failure::of(Exit::Failure, &error))?;
        Ok(file.with_signature(signature))
    }
}

fn name(text: &str) -> Result<Name, Failure> {
    Name::new(text).map_err(|error| Failure::of(Exit::Failure, &error))
}

impl Teller<'_> {
    /// A change of policy from its proposal to its end.
    pub(super) async fn policy(&mut self, ada: &Actor) -> Result<(), Failure> {
        let status: PolicyStatus = ada.client.read("/api/v1/policy").await?;
        let before = status.active.digest;
        let path = format!("/api/v1/policy/bundles/{before}/file");
        let active: BundleText = ada.client.read(&path).await?;
        let active =
            BundleFile::open(active.file.as_bytes()).map_err(|error| Failure::of(Exit::Failure, &error))?;
        let file = loosened(active.files())?;
        let digest = file.digest().to_string();

        let proposed = propose(ada, &file).await?;
        let view: BundleView = ada.client.read(&format!("/api/v1/policy/bundles/{digest}")).await?;
        let looser = view.matrix.iter().filter(|line| line.starts_with("looser")).count();
        let title = "G  Ada proposes that a strong sign-in counts for two hours, not five minutes";
        let mut step =
            Step::new(title, "proposed, looser", format!("{}, {}", stage(&proposed), direction(looser)))
                .show(format!("{} {digest}", proposed.bundle.name));
        for line in view.matrix.iter().filter(|line| !line.trim().is_empty()).take(2) {
            step = step.show(format!("would change: {}", line.trim()));
        }
        self.add(step)?;

        let reviewers = self.system.reviewers();
        let parsed: Digest =
            before.parse().map_err(|_| Failure::new(Exit::Failure, "no bundle is in force"))?;
        let file = reviewers.signed(file, parsed, BEN)?;
        propose(ada, &file).await?;
        let (refused, message) = match activate(ada, "activate", &digest).await {
            Ok(changed) => ("activated", changed.message),
            Err(ClientError::Refused { body, .. }) => ("refused", body.error.message),
            Err(error) => return Err(error.into()),
        };
        self.add(
            Step::new("G  Ben signs it, and Ada tries to activate it", "refused", refused).show(message),
        )?;

        let file = reviewers.signed(file, parsed, EVE)?;
        propose(ada, &file).await?;
        let since = Instant::now();
        let changed = activate(ada, "activate", &digest).await?;
        let took = since.elapsed();
        let bundle = ada.deciding_bundle().await?;
        let named = if bundle == digest { "names the new bundle" } else { "names another bundle" };
        self.add(
            Step::new("G  Eve of security signs too: the next decision", "names the new bundle", named).show(
                format!(
                    "{}, {:.0} ms after she asked, gate included",
                    stage(&changed),
                    took.as_secs_f64() * 1e3
                ),
            ),
        )?;

        let since = Instant::now();
        activate(ada, "rollback", &before).await?;
        let took = since.elapsed();
        let bundle = ada.deciding_bundle().await?;
        let named = if bundle == before { "names the old bundle" } else { "names another bundle" };
        self.add(
            Step::new("G  She goes back with one command: the next decision", "names the old bundle", named)
                .show(format!("in force again after {:.0} ms", took.as_secs_f64() * 1e3)),
        )
    }
}

impl Actor {
    /// The bundle that the newest decision names.
    async fn deciding_bundle(&self) -> Result<String, Failure> {
        let page: Page<DecisionLine> = self.client.read("/api/v1/decisions?whose=all&limit=1").await?;
        let newest =
            page.items.first().ok_or_else(|| Failure::new(Exit::Failure, "no decision is listed"))?;
        let view: DecisionView = self.client.read(&format!("/api/v1/decisions/{}", newest.id)).await?;
        Ok(view.bundle)
    }
}

/// The change, with the matrix as it is then.
fn loosened(files: &BTreeMap<String, String>) -> Result<BundleFile, Failure> {
    let mut files = files.clone();
    for (file, from, to) in CHANGE {
        let text = files.get(file).map(|text| text.replace(from, to));
        files.insert(file.to_owned(), text.unwrap_or_default());
    }
    let failed = |error: &dyn std::error::Error| Failure::of(Exit::Failure, error);
    let bundle = Bundle::from_sources(files.clone()).map_err(|error| failed(&error))?;
    let rows = matrix(&std::sync::Arc::new(bundle)).map_err(|error| failed(&error))?;
    files.insert("matrix.txt".to_owned(), render(&rows));
    BundleFile::pack(files).map_err(|error| failed(&error))
}

async fn propose(ada: &Actor, file: &BundleFile) -> Result<PolicyChanged, Failure> {
    let bytes = file.to_bytes().map_err(|error| Failure::of(Exit::Failure, &error))?;
    let text = String::from_utf8(bytes).map_err(|error| Failure::of(Exit::Failure, &error))?;
    Ok(ada.client.post("/api/v1/policy/bundles", &ProposeRequest { file: text }).await?)
}

async fn activate(ada: &Actor, step: &str, digest: &str) -> Result<PolicyChanged, ClientError> {
    let request = StepRequest { bundle: digest.to_owned() };
    ada.client.post(&format!("/api/v1/policy/{step}"), &request).await
}

fn stage(changed: &PolicyChanged) -> String {
    use modelward_server::wire::BundleStage as Stage;
    match changed.bundle.stage {
        Stage::Proposed => "proposed",
        Stage::Reviewed => "reviewed",
        Stage::Shadow => "in the shadow",
        Stage::Canary => "a canary",
        Stage::Active => "in force",
        Stage::Suspended => "suspended",
        Stage::Superseded => "superseded",
    }
    .to_owned()
}

const fn direction(looser: usize) -> &'static str {
    if looser > 0 { "looser" } else { "not looser" }
}
