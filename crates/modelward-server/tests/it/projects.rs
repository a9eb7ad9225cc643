//! The bundle of a project: in force beside the root bundle, with a proof about it, and never past a guardrail.
//!
//! The proofs here say that they hold; what a solver says of real ones is the business of `modelward-proof` and the command
//! line.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;
use modelward_decision::Bundle;
use modelward_decision::bundle::Kind;
use modelward_decision::vocabulary::EventId;
use modelward_policy::BundleFile;
use modelward_policy::claim::{self, Claims};
use modelward_policy::project;
use modelward_policy::verdict::{Proof, Solver, Verdict, Verdicts};
use modelward_seal::Digest;
use modelward_store::{Commit, Moment, StateChange};
use serde_json::{Value, json};

use crate::house::Session;
use crate::policy::{Office, gateless, signature, sources};

/// A root bundle that leaves it to projects who may read their cards: it has no permit for reading.
fn root() -> BTreeMap<String, String> {
    let mut sources = sources();
    let text = &sources["privileges.cedar"];
    let (before, rest) = text.split_once("@id(\"read-only\")").unwrap();
    let (_, after) = rest.split_once(";\n").unwrap();
    let left = format!("{before}{after}");
    sources.insert("privileges.cedar".to_owned(), left);
    // The tests and the matrix of the default bundle speak of the default bundle.
    sources.retain(|name, _| !name.starts_with("tests/") && name != "matrix.txt");
    let manifest = gateless(&sources["bundle.toml"]);
    sources.insert("bundle.toml".to_owned(), manifest);
    sources
}

fn bundle(sources: BTreeMap<String, String>) -> Bundle {
    Bundle::from_sources(sources).unwrap()
}

/// The bundle of the project `risk`: whoever holds a grant of reading reads its cards.
fn risk(office: &Office, title: &str) -> BundleFile {
    let snapshot = office.house.plane.snapshot();
    let scope = snapshot.project_named("risk").unwrap().id;
    let manifest = format!(
        "name = \"risk-permits\"\nversion = \"1\"\nschema_version = 1\nkind = \"project\"\nproject = \"risk\"\nscope = \"{scope}\"\n"
    );
    let permit = format!(
        r#"@id("risk-reading")
@title("{title}")
@owner("risk")
permit (principal, action in Modelward::Action::"ReadOnly", resource in Modelward::Scope::"{scope}")
when {{
  context has grant && context.grant.privilege == "read-only" && principal in context.grant.grantee &&
  resource in context.grant.scope && context.grant.notBefore <= context.now && context.now < context.grant.notAfter
}};
"#
    );
    BundleFile::pack([("bundle.toml".to_owned(), manifest), ("reading.cedar".to_owned(), permit)]).unwrap()
}

/// With a verdict on everything that has to be proved of it under this root.
fn proved(root: &Bundle, file: BundleFile) -> BundleFile {
    let whole = project::compose(root, file.files()).unwrap();
    let (claims, nothing) = (Claims::of(&whole, Kind::Project).unwrap(), BTreeSet::new());
    let verdict = |claim: &str| Verdict {
        claim: claim.to_owned(),
        name: claim.to_owned(),
        query: Digest::ZERO,
        result: Proof::Holds,
        time_ms: 1,
        counterexample: None,
        test_case: None,
    };
    let verdicts = Verdicts {
        subject: claim::subject(whole.sources()).unwrap(),
        root: Some(root.digest()),
        solver: Solver { name: "cvc5".to_owned(), version: "1.0.3".to_owned() },
        checks: claims.missing(&nothing).into_iter().map(verdict).collect(),
    };
    file.with_verdicts(verdicts)
}

/// With the signatures of Ben, who signs every bundle, and of Pia, who signs those of `risk`.
fn signed(file: BundleFile, previous: &str) -> BundleFile {
    ["ben", "pia"].into_iter().fold(file, |file, reviewer| {
        let signature = signature(&file, previous, "dana", reviewer);
        file.with_signature(serde_json::from_value(signature).unwrap())
    })
}

struct Delegated {
    office: Office,
    femi: Session,
    root: Bundle,
    file: BundleFile,
}

impl Delegated {
    /// A project bundle that was proposed with its proof and both signatures, and Femi, who holds a grant of reading.
    async fn open() -> Self {
        let office = Office::under(bundle(root())).await;
        let femi = office.house.invited(&office.dana, "femi").await;
        let until = (office.house.now() + SignedDuration::from_hours(24)).to_string();
        let grant =
            json!({ "grantee": "femi", "privilege": "read-only", "scope": "fraud", "not_after": until });
        office.house.post("/api/v1/grants", &office.dana, grant).await.ok();
        let root = bundle(root());
        let file = signed(proved(&root, risk(&office, "Cards of risk")), &office.before);
        office.propose(&file).await.ok();
        Self { office, femi, root, file }
    }

    fn digest(&self) -> String {
        self.file.digest().to_string()
    }

    async fn step(&self, what: &str, body: Value) -> crate::house::Answer {
        self.office.post(&self.office.ben, what, body).await
    }

    async fn activated() -> Self {
        let it = Box::pin(Self::open()).await;
        it.step("activate", json!({ "bundle": it.digest() })).await.ok();
        it
    }

    /// Whether Femi reads the card of the model.
    async fn reads(&self) -> bool {
        self.office.house.get("/api/v1/models/fraud", &self.femi).await.status == 200
    }

    async fn could(&self, at: Option<jiff::Timestamp>) -> Value {
        let mut body = json!({ "principal": "femi", "action": "readCard", "resource": "fraud" });
        if let Some(at) = at {
            body["at"] = json!(at.to_string());
        }
        self.office.house.post("/api/v1/can", &self.office.dana, body).await.ok()
    }

    async fn restarted(self) -> Self {
        let Self { office, femi, root, file } = self;
        let Office { house, dana, ben, before } = office;
        let house = house.restarted().await;
        let (dana, ben) = (house.again("dana", &dana).await, house.again("ben", &ben).await);
        let femi = house.again("femi", &femi).await;
        Self { office: Office { house, dana, ben, before }, femi, root, file }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_proof_about_the_root_bundle_in_force_no_project_bundle_is_taken() {
    let office = Office::under(bundle(root())).await;
    let unproved = signed(risk(&office, "Cards of risk"), &office.before);
    let refused = office.propose(&unproved).await;
    assert_eq!(refused.code(), "refused", "{}", refused.text);
    assert!(refused.text.contains("within its envelope is not proven"), "{}", refused.text);

    // The proof of another root bundle, and of other texts of its own.
    let other = signed(proved(&bundle(sources()), risk(&office, "Cards of risk")), &office.before);
    let refused = office.propose(&other).await;
    assert!(refused.text.contains("the verdicts were made with the root bundle"), "{}", refused.text);
    let verdicts = proved(&bundle(root()), risk(&office, "Cards of risk")).verdicts().unwrap().clone();
    let moved = signed(risk(&office, "Something else").with_verdicts(verdicts), &office.before);
    let refused = office.propose(&moved).await;
    assert!(refused.text.contains("about other texts"), "{}", refused.text);

    // A verdict that is missing, and one that a solver did not give.
    let short = proved(&bundle(root()), risk(&office, "Cards of risk"));
    let mut verdicts = short.verdicts().unwrap().clone();
    verdicts.checks.retain(|check| check.claim != claim::ENVELOPE);
    let refused = office.propose(&signed(short.with_verdicts(verdicts.clone()), &office.before)).await;
    assert!(refused.text.contains("say nothing of the envelope"), "{}", refused.text);
    let refused =
        office.post(&office.ben, "activate", json!({ "bundle": unproved.digest().to_string() })).await;
    assert_eq!(refused.code(), "not-found", "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_comes_into_force_with_two_of_its_reviewers_and_decides() {
    let it = Delegated::open().await;
    assert!(!it.reads().await, "nothing permits it yet");
    let unsigned = proved(&it.root, risk(&it.office, "Signed by nobody"));
    it.office.propose(&unsigned).await.ok();
    let refused = it.step("activate", json!({ "bundle": unsigned.digest().to_string() })).await;
    assert!(refused.text.contains("0 of 2 reviewers"), "{}", refused.text);

    let before = it.office.house.now();
    it.office.house.pass_seconds(60);
    it.step("activate", json!({ "bundle": it.digest() })).await.ok();
    assert_eq!(it.office.stage(&it.file).await, "active");
    assert_eq!(it.office.active().await, it.office.before, "the root bundle stays");
    assert!(it.reads().await);

    // The decision names what decided, and the bundle whose policy settled it.
    let state = it.office.house.get("/api/v1/policy", &it.office.dana).await.ok();
    assert_ne!(state["decides"], state["active"]["digest"]);
    assert_eq!(state["projects"][0]["project"], "risk");
    let now = it.could(None).await;
    assert_eq!((now["allowed"].as_bool(), &now["bundle"]), (Some(true), &state["decides"]), "{now}");
    assert_eq!(now["determining"][0]["bundle"], it.digest().as_str(), "{now}");
    let lines = it.office.house.get("/api/v1/decisions?action=readCard", &it.femi).await.ok();
    let id = lines["items"][0]["id"].as_str().unwrap().to_owned();
    let decision = it.office.house.get(&format!("/api/v1/decisions/{id}"), &it.office.dana).await.ok();
    assert_eq!(decision["bundle"], state["decides"], "{decision}");
    assert_eq!(decision["bundles"], json!([it.digest()]), "{decision}");

    // Any past moment is asked about with what was in force then, and a decision comes out as it did.
    assert_eq!(it.could(Some(before)).await["allowed"], false);
    let path = format!("/api/v1/decisions/{id}/replay");
    it.step("suspend", json!({ "bundle": it.digest() })).await.ok();
    assert_eq!(it.office.house.get(&path, &it.office.dana).await.ok()["agrees"], true);

    // Out of force at once, and back without another signature, because its proof still is about the root bundle.
    assert_eq!(it.office.stage(&it.file).await, "suspended");
    assert!(!it.reads().await);
    it.step("rollback", json!({ "bundle": it.digest() })).await.ok();
    assert!(it.reads().await);
    let it = it.restarted().await;
    assert!(it.reads().await, "a restart brings back what was in force");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guardrail_of_the_root_bundle_has_the_last_word() {
    let it = Delegated::activated().await;
    assert!(it.reads().await);
    it.office.house.post("/api/v1/people/femi", &it.office.dana, json!({ "clearance": "public" })).await.ok();
    assert!(!it.reads().await, "the project permits it, and the guardrail forbids it");
    let denied = it.could(None).await;
    assert_eq!((denied["outcome"].as_str(), denied["allowed"].as_bool()), (Some("forbidden"), Some(false)));
    assert_eq!(denied["determining"][0]["id"], "clearance-model");
    assert_eq!(
        denied["determining"][0]["bundle"],
        it.office.before.as_str(),
        "the root bundle's policy: {denied}"
    );

    // It cannot even say so: a forbid, a permit of another project and a permit under another name for it are refused.
    for (from, to, told) in [
        ("permit (principal,", "forbid (principal,", "a project bundle only permits"),
        ("resource in Modelward::Scope", "resource is Modelward::Model in Modelward::Scope", ""),
    ] {
        let mut files = it.file.files().clone();
        let text = files["reading.cedar"].replacen(from, to, 1);
        files.insert("reading.cedar".to_owned(), text);
        let refused = it.office.propose(&BundleFile::pack(files).unwrap()).await;
        assert_eq!(refused.code(), "refused", "{}", refused.text);
        assert!(refused.text.contains(told), "{}", refused.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_bundle_lets_no_project_fall_unless_it_is_told_to() {
    let it = Delegated::activated().await;
    let next = |edit: fn(&mut BTreeMap<String, String>)| {
        let mut sources = root();
        edit(&mut sources);
        let file = BundleFile::pack(sources).unwrap();
        ["ben", "eve"].into_iter().fold(file, |file, reviewer| {
            let signature = signature(&file, &it.office.before, "dana", reviewer);
            file.with_signature(serde_json::from_value(signature).unwrap())
        })
    };
    // What no proof rests on can change.
    let tables = next(|sources| {
        sources.insert("groups.toml".to_owned(), String::new());
    });
    it.office.propose(&tables).await.ok();
    it.step("activate", json!({ "bundle": tables.digest().to_string() })).await.ok();
    assert!(it.reads().await, "the proof is about this root bundle as well");
    it.step("rollback", json!({ "bundle": it.office.before })).await.ok();
    assert!(it.reads().await);

    let guardrail = next(|sources| {
        let text =
            sources["guardrails.cedar"].replace("context.risk.value >= 80", "context.risk.value >= 70");
        sources.insert("guardrails.cedar".to_owned(), text);
    });
    it.office.propose(&guardrail).await.ok();
    let digest = guardrail.digest().to_string();
    let refused = it.step("activate", json!({ "bundle": digest })).await;
    assert_eq!(refused.code(), "refused", "{}", refused.text);
    assert!(
        refused.text.contains("`risk`") && refused.text.contains("--suspend-projects"),
        "{}",
        refused.text
    );
    assert!(it.reads().await, "nothing changed");

    let told = it.step("activate", json!({ "bundle": digest, "suspend_projects": true })).await.ok();
    assert!(told["message"].as_str().unwrap().contains("out of force now: `risk`"), "{told}");
    assert_eq!(it.office.stage(&it.file).await, "suspended");
    assert!(!it.reads().await);
    let stale = it.step("rollback", json!({ "bundle": it.digest() })).await;
    assert!(stale.text.contains("its proof does not hold for"), "{}", stale.text);

    // Going back to the root bundle it was proved for brings it back in one more step.
    it.step("rollback", json!({ "bundle": it.office.before })).await.ok();
    assert!(!it.reads().await, "nothing comes back by itself");
    it.step("rollback", json!({ "bundle": it.digest() })).await.ok();
    assert!(it.reads().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_on_trial_decides_about_that_time_for_its_share() {
    let it = Delegated::open().await;
    it.step("trial", json!({ "bundle": it.digest(), "per_mille": 1000 })).await.ok();
    assert!(it.reads().await, "it governs everybody");
    it.office.house.pass_seconds(60);
    let during = it.office.house.now();
    it.office.house.pass_seconds(60);
    it.office.post(&it.office.ben, "trial/end", json!({})).await.ok();
    assert!(!it.reads().await);
    let then = it.could(Some(during)).await;
    assert_eq!(then["allowed"], true, "{then}");
    let now = it.could(None).await;
    assert_eq!(now["bundle"], it.office.before.as_str());
    assert_ne!(then["bundle"], now["bundle"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_activation_that_was_cut_off_is_old_before_the_restart_and_new_after_it() {
    let it = Delegated::open().await;
    let plane = Arc::clone(&it.office.house.plane);
    let state = plane.store().policy(Moment::Now).await.unwrap().unwrap();
    let scope = plane.snapshot().project_named("risk").unwrap().id;
    let proved = project::subject(&it.root, it.file.files()).unwrap();
    let next = state.activate_project(scope, it.file.digest(), proved).unwrap();
    // As far as a crash lets it come: committed, and not in the ledger.
    let commit = Commit {
        event: EventId::from_bits(77),
        actor: None,
        at: it.office.house.now(),
        detail: json!({ "what": "activate-bundle" }),
        changes: vec![StateChange::Policy(next)],
    };
    plane.store().commit(commit).await.unwrap();
    drop(plane);
    assert!(!it.reads().await);
    let it = it.restarted().await;
    assert!(it.reads().await);
    assert_eq!(it.office.stage(&it.file).await, "active");
}
