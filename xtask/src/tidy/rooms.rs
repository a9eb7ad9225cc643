//! The walls between the rooms: which crate may depend on which.
//!
//! The table stands in `ARCHITECTURE.md`; this module holds the code to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Finding, Source, TidyError, run};

/// Where the table stands.
const TABLE: &str = "ARCHITECTURE.md";

/// What any crate may use in its tests, on top of its own row.
const TEST_ONLY: [&str; 2] = ["modelward-testkit", "demo-upstream"];

/// One crate of the workspace.
#[derive(Debug, Clone)]
pub struct Member {
    pub name: String,
    /// Relative to the root of the repository.
    pub manifest: PathBuf,
    /// The other crates of the workspace that it names.
    pub edges: Vec<Edge>,
    pub has_library: bool,
}

/// A dependency of one member on another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    pub to: String,
    /// Only for tests and benches.
    pub dev: bool,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
}

pub(super) fn members(root: &Path) -> Result<Vec<Member>, TidyError> {
    let told = run(root, "cargo", &["metadata", "--format-version=1", "--no-deps", "--offline"])?;
    let metadata: Metadata = serde_json::from_str(&told).map_err(TidyError::Metadata)?;
    let member = |package: Package| Member {
        edges: package
            .dependencies
            .into_iter()
            .filter(|dependency| dependency.path.is_some() && dependency.name != package.name)
            .map(|dependency| Edge { to: dependency.name, dev: dependency.kind.as_deref() == Some("dev") })
            .collect(),
        has_library: package.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "lib")),
        manifest: package.manifest_path.strip_prefix(root).unwrap_or(&package.manifest_path).to_owned(),
        name: package.name,
    };
    Ok(metadata.packages.into_iter().map(member).collect())
}

/// The table of `text`: for each crate, what it may depend on. Rows look like
/// `` | `modelward-ledger` | … | seal | ``: the first cell names a crate, the last the crates it may see, with or
/// without the prefix, `–` for none.
pub fn allowed_edges(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| {
        let (name, cells) = row.split_once("` |")?;
        let last = cells.trim_end().trim_end_matches('|').rsplit('|').next()?.trim();
        let seen = last.split(", ").filter(|to| *to != "–").map(|to| full_name(to.trim_matches('`')));
        Some((name.to_owned(), seen.collect()))
    })
    .collect()
}

fn full_name(short: &str) -> String {
    if matches!(short, "modelward" | "demo-upstream" | "xtask") || short.starts_with("modelward-") {
        return short.to_owned();
    }
    format!("modelward-{short}")
}

/// Holds every member to the table.
pub fn check(members: &[Member], sources: &[Source]) -> Vec<Finding> {
    let Some(table) = sources.iter().find(|source| source.path == Path::new(TABLE)) else {
        return vec![Finding::file(Path::new(TABLE), "is missing, and with it the table of allowed edges")];
    };
    let allowed = allowed_edges(&table.text);
    members.iter().flat_map(|member| check_member(member, &allowed)).collect()
}

fn check_member(member: &Member, allowed: &BTreeMap<String, BTreeSet<String>>) -> Vec<Finding> {
    let Some(seen) = allowed.get(&member.name) else {
        let message = format!("`{}` has no row in the table of `{TABLE}`", member.name);
        return vec![Finding::file(&member.manifest, message)];
    };
    let forbidden = member.edges.iter().filter(|edge| {
        let for_tests = edge.dev && TEST_ONLY.contains(&edge.to.as_str());
        !seen.contains(&edge.to) && !for_tests
    });
    forbidden
        .map(|edge| {
            let message = format!("`{}` must not see `{}` (table of `{TABLE}`)", member.name, edge.to);
            Finding::file(&member.manifest, message)
        })
        .collect()
}
