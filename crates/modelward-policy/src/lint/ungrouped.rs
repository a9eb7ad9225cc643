//! A leaf action that belongs to no privilege is out of every grant's and every guardrail's reach.

use std::collections::BTreeSet;

use modelward_decision::bundle::Place;

use super::{Lint, Subject};
use crate::Finding;

const SCHEMA: &str = "schema.cedarschema";

pub(super) const LINT: Lint =
    Lint { id: "ungrouped-action", title: "Every leaf action belongs to a privilege", check };

fn check(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let schema = subject.bundle.schema();
    let leaves: BTreeSet<String> = schema.request_envs().map(|env| env.action().to_string()).collect();
    // A group has members below it; what no group has as a member stands alone.
    let grouped: BTreeSet<String> = schema
        .action_entities()
        .map(|entities| {
            let grouped = entities.iter().filter(|entity| {
                entities.ancestors(&entity.uid()).is_some_and(|mut all| all.next().is_some())
            });
            grouped.map(|entity| entity.uid().to_string()).collect()
        })
        .unwrap_or_default();
    let text = subject.bundle.sources().get(SCHEMA).map(String::as_str).unwrap_or_default();
    for leaf in leaves.difference(&grouped) {
        findings.push(
            Finding::error(LINT.id, format!("the action {leaf} belongs to no privilege"))
                .at(place(text, leaf))
                .hint("write `in [\"ReadOnly\"]`, or whichever privilege it is a part of"),
        );
    }
}

/// Where the schema declares an action.
fn place(text: &str, uid: &str) -> Place {
    let name = uid.split('"').nth(1).unwrap_or(uid);
    let declarations = text.match_indices("action ").map(|(at, _)| at);
    for start in declarations {
        let declared = text.get(start..).unwrap_or_default();
        let statement =
            declared.split(" in ").next().unwrap_or_default().split("appliesTo").next().unwrap_or_default();
        let found = statement.match_indices(name).find(|(at, _)| {
            let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            let before = statement.get(..*at).and_then(|before| before.chars().next_back());
            let after = statement.get(at + name.len()..).and_then(|after| after.chars().next());
            !is_part(before) && !is_part(after)
        });
        if let Some((at, _)) = found {
            return Place::new(SCHEMA, text, start + at..start + at + name.len());
        }
    }
    Place::start(SCHEMA)
}
