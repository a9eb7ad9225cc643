//! The life of a policy bundle: proposed, signed by two, tried out, in force, gone back from.

use std::collections::BTreeMap;

use modelward_decision::Bundle;
use modelward_decision::vocabulary::Name;
use modelward_policy::BundleFile;
use modelward_policy::claim;
use modelward_policy::review::sign;
use modelward_policy::verdict::{Proof, Solver, Verdict, Verdicts};
use modelward_seal::Digest;
use modelward_seal::note::{KeyName, Signer as _, SoftwareSigner};
use serde_json::{Value, json};

use crate::house::{House, Session};

const REVIEWERS: [(&str, &str, u8); 4] =
    [("dana", "platform", 1), ("ben", "platform", 2), ("eve", "security", 3), ("pia", "risk", 4)];
/// Whoever signs bundles of one project alone.
const DELEGATED: [(&str, &str); 1] = [("pia", "risk")];

fn signer(name: &str) -> (Name, SoftwareSigner) {
    let (name, group, seed) = REVIEWERS.into_iter().find(|(known, ..)| *known == name).unwrap();
    (Name::new(group).unwrap(), SoftwareSigner::from_seed(KeyName::new(name).unwrap(), &[seed; 32]))
}

fn reviewers() -> String {
    let mut text = String::new();
    for (name, group, _) in REVIEWERS {
        let key = signer(name).1.verifier().unwrap();
        text += &format!("[[reviewer]]\nname = \"{name}\"\ngroup = \"{group}\"\nkeys = [\"{key}\"]\n");
        if let Some((_, project)) = DELEGATED.into_iter().find(|(who, _)| *who == name) {
            text += &format!("projects = [\"{project}\"]\n");
        }
        text.push('\n');
    }
    text
}

pub(crate) fn sources() -> BTreeMap<String, String> {
    let mut sources = Bundle::default_bundle().unwrap().sources().clone();
    sources.insert("reviewers.toml".to_owned(), reviewers());
    sources
}

/// The bundle in force with one guardrail more: nobody predicts outside of production.
fn stricter() -> BundleFile {
    let mut sources = sources();
    sources.get_mut("guardrails.cedar").unwrap().push_str(
        r#"
@id("production-only")
@title("Predictions are asked for in production alone")
@owner("platform-security")
@reason("predictions are asked for in production alone")
@remedy("environment")
forbid (principal, action in [Modelward::Action::"predict"], resource)
unless { context.environment == "production" };
"#,
    );
    // The tests and the matrix of the default bundle speak of the default bundle.
    sources.retain(|name, _| !name.starts_with("tests/") && name != "matrix.txt");
    let manifest = sources.get_mut("bundle.toml").unwrap();
    *manifest = gateless(manifest);
    BundleFile::pack(sources).unwrap()
}

/// A bundle's manifest that demands neither coverage nor proofs.
pub(crate) fn gateless(manifest: &str) -> String {
    let head = manifest.split("[gate]").next().unwrap_or_default();
    format!("{head}[gate]\ncoverage = \"optional\"\nproofs = \"optional\"\n")
}

pub(crate) fn signature(file: &BundleFile, previous: &str, author: &str, reviewer: &str) -> Value {
    let (role, signer) = signer(reviewer);
    let previous: Digest = previous.parse().unwrap();
    let names = [author, reviewer].map(|name| Name::new(name).unwrap());
    let signature = sign(file, previous, &names[0], &names[1], &role, &signer).unwrap();
    serde_json::to_value(signature).unwrap()
}

pub(crate) struct Office {
    pub(crate) house: House,
    pub(crate) dana: Session,
    pub(crate) ben: Session,
    /// The root bundle it began with.
    pub(crate) before: String,
}

impl Office {
    async fn open() -> Self {
        Self::under(Bundle::from_sources(sources()).unwrap()).await
    }

    /// An office that begins with this bundle.
    pub(crate) async fn under(bundle: Bundle) -> Self {
        let house = House::under(bundle).await;
        let dana = house.first().await;
        house.furnish(&dana).await;
        let ben = house.invited(&dana, "ben").await;
        let day = jiff::SignedDuration::from_hours(24);
        let grant = json!({
            "grantee": "ben", "privilege": "govern", "scope": "platform", "not_after": (house.now() + day).to_string(),
        });
        house.post("/api/v1/grants", &dana, grant).await.ok();
        let ben = house.again("ben", &ben).await;
        let dana = house.again("dana", &dana).await;
        let state = house.get("/api/v1/policy", &dana).await.ok();
        let before = state["active"]["digest"].as_str().unwrap().to_owned();
        Self { house, dana, ben, before }
    }

    pub(crate) async fn post(&self, by: &Session, path: &str, body: Value) -> crate::house::Answer {
        self.house.post(&format!("/api/v1/policy/{path}"), by, body).await
    }

    pub(crate) async fn propose(&self, file: &BundleFile) -> crate::house::Answer {
        let text = String::from_utf8(file.to_bytes().unwrap()).unwrap();
        self.post(&self.dana, "bundles", json!({ "file": text })).await
    }

    pub(crate) async fn active(&self) -> String {
        let state = self.house.get("/api/v1/policy", &self.dana).await.ok();
        state["active"]["digest"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn stage(&self, file: &BundleFile) -> String {
        let path = format!("/api/v1/policy/bundles/{}", file.digest());
        let view = self.house.get(&path, &self.dana).await.ok();
        view["bundle"]["stage"].as_str().unwrap().to_owned()
    }

    /// Ben signs at the server, Eve elsewhere; Dana hands in hers.
    async fn signed(&self, file: BundleFile) -> BundleFile {
        let digest = file.digest();
        let bens = signature(&file, &self.before, "dana", "ben");
        self.post(&self.ben, &format!("bundles/{digest}/signatures"), bens).await.ok();
        let eves = serde_json::from_value(signature(&file, &self.before, "dana", "eve")).unwrap();
        let file = file.with_signature(eves);
        self.propose(&file).await.ok();
        file
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_comes_into_force_step_by_step_and_goes_back_in_one() {
    let office = Office::open().await;
    let file = stricter();
    let digest = file.digest().to_string();
    office.propose(&file).await.ok();
    assert_eq!(office.stage(&file).await, "proposed");

    let alone = office.post(&office.dana, "activate", json!({ "bundle": digest })).await;
    assert_eq!(alone.code(), "refused", "{}", alone.text);
    assert!(alone.text.contains("0 of 2 reviewers"), "{}", alone.text);

    let file = office.signed(file).await;
    assert_eq!(office.stage(&file).await, "reviewed");
    office.post(&office.ben, "trial", json!({ "bundle": digest })).await.ok();
    assert_eq!(office.stage(&file).await, "shadow");
    assert_eq!(office.active().await, office.before, "a shadow governs nobody");
    office.post(&office.ben, "trial", json!({ "bundle": digest, "per_mille": 1000 })).await.ok();
    assert_eq!(office.stage(&file).await, "canary");
    office.post(&office.ben, "activate", json!({ "bundle": digest })).await.ok();
    assert_eq!(office.active().await, digest);
    assert_eq!(office.house.plane.snapshot().bundle().digest().to_string(), digest);

    let replay = format!("bundles/{}/replay", office.before);
    let report = office.post(&office.dana, &replay, json!({ "last": 1000 })).await.ok();
    assert!(report["replayed"].as_u64().unwrap() > 10, "from before all steps to after them: {report}");

    // Everything is still so after a restart, and going back needs no new signatures.
    let Office { house, dana, ben, before } = office;
    let house = house.restarted().await;
    let (dana, ben) = (house.again("dana", &dana).await, house.again("ben", &ben).await);
    let office = Office { house, dana, ben, before };
    assert_eq!(office.active().await, digest);
    office.post(&office.ben, "rollback", json!({ "bundle": office.before })).await.ok();
    assert_eq!(office.active().await, office.before);
    assert_eq!(office.stage(&file).await, "superseded");
    let steps =
        office.house.get("/api/v1/policy", &office.dana).await.ok()["steps"].as_array().unwrap().len();
    assert_eq!(steps, 5, "the first bundle, shadow, canary, active, back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_counts_only_from_a_listed_reviewer_who_did_not_write_it() {
    let office = Office::open().await;
    let file = stricter();
    office.propose(&file).await.ok();
    let path = format!("bundles/{}/signatures", file.digest());
    for (by, author, reviewer, told) in [
        (&office.dana, "dana", "dana", "wrote the bundle and signs it too"),
        (&office.dana, "dana", "ben", "you are `dana`"),
        (&office.ben, "eve", "ben", "says that `eve` wrote the bundle"),
    ] {
        let refused = office.post(by, &path, signature(&file, &office.before, author, reviewer)).await;
        assert_eq!(refused.code(), "refused", "{}", refused.text);
        assert!(refused.text.contains(told), "{}", refused.text);
    }
    let mut forged = signature(&file, &office.before, "dana", "ben");
    forged["signature"] = signature(&file, &office.before, "dana", "eve")["signature"].clone();
    let refused = office.post(&office.ben, &path, forged).await;
    assert!(refused.text.contains("does not belong to this bundle"), "{}", refused.text);
    assert_eq!(office.stage(&file).await, "proposed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_that_fails_the_gate_or_is_no_bundle_is_not_kept() {
    let office = Office::open().await;
    let mut sources = stricter().files().clone();
    sources.get_mut("privileges.cedar").unwrap().push_str("permit (principal, action, resource);\n");
    let broken = BundleFile::pack(sources).unwrap();
    let refused = office.propose(&broken).await;
    assert_eq!(refused.code(), "refused", "{}", refused.text);
    let no_bundle = office.post(&office.dana, "bundles", json!({ "file": "{}" })).await;
    assert_eq!(no_bundle.code(), "refused", "{}", no_bundle.text);
    let listed = office.house.get("/api/v1/policy/bundles", &office.dana).await.ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "only the one in force");
    let unknown =
        office.post(&office.dana, "rollback", json!({ "bundle": broken.digest().to_string() })).await;
    assert!(unknown.text.contains("was never in force"), "{}", unknown.text);
}

fn proved(result: Proof) -> BundleFile {
    let check = Verdict {
        claim: "invariant/live-grant".to_owned(),
        name: "live-grant: one of many".to_owned(),
        query: Digest::ZERO,
        result,
        time_ms: 1,
        counterexample: None,
        test_case: None,
    };
    let solver = Solver { name: "cvc5".to_owned(), version: "1".to_owned() };
    let subject = claim::subject(stricter().files()).unwrap();
    stricter().with_verdicts(Verdicts { subject, root: None, solver, checks: vec![check] })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_keeps_the_verdicts_it_was_proposed_and_signed_with() {
    let office = Office::open().await;
    office.propose(&stricter()).await.ok();
    let file = proved(Proof::Holds);
    office.propose(&file).await.ok();
    let file = office.signed(file).await;
    assert_eq!(office.stage(&file).await, "reviewed", "the signatures cover the verdicts");
    let path = format!("/api/v1/policy/bundles/{}", file.digest());
    let kept = office.house.get(&format!("{path}/file"), &office.dana).await.ok();
    let kept = BundleFile::open(kept["file"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(kept.verdicts(), file.verdicts());
    let view = office.house.get(&path, &office.dana).await.ok();
    let step =
        view["gate"]["steps"].as_array().unwrap().iter().find(|step| step["name"] == "proofs").unwrap();
    assert!(step["summary"].as_str().unwrap().starts_with("1 of 1 hold"), "{step}");

    let other = proved(Proof::NotProven { reason: "out of time".to_owned() });
    let refused = office.propose(&other).await;
    assert_eq!(refused.code(), "conflict", "{}", refused.text);
    office.propose(&stricter()).await.ok();
    assert_eq!(office.stage(&file).await, "reviewed", "a folder proposed again takes nothing away");
}

const ONE: &str = "production-only";

/// A bundle with one guardrail more that its own scenario covers on one side only.
fn half_covered() -> BundleFile {
    let mut sources = stricter().files().clone();
    let scenario = "given project risk\ngiven model fraud project risk\ngiven version fraud/3\n\
        given person dana cleared restricted\n\n\
        scenario nobody predicts in a corner\ngiven environment staging\n\
        given grant g to dana inference on fraud\nwhen dana predict fraud/3 in staging\nthen deny forbidden\n";
    sources.insert("tests/corner.scenario".to_owned(), scenario.to_owned());
    BundleFile::pack(sources).unwrap()
}

/// Nobody predicts in production, where the permission matrix asks.
fn elsewhere() -> BundleFile {
    let mut sources = stricter().files().clone();
    let guardrails = sources.get_mut("guardrails.cedar").unwrap();
    *guardrails = guardrails.replace(r#"environment == "production""#, r#"environment == "staging""#);
    BundleFile::pack(sources).unwrap()
}

fn line_of(place: &Value) -> usize {
    usize::try_from(place["line"].as_u64().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_policy_has_its_text_its_place_and_what_tests_saw_of_it() {
    let office = Office::open().await;
    let file = half_covered();
    office.propose(&file).await.ok();
    let path = format!("/api/v1/policy/bundles/{}", file.digest());
    let listed = office.house.get(&path, &office.dana).await.ok();
    let line = listed["policies"].as_array().unwrap().iter().find(|it| it["id"] == ONE).unwrap().clone();
    assert_eq!((&line["effect"], &line["halves"], &line["seen"]), (&json!("forbid"), &json!(2), &json!(1)));

    let view = office.house.get(&format!("{path}/policies/{ONE}"), &office.dana).await.ok();
    assert_eq!(view["policy"], line);
    let text = view["text"].as_str().unwrap();
    let source = &file.files()["guardrails.cedar"];
    let first = line_of(&line["at"]);
    let stands: Vec<&str> = source.lines().skip(first - 1).take(text.lines().count()).collect();
    assert_eq!(stands, text.lines().collect::<Vec<_>>(), "the text stands where the place says");
    let clauses = view["clauses"].as_array().unwrap();
    assert_eq!(clauses.len(), 1, "{view}");
    let at = line_of(&clauses[0]["at"]);
    assert!(source.lines().nth(at - 1).unwrap().contains("context.environment"), "{view}");
    let seen = [&clauses[0]["seen_true"], &clauses[0]["seen_false"]];
    let by: Vec<&Value> =
        seen.iter().filter(|half| half["scenarios"] == 1).map(|half| &half["titles"]).collect();
    assert_eq!(by, [&json!(["nobody predicts in a corner"])], "{view}");

    let unknown = office.house.get(&format!("{path}/policies/no-such-policy"), &office.dana).await;
    assert_eq!((unknown.status.as_u16(), unknown.code()), (404, "not-found".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_policy_settled_is_for_those_who_may_see_decisions() {
    let office = Office::open().await;
    let path = |policy: &str| format!("/api/v1/policy/bundles/{}/policies/{policy}", office.before);
    let femi = office.house.invited(&office.dana, "femi").await;
    let denied = office.house.get("/api/v1/ledger", &femi).await;
    assert_eq!(denied.status, 403);
    let effects = office.house.get(&format!("{}/effects", path("self")), &office.dana).await.ok();
    let recent = effects["recent"].as_array().unwrap();
    assert!(effects["allowed"].as_u64().unwrap() > 3, "everybody signs in: {effects}");
    assert!(!recent.is_empty() && recent.len() <= 20, "{effects}");
    let (looked, whole) = (effects["looked_at"].as_u64().unwrap(), effects["complete_to"].as_u64().unwrap());
    assert_eq!(looked, whole, "a short ledger is looked at whole");
    let id = recent[0]["id"].as_str().unwrap();
    let decision = office.house.get(&format!("/api/v1/decisions/{id}"), &office.dana).await.ok();
    assert_eq!(decision["determining"][0]["id"], "self");
    assert_eq!(decision["bundle"], office.before);

    // Another bundle settled nothing, whatever its policies are called.
    let file = stricter();
    office.propose(&file).await.ok();
    let other = format!("/api/v1/policy/bundles/{}/policies/self/effects", file.digest());
    let none = office.house.get(&other, &office.dana).await.ok();
    assert_eq!((&none["allowed"], &none["recent"]), (&json!(0), &json!([])));

    for path in [path("self"), format!("{}/effects", path("self"))] {
        let refused = office.house.get(&path, &femi).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (403, "denied".to_owned()), "{path}");
        assert!(!refused.text.contains("Modelward::"), "{}", refused.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_two_bundles_are_compared_and_the_other_way_round_is_the_opposite() {
    let office = Office::open().await;
    let (one, other) = (elsewhere(), stricter());
    office.propose(&one).await.ok();
    office.propose(&other).await.ok();
    let third = half_covered();
    office.propose(&third).await.ok();
    let compare = async |from: &str, to: &str| {
        let path = format!("/api/v1/policy/bundles/{to}/difference?from={from}");
        office.house.get(&path, &office.dana).await.ok()
    };
    let (one, other) = (one.digest().to_string(), other.digest().to_string());
    let ahead = compare(&office.before, &one).await;
    let back = compare(&one, &office.before).await;
    assert!(ahead["stricter"].as_u64().unwrap() > 0, "{ahead}");
    assert_eq!((&ahead["stricter"], &ahead["looser"]), (&back["looser"], &back["stricter"]));
    assert!(ahead["cells"].as_array().unwrap().iter().all(|cell| cell["action"] == "predict"), "{ahead}");
    let active =
        office.house.get(&format!("/api/v1/policy/bundles/{one}/difference"), &office.dana).await.ok();
    assert_eq!(active, ahead, "the one in force unless told");
    // Neither of these is in force, and they differ by a test alone.
    let between = compare(&other, &third.digest().to_string()).await;
    assert_eq!(between["cells"], json!([]));
    let files = between["files"].as_array().unwrap().iter().filter(|file| file["change"] != "same");
    assert_eq!(
        files.map(|file| file["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["tests/corner.scenario"]
    );

    let unknown = format!("/api/v1/policy/bundles/{one}/difference?from=sha256:00");
    assert_eq!(office.house.get(&unknown, &office.dana).await.status, 404);
    let femi = office.house.invited(&office.dana, "femi").await;
    let path = format!("/api/v1/policy/bundles/{one}/difference");
    assert_eq!(office.house.get(&path, &femi).await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_on_policy_show_what_one_may_see() {
    let office = Office::open().await;
    let file = stricter();
    office.propose(&file).await.ok();
    let femi = office.house.invited(&office.dana, "femi").await;
    let page = async |session: &Session, path: &str| {
        let request = http::Request::get(path).header("cookie", format!("mw_sid={}", session.secret));
        office.house.send(request.body(axum::body::Body::empty()).unwrap()).await
    };
    let digest = file.digest();
    let policy = format!("/policy/{}/policies/self", office.before);
    for (path, says) in [
        (format!("/policy/{digest}"), "compare with any other"),
        (policy.clone(), "Recent effects"),
        (format!("/policy/{digest}/replay"), "Nothing was replayed yet."),
        (format!("/policy/{digest}/replay?last=1000"), "Made again"),
        ("/policy/difference".to_owned(), "guardrails.cedar"),
        (format!("/policy/difference?from={digest}&to={}", office.before), "the other way round"),
    ] {
        let shown = page(&office.dana, &path).await;
        assert_eq!(shown.status, 200, "{path}: {}", shown.text);
        assert!(shown.text.contains(says), "{path}: {}", shown.text);
        let refused = page(&femi, &path).await;
        assert_eq!(refused.status, 403, "{path}");
        assert!(
            refused.text.contains("Denied.") && !refused.text.contains("0.1.0"),
            "{path}: {}",
            refused.text
        );
    }
    let shown = page(&office.dana, &policy).await.text;
    assert!(shown.contains("Allowed by it") && shown.contains(r#"href="/decisions/de_"#), "{shown}");
    let malformed = page(&office.dana, &format!("/policy/{digest}/replay?last=0")).await;
    assert_eq!(malformed.status, 400, "{}", malformed.text);

    // Told as it goes: how far, then what the page would show, or why not.
    let run = format!("/policy/{digest}/replay/run");
    let told = page(&office.dana, &format!("{run}?last=1000&days=30")).await;
    assert_eq!(told.status, 200, "{}", told.text);
    assert_eq!(told.headers["content-type"], "text/event-stream");
    let events: Vec<&str> = told.text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(events.last(), Some(&"done"), "{}", told.text);
    assert!(told.text.contains("Made again"), "{}", told.text);
    let refused = page(&femi, &format!("{run}?last=1000")).await;
    assert!(refused.text.starts_with("event: failed\ndata: "), "{}", refused.text);
    assert!(!refused.text.contains("Made again"), "{}", refused.text);
    assert_eq!(page(&office.dana, &run).await.status, 400);
}
