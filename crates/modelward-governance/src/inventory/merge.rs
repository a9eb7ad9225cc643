//! Several files, one declaration; the same thing declared twice is an error that names both files.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use modelward_decision::vocabulary::Name;

use super::Declaration;

/// A top-level table of an inventory file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    Projects,
    Environments,
    Groups,
    Machines,
    Models,
    Datasets,
    Endpoints,
}

/// All files together, remembering which file each thing stands in.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Merged {
    declaration: Declaration,
    files: BTreeMap<(Section, Name), Arc<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    #[error("`{section}.{name}` is declared in `{first}` and again in `{second}`")]
    Twice { section: Section, name: Name, first: String, second: String },
    #[error("the files declare more than {} things", Merged::THINGS_MAX)]
    TooMany,
}

/// Puts files together; each comes with the name errors are to call it.
pub fn merge(files: impl IntoIterator<Item = (String, Declaration)>) -> Result<Merged, MergeError> {
    let mut merged = Merged::default();
    for (file, declaration) in files {
        let file: Arc<str> = file.into();
        let Declaration { projects, environments, groups, machines, models, datasets, endpoints } =
            declaration;
        let into = &mut merged.declaration;
        let seen = &mut merged.files;
        take(Section::Projects, projects, &mut into.projects, seen, &file)?;
        take(Section::Environments, environments, &mut into.environments, seen, &file)?;
        take(Section::Groups, groups, &mut into.groups, seen, &file)?;
        take(Section::Machines, machines, &mut into.machines, seen, &file)?;
        take(Section::Models, models, &mut into.models, seen, &file)?;
        take(Section::Datasets, datasets, &mut into.datasets, seen, &file)?;
        take(Section::Endpoints, endpoints, &mut into.endpoints, seen, &file)?;
    }
    if merged.things() > Merged::THINGS_MAX {
        return Err(MergeError::TooMany);
    }
    Ok(merged)
}

fn take<T>(
    section: Section,
    from: BTreeMap<Name, T>,
    into: &mut BTreeMap<Name, T>,
    seen: &mut BTreeMap<(Section, Name), Arc<str>>,
    file: &Arc<str>,
) -> Result<(), MergeError> {
    for (name, thing) in from {
        if let Some(first) = seen.insert((section, name.clone()), Arc::clone(file)) {
            let (first, second) = (first.to_string(), file.to_string());
            return Err(MergeError::Twice { section, name, first, second });
        }
        into.insert(name, thing);
    }
    Ok(())
}

impl Merged {
    /// Most things one apply can declare, versions and aliases counted.
    pub const THINGS_MAX: usize = 200_000;

    pub const fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    /// The file a thing stands in.
    pub fn file(&self, section: Section, name: &Name) -> Option<&str> {
        self.files.get(&(section, name.clone())).map(AsRef::as_ref)
    }

    fn things(&self) -> usize {
        let inside: usize =
            self.declaration.models.values().map(|model| model.versions.len() + model.aliases.len()).sum();
        inside + self.files.len()
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Projects => "projects",
            Self::Environments => "environments",
            Self::Groups => "groups",
            Self::Machines => "machines",
            Self::Models => "models",
            Self::Datasets => "datasets",
            Self::Endpoints => "endpoints",
        })
    }
}
