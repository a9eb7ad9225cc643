//! `modelward apply`

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use modelward_server::wire::{
    Applied, ApplyGroupsRequest, ApplyMachinesRequest, ApplyRequest, ChangeVerb, Declaration, DeclaredChange,
    DeclaredDataset, DeclaredEndpoint, DeclaredEnvironment, DeclaredGroup, DeclaredMachine, DeclaredModel,
    DeclaredProject,
};
use serde::{Deserialize, Serialize};

use super::api::{Server, wait};
use super::{Context, ask};
use crate::client::{Client, ClientError};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Style, Terminal, clean};

/// Make the inventory what the TOML files of a folder declare
///
/// Shows the difference first and asks. Applying the same folder again changes nothing.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A folder whose `*.toml` files are read, or one such file
    #[arg(short, long = "file", value_name = "DIR")]
    from: PathBuf,
    /// Remove what the files do not declare
    #[arg(long)]
    prune: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Show the difference, and change nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    #[command(flatten)]
    server: Server,
}

/// One file. Machines and groups go another way than things, because they change who may do what.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    #[serde(rename = "environment")]
    environments: Vec<DeclaredEnvironment>,
    #[serde(rename = "project")]
    projects: Vec<DeclaredProject>,
    #[serde(rename = "model")]
    models: Vec<DeclaredModel>,
    #[serde(rename = "endpoint")]
    endpoints: Vec<DeclaredEndpoint>,
    #[serde(rename = "dataset")]
    datasets: Vec<DeclaredDataset>,
    #[serde(rename = "machine")]
    machines: Vec<DeclaredMachine>,
    #[serde(rename = "group")]
    groups: Vec<DeclaredGroup>,
}

/// A folder as a whole.
#[derive(Default)]
struct Declared {
    things: Declaration,
    machines: Vec<DeclaredMachine>,
    groups: Vec<DeclaredGroup>,
}

/// The answers, as a script sees them.
#[derive(Serialize)]
struct Answer {
    inventory: Option<Applied>,
    machines: Option<Applied>,
    groups: Option<Applied>,
}

/// Bounds what is read: an inventory of thousands of models fits.
const MAX_FILES: usize = 1000;
const MAX_FILE_BYTES: u64 = 4 << 20;

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let declared = read(&args.from)?;
    let client = args.server.signed_in(context)?;
    let terminal = &context.terminal;
    wait(async {
        let planned = send(terminal, &client, &declared, args.prune, true).await?;
        if args.dry_run || !planned.changes_anything() {
            report(terminal, &planned)?;
            return Ok(Exit::Ok);
        }
        if !args.yes {
            show(terminal, &planned);
            if !ask::agreed("Apply this?")? {
                return Err(
                    Failure::new(Exit::Failure, "nothing was applied").hint("`--yes` applies without asking")
                );
            }
        }
        let applied = send(terminal, &client, &declared, args.prune, false).await?;
        report(terminal, &applied)?;
        Ok(Exit::Ok)
    })
}

async fn send(
    terminal: &Terminal,
    client: &Client,
    declared: &Declared,
    prune: bool,
    dry_run: bool,
) -> Result<Answer, ClientError> {
    let progress = super::progress::spinner(terminal, if dry_run { "comparing" } else { "applying" });
    let inventory = if declared.things == Declaration::default() && !prune {
        None
    } else {
        let request = ApplyRequest { declaration: declared.things.clone(), prune, dry_run };
        Some(client.post("/api/v1/apply", &request).await?)
    };
    // Files that name no machine or no group leave those alone, even when pruning.
    let machines = if declared.machines.is_empty() {
        None
    } else {
        let request = ApplyMachinesRequest { machines: declared.machines.clone(), prune, dry_run };
        Some(client.post("/api/v1/machines", &request).await?)
    };
    let groups = if declared.groups.is_empty() {
        None
    } else {
        // What is only planned does not exist yet, and no group can be compared with it.
        let new = if dry_run { new_machines(machines.as_ref()) } else { BTreeSet::new() };
        let (groups, joins) = without(&declared.groups, &new);
        let request = ApplyGroupsRequest { groups, prune, dry_run };
        let mut applied: Applied = client.post("/api/v1/groups", &request).await?;
        applied.changes.extend(joins);
        Some(applied)
    };
    progress.finish_and_clear();
    Ok(Answer { inventory, machines, groups })
}

/// The machines a plan would make.
fn new_machines(planned: Option<&Applied>) -> BTreeSet<String> {
    let changes = planned.into_iter().flat_map(|planned| &planned.changes);
    let new = changes.filter(|change| change.verb == ChangeVerb::Add && change.kind == "machine");
    new.map(|change| change.name.clone()).collect()
}

/// The groups without the machines that do not exist yet, and what adding those to them comes to.
fn without(groups: &[DeclaredGroup], new: &BTreeSet<String>) -> (Vec<DeclaredGroup>, Vec<DeclaredChange>) {
    let is_new = |member: &str| member.strip_prefix("machine:").is_some_and(|name| new.contains(name));
    let mut joins: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut known = groups.to_vec();
    for (group, known) in groups.iter().zip(&mut known) {
        for member in group.members.iter().flatten().filter(|member| is_new(member)) {
            let machine = member.trim_start_matches("machine:").to_owned();
            joins.entry(machine).or_default().push(group.name.as_str());
        }
        if let Some(members) = &mut known.members {
            members.retain(|member| !is_new(member));
        }
    }
    let joins = joins.into_iter().map(|(name, groups)| DeclaredChange {
        verb: ChangeVerb::Change,
        kind: "machine".to_owned(),
        name,
        details: vec![format!("groups: nothing → {}", groups.join(", "))],
    });
    (known, joins.collect())
}

impl Answer {
    fn parts(&self) -> impl Iterator<Item = &Applied> {
        self.inventory.iter().chain(&self.machines).chain(&self.groups)
    }

    fn changes_anything(&self) -> bool {
        self.parts().any(|part| !part.changes.is_empty())
    }
}

fn report(terminal: &Terminal, answer: &Answer) -> Result<(), Failure> {
    if terminal.json() {
        return terminal.value(answer);
    }
    show(terminal, answer);
    if let Some(revision) = answer.parts().filter_map(|part| part.revision).max() {
        terminal.note(&format!("applied; revision {revision}"));
    }
    Ok(())
}

/// The difference, on stderr: it is what a person decides by, and no data.
fn show(terminal: &Terminal, answer: &Answer) {
    for change in answer.parts().flat_map(|part| &part.changes) {
        let (sign, style) = match change.verb {
            ChangeVerb::Add => ("+", Style::Good),
            ChangeVerb::Change => ("~", Style::Warn),
            ChangeVerb::Remove => ("-", Style::Bad),
        };
        terminal
            .note(&terminal.paint(style, &format!("{sign} {} {}", clean(&change.kind), clean(&change.name))));
        for detail in &change.details {
            terminal.note(&format!("    {}", clean(detail)));
        }
    }
    for kept in answer.parts().flat_map(|part| &part.not_declared) {
        terminal.note(&format!("  {} is not declared and stays; `--prune` removes it", clean(kept)));
    }
    if !answer.changes_anything() {
        terminal.note("nothing to change");
    }
}

fn read(from: &Path) -> Result<Declared, Failure> {
    let mut declared = Declared::default();
    for path in files(from)? {
        let failed = |error: std::io::Error| {
            Failure::new(Exit::Failure, format!("failed to read `{}`: {error}", path.display()))
        };
        if fs::metadata(&path).map_err(failed)?.len() > MAX_FILE_BYTES {
            return Err(Failure::new(
                Exit::Usage,
                format!("`{}` is larger than {MAX_FILE_BYTES} bytes", path.display()),
            ));
        }
        let text = fs::read_to_string(&path).map_err(failed)?;
        let file: File = toml::from_str(&text).map_err(|error| {
            Failure::new(Exit::Usage, format!("`{}` declares nothing usable\n{error}", path.display()))
        })?;
        declared.things.environments.extend(file.environments);
        declared.things.projects.extend(file.projects);
        declared.things.models.extend(file.models);
        declared.things.endpoints.extend(file.endpoints);
        declared.things.datasets.extend(file.datasets);
        declared.machines.extend(file.machines);
        declared.groups.extend(file.groups);
    }
    Ok(declared)
}

/// The file itself, or the `*.toml` files of the folder by name.
fn files(from: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Failure, format!("failed to read `{}`: {error}", from.display()))
    };
    if !fs::metadata(from).map_err(failed)?.is_dir() {
        return Ok(vec![from.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(from).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension() == Some(OsStr::new("toml")) {
            files.push(path);
        }
    }
    if files.is_empty() || files.len() > MAX_FILES {
        let found = files.len();
        return Err(Failure::new(Exit::Usage, format!("`{}` holds {found} `*.toml` files", from.display()))
            .hint(format!("between 1 and {MAX_FILES} can be applied at once")));
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_folder_make_one_declaration() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.toml"), "[[project]]\nname = 'risk'\n").unwrap();
        fs::write(
            folder.path().join("b.toml"),
            "[[model]]\nname = 'fraud'\nproject = 'risk'\n[[model.version]]\nlabel = '3'\n[[group]]\nname = 'analysts'\n",
        )
        .unwrap();
        fs::write(folder.path().join("notes.md"), "not declared").unwrap();
        let declared = read(folder.path()).unwrap();
        assert_eq!(declared.things.projects.len(), 1);
        assert_eq!(declared.things.models[0].versions[0].label.as_str(), "3");
        assert_eq!(declared.groups[0].name.as_str(), "analysts");
    }

    #[test]
    fn a_key_nobody_knows_is_named_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.toml");
        fs::write(&file, "[[model]]\nname = 'fraud'\nproject = 'risk'\nowner = 'dana'\n").unwrap();
        let Err(failure) = read(&file) else { panic!("it was read") };
        assert!(failure.message().contains("line 4") && failure.message().contains("owner"), "{failure:?}");
        assert_eq!(failure.exit, Exit::Usage);
    }

    #[test]
    fn an_empty_folder_is_a_mistake() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).is_err());
    }
}
