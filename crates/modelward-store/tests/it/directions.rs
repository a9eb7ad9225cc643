//! Which way each change goes, as a table that is read like one.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use expect_test::expect;
use modelward_decision::inventory::{OnSensitiveAsk, Protocol};
use modelward_decision::signal::{About, Raised, SignalKey};
use modelward_decision::vocabulary::{Classification, Confidence, PrincipalRef};
use modelward_decision::{EpochScope, Removed};
use modelward_governance::Bootstrap;
use modelward_governance::inventory::{Description, Thing};
use modelward_governance::policy::PolicyState;
use modelward_identity::federation::{Identity, Link, Standing};
use modelward_seal::Digest;
use modelward_store::change::Item;
use modelward_store::credential::{CredentialChange, Factor};
use modelward_store::direction::{direction, meet};
use modelward_store::{Direction, StateChange};

use crate::house::{
    alias, dataset, endpoint, environment, give, grant, group, id, machine, model, name, names, noon, person,
    project, put, version,
};

struct Table(String);

impl Table {
    #[expect(clippy::needless_pass_by_value, reason = "rows are written where they are used")]
    fn row(&mut self, what: &str, before: Option<Item>, change: &StateChange) {
        let direction = match direction(before.as_ref(), change) {
            Direction::Neither => "neither",
            Direction::Narrows => "narrows",
            Direction::Widens => "widens",
            Direction::Both => "both",
        };
        writeln!(self.0, "{what:<42} {direction}").unwrap();
    }

    fn change<T: Clone>(&mut self, what: &str, before: &T, wrap: fn(T) -> Thing, edit: impl FnOnce(&mut T)) {
        let mut after = before.clone();
        edit(&mut after);
        self.row(what, Some(Item::Thing(wrap(before.clone()))), &put(wrap(after)));
    }
}

#[test]
fn every_change_has_a_direction() {
    let mut table = Table(String::new());
    let t = &mut table;

    t.row("grant: new", None, &give(grant(1)));
    t.row("grant: revoked", Some(Item::Grant(Box::new(grant(1)))), &StateChange::Revoke(id(1)));
    t.row("epoch: bumped", None, &StateChange::Bump(EpochScope::Principal(PrincipalRef::Person(id(1)))));
    let credential = CredentialChange::of(id(1));
    t.row("credential: new", None, &StateChange::Credential(Box::new(credential)));
    t.row("credential: dropped", None, &StateChange::DropCredential(id(1)));
    t.row("credential: a factor dropped", None, &StateChange::DropFactor(id(1), Factor::Totp));

    let open = Bootstrap::Open { first: id(1), opened_at: noon() };
    let closed = Bootstrap::Closed { pair: [id(1), id(2)], closed_at: noon() };
    t.row("bootstrap: opened", None, &StateChange::Bootstrap(open));
    t.row("bootstrap: closed", Some(Item::Bootstrap(open)), &StateChange::Bootstrap(closed));

    let policy = PolicyState::first(Digest::of(b"old"));
    let next = policy.clone().activate(Digest::of(b"new"), &BTreeSet::new()).unwrap();
    t.row("policy: another bundle", Some(Item::Policy(policy)), &StateChange::Policy(next));

    let identity = Identity { issuer: "https://id.example.org".to_owned(), subject: "dana".to_owned() };
    let link = |person| Box::new(Link { identity: identity.clone(), person: id(person), linked_at: noon() });
    t.row("identity: linked", None, &StateChange::Link(link(2)));
    t.row("identity: same person", Some(Item::Link(link(2))), &StateChange::Link(link(2)));
    t.row("identity: another person", Some(Item::Link(link(2))), &StateChange::Link(link(3)));
    let unlink = StateChange::Unlink(Box::new(identity.clone()));
    t.row("identity: unlinked", Some(Item::Link(link(2))), &unlink);

    let said = |distrusted_at| Box::new(Standing { issuer: identity.issuer.clone(), distrusted_at });
    t.row("issuer: distrusted", None, &StateChange::Issuer(said(Some(noon()))));
    let distrusted = Some(Item::Issuer(said(Some(noon()))));
    t.row("issuer: trusted again", distrusted, &StateChange::Issuer(said(None)));

    let raised = |until| {
        let about = About::Principal(PrincipalRef::Person(id(2)));
        let what = SignalKey { about, signal: name("risk-high"), device: None };
        let (by, confidence) = (name("corporate"), Confidence::Managed);
        Box::new(Raised { what, raised_at: noon(), until, by, confidence })
    };
    let later = noon() + jiff::SignedDuration::from_hours(1);
    let stands = Some(Item::Signal(raised(noon())));
    t.row("signal: raised", None, &StateChange::Raise(raised(noon())));
    t.row("signal: lasts longer", stands.clone(), &StateChange::Raise(raised(later)));
    t.row("signal: ends sooner", Some(Item::Signal(raised(later))), &StateChange::Raise(raised(noon())));
    t.row("signal: lifted", stands, &StateChange::Lift(Box::new(raised(noon()).what)));

    let dana = person(2, "dana");
    t.row("person: new", None, &put(Thing::Person(dana.clone())));
    t.change("person: same", &dana, Thing::Person, |_| {});
    t.change("person: renamed", &dana, Thing::Person, |it| it.name = name("dan"));
    t.change("person: shown otherwise", &dana, Thing::Person, |it| it.display_name = "D".into());
    t.change("person: clearance up", &dana, Thing::Person, |it| it.clearance = Classification::Restricted);
    t.change("person: clearance down", &dana, Thing::Person, |it| it.clearance = Classification::Public);
    t.change("person: deactivated", &dana, Thing::Person, |it| it.active = false);
    t.change("person: joins a group", &dana, Thing::Person, |it| {
        it.groups.insert(id(20));
    });
    let mut member = dana.clone();
    member.groups.insert(id(20));
    t.change("person: leaves a group", &member, Thing::Person, |it| it.groups.clear());
    t.change("person: changes groups", &member, Thing::Person, |it| it.groups = [id(21)].into());
    member.active = false;
    t.change("person: activated", &member, Thing::Person, |it| it.active = true);

    let scorer = machine();
    t.row("machine: new", None, &put(Thing::Machine(scorer.clone())));
    t.change("machine: renamed", &scorer, Thing::Machine, |it| it.name = name("other"));
    t.change("machine: other owner", &scorer, Thing::Machine, |it| it.owner = id(2));
    t.change("machine: clearance up", &scorer, Thing::Machine, |it| {
        it.clearance = Classification::Restricted;
    });
    t.change("machine: clearance down", &scorer, Thing::Machine, |it| it.clearance = Classification::Public);
    t.change("machine: deactivated", &scorer, Thing::Machine, |it| it.active = false);
    t.change("machine: joins a group", &scorer, Thing::Machine, |it| {
        it.groups.insert(id(20));
    });

    let mut analysts = group(20, "analysts");
    t.row("group: new", None, &put(Thing::Group(analysts.clone())));
    t.change("group: renamed", &analysts, Thing::Group, |it| it.name = name("other"));
    t.change("group: becomes part of another", &analysts, Thing::Group, |it| {
        it.parents.insert(id(21));
    });
    analysts.parents.insert(id(21));
    t.change("group: stands alone again", &analysts, Thing::Group, |it| it.parents.clear());
    t.row(
        "group: removed",
        Some(Item::Thing(Thing::Group(analysts))),
        &StateChange::Remove(Removed::Group(id(20))),
    );

    t.row("project: new", None, &put(Thing::Project(project())));
    t.change("project: renamed", &project(), Thing::Project, |it| it.name = name("other"));
    t.row("environment: new", None, &put(Thing::Environment(environment())));
    t.change("environment: no longer production", &environment(), Thing::Environment, |it| {
        it.production = false;
    });
    let mut staging = environment();
    staging.production = false;
    t.change("environment: becomes production", &staging, Thing::Environment, |it| it.production = true);

    let fraud = model();
    t.row("model: new", None, &put(Thing::Model(fraud.clone())));
    t.change("model: renamed", &fraud, Thing::Model, |it| it.name = name("other"));
    t.change("model: other project", &fraud, Thing::Model, |it| it.project = id(31));
    t.change("model: more sensitive", &fraud, Thing::Model, |it| {
        it.classification = Classification::Restricted;
    });
    t.change("model: less sensitive", &fraud, Thing::Model, |it| it.classification = Classification::Public);
    t.change("model: tagged", &fraud, Thing::Model, |it| it.tags = names(&["cards", "personal"]));
    t.change("model: tag taken off", &fraud, Thing::Model, |it| it.tags.clear());
    t.change("model: quarantined", &fraud, Thing::Model, |it| it.quarantined = true);
    t.change("model: refuses sensitive asks", &fraud, Thing::Model, |it| {
        it.on_sensitive_ask = OnSensitiveAsk::Refuse;
    });
    t.change("model: quarantined and less sensitive", &fraud, Thing::Model, |it| {
        it.quarantined = true;
        it.classification = Classification::Public;
    });
    let mut locked = fraud.clone();
    locked.quarantined = true;
    locked.on_sensitive_ask = OnSensitiveAsk::Refuse;
    t.change("model: quarantine lifted", &locked, Thing::Model, |it| it.quarantined = false);
    t.change("model: strips sensitive asks", &locked, Thing::Model, |it| {
        it.on_sensitive_ask = OnSensitiveAsk::Strip;
    });
    t.row(
        "model: removed",
        Some(Item::Thing(Thing::Model(fraud))),
        &StateChange::Remove(Removed::Model(id(40))),
    );
    t.change("description: other card", &Description::empty(id(40)), Thing::Description, |it| {
        it.card = "new".into();
    });

    let one = version(50, "1");
    t.row("version: new", None, &put(Thing::Version(one.clone())));
    t.change("version: other label", &one, Thing::Version, |it| it.label = name("2"));
    t.change("version: other digest", &one, Thing::Version, |it| it.digest = Some("sha256:0".into()));
    t.change("version: an output is a label now", &one, Thing::Version, |it| {
        it.label_outputs.insert("class".into());
    });
    t.change("version: an output is no label now", &one, Thing::Version, |it| it.label_outputs.clear());
    t.change("version: provenance in doubt", &one, Thing::Version, |it| it.proven = false);
    t.change("version: quarantined", &one, Thing::Version, |it| it.quarantined = true);
    let mut doubtful = one;
    doubtful.proven = false;
    doubtful.quarantined = true;
    t.change("version: proven", &doubtful, Thing::Version, |it| it.proven = true);
    t.change("version: quarantine lifted", &doubtful, Thing::Version, |it| it.quarantined = false);

    t.row("alias: new", None, &put(Thing::Alias(alias())));
    t.change("alias: moved", &alias(), Thing::Alias, |it| it.version = id(51));
    t.change("alias: protected", &alias(), Thing::Alias, |it| it.protected = true);
    t.change("alias: protected and moved", &alias(), Thing::Alias, |it| {
        it.protected = true;
        it.version = id(51);
    });
    let mut guarded = alias();
    guarded.protected = true;
    t.change("alias: no longer protected", &guarded, Thing::Alias, |it| it.protected = false);

    let payments = dataset();
    t.row("dataset: new", None, &put(Thing::Dataset(payments.clone())));
    t.change("dataset: more sensitive", &payments, Thing::Dataset, |it| {
        it.classification = Classification::Restricted;
    });
    t.change("dataset: less sensitive", &payments, Thing::Dataset, |it| {
        it.classification = Classification::Public;
    });
    t.change("dataset: column gone", &payments, Thing::Dataset, |it| {
        it.columns.pop();
    });
    t.change("dataset: column more sensitive", &payments, Thing::Dataset, |it| {
        it.columns[0].classification = Classification::Restricted;
    });
    t.change("dataset: column less sensitive", &payments, Thing::Dataset, |it| {
        it.columns[1].classification = Classification::Public;
    });
    let mut narrow = payments.clone();
    narrow.columns.pop();
    t.change("dataset: column new", &narrow, Thing::Dataset, |it| it.columns = payments.columns.clone());

    let scoring = endpoint();
    t.row("endpoint: new", None, &put(Thing::Endpoint(scoring.clone())));
    t.change("endpoint: other upstream", &scoring, Thing::Endpoint, |it| it.upstream = name("other"));
    t.change("endpoint: other protocol", &scoring, Thing::Endpoint, |it| it.protocol = Protocol::OpenAi);
    t.change("endpoint: other environment", &scoring, Thing::Endpoint, |it| it.environment = name("test"));
    t.change("endpoint: approval withdrawn", &scoring, Thing::Endpoint, |it| it.approved = false);
    t.change("endpoint: serves another target", &scoring, Thing::Endpoint, |it| {
        it.serves[0].upstream_name = "other".into();
    });
    t.change("endpoint: serves one less", &scoring, Thing::Endpoint, |it| it.serves.clear());
    let mut bare = scoring.clone();
    bare.serves.clear();
    bare.approved = false;
    t.change("endpoint: serves one more", &bare, Thing::Endpoint, |it| it.serves = scoring.serves.clone());
    t.change("endpoint: approved", &bare, Thing::Endpoint, |it| it.approved = true);

    expect![[r#"
        grant: new                                 widens
        grant: revoked                             narrows
        epoch: bumped                              narrows
        credential: new                            widens
        credential: dropped                        narrows
        credential: a factor dropped               narrows
        bootstrap: opened                          widens
        bootstrap: closed                          narrows
        policy: another bundle                     widens
        identity: linked                           widens
        identity: same person                      neither
        identity: another person                   both
        identity: unlinked                         narrows
        issuer: distrusted                         narrows
        issuer: trusted again                      widens
        signal: raised                             narrows
        signal: lasts longer                       narrows
        signal: ends sooner                        widens
        signal: lifted                             widens
        person: new                                widens
        person: same                               neither
        person: renamed                            widens
        person: shown otherwise                    widens
        person: clearance up                       widens
        person: clearance down                     narrows
        person: deactivated                        narrows
        person: joins a group                      widens
        person: leaves a group                     narrows
        person: changes groups                     both
        person: activated                          widens
        machine: new                               widens
        machine: renamed                           widens
        machine: other owner                       widens
        machine: clearance up                      widens
        machine: clearance down                    narrows
        machine: deactivated                       narrows
        machine: joins a group                     widens
        group: new                                 widens
        group: renamed                             widens
        group: becomes part of another             widens
        group: stands alone again                  narrows
        group: removed                             narrows
        project: new                               widens
        project: renamed                           widens
        environment: new                           widens
        environment: no longer production          widens
        environment: becomes production            narrows
        model: new                                 widens
        model: renamed                             widens
        model: other project                       widens
        model: more sensitive                      narrows
        model: less sensitive                      widens
        model: tagged                              narrows
        model: tag taken off                       widens
        model: quarantined                         narrows
        model: refuses sensitive asks              narrows
        model: quarantined and less sensitive      both
        model: quarantine lifted                   widens
        model: strips sensitive asks               widens
        model: removed                             narrows
        description: other card                    widens
        version: new                               widens
        version: other label                       widens
        version: other digest                      widens
        version: an output is a label now          widens
        version: an output is no label now         narrows
        version: provenance in doubt               narrows
        version: quarantined                       narrows
        version: proven                            widens
        version: quarantine lifted                 widens
        alias: new                                 widens
        alias: moved                               widens
        alias: protected                           narrows
        alias: protected and moved                 both
        alias: no longer protected                 widens
        dataset: new                               widens
        dataset: more sensitive                    narrows
        dataset: less sensitive                    widens
        dataset: column gone                       narrows
        dataset: column more sensitive             narrows
        dataset: column less sensitive             widens
        dataset: column new                        widens
        endpoint: new                              widens
        endpoint: other upstream                   widens
        endpoint: other protocol                   widens
        endpoint: other environment                widens
        endpoint: approval withdrawn               narrows
        endpoint: serves another target            widens
        endpoint: serves one less                  narrows
        endpoint: serves one more                  widens
        endpoint: approved                         widens
    "#]]
    .assert_eq(&table.0);
}

#[test]
fn what_both_allow_is_never_more_than_either() {
    let before = Item::Thing(Thing::Model(model()));
    let mut locked = model();
    locked.quarantined = true;
    locked.classification = Classification::Public;
    let after = Item::Thing(Thing::Model(locked));
    let both = meet(Some(&before), Some(&after));
    assert_eq!(meet(both.as_ref(), Some(&before)), both, "narrowing twice is narrowing once");
    assert_eq!(meet(both.as_ref(), Some(&after)), both);
    assert_eq!(meet(Some(&before), None), None, "what is gone lets nothing through");
    assert_eq!(meet(None, Some(&after)), None, "what was not there yet lets nothing through");
}
