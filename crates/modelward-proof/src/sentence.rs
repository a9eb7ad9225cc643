//! A counterexample in one sentence: who, with what grant, could do what, while what is not as it should be.

use std::str::FromStr as _;

use modelward_decision::vocabulary::Action;

use crate::counterexample::{Case, Shown, Telling};
use crate::facts::{FACTS, named, plain, plainest, told};
use crate::minimal::coverage;
use crate::world::{Root, Uid, World};

pub(crate) fn sentence(world: &World, case: &Case<'_>, policies: &[String]) -> String {
    let who = format!("{}{}", who(&world.principal), grant(world));
    let what = what(world);
    let circumstances = match circumstances(world, case).as_slice() {
        [] => String::new(),
        [one] => format!(" while {one}"),
        [first @ .., last] => format!(" while {} and {last}", first.join(", ")),
    };
    let policies = policies.iter().map(|policy| format!("`{policy}`")).collect::<Vec<_>>().join(", ");
    match case.telling {
        Telling::Could => format!("{who} could {what}{circumstances}; allowed by {policies}"),
        Telling::CouldNow => format!("{who} could now {what}{circumstances}; allowed by {policies}"),
        Telling::CouldNoLonger => {
            format!("{who} could no longer {what}{circumstances}; allowed before by {policies}")
        }
        Telling::Fails => format!("{policies} fails where {who} wants to {what}{circumstances}"),
    }
}

fn who(principal: &Uid) -> String {
    let kind = principal.short_kind();
    if principal.id == "someone" { kind.to_owned() } else { format!("{kind} `{}`", principal.id) }
}

fn grant(world: &World) -> String {
    match world.fact(Root::Context, &["grant", "privilege"]).map(plain) {
        None => " without a grant".to_owned(),
        Some(privilege) => format!(" with a grant of {}", told(&privilege)),
    }
}

fn what(world: &World) -> String {
    let action = &world.action.id;
    let resource = world.resource.short_kind();
    let named = if world.resource.id == "something" {
        resource.to_owned()
    } else {
        format!("{resource} `{}`", world.resource.id)
    };
    match Action::from_str(action) {
        Ok(known) => format!("{} (`{action}` on {named})", known.phrase()),
        Err(_) => format!("`{action}` on {named}"),
    }
}

/// What is not as it should be, and would close the hole if it were.
fn circumstances(world: &World, case: &Case<'_>) -> Vec<String> {
    let mut told = Vec::new();
    for (of, leaf) in coverage(world) {
        if !world.parents(&of).contains(&leaf.json()) {
            let whose = if of == world.principal {
                "the grant is somebody else's"
            } else {
                "the grant does not cover it"
            };
            told.push(whose.to_owned());
        }
    }
    for fact in FACTS.iter().filter(|fact| !fact.is_well(world)) {
        let mut well = world.clone();
        well.set(fact.root, fact.path, fact.well());
        if well != *world && case.shown(&well) == Shown::No {
            told.push(fact.phrase(world));
        }
    }
    told.extend(unnamed(world));
    told.extend(memberships(world));
    told
}

/// Facts of other schemas: whatever could not be made plain matters.
fn unnamed(world: &World) -> Vec<String> {
    let roots = [(Root::Principal, "principal"), (Root::Resource, "resource"), (Root::Context, "context")];
    let mut facts = Vec::new();
    for (root, name) in roots {
        for path in world.paths(root) {
            let known =
                (1..=path.len()).any(|end| path.get(..end).is_some_and(|start| named(root, start).is_some()));
            let of_grant = path.iter().map(String::as_str).eq(["grant", "privilege"]);
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            let Some(value) = world.fact(root, &names) else { continue };
            if !known && !of_grant && plainest(value).is_some() {
                facts.push(format!("`{name}.{}` is {}", path.join("."), told(&plain(value))));
            }
        }
    }
    facts
}

/// What principal and resource have to stand below, apart from what makes the grant cover them.
fn memberships(world: &World) -> Vec<String> {
    let leaves: Vec<Uid> = coverage(world).into_iter().map(|(_, leaf)| leaf).collect();
    let mut told = Vec::new();
    for (of, name) in [(&world.principal, "they stand"), (&world.resource, "it stands")] {
        let parents = world.parents(of);
        let parents = parents.iter().filter_map(|parent| crate::world::uid_in(Some(parent)));
        for parent in parents.filter(|parent| !leaves.contains(parent)) {
            told.push(format!("{name} below {} `{}`", parent.short_kind(), parent.id));
        }
    }
    told
}
