//! What exists in a scenario, by the names it is called there.

use std::collections::BTreeMap;
use std::fmt::Display;

use modelward_decision::Change;
use modelward_decision::vocabulary::{
    AliasId, DatasetId, EndpointId, GrantId, GranteeRef, GroupId, ModelId, Name, PersonId, PrincipalRef,
    ProjectId, ResourceRef, ScopeRef, VersionId,
};

use super::line::{Line, Word};
use crate::Finding;

#[derive(Debug, Clone, Default)]
pub(super) struct World {
    /// The project whose bundle is tested.
    own: Option<(Name, ProjectId)>,
    pub(super) changes: Vec<Change>,
    /// People, machines and groups share their names, so that `to NAME` is clear.
    pub(super) grantees: BTreeMap<Name, GranteeRef>,
    pub(super) projects: BTreeMap<Name, ProjectId>,
    pub(super) models: BTreeMap<Name, ModelId>,
    pub(super) versions: BTreeMap<(Name, Name), VersionId>,
    pub(super) aliases: BTreeMap<(Name, Name), AliasId>,
    /// Each with the environment it serves in.
    pub(super) endpoints: BTreeMap<Name, (EndpointId, Name)>,
    pub(super) datasets: BTreeMap<Name, DatasetId>,
    pub(super) environments: BTreeMap<Name, ()>,
    pub(super) grants: BTreeMap<Name, GrantId>,
    last_id: u128,
}

/// Above every constant id, such as the platform's own.
const FIRST_ID: u128 = 0x1000;

impl World {
    /// Nothing exists yet; this project will have the id it really has.
    pub(super) fn of(own: Option<(Name, ProjectId)>) -> Self {
        Self { own, ..Self::default() }
    }

    /// An id nothing else in the scenario has, whatever its kind.
    pub(super) fn id(&mut self) -> u128 {
        self.last_id += 1;
        FIRST_ID + self.last_id
    }

    /// The id of a project: its real one where it is the one whose bundle is tested.
    pub(super) fn project_id(&mut self, name: &Name) -> ProjectId {
        match &self.own {
            Some((own, id)) if own == name => *id,
            _ => ProjectId::from_bits(self.id()),
        }
    }

    pub(super) fn grantee(&self, line: &Line<'_>, word: &Word<'_>) -> Result<GranteeRef, Finding> {
        known(line, word, word.text, "person, machine or group", &self.grantees).copied()
    }

    pub(super) fn principal(&self, line: &Line<'_>, word: &Word<'_>) -> Result<PrincipalRef, Finding> {
        match self.grantee(line, word)? {
            GranteeRef::Person(id) => Ok(PrincipalRef::Person(id)),
            GranteeRef::Machine(id) => Ok(PrincipalRef::Machine(id)),
            GranteeRef::Group(_) => Err(line
                .wrong(word, format!("`{}` is a group, and a group asks for nothing", word.text))
                .hint("name one of its members")),
        }
    }

    pub(super) fn person(&self, line: &Line<'_>, word: &Word<'_>) -> Result<PersonId, Finding> {
        match self.grantee(line, word)? {
            GranteeRef::Person(id) => Ok(id),
            GranteeRef::Machine(_) | GranteeRef::Group(_) => {
                Err(line.wrong(word, format!("`{}` is not a person", word.text)))
            }
        }
    }

    pub(super) fn group(&self, line: &Line<'_>, word: &Word<'_>, name: &str) -> Result<GroupId, Finding> {
        match known(line, word, name, "group", &self.grantees)? {
            GranteeRef::Group(id) => Ok(*id),
            GranteeRef::Person(_) | GranteeRef::Machine(_) => {
                Err(line.wrong(word, format!("`{name}` is not a group")))
            }
        }
    }

    pub(super) fn endpoint(&self, line: &Line<'_>, word: &Word<'_>) -> Result<&(EndpointId, Name), Finding> {
        known(line, word, word.text, "endpoint", &self.endpoints)
    }

    pub(super) fn project(&self, line: &Line<'_>, word: &Word<'_>) -> Result<ProjectId, Finding> {
        known(line, word, word.text, "project", &self.projects).copied()
    }

    /// `MODEL/LABEL`.
    pub(super) fn version(&self, line: &Line<'_>, word: &Word<'_>) -> Result<VersionId, Finding> {
        let name = pair(line, word, '/', "a version is written MODEL/LABEL")?;
        self.versions.get(&name).copied().ok_or_else(|| unknown(line, word, "version"))
    }

    /// `platform`, `project:P`, `endpoint:E`, `dataset:D`, `MODEL` or `MODEL/LABEL`.
    pub(super) fn resource(&self, line: &Line<'_>, word: &Word<'_>) -> Result<ResourceRef, Finding> {
        Ok(match word.text.split_once(':') {
            Some(("project", name)) => {
                ResourceRef::Project(*known(line, word, name, "project", &self.projects)?)
            }
            Some(("endpoint", name)) => {
                ResourceRef::Endpoint(known(line, word, name, "endpoint", &self.endpoints)?.0)
            }
            Some(("dataset", name)) => {
                ResourceRef::Dataset(*known(line, word, name, "dataset", &self.datasets)?)
            }
            Some(_) => return Err(unknown(line, word, "kind of thing").hint(THINGS)),
            None if word.text == "platform" => ResourceRef::Platform,
            None if word.text.contains('/') => ResourceRef::Version(self.version(line, word)?),
            None => {
                let model = known(line, word, word.text, "model", &self.models);
                ResourceRef::Model(*model.map_err(|finding| match finding.hint {
                    Some(_) => finding,
                    None => finding.hint(THINGS),
                })?)
            }
        })
    }

    /// A resource, or `MODEL@ALIAS`.
    pub(super) fn scope(&self, line: &Line<'_>, word: &Word<'_>) -> Result<ScopeRef, Finding> {
        if !word.text.contains('@') {
            return Ok(self.resource(line, word)?.as_scope());
        }
        let name = pair(line, word, '@', "an alias is written MODEL@ALIAS")?;
        let alias = self.aliases.get(&name).copied();
        alias.map(ScopeRef::Alias).ok_or_else(|| unknown(line, word, "alias"))
    }
}

const THINGS: &str =
    "a thing is `platform`, a MODEL, a MODEL/LABEL, a MODEL@ALIAS, `project:P`, `endpoint:E` or `dataset:D`";

/// Two names with a mark between them.
pub(super) fn pair(
    line: &Line<'_>,
    word: &Word<'_>,
    mark: char,
    hint: &str,
) -> Result<(Name, Name), Finding> {
    let parts = word.text.split_once(mark);
    let names = parts.and_then(|(first, second)| Some((first.parse().ok()?, second.parse().ok()?)));
    names.ok_or_else(|| line.wrong(word, format!("`{}` is not two names", word.text)).hint(hint))
}

/// What a name stands for, or a finding that lists the names there are.
pub(super) fn known<'m, T>(
    line: &Line<'_>,
    word: &Word<'_>,
    name: &str,
    what: &str,
    things: &'m BTreeMap<Name, T>,
) -> Result<&'m T, Finding> {
    things.get(name).ok_or_else(|| {
        let finding = unknown(line, word, what);
        if things.is_empty() {
            finding
        } else {
            finding.hint(format!("known so far: {}", some(things.keys())))
        }
    })
}

fn unknown(line: &Line<'_>, word: &Word<'_>, what: &str) -> Finding {
    line.wrong(word, format!("there is no {what} `{}`", word.text))
}

/// The first few, for a hint.
fn some<T: Display>(names: impl Iterator<Item = T>) -> String {
    let names: Vec<String> = names.take(8).map(|name| name.to_string()).collect();
    names.join(", ")
}
