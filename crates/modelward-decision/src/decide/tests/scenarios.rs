//! What the default bundle promises, one story at a time.
//!
//! `grant WHO PRIVILEGE [on fraud|fraud/3|platform] [until TIME] [in ENV] [windows] [fields F]`, then
//! `at TIME WHO ACTION THING [asking FIELD,…] [via staging]`. Each `at` line answers with the outcome and the sentence.

use std::collections::BTreeSet;

use expect_test::{Expect, expect};
use jiff::{SignedDuration, Timestamp};

use super::world::name;
use crate::grant::{Conditions, Day, Grant, Origin, Window};
use crate::inventory::*;
use crate::vocabulary::*;
use crate::{Bundle, Change, Request, Snapshot, decide};
use std::sync::Arc;

#[test]
fn inference_never_reaches_the_weights() {
    check(
        "grant dana inference on fraud until 17:00
         at 16:00 dana predict fraud/3
         at 16:00 dana downloadWeights fraud/3
         at 16:00 dana readCard fraud
         at 17:00 dana predict fraud/3",
        &expect![[r#"
            permitted by gr_00003g []: You may ask a model for a prediction: fraud/3. []
            forbidden by bound-credential by managed-device by strong-sign-in: You may not download weights (fraud/3): you hold inference here, which does not include it; it needs a grant of export. [Grant { privilege: Export, resource: Version(ve_0000000000000000000000002k) }, BoundCredential, Device, StepUp { strength: 3, max_age_seconds: 300 }]
            not-permitted: You may not read a model card (fraud): you hold inference here, which does not include it; it needs a grant of read-only. [Grant { privilege: ReadOnly, resource: Model(mo_0000000000000000000000001g) }]
            not-permitted: You may not ask a model for a prediction (fraud/3): your grant gr_00003g ended at 2026-11-20T17:00:00Z. [Grant { privilege: Inference, resource: Version(ve_0000000000000000000000002k) }]"#]],
    );
}

#[test]
fn reading_changes_and_predicts_nothing() {
    check(
        "grant dana read-only on fraud until 17:00
         at 16:00 dana readCard fraud
         at 16:00 dana readMetrics fraud/3
         at 16:00 dana predict fraud/3
         at 16:00 dana tagModel fraud
         at 16:00 dana launchTraining fraud",
        &expect![[r#"
            permitted by gr_00003g []: You may read a model card: fraud. []
            permitted by gr_00003g []: You may read metrics and evaluations: fraud/3. []
            not-permitted: You may not ask a model for a prediction (fraud/3): you hold read-only here, which does not include it; it needs a grant of inference. [Grant { privilege: Inference, resource: Version(ve_0000000000000000000000002k) }]
            not-permitted: You may not tag a model or version (fraud): you hold read-only here, which does not include it; it needs a grant of registry. [Grant { privilege: Registry, resource: Model(mo_0000000000000000000000001g) }]
            forbidden by bound-credential by strong-sign-in: You may not launch an approved training run (fraud): you hold read-only here, which does not include it; it needs a grant of retraining. [Grant { privilege: Retraining, resource: Model(mo_0000000000000000000000001g) }, BoundCredential, StepUp { strength: 3, max_age_seconds: 300 }]"#]],
    );
}

#[test]
fn a_stranger_does_not_learn_whether_a_model_exists() {
    check(
        "at 16:00 dana readCard fraud
         at 16:00 dana readCard unknown
         at 16:00 dana predict fraud/3",
        &expect![[r#"
            not-permitted: You may not read a model card: no grant of yours covers this model. It needs a grant of read-only. [Grant { privilege: ReadOnly, resource: Model(mo_0000000000000000000000001g) }]
            not-permitted: You may not read a model card: no grant of yours covers this model. It needs a grant of read-only. [Grant { privilege: ReadOnly, resource: Model(mo_00000000000000000000001zzz) }]
            not-permitted: You may not ask a model for a prediction: no grant of yours covers this model. It needs a grant of inference. [Grant { privilege: Inference, resource: Version(ve_0000000000000000000000002k) }]"#]],
    );
}

#[test]
fn a_sensitive_field_needs_a_right_of_its_own() {
    check(
        "grant dana inference on fraud until 17:00
         at 16:00 dana predict fraud/3 asking logprobs
         grant dana inference-sensitive on fraud until 17:00 fields logprobs
         at 16:00 dana predict fraud/3 asking logprobs
         at 16:00 dana predict fraud/3 asking logprobs,tokens
         at 16:00 dana predict fraud/3 asking logprobs,sampling-control
         at 16:00 dana embed fraud/3 asking embeddings
         at 16:00 dana embed fraud/3
         at 16:00 dana readLogprobs fraud/3",
        &expect![[r#"
            forbidden by unheld-fields: You may not ask a model for a prediction (fraud/3): it asks for a part of the answer you may not see (logprobs). [WithoutFields { fields: {Logprobs} }]
            permitted by gr_00003g ["top-k:5"]: You may ask a model for a prediction: fraud/3. []
            forbidden by unheld-fields: You may not ask a model for a prediction (fraud/3): it asks for a part of the answer you may not see (tokens). [WithoutFields { fields: {Tokens} }]
            forbidden by extraction-pair by unheld-fields: You may not ask a model for a prediction (fraud/3): log probabilities and a logit bias together would give the model away (sampling-control). [WithoutFields { fields: {SamplingControl} }]
            forbidden by grant-fields: You may not get vectors that stand for an input (fraud/3): your grant does not name this field (embeddings). [Grant { privilege: InferenceSensitive, resource: Version(ve_0000000000000000000000002k) }]
            forbidden by grant-fields: You may not get vectors that stand for an input (fraud/3): your grant does not name this field. [Grant { privilege: InferenceSensitive, resource: Version(ve_0000000000000000000000002k) }]
            permitted by gr_00003h []: You may see log probabilities: fraud/3. []"#]],
    );
}

#[test]
fn a_grant_counts_where_and_when_it_says() {
    check(
        "grant dana inference on fraud/3 until 23:00 in production windows
         at 16:00 dana predict fraud/3
         at 16:00 dana predict fraud/3 via staging
         at 20:00 dana predict fraud/3
         at 16:00 dana predict fraud/4",
        &expect![[r#"
            permitted by gr_00003g []: You may ask a model for a prediction: fraud/3. []
            forbidden by grant-environment: You may not ask a model for a prediction (fraud/3): your grant does not cover this environment. [Environment { environments: {`production`} }]
            forbidden by grant-window: You may not ask a model for a prediction (fraud/3): your grant is outside its time window now. [Wait { grant: gr_0000000000000000000000003g, until: None }]
            not-permitted: You may not ask a model for a prediction: no grant of yours covers this model. It needs a grant of inference. [Grant { privilege: Inference, resource: Version(ve_0000000000000000000000002m) }]"#]],
    );
}

#[test]
fn of_two_grants_the_narrower_one_is_used() {
    check(
        "grant dana inference on platform until 23:00
         grant dana inference on fraud/3 until 22:00
         at 16:00 dana predict fraud/3
         at 22:00 dana predict fraud/3",
        &expect![[r#"
            permitted by gr_00003h []: You may ask a model for a prediction: fraud/3. []
            permitted by gr_00003g []: You may ask a model for a prediction: fraud/3. []"#]],
    );
}

#[test]
fn a_group_holds_nothing_above_inference() {
    check(
        "grant analysts inference on fraud until 17:00
         grant analysts audit on platform until 17:00
         at 16:00 dana predict fraud/3
         at 16:00 dana readDecisions platform",
        &expect![[r#"
            permitted by gr_00003g []: You may ask a model for a prediction: fraud/3. []
            forbidden by grant-personal: You may not read decisions about other people (the platform): this needs a grant of your own, not one of a group. [Administrator { reason: "this needs a grant of your own, not one of a group" }]"#]],
    );
}

#[test]
fn production_is_led_to_no_version_of_unverified_provenance() {
    check(
        "grant dana deploy on fraud until 17:00
         at 16:00 dana promote fraud/5
         at 16:00 dana setProtectedAlias fraud/5
         at 16:00 dana setProtectedAlias fraud/4",
        &expect![[r#"
            forbidden by bound-credential by unproven-promotion: You may not promote a version (fraud/5): this needs a credential that is bound to its holder. [BoundCredential, Administrator { reason: "its provenance was not verified" }]
            forbidden by bound-credential by unproven-promotion: You may not point a protected alias to a version (fraud/5): this needs a credential that is bound to its holder. [BoundCredential, Administrator { reason: "its provenance was not verified" }]
            forbidden by bound-credential: You may not point a protected alias to a version (fraud/4): this needs a credential that is bound to its holder. [BoundCredential]"#]],
    );
}

fn check(story: &str, expected: &Expect) {
    let mut snapshot =
        Snapshot::empty(Arc::new(Bundle::default_bundle().expect("the default bundle"))).with(world());
    let mut answers = Vec::new();
    for line in story.lines().map(str::trim) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["grant", who, privilege, rest @ ..] => {
                let number = snapshot.grants().count() as u128;
                snapshot = snapshot.with([Change::Grant(Arc::new(grant(number, who, privilege, rest)))]);
            }
            ["at", time, _who, action, thing, rest @ ..] => {
                answers.push(answer(&snapshot, time, action, thing, rest));
            }
            other => panic!("not a line of a story: {other:?}"),
        }
    }
    expected.assert_eq(&answers.join("\n"));
}

const DANA: PersonId = PersonId::from_bits(0x10);
const ANALYSTS: GroupId = GroupId::from_bits(0x20);
const FRAUD: ModelId = ModelId::from_bits(0x30);
const PRODUCTION: EndpointId = EndpointId::from_bits(0x40);
const STAGING: EndpointId = EndpointId::from_bits(0x41);

fn version(label: &str) -> VersionId {
    VersionId::from_bits(0x50 + label.parse::<u128>().expect("a number"))
}

fn at(time: &str) -> Timestamp {
    format!("2026-11-20T{time}:00Z").parse().expect("a time")
}

fn world() -> Vec<Change> {
    let served = Served {
        public_name: "fraud".to_owned(),
        model: FRAUD,
        target: Target::Version(version("3")),
        upstream_name: "fraud".to_owned(),
    };
    let endpoint = |id, environment| {
        Change::Endpoint(Arc::new(Endpoint {
            id,
            name: name(environment),
            environment: name(environment),
            protocol: Protocol::OpenAi,
            upstream: name("upstream"),
            approved: true,
            serves: vec![served.clone()],
        }))
    };
    let project = ProjectId::from_bits(0x60);
    let mut changes = vec![
        Change::Group(Arc::new(Group { id: ANALYSTS, name: name("analysts"), parents: BTreeSet::new() })),
        Change::Person(Arc::new(Person {
            id: DANA,
            name: name("dana"),
            display_name: "Dana".to_owned(),
            clearance: Classification::Confidential,
            active: true,
            groups: BTreeSet::from([ANALYSTS]),
        })),
        Change::Project(Arc::new(Project { id: project, name: name("payments") })),
        Change::Model(Arc::new(Model {
            id: FRAUD,
            project,
            name: name("fraud"),
            classification: Classification::Confidential,
            tags: BTreeSet::new(),
            quarantined: false,
            on_sensitive_ask: OnSensitiveAsk::Refuse,
            fail_static: false,
        })),
        endpoint(PRODUCTION, "production"),
        endpoint(STAGING, "staging"),
    ];
    changes.extend(["3", "4", "5"].map(|label| {
        Change::Version(Arc::new(Version {
            id: version(label),
            model: FRAUD,
            label: name(label),
            digest: None,
            label_outputs: BTreeSet::new(),
            proven: label != "5",
            quarantined: false,
        }))
    }));
    changes
}

fn grant(number: u128, who: &str, privilege: &str, rest: &[&str]) -> Grant {
    let after = |word: &str| rest.iter().position(|it| *it == word).map(|at| rest[at + 1]);
    let working_day = Window {
        days: BTreeSet::from([Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri]),
        from: jiff::civil::time(8, 0, 0, 0),
        until: jiff::civil::time(18, 0, 0, 0),
        zone: "UTC".to_owned(),
    };
    Grant {
        id: GrantId::from_bits(0x70 + number),
        grantee: if who == "dana" { GranteeRef::Person(DANA) } else { GranteeRef::Group(ANALYSTS) },
        privilege: privilege.parse().expect("a privilege"),
        scope: match after("on").and_then(resource).expect("a thing") {
            ResourceRef::Version(id) => ScopeRef::Version(id),
            other => other.as_scope(),
        },
        conditions: Conditions {
            environments: after("in").map(|environment| BTreeSet::from([name(environment)])),
            windows: rest.contains(&"windows").then(|| vec![working_day]),
            fields: after("fields").map(fields),
            ..Conditions::default()
        },
        not_before: at("08:00"),
        not_after: at(after("until").expect("an end")),
        origin: Origin::Request { request: EventId::from_bits(1), approvals: 2 },
    }
}

fn fields(list: &str) -> BTreeSet<Field> {
    list.split(',').map(|field| field.parse().expect("a field")).collect()
}

fn resource(text: &str) -> Option<ResourceRef> {
    Some(match text {
        "platform" => ResourceRef::Platform,
        "fraud" => ResourceRef::Model(FRAUD),
        "unknown" => ResourceRef::Model(ModelId::from_bits(0xffff)),
        other => ResourceRef::Version(version(other.strip_prefix("fraud/")?)),
    })
}

fn answer(snapshot: &Snapshot, time: &str, action: &str, thing: &str, rest: &[&str]) -> String {
    let now = at(time);
    let resource = resource(thing).expect("a thing");
    let staging = rest.contains(&"staging");
    let asking = rest.iter().position(|word| *word == "asking").map(|at| fields(rest[at + 1]));
    let through_endpoint = matches!(resource, ResourceRef::Version(_));
    let request = Request {
        principal: PrincipalRef::Person(DANA),
        action: action.parse().expect("an action"),
        resource,
        facts: Facts {
            now,
            environment: name(if staging { "staging" } else { "production" }),
            endpoint: through_endpoint.then_some(if staging { STAGING } else { PRODUCTION }),
            session: Arc::new(SessionFacts {
                id: SessionId::from_bits(1),
                strength: 2,
                methods: vec![name("pwd"), name("otp")],
                authenticated_at: now - SignedDuration::from_mins(10),
                binding: Binding::None,
                scope: CredentialScope::Full,
            }),
            device: DeviceFacts::UNKNOWN,
            network: Fact::new(name("office"), Source::Socket, now, Confidence::Proved),
            place: Fact::new(name("unknown"), Source::Default, now, Confidence::None),
            risk: Fact::new(0, Source::Default, now, Confidence::None),
            ask: Ask { fields: asking.unwrap_or_default(), bytes: None, purpose: None },
        },
    };
    let decision = decide(snapshot, &request, DecisionId::from_bits(1));
    let obligations: Vec<String> = decision.obligations.iter().map(ToString::to_string).collect();
    let by = match decision.grant {
        Some(grant) => format!(" by {} {obligations:?}", grant.short()),
        None => decision.determining.iter().map(|citation| format!(" by {}", citation.policy)).collect(),
    };
    format!("{}{by}: {} {:?}", decision.outcome.as_str(), decision.sentence, decision.remedies)
}
