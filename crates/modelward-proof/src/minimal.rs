//! Makes a counterexample small: drops what can go, sets to its ordinary value what can be ordinary, and asks the
//! authorizer after each step whether the hole still shows.

use std::str::FromStr as _;

use modelward_decision::vocabulary::Action;
use serde_json::{Value, json};

use crate::counterexample::{Case, Shown};
use crate::facts::{FACTS, named, plainest};
use crate::world::{Root, Uid, World, uid_in};

/// Steps can make other steps possible; more rounds than this were never needed.
const ROUNDS_MAX: usize = 4;

const GRANT: &str = "grant";

/// The smallest world these steps lead to. `stumbled` says that policies failed in the first one already.
pub(crate) fn minimal(world: World, case: &Case<'_>, stumbled: bool) -> World {
    let mut search = Search { world, case, stumbled };
    for _ in 0..ROUNDS_MAX {
        let before = search.world.clone();
        search.drop_grant();
        search.make_facts_well();
        search.make_grant_cover();
        search.drop_optional_facts();
        search.make_values_plain();
        search.drop_entities();
        if search.world == before {
            break;
        }
    }
    search.name_entities();
    search.world
}

struct Search<'a> {
    world: World,
    case: &'a Case<'a>,
    stumbled: bool,
}

impl Search<'_> {
    /// Keeps an edit if the hole still shows, and no policy has begun to fail.
    fn attempt(&mut self, edit: impl FnOnce(&mut World)) {
        let mut edited = self.world.clone();
        edit(&mut edited);
        if edited == self.world {
            return;
        }
        if let Shown::Yes { stumbled, .. } = self.case.shown(&edited)
            && (self.stumbled || !stumbled)
        {
            self.world = edited;
        }
    }

    fn drop_grant(&mut self) {
        self.attempt(|world| {
            world.set(Root::Context, &[GRANT], Value::Null);
            world.set(Root::Context, &["grantWindowOpen"], Value::Null);
        });
    }

    fn make_facts_well(&mut self) {
        // Neither of the two can become ordinary alone while the other is out of the ordinary.
        self.attempt(|world| {
            world.set(Root::Resource, &["sensitivity"], json!(1));
            world.set(Root::Principal, &["clearance"], json!(0));
        });
        for fact in FACTS {
            let Some(value) = self.world.fact(fact.root, fact.path) else { continue };
            let zero = plainest(value).filter(Value::is_number);
            self.attempt(|world| world.set(fact.root, fact.path, fact.well()));
            // What the solver picked says less than a value people know.
            for value in fact.ill().into_iter().chain(zero) {
                if !fact.is_settled(&self.world) {
                    self.attempt(|world| world.set(fact.root, fact.path, value));
                }
            }
        }
        let privilege = Action::from_str(&self.world.action.id).map(Action::privilege);
        if let (Ok(privilege), true) = (privilege, self.world.fact(Root::Context, &[GRANT]).is_some()) {
            self.attempt(|world| world.set(Root::Context, &[GRANT, "privilege"], json!(privilege.as_str())));
        }
    }

    /// The grant is theirs, and covers what they ask for.
    fn make_grant_cover(&mut self) {
        for (of, below) in coverage(&self.world) {
            self.attempt(|world| {
                let mut parents = world.parents(&of);
                if !parents.contains(&below.json()) {
                    parents.push(below.json());
                }
                world.set_parents(&of, parents);
            });
        }
    }

    fn drop_optional_facts(&mut self) {
        for root in [Root::Context, Root::Principal, Root::Resource] {
            for path in self.world.paths(root) {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                self.attempt(|world| world.set(root, &path, Value::Null));
            }
        }
    }

    /// What stands in no row of the facts becomes the plainest value of its type.
    fn make_values_plain(&mut self) {
        for root in [Root::Context, Root::Principal, Root::Resource] {
            for path in self.world.paths(root).iter().filter(|path| named(root, path).is_none()) {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                if let Some(plain) = self.world.fact(root, &path).and_then(plainest) {
                    self.attempt(|world| world.set(root, &path, plain));
                }
            }
        }
    }

    fn drop_entities(&mut self) {
        let kept = [self.world.principal.clone(), self.world.resource.clone()];
        let covering: Vec<Value> = coverage(&self.world).into_iter().map(|(_, below)| below.json()).collect();
        for uid in self.world.uids().into_iter().filter(|uid| !kept.contains(uid)) {
            self.attempt(|world| {
                world.entities.retain(|entity| uid_in(entity.get("uid")).as_ref() != Some(&uid));
            });
        }
        for uid in kept {
            for parent in self.world.parents(&uid).into_iter().filter(|parent| !covering.contains(parent)) {
                self.attempt(|world| {
                    let parents = world.parents(&uid).into_iter().filter(|other| *other != parent).collect();
                    world.set_parents(&uid, parents);
                });
            }
        }
    }

    /// Entities whose names do not matter get readable ones.
    fn name_entities(&mut self) {
        let (principal, resource) = (self.world.principal.clone(), self.world.resource.clone());
        self.attempt(|world| world.rename(&principal, "someone"));
        self.attempt(|world| world.rename(&resource, "something"));
        let kept = [self.world.principal.clone(), self.world.resource.clone()];
        let others = self.world.uids().into_iter().filter(|uid| !kept.contains(uid));
        for (uid, number) in others.zip(1_u32..) {
            let name = format!("{}-{number}", uid.short_kind().to_lowercase());
            self.attempt(|world| world.rename(&uid, &name));
        }
    }
}

/// Principal and resource, each with the leaf it has to stand below for the grant to cover the request.
pub(crate) fn coverage(world: &World) -> Vec<(Uid, Uid)> {
    let leaf = |name: &str| uid_in(world.fact(Root::Context, &[GRANT, name]));
    let pairs = [(&world.principal, leaf("grantee")), (&world.resource, leaf("scope"))];
    pairs.into_iter().filter_map(|(of, leaf)| Some((of.clone(), leaf?))).collect()
}
