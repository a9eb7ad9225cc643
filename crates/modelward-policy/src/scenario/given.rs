//! `given` lines: what exists.

use std::collections::BTreeSet;
use std::sync::Arc;

use modelward_decision::Change;
use modelward_decision::grant::{Conditions, Day, Grant, Origin, Window};
use modelward_decision::inventory::{
    Alias, Dataset, Endpoint, Environment, Group, Machine, Model, OnSensitiveAsk, Person, Project, Protocol,
    Served, Target, Version,
};
use modelward_decision::vocabulary::{
    AliasId, Classification, DatasetId, EndpointId, EventId, GrantId, GranteeRef, GroupId, MachineId,
    ModelId, Name, PersonId, ProjectId, VersionId,
};

use super::circumstances::Clock;
use super::line::{Line, Word};
use super::world::{World, known, pair};
use crate::Finding;

/// The kinds of things, for a hint.
const KINDS: &str =
    "group, person, machine, project, model, version, alias, environment, endpoint, dataset or grant";

/// Reads one `given` line into the world.
pub(super) fn read(line: &mut Line<'_>, world: &mut World, clock: &Clock) -> Result<(), Finding> {
    let kind = line.word(KINDS)?;
    let name = line.word("a name")?;
    let change = match kind.text {
        "group" => group(line, world, &name)?,
        "person" => person(line, world, &name)?,
        "machine" => machine(line, world, &name)?,
        "project" => project(line, world, &name)?,
        "model" => model(line, world, &name)?,
        "version" => version(line, world, &name)?,
        "alias" => alias(line, world, &name)?,
        "environment" => environment(line, world, &name)?,
        "endpoint" => endpoint(line, world, &name)?,
        "dataset" => dataset(line, world, &name)?,
        "grant" => grant(line, world, clock, &name)?,
        other => {
            let message = format!("`{other}` is not a kind of thing");
            return Err(line.wrong(&kind, message).hint(format!("write {KINDS}")));
        }
    };
    world.changes.push(change);
    Ok(())
}

fn new_name(line: &Line<'_>, word: &Word<'_>, taken: impl Fn(&Name) -> bool) -> Result<Name, Finding> {
    let name = Name::new(word.text).map_err(|error| line.wrong(word, error.to_string()))?;
    if taken(&name) {
        return Err(line.wrong(word, format!("`{name}` stands for something already")));
    }
    Ok(name)
}

/// An option nobody knows.
fn odd(line: &Line<'_>, word: &Word<'_>, options: &str) -> Finding {
    line.wrong(word, format!("`{}` is not known here", word.text)).hint(format!("known here: {options}"))
}

fn groups(line: &mut Line<'_>, world: &World) -> Result<BTreeSet<GroupId>, Finding> {
    let word = line.word("groups")?;
    word.text.split(',').map(|name| world.group(line, &word, name)).collect()
}

fn group(line: &mut Line<'_>, world: &mut World, word: &Word<'_>) -> Result<Change, Finding> {
    let name = new_name(line, word, |name| world.grantees.contains_key(name))?;
    let mut parents = BTreeSet::new();
    while let Some(option) = line.next() {
        match option.text {
            "in" => parents = groups(line, world)?,
            _ => return Err(odd(line, &option, "in GROUPS")),
        }
    }
    let id = GroupId::from_bits(world.id());
    world.grantees.insert(name.clone(), GranteeRef::Group(id));
    Ok(Change::Group(Arc::new(Group { id, name, parents })))
}

fn person(line: &mut Line<'_>, world: &mut World, word: &Word<'_>) -> Result<Change, Finding> {
    let name = new_name(line, word, |name| world.grantees.contains_key(name))?;
    let mut person = Person {
        id: PersonId::from_bits(world.id()),
        display_name: name.to_string(),
        name,
        clearance: Classification::Restricted,
        active: true,
        groups: BTreeSet::new(),
    };
    while let Some(option) = line.next() {
        match option.text {
            "in" => person.groups = groups(line, world)?,
            "cleared" => person.clearance = line.value("a classification")?,
            "inactive" => person.active = false,
            _ => return Err(odd(line, &option, "in GROUPS, cleared CLASS, inactive")),
        }
    }
    world.grantees.insert(person.name.clone(), GranteeRef::Person(person.id));
    Ok(Change::Person(Arc::new(person)))
}

fn machine(line: &mut Line<'_>, world: &mut World, word: &Word<'_>) -> Result<Change, Finding> {
    let name = new_name(line, word, |name| world.grantees.contains_key(name))?;
    line.keyword("owner")?;
    let owner = line.word("a person")?;
    let mut machine = Machine {
        id: MachineId::from_bits(world.id()),
        name,
        owner: world.person(line, &owner)?,
        clearance: Classification::Restricted,
        active: true,
        groups: BTreeSet::new(),
    };
    while let Some(option) = line.next() {
        match option.text {
            "in" => machine.groups = groups(line, world)?,
            "cleared" => machine.clearance = line.value("a classification")?,
            "inactive" => machine.active = false,
            _ => return Err(odd(line, &option, "in GROUPS, cleared CLASS, inactive")),
        }
    }
    world.grantees.insert(machine.name.clone(), GranteeRef::Machine(machine.id));
    Ok(Change::Machine(Arc::new(machine)))
}

fn project(line: &mut Line<'_>, world: &mut World, word: &Word<'_>) -> Result<Change, Finding> {
    let name = new_name(line, word, |name| world.projects.contains_key(name))?;
    line.end_here()?;
    let id = world.project_id(&name);
    world.projects.insert(name.clone(), id);
    Ok(Change::Project(Arc::new(Project { id, name })))
}

fn in_project(line: &mut Line<'_>, world: &World) -> Result<ProjectId, Finding> {
    line.keyword("project")?;
    let project = line.word("a project")?;
    world.project(line, &project)
}

fn model(line: &mut Line<'_>, world: &mut World, word: &Word<'_>) -> Result<Change, Finding> {
    let name = new_name(line, word, |name| world.models.contains_key(name))?;
    let mut model = Model {
        id: ModelId::from_bits(world.id()),
        project: in_project(line, world)?,
        name,
        classification: Classification::Internal,
        tags: BTreeSet::new(),
        quarantined: false,
        on_sensitive_ask: OnSensitiveAsk::Refuse,
        fail_static: false,
    };
    while let Some(option) = line.next() {
        match option.text {
            "class" => model.classification = line.value("a classification")?,
            "tags" => model.tags = line.list("tags")?,
            "quarantined" => model.quarantined = true,
            "strips" => model.on_sensitive_ask = OnSensitiveAsk::Strip,
            _ => return Err(odd(line, &option, "class CLASS, tags TAGS, quarantined, strips")),
        }
    }
    world.models.insert(model.name.clone(), model.id);
    Ok(Change::Model(Arc::new(model)))
}

fn version(line: &mut Line<'_>, world: &mut World, word: &Word<'_>) -> Result<Change, Finding> {
    let (model, label) = pair(line, word, '/', "a version is written MODEL/LABEL")?;
    let of = *known(line, word, model.as_str(), "model", &world.models)?;
    if world.versions.contains_key(&(model.clone(), label.clone())) {
        return Err(line.wrong(word, format!("`{}` stands for something already", word.text)));
    }
    let mut version = Version {
        id: VersionId::from_bits(world.id()),
        model: of,
        label,
        digest: None,
        label_outputs: BTreeSet::new(),
        proven: true,
        quarantined: false,
    };
    while let Some(option) = line.next() {
        match option.text {
            "unproven" => version.proven = false,
            "quarantined" => version.quarantined = true,
            _ => return Err(odd(line, &option, "unproven, quarantined")),
        }
    }
    world.versions.insert((model, version.label.clone()), version.id);
    Ok(Change::Version(Arc::new(version)))
}

fn alias(line: &mut Line<'_>, world: &mut World, word: &Word<'_>) -> Result<Change, Finding> {
    let (model, name) = pair(line, word, '@', "an alias is written MODEL@ALIAS")?;
    let of = *known(line, word, model.as_str(), "model", &world.models)?;
    line.keyword("version")?;
    let version = line.word("a version")?;
    let mut alias = Alias {
        id: AliasId::from_bits(world.id()),
        model: of,
        name,
        version: world.version(line, &version)?,
        protected: false,
    };
    while let Some(option) = line.next() {
        match option.text {
            "protected" => alias.protected = true,
            _ => return Err(odd(line, &option, "protected")),
        }
    }
    world.aliases.insert((model, alias.name.clone()), alias.id);
    Ok(Change::Alias(Arc::new(alias)))
}

fn environment(line: &mut Line<'_>, world: &mut World, word: &Word<'_>) -> Result<Change, Finding> {
    let name = new_name(line, word, |name| world.environments.contains_key(name))?;
    let mut production = false;
    while let Some(option) = line.next() {
        match option.text {
            "production" => production = true,
            _ => return Err(odd(line, &option, "production")),
        }
    }
    world.environments.insert(name.clone(), ());
    Ok(Change::Environment(Arc::new(Environment { name, production })))
}

fn endpoint(line: &mut Line<'_>, world: &mut World, word: &Word<'_>) -> Result<Change, Finding> {
    let name = new_name(line, word, |name| world.endpoints.contains_key(name))?;
    line.keyword("environment")?;
    let environment: Name = line.value("an environment")?;
    line.keyword("serves")?;
    let served = line.word("versions")?;
    let mut endpoint = Endpoint {
        id: EndpointId::from_bits(world.id()),
        name,
        environment,
        protocol: Protocol::OpenInference,
        upstream: Name::new("upstream").map_err(|error| line.wrong(word, error.to_string()))?,
        approved: true,
        serves: Vec::new(),
    };
    for each in served.text.split(',') {
        endpoint.serves.push(serve(line, world, &served, each)?);
    }
    while let Some(option) = line.next() {
        match option.text {
            "unapproved" => endpoint.approved = false,
            _ => return Err(odd(line, &option, "unapproved")),
        }
    }
    world.endpoints.insert(endpoint.name.clone(), (endpoint.id, endpoint.environment.clone()));
    Ok(Change::Endpoint(Arc::new(endpoint)))
}

fn serve(line: &Line<'_>, world: &World, word: &Word<'_>, name: &str) -> Result<Served, Finding> {
    let parts =
        name.split_once('/').and_then(|(model, label)| Some((model.parse().ok()?, label.parse().ok()?)));
    let version = parts.as_ref().and_then(|key| world.versions.get(key));
    let (Some((model, _)), Some(version)) = (&parts, version) else {
        return Err(line
            .wrong(word, format!("there is no version `{name}`"))
            .hint("write MODEL/LABEL,MODEL/LABEL"));
    };
    Ok(Served {
        public_name: model.to_string(),
        model: *known(line, word, model.as_str(), "model", &world.models)?,
        target: Target::Version(*version),
        upstream_name: model.to_string(),
    })
}

fn dataset(line: &mut Line<'_>, world: &mut World, word: &Word<'_>) -> Result<Change, Finding> {
    let name = new_name(line, word, |name| world.datasets.contains_key(name))?;
    let mut dataset = Dataset {
        id: DatasetId::from_bits(world.id()),
        project: in_project(line, world)?,
        name,
        classification: Classification::Internal,
        tags: BTreeSet::new(),
        columns: Vec::new(),
    };
    while let Some(option) = line.next() {
        match option.text {
            "class" => dataset.classification = line.value("a classification")?,
            "tags" => dataset.tags = line.list("tags")?,
            _ => return Err(odd(line, &option, "class CLASS, tags TAGS")),
        }
    }
    world.datasets.insert(dataset.name.clone(), dataset.id);
    Ok(Change::Dataset(Arc::new(dataset)))
}

const GRANT_OPTIONS: &str = "from TIME, until TIME, approvals N, bootstrap, in ENVIRONMENTS, regions R, segments S, \
                             purposes P, fields F, days DAYS between HH:MM-HH:MM zone ZONE";

fn grant(line: &mut Line<'_>, world: &mut World, clock: &Clock, word: &Word<'_>) -> Result<Change, Finding> {
    let name = new_name(line, word, |name| world.grants.contains_key(name))?;
    line.keyword("to")?;
    let holder = line.word("a person, machine or group")?;
    let grantee = world.grantee(line, &holder)?;
    let privilege = line.value("a privilege")?;
    line.keyword("on")?;
    let thing = line.word("a thing")?;
    let mut grant = Grant {
        id: GrantId::from_bits(world.id()),
        grantee,
        privilege,
        scope: world.scope(line, &thing)?,
        conditions: Conditions::default(),
        not_before: clock.start_of_day(),
        not_after: clock.end_of_day(),
        origin: Origin::Request { request: EventId::from_bits(1), approvals: 2 },
    };
    while let Some(option) = line.next() {
        let conditions = &mut grant.conditions;
        match option.text {
            "from" => grant.not_before = clock.time(line)?,
            "until" => grant.not_after = clock.time(line)?,
            "approvals" => {
                let approvals = line.value("a number of approvals")?;
                grant.origin = Origin::Request { request: EventId::from_bits(1), approvals };
            }
            "bootstrap" => grant.origin = Origin::Bootstrap { by: PersonId::from_bits(1) },
            "in" => conditions.environments = Some(line.list("environments")?),
            "regions" => conditions.regions = Some(line.list("regions")?),
            "segments" => conditions.segments = Some(line.list("segments")?),
            "purposes" => conditions.purposes = Some(line.list("purposes")?),
            "fields" => conditions.fields = Some(line.list("fields")?),
            "days" => conditions.windows.get_or_insert_default().push(window(line)?),
            _ => return Err(odd(line, &option, GRANT_OPTIONS)),
        }
    }
    world.grants.insert(name, grant.id);
    Ok(Change::Grant(Arc::new(grant)))
}

/// `mon,tue between 08:00-18:00 zone UTC`.
fn window(line: &mut Line<'_>) -> Result<Window, Finding> {
    let days = line.word("days")?;
    let day = |text: &str| {
        Some(match text {
            "mon" => Day::Mon,
            "tue" => Day::Tue,
            "wed" => Day::Wed,
            "thu" => Day::Thu,
            "fri" => Day::Fri,
            "sat" => Day::Sat,
            "sun" => Day::Sun,
            _ => return None,
        })
    };
    let found: Option<BTreeSet<Day>> = days.text.split(',').map(day).collect();
    let Some(found) = found else {
        let message = format!("`{}` are not days", days.text);
        return Err(line.wrong(&days, message).hint("write mon,tue,wed,thu,fri,sat,sun"));
    };
    line.keyword("between")?;
    let hours = line.word("two times of day")?;
    let times =
        hours.text.split_once('-').and_then(|(from, until)| Some((from.parse().ok()?, until.parse().ok()?)));
    let Some((from, until)) = times else {
        let message = format!("`{}` are not two times of day", hours.text);
        return Err(line.wrong(&hours, message).hint("write 08:00-18:00"));
    };
    line.keyword("zone")?;
    let zone = line.word("a time zone")?;
    if jiff::tz::TimeZone::get(zone.text).is_err() {
        return Err(line
            .wrong(&zone, format!("`{}` is not a time zone", zone.text))
            .hint("write UTC or Europe/Berlin"));
    }
    Ok(Window { days: found, from, until, zone: zone.text.to_owned() })
}
