//! The handbook: for each group and each model, what is allowed, what is not, why, and how to ask for more.
//!
//! Made of the bundle and, where there is one, of what exists now. People's own grants are counted and never named: the
//! handbook is for everybody to read. Examples are taken from tests that passed, so each is true.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use modelward_decision::inventory::Model;
use modelward_decision::vocabulary::{GranteeRef, Name, Privilege, ScopeRef};
use modelward_decision::{Grant, Snapshot};

use crate::gate::Identity;
use crate::parts::{ApprovalRule, Entitlement, Parts};
use crate::scenario::TestResult;
use crate::{Bundle, Finding};

mod document;
mod guardrails;

pub use document::{Block, Document};

/// What a handbook is made of.
#[derive(Debug, Clone, Copy)]
pub struct Material<'a> {
    pub bundle: &'a Arc<Bundle>,
    /// What exists, and at which moment; without it the handbook speaks of groups and privileges only.
    pub world: Option<(&'a Snapshot, Timestamp)>,
    /// Those that failed are left out.
    pub tests: &'a [TestResult],
}

/// Examples of one privilege at most, allowed and denied each.
const EXAMPLES_MAX: usize = 2;

/// Writes the handbook.
pub fn write(material: Material<'_>) -> Result<Document, Vec<Finding>> {
    let parts = Parts::read(material.bundle.sources())?;
    let manifest = material.bundle.manifest();
    let identity = Identity {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        digest: material.bundle.digest(),
    };
    let mut document = Document::new(format!("Who may do what: {} {}", identity.name, identity.version));
    document.paragraph(format!("Made from the policy bundle `{}`.", identity.digest));
    document.paragraph(
        "Whatever is not allowed here is denied. A right comes from a grant: one privilege, on one thing, until an end. \
         Everybody can sign in, see what is their own, and ask for more.",
    );
    let book = Book { material, parts };
    book.groups(&mut document);
    book.models(&mut document);
    book.privileges(&mut document);
    Ok(document)
}

struct Book<'a> {
    material: Material<'a>,
    parts: Parts,
}

impl Book<'_> {
    fn groups(&self, document: &mut Document) {
        document.heading(2, "Groups");
        let mut names: BTreeSet<Name> = self
            .parts
            .entitlements
            .entitlements
            .iter()
            .flat_map(|each| each.groups.iter().cloned())
            .collect();
        if let Some((snapshot, _)) = self.material.world {
            names.extend(snapshot.groups().map(|group| group.name.clone()));
        }
        for name in names {
            self.group(document, &name);
        }
    }

    fn group(&self, document: &mut Document, name: &Name) {
        document.heading(3, name.to_string());
        let held = self.held_by_group(name);
        if self.material.world.is_some() {
            let lines = held.iter().map(|(privilege, scopes)| {
                format!("**{privilege}** on {}: {}", scopes.join(", "), lower(privilege.summary()))
            });
            document.list("Allowed to every member now:", lines, "Nothing by being a member alone.");
        }
        let asks: Vec<&Entitlement> = self.parts.entitlements.of_group(name.as_str()).collect();
        document.list(
            "May ask for:",
            asks.iter().map(|entitlement| self.entitlement(entitlement)),
            "Nothing: no entitlement names this group.",
        );
        let reach: BTreeSet<Privilege> =
            asks.iter().map(|each| each.privilege).chain(held.keys().copied()).collect();
        let out_of_reach = Privilege::ALL
            .into_iter()
            .filter(|privilege| *privilege != Privilege::SelfService && !reach.contains(privilege));
        let why = out_of_reach.map(|privilege| {
            format!(
                "**{privilege}** ({}), because no entitlement gives it to this group",
                lower(privilege.summary())
            )
        });
        document.list("Not allowed, and not to be asked for:", why, "Everything can be asked for.");
    }

    /// The privileges a group holds, with the things they are on.
    fn held_by_group(&self, name: &Name) -> BTreeMap<Privilege, Vec<String>> {
        let mut held: BTreeMap<Privilege, Vec<String>> = BTreeMap::new();
        let Some((snapshot, now)) = self.material.world else { return held };
        let Some(group) = snapshot.group_named(name.as_str()) else { return held };
        for grant in live(snapshot, now) {
            if grant.grantee == GranteeRef::Group(group.id) {
                held.entry(grant.privilege).or_default().push(describe(snapshot, grant.scope));
            }
        }
        for scopes in held.values_mut() {
            scopes.sort();
            scopes.dedup();
        }
        held
    }

    fn entitlement(&self, entitlement: &Entitlement) -> String {
        let Entitlement { title, privilege, scopes, hours_max, .. } = entitlement;
        let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        let rule = self.parts.entitlements.rule(entitlement);
        format!(
            "**{privilege}** ({}) on one {}, for at most {}; {}",
            lower(title),
            scopes.join(" or "),
            hours(*hours_max),
            rule.map_or_else(|| "nobody can approve it".to_owned(), approvals)
        )
    }

    fn models(&self, document: &mut Document) {
        let Some((snapshot, now)) = self.material.world else { return };
        document.heading(2, "Models");
        let mut models: Vec<&Arc<Model>> = snapshot.models().collect();
        models.sort_by(|a, b| a.name.cmp(&b.name));
        if models.is_empty() {
            document.paragraph("There is no model yet.");
        }
        for model in models {
            self.model(document, snapshot, now, model);
        }
    }

    fn model(&self, document: &mut Document, snapshot: &Snapshot, now: Timestamp, model: &Model) {
        document.heading(3, model.name.to_string());
        let tags: Vec<&str> = model.tags.iter().map(Name::as_str).collect();
        let tags = if tags.is_empty() { String::new() } else { format!(" Tags: {}.", tags.join(", ")) };
        let project = snapshot.project(model.project).map(|project| format!(" of project {}", project.name));
        let quarantined = if model.quarantined { " It is in **quarantine** and serves nobody." } else { "" };
        document.paragraph(format!(
            "A model{}, classified {}.{tags}{quarantined}",
            project.unwrap_or_default(),
            model.classification
        ));
        let holders = holders(snapshot, now, model);
        let lines =
            holders.iter().map(|(privilege, holders)| format!("**{privilege}**: {}", holders.describe()));
        document.list("Allowed now:", lines, "Nobody holds a grant on it.");
        let without = Privilege::ALL
            .into_iter()
            .filter(|privilege| applies_to_models(*privilege) && !holders.contains_key(privilege));
        let lines = without.map(|privilege| {
            let asks = self.parts.entitlements.entitlements.iter().filter(|each| each.privilege == privilege);
            let groups: BTreeSet<&str> = asks.flat_map(|each| each.groups.iter().map(Name::as_str)).collect();
            if groups.is_empty() {
                return format!("**{privilege}**, because nobody holds it here; nobody may ask for it");
            }
            let groups = groups.into_iter().collect::<Vec<_>>().join(", ");
            format!("**{privilege}**, because nobody holds it here; members of {groups} may ask for it")
        });
        document.list("Not allowed to anybody now:", lines, "Every privilege is held by somebody.");
    }

    fn privileges(&self, document: &mut Document) {
        document.heading(2, "Privileges");
        for privilege in Privilege::ALL {
            document.heading(3, format!("{} {privilege}", privilege.letter()));
            document.paragraph(privilege.summary());
            let phrases = privilege.actions().map(|action| format!("{} (`{action}`)", action.phrase()));
            document.list("What it is:", phrases, "Nothing.");
            let rules = guardrails::of(self.material.bundle, privilege);
            document.list(
                "What stops it, whatever grants there are:",
                rules,
                "Nothing but the lack of a grant.",
            );
            self.examples(document, privilege);
        }
    }

    fn examples(&self, document: &mut Document, privilege: Privilege) {
        let of_privilege = |allowed: bool| {
            let passed = self.material.tests.iter().filter(|test| test.passed());
            let told = passed.filter_map(move |test| {
                let example = test.example.as_ref()?;
                let fits = example.allowed == allowed && example.action.privilege() == privilege;
                fits.then(|| format!("`{}`: {}", test.name, example.sentence))
            });
            told.take(EXAMPLES_MAX)
        };
        let lines: Vec<String> = of_privilege(true).chain(of_privilege(false)).collect();
        if !lines.is_empty() {
            document.list("For example:", lines, "");
        }
    }
}

/// Who holds a privilege on a model: groups by name, people and machines by number.
#[derive(Default)]
struct Holders {
    groups: BTreeSet<String>,
    people: BTreeSet<u128>,
    machines: BTreeSet<u128>,
}

impl Holders {
    fn describe(&self) -> String {
        let groups = self.groups.iter().map(|name| format!("members of {name}"));
        let counted = |count: usize, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {many}")),
        };
        let people = counted(self.people.len(), "person", "people");
        let machines = counted(self.machines.len(), "machine", "machines");
        groups.chain(people).chain(machines).collect::<Vec<_>>().join(", ")
    }
}

fn holders(snapshot: &Snapshot, now: Timestamp, model: &Model) -> BTreeMap<Privilege, Holders> {
    let mut holders: BTreeMap<Privilege, Holders> = BTreeMap::new();
    for grant in live(snapshot, now).filter(|grant| touches(snapshot, grant.scope, model)) {
        if !applies_to_models(grant.privilege) {
            continue;
        }
        let of = holders.entry(grant.privilege).or_default();
        match grant.grantee {
            GranteeRef::Group(id) => {
                of.groups.extend(snapshot.group(id).map(|group| group.name.to_string()));
            }
            GranteeRef::Person(id) => {
                of.people.insert(id.bits());
            }
            GranteeRef::Machine(id) => {
                of.machines.insert(id.bits());
            }
        }
    }
    holders
}

fn live(snapshot: &Snapshot, now: Timestamp) -> impl Iterator<Item = &Arc<Grant>> {
    snapshot.grants().filter(move |grant| grant.is_live(now))
}

/// Whether a grant on this scope reaches the model or a part of it.
fn touches(snapshot: &Snapshot, scope: ScopeRef, model: &Model) -> bool {
    match scope {
        ScopeRef::Platform => true,
        ScopeRef::Project(id) => id == model.project,
        ScopeRef::Model(id) => id == model.id,
        ScopeRef::Version(id) => snapshot.version(id).is_some_and(|version| version.model == model.id),
        ScopeRef::Alias(id) => snapshot.alias(id).is_some_and(|alias| alias.model == model.id),
        ScopeRef::Endpoint(id) => snapshot
            .endpoint(id)
            .is_some_and(|endpoint| endpoint.serves.iter().any(|served| served.model == model.id)),
        ScopeRef::Dataset(_) => false,
    }
}

const fn applies_to_models(privilege: Privilege) -> bool {
    match privilege {
        Privilege::ReadOnly
        | Privilege::Inference
        | Privilege::InferenceSensitive
        | Privilege::Registry
        | Privilege::Retraining
        | Privilege::Export
        | Privilege::DataExport
        | Privilege::Deploy => true,
        Privilege::SelfService | Privilege::Experiment | Privilege::Govern | Privilege::Audit => false,
    }
}

fn describe(snapshot: &Snapshot, scope: ScopeRef) -> String {
    use modelward_decision::vocabulary::ResourceRef;
    match scope {
        ScopeRef::Platform => "everything".to_owned(),
        ScopeRef::Project(id) => snapshot.describe(ResourceRef::Project(id)),
        ScopeRef::Model(id) => snapshot.describe(ResourceRef::Model(id)),
        ScopeRef::Version(id) => snapshot.describe(ResourceRef::Version(id)),
        ScopeRef::Endpoint(id) => snapshot.describe(ResourceRef::Endpoint(id)),
        ScopeRef::Dataset(id) => snapshot.describe(ResourceRef::Dataset(id)),
        ScopeRef::Alias(id) => snapshot.alias(id).map_or_else(
            || "an alias that is gone".to_owned(),
            |alias| format!("{}@{}", snapshot.describe(ResourceRef::Model(alias.model)), alias.name),
        ),
    }
}

fn approvals(rule: &ApprovalRule) -> String {
    match rule.slots.len() {
        0 => "given without a question".to_owned(),
        _ => lower(&rule.title),
    }
}

fn hours(hours: u32) -> String {
    match hours {
        1 => "1 hour".to_owned(),
        hours if hours % 24 == 0 && hours > 24 => format!("{} days", hours / 24),
        hours => format!("{hours} hours"),
    }
}

/// A sentence as part of another.
fn lower(sentence: &str) -> String {
    let mut characters = sentence.trim_end_matches('.').chars();
    let first = characters.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    first + characters.as_str()
}
