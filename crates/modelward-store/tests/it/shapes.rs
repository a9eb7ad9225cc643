//! What stands in the `body` columns. Databases hold these texts: a change here needs a migration, or a default.

use std::fmt::Write as _;

use expect_test::expect;
use modelward_decision::grant::{Conditions, Day, Origin, Window};
use modelward_decision::signal::{About, Raised, SignalKey};
use modelward_decision::vocabulary::{Confidence, Field, PrincipalRef};
use modelward_decision::{EpochScope, Reach, Removed};
use modelward_governance::Bootstrap;
use modelward_governance::inventory::{Description, Thing};
use modelward_governance::policy::PolicyState;
use modelward_identity::federation::{Identity, Link, Standing};
use modelward_seal::Digest;
use modelward_store::Recorded;
use modelward_store::credential::Factor;
use modelward_store::scim::ResourceKind;

use crate::house::{
    alias, dataset, endpoint, environment, grant, group, id, machine, model, name, names, noon, person,
    project, version,
};

fn everything() -> Vec<Recorded> {
    let mut described = Description::empty(id(40));
    described.card = "# Fraud".to_owned();
    described.metrics.insert("auc".to_owned(), serde_json::json!(0.93));
    let mut dana = person(2, "dana");
    dana.groups.insert(id(20));
    let mut guarded = grant(90);
    guarded.origin = Origin::Request { request: id(7), approvals: 2 };
    guarded.conditions = Conditions {
        environments: Some(names(&["production"])),
        regions: Some(names(&["eu"])),
        segments: Some(names(&["office"])),
        windows: Some(vec![Window {
            days: [Day::Mon, Day::Fri].into(),
            from: jiff::civil::time(9, 0, 0, 0),
            until: jiff::civil::time(17, 30, 0, 0),
            zone: "Europe/Berlin".to_owned(),
        }]),
        purposes: Some([name("audit")].into()),
        fields: Some([Field::Logprobs].into()),
        max_uses: Some(3),
        max_bytes: Some(1024),
    };
    let mut records: Vec<Recorded> = [
        Thing::Person(dana),
        Thing::Machine(machine()),
        Thing::Group(group(20, "analysts")),
        Thing::Project(project()),
        Thing::Environment(environment()),
        Thing::Model(model()),
        Thing::Description(described),
        Thing::Version(version(50, "1")),
        Thing::Alias(alias()),
        Thing::Endpoint(endpoint()),
        Thing::Dataset(dataset()),
    ]
    .map(|thing| Recorded::Put(Box::new(thing)))
    .into();
    records.extend([
        Recorded::Grant(Box::new(grant(90))),
        Recorded::Grant(Box::new(guarded)),
        Recorded::Revoke(id(90)),
        Recorded::Remove(Removed::Model(id(40))),
        Recorded::RemoveDescription(id(40)),
        Recorded::Bump(EpochScope::Principal(PrincipalRef::Person(id(1)))),
        Recorded::Bump(EpochScope::Session(id(5))),
        Recorded::Bootstrap(Bootstrap::Open { first: id(1), opened_at: noon() }),
        Recorded::Bootstrap(Bootstrap::Closed { pair: [id(1), id(2)], closed_at: noon() }),
        Recorded::Policy(
            PolicyState::first(Digest::ZERO)
                .try_out(Digest::of(b"new"), Reach::Canary { per_mille: 50 })
                .unwrap(),
        ),
        Recorded::Credential {
            person: id(2),
            password: true,
            totp: false,
            recovery_codes: 10,
            passkey: None,
        },
        Recorded::Credential {
            person: id(2),
            password: false,
            totp: false,
            recovery_codes: 0,
            passkey: Some(Digest::of(b"key")),
        },
        Recorded::DropFactor { person: id(2), factor: Factor::Totp },
        Recorded::DropFactor { person: id(2), factor: Factor::Passkey(Digest::of(b"key")) },
        Recorded::DropCredential(id(2)),
        Recorded::Link(Box::new(Link { identity: identity(), person: id(2), linked_at: noon() })),
        Recorded::Unlink(Box::new(identity())),
        Recorded::Issuer(Box::new(Standing { issuer: identity().issuer, distrusted_at: Some(noon()) })),
        Recorded::Raise(Box::new(raised())),
        Recorded::Lift(Box::new(raised().what)),
        Recorded::Scim {
            client: "c".to_owned(),
            kind: ResourceKind::Group,
            id: "g".to_owned(),
            withdrawn: false,
            joins: 2,
            leaves: 1,
        },
    ]);
    records
}

fn raised() -> Raised {
    let about = About::Principal(PrincipalRef::Person(id(2)));
    let device = Some(Digest::of(b"laptop"));
    Raised {
        what: SignalKey { about, signal: name("device-compromised"), device },
        raised_at: noon(),
        until: noon(),
        by: name("corporate"),
        confidence: Confidence::Managed,
    }
}

#[test]
fn stored_texts_stay_as_they_are() {
    let mut lines = String::new();
    for record in everything() {
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Recorded>(&text).unwrap(), record);
        writeln!(lines, "{text}").unwrap();
    }
    expect![[r##"
        {"change":"put","of":{"kind":"person","value":{"id":"pe_01jm000000e008000000000002","name":"dana","display_name":"dana","clearance":"confidential","active":true,"groups":["gp_01jm000000e00800000000000m"]}}}
        {"change":"put","of":{"kind":"machine","value":{"id":"ma_01jm000000e00800000000000a","name":"scorer","owner":"pe_01jm000000e008000000000001","clearance":"internal","active":true,"groups":[]}}}
        {"change":"put","of":{"kind":"group","value":{"id":"gp_01jm000000e00800000000000m","name":"analysts","parents":[]}}}
        {"change":"put","of":{"kind":"project","value":{"id":"pr_01jm000000e00800000000000y","name":"risk"}}}
        {"change":"put","of":{"kind":"environment","value":{"name":"production","production":true}}}
        {"change":"put","of":{"kind":"model","value":{"id":"mo_01jm000000e008000000000018","project":"pr_01jm000000e00800000000000y","name":"fraud","classification":"internal","tags":["cards"],"quarantined":false,"on_sensitive_ask":"strip"}}}
        {"change":"put","of":{"kind":"description","value":{"model":"mo_01jm000000e008000000000018","card":"# Fraud","metrics":{"auc":0.93}}}}
        {"change":"put","of":{"kind":"version","value":{"id":"ve_01jm000000e00800000000001j","model":"mo_01jm000000e008000000000018","label":"1","digest":null,"label_outputs":["label"],"proven":true,"quarantined":false}}}
        {"change":"put","of":{"kind":"alias","value":{"id":"al_01jm000000e00800000000001w","model":"mo_01jm000000e008000000000018","name":"champion","version":"ve_01jm000000e00800000000001j","protected":false}}}
        {"change":"put","of":{"kind":"endpoint","value":{"id":"ep_01jm000000e008000000000026","name":"scoring","environment":"production","protocol":"open-inference","upstream":"triton","approved":true,"serves":[{"public_name":"fraud","model":"mo_01jm000000e008000000000018","target":{"kind":"alias","id":"al_01jm000000e00800000000001w"},"upstream_name":"fraud"}]}}}
        {"change":"put","of":{"kind":"dataset","value":{"id":"da_01jm000000e00800000000002g","project":"pr_01jm000000e00800000000000y","name":"payments","classification":"confidential","tags":[],"columns":[{"name":"amount","classification":"internal"},{"name":"card","classification":"confidential"}]}}}
        {"change":"grant","of":{"id":"gr_01jm000000e00800000000002t","grantee":{"kind":"person","id":"pe_01jm000000e008000000000002"},"privilege":"inference","scope":{"kind":"model","id":"mo_01jm000000e008000000000018"},"conditions":{},"not_before":"2026-03-02T12:00:00Z","not_after":"2026-04-01T12:00:00Z","origin":{"kind":"bootstrap","by":"pe_01jm000000e008000000000001"}}}
        {"change":"grant","of":{"id":"gr_01jm000000e00800000000002t","grantee":{"kind":"person","id":"pe_01jm000000e008000000000002"},"privilege":"inference","scope":{"kind":"model","id":"mo_01jm000000e008000000000018"},"conditions":{"environments":["production"],"regions":["eu"],"segments":["office"],"windows":[{"days":["mon","fri"],"from":"09:00:00","until":"17:30:00","zone":"Europe/Berlin"}],"purposes":["audit"],"fields":["logprobs"],"max_uses":3,"max_bytes":1024},"not_before":"2026-03-02T12:00:00Z","not_after":"2026-04-01T12:00:00Z","origin":{"kind":"request","request":"ev_01jm000000e008000000000007","approvals":2}}}
        {"change":"revoke","of":"gr_01jm000000e00800000000002t"}
        {"change":"remove","of":{"Model":"mo_01jm000000e008000000000018"}}
        {"change":"remove-description","of":"mo_01jm000000e008000000000018"}
        {"change":"bump","of":{"kind":"principal","id":{"kind":"person","id":"pe_01jm000000e008000000000001"}}}
        {"change":"bump","of":{"kind":"session","id":"se_01jm000000e008000000000005"}}
        {"change":"bootstrap","of":{"state":"open","first":"pe_01jm000000e008000000000001","opened_at":"2026-03-02T12:00:00Z"}}
        {"change":"bootstrap","of":{"state":"closed","pair":["pe_01jm000000e008000000000001","pe_01jm000000e008000000000002"],"closed_at":"2026-03-02T12:00:00Z"}}
        {"change":"policy","of":{"step":1,"active":"sha256:0000000000000000000000000000000000000000000000000000000000000000","on_trial":{"bundle":"sha256:11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437","reach":{"kind":"canary","per_mille":50}}}}
        {"change":"credential","of":{"person":"pe_01jm000000e008000000000002","password":true,"totp":false,"recovery_codes":10}}
        {"change":"credential","of":{"person":"pe_01jm000000e008000000000002","password":false,"totp":false,"recovery_codes":0,"passkey":"sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"}}
        {"change":"drop-factor","of":{"person":"pe_01jm000000e008000000000002","factor":"totp"}}
        {"change":"drop-factor","of":{"person":"pe_01jm000000e008000000000002","factor":"passkey","id":"sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"}}
        {"change":"drop-credential","of":"pe_01jm000000e008000000000002"}
        {"change":"link","of":{"identity":{"issuer":"https://id.example.org","subject":"248289761001"},"person":"pe_01jm000000e008000000000002","linked_at":"2026-03-02T12:00:00Z"}}
        {"change":"unlink","of":{"issuer":"https://id.example.org","subject":"248289761001"}}
        {"change":"issuer","of":{"issuer":"https://id.example.org","distrusted_at":"2026-03-02T12:00:00Z"}}
        {"change":"raise","of":{"what":{"about":{"kind":"principal","id":{"kind":"person","id":"pe_01jm000000e008000000000002"}},"signal":"device-compromised","device":"sha256:5eec0dc419aa8337bf725f026fda9c78c1cb1c642eeaff9d6e1112f37783e942"},"raised_at":"2026-03-02T12:00:00Z","until":"2026-03-02T12:00:00Z","by":"corporate","confidence":"managed"}}
        {"change":"lift","of":{"about":{"kind":"principal","id":{"kind":"person","id":"pe_01jm000000e008000000000002"}},"signal":"device-compromised","device":"sha256:5eec0dc419aa8337bf725f026fda9c78c1cb1c642eeaff9d6e1112f37783e942"}}
        {"change":"scim","of":{"client":"c","kind":"group","id":"g","withdrawn":false,"joins":2,"leaves":1}}
    "##]]
    .assert_eq(&lines);
}

fn identity() -> Identity {
    Identity { issuer: "https://id.example.org".to_owned(), subject: "248289761001".to_owned() }
}
