//! Who has to sign, and what does not count.

use std::collections::{BTreeMap, BTreeSet};

use modelward_policy::parts::{Reviewer, Reviewers};
use modelward_policy::review::{check_signatures, sign};
use modelward_policy::{BundleFile, SignatureError};
use modelward_seal::Digest;

use crate::house::{changed, default_bundle, genesis, key, name, packed, reviewer, sources, with};

/// A change that guards nobody: the text of a permit.
fn harmless() -> BTreeMap<String, String> {
    changed("privileges.cedar", "A deploy grant decides", "A deploy grant settles")
}

fn guardrail() -> BTreeMap<String, String> {
    changed("guardrails.cedar", "context.risk.value >= 80", "context.risk.value >= 90")
}

fn signed(file: BundleFile, author: &str, by: &[(&str, &str)]) -> BundleFile {
    let previous = default_bundle().digest();
    by.iter().fold(file, |file, (who, role)| {
        let signature = sign(&file, previous, &name(author), &name(who), &name(role), &key(who));
        file.with_signature(signature.expect("a signature"))
    })
}

fn check(
    sources: BTreeMap<String, String>,
    author: &str,
    by: &[(&str, &str)],
) -> Result<Vec<String>, String> {
    let file = signed(packed(sources), author, by);
    check_signatures(&file, &default_bundle(), &genesis())
        .map(|reviewed| reviewed.reviewers().iter().map(ToString::to_string).collect())
        .map_err(|error| error.to_string())
}

const ERIN: (&str, &str) = ("erin", "platform");
const DANA: (&str, &str) = ("dana", "platform");
const SAM: (&str, &str) = ("sam", "security");

#[test]
fn two_reviewers_who_are_not_the_author_suffice() {
    assert_eq!(check(harmless(), "alice", &[ERIN, DANA]), Ok(vec!["dana".to_owned(), "erin".to_owned()]));
    assert_eq!(check(harmless(), "alice", &[ERIN]), Err("1 of 2 reviewers have signed".to_owned()));
    assert_eq!(check(harmless(), "alice", &[ERIN, ERIN]), Err("1 of 2 reviewers have signed".to_owned()));
    assert_eq!(check(harmless(), "alice", &[]), Err("0 of 2 reviewers have signed".to_owned()));
    assert_eq!(
        check(harmless(), "erin", &[ERIN, DANA]),
        Err("`erin` wrote the bundle and signs it too".to_owned())
    );
}

#[test]
fn a_change_of_what_guards_everybody_needs_security() {
    let needs = [
        guardrail(),
        changed("obligations.cedar", "round:2", "round:3"),
        changed("schema.cedarschema", "// Leaves", "// The leaves"),
        changed("bundle.toml", "coverage = \"required\"", "coverage = \"optional\""),
        with("reviewers.toml", "# nobody yet\n"),
        with("invariants/own.cedar", "permit (principal, action, resource);\n"),
        with("more.cedar", "@id(\"x\") forbid (principal, action, resource);\n"),
    ];
    for sources in needs {
        let refused = check(sources.clone(), "alice", &[ERIN, DANA]).expect_err("security is missing");
        assert!(refused.starts_with("nobody from `security` has signed"), "{refused}");
        check(sources, "alice", &[ERIN, SAM]).expect("security signed");
    }
}

#[test]
fn a_guardrail_cannot_be_dropped_unseen() {
    let mut sources = sources();
    sources.remove("guardrails.cedar");
    let refused = check(sources, "alice", &[ERIN, DANA]).expect_err("security is missing");
    assert!(refused.contains("`guardrails.cedar` changed"), "{refused}");
}

#[test]
fn a_signature_counts_for_one_bundle_after_one_other_with_one_set_of_verdicts() {
    let file = signed(packed(harmless()), "alice", &[ERIN, DANA]);
    let check = |file: &BundleFile| check_signatures(file, &default_bundle(), &genesis());

    let mut other = packed(guardrail());
    for signature in file.signatures() {
        other = other.with_signature(signature.clone());
    }
    assert!(matches!(check(&other), Err(SignatureError::Invalid { .. })), "moved to another bundle");

    let text = String::from_utf8(file.to_bytes().expect("bytes")).expect("text");
    let verdicts = r#""verdicts":{"checks":[],"solver":{"name":"none","version":"0"},"subject":"SUBJECT"}}"#;
    let verdicts = verdicts.replace("SUBJECT", &Digest::ZERO.to_string());
    let forged = format!("{},{verdicts}", text.strip_suffix('}').expect("an object"));
    let forged = BundleFile::open(forged.as_bytes()).expect("a file with verdicts put in");
    assert!(matches!(check(&forged), Err(SignatureError::Invalid { .. })), "with verdicts nobody saw");

    let previous = Digest::of(b"some other bundle");
    let stale = sign(&file, previous, &name("alice"), &name("erin"), &name("platform"), &key("erin"));
    let stale = file.clone().with_signature(stale.expect("a signature"));
    assert!(matches!(check(&stale), Err(SignatureError::Previous { .. })), "made for another predecessor");

    let mut forged = file.clone();
    for signature in file.signatures() {
        let mut signature = signature.clone();
        signature.author = name("bob");
        forged = forged.with_signature(signature);
    }
    assert!(matches!(check(&forged), Err(SignatureError::Invalid { .. })), "with another author");
}

#[test]
fn strangers_and_borrowed_roles_do_not_count() {
    assert_eq!(
        check(harmless(), "alice", &[ERIN, ("mallory", "security")]),
        Err("`mallory` is not among the reviewers the bundle in force lists".to_owned())
    );
    assert_eq!(
        check(guardrail(), "alice", &[ERIN, ("dana", "security")]),
        Err("`dana` signs for `security` and is listed in `platform`".to_owned())
    );
    let file = packed(harmless());
    let previous = default_bundle().digest();
    let other_key = sign(&file, previous, &name("alice"), &name("dana"), &name("platform"), &key("mallory"));
    let file = signed(file, "alice", &[ERIN]).with_signature(other_key.expect("a signature"));
    let refused = check_signatures(&file, &default_bundle(), &genesis());
    assert!(matches!(refused, Err(SignatureError::Invalid { .. })));
}

#[test]
fn no_bundle_leaves_nobody_to_sign_the_next_one() {
    let verifier = modelward_seal::note::Signer::verifier(&key("erin")).expect("a verifier");
    let alone = format!("[[reviewer]]\nname = \"erin\"\ngroup = \"platform\"\nkeys = [\"{verifier}\"]\n");
    assert_eq!(
        check(with("reviewers.toml", &alone), "alice", &[ERIN, SAM]),
        Err("nobody could sign the bundle after this one: it lists 1 reviewers".to_owned())
    );
    let refused = check_signatures(&packed(harmless()), &default_bundle(), &Reviewers::default());
    assert!(refused.is_err(), "where nobody may review, nothing is reviewed");
}

#[test]
fn a_project_bundle_needs_two_reviewers_and_the_form_of_one() {
    let scope = modelward_decision::vocabulary::ProjectId::from_bits(7);
    let files = |policy: &str| {
        let manifest = format!(
            "name = \"p\"\nversion = \"1\"\nschema_version = 1\nkind = \"project\"\nproject = \"p\"\nscope = \"{scope}\"\n"
        );
        let policy = format!("@id(\"own\") @title(\"t\") @owner(\"o\")\n{policy}\n");
        BTreeMap::from([("bundle.toml".to_owned(), manifest), ("own.cedar".to_owned(), policy)])
    };
    let own = format!("permit (principal, action, resource in Modelward::Scope::\"{scope}\");");
    check(files(&own), "alice", &[ERIN, DANA]).expect("two reviewers");
    assert!(check(files(&own), "alice", &[ERIN]).is_err());
    // Called a project bundle, it is no way around security.
    let wide = "permit (principal, action, resource);";
    assert_eq!(
        check(files(wide), "alice", &[ERIN, DANA]),
        Err("`own` is not bound to the project".to_owned())
    );
}

/// The bundle of one project, which opens predictions in it.
fn of_payments() -> BTreeMap<String, String> {
    let scope = modelward_decision::vocabulary::ProjectId::from_bits(7);
    let manifest = format!(
        "name = \"payments\"\nversion = \"1\"\nschema_version = 1\nkind = \"project\"\nproject = \"payments\"\nscope = \"{scope}\"\n"
    );
    let permit = format!(
        "@id(\"own\") @title(\"Own\") @owner(\"payments\")\npermit (principal, action == Modelward::Action::\"predict\", \
         resource in Modelward::Scope::\"{scope}\");\n"
    );
    BTreeMap::from([("bundle.toml".to_owned(), manifest), ("own.cedar".to_owned(), permit)])
}

#[test]
fn a_project_has_reviewers_of_its_own_and_they_sign_nothing_else() {
    let delegated = |who: &str, project: &str| Reviewer {
        projects: BTreeSet::from([name(project)]),
        ..reviewer(who, "payments")
    };
    let everybody = Reviewers::new(vec![
        reviewer("erin", "platform"),
        reviewer("sam", "security"),
        delegated("pia", "payments"),
        delegated("paul", "payments"),
        delegated("fred", "fraud"),
    ])
    .expect("distinct reviewers");
    let check = |sources, by: &[&str]| {
        let roles = ["pia", "paul", "fred"];
        let group = |who: &str| match who {
            "sam" => "security",
            who if roles.contains(&who) => "payments",
            _ => "platform",
        };
        let by: Vec<(&str, &str)> = by.iter().map(|who| (*who, group(who))).collect();
        let file = signed(packed(sources), "mara", &by);
        check_signatures(&file, &default_bundle(), &everybody).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(check(of_payments(), &["pia", "paul"]), Ok(()));
    assert_eq!(check(of_payments(), &["pia", "erin"]), Ok(()), "who signs everything can stand in");
    assert_eq!(
        check(of_payments(), &["pia", "fred"]),
        Err("`fred` is listed for projects only, and not for this bundle".to_owned())
    );
    assert_eq!(
        check(harmless(), &["erin", "pia"]),
        Err("`pia` is listed for projects only, and not for this bundle".to_owned())
    );
    let only_theirs = Reviewers::new(vec![reviewer("sam", "security"), delegated("pia", "payments")]);
    assert!(!only_theirs.expect("distinct").can_change_guardrails(), "one is left for the root bundle");
}
