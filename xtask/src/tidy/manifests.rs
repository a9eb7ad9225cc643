//! What every manifest has to say.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::{Finding, Member, TidyError};

pub(super) fn check(root: &Path, members: &[Member]) -> Result<Vec<Finding>, TidyError> {
    let mut findings = Vec::new();
    for member in members {
        let whole = root.join(&member.manifest);
        let text =
            fs::read_to_string(&whole).map_err(|source| TidyError::Read { path: whole.clone(), source })?;
        let manifest: Table =
            toml::from_str(&text).map_err(|source| TidyError::Manifest { path: whole, source })?;
        let messages = check_manifest(&manifest, member);
        findings.extend(messages.into_iter().map(|message| Finding::file(&member.manifest, message)));
        findings.extend(extra_test_binaries(root, &member.manifest));
    }
    Ok(findings)
}

/// What is wrong with one manifest.
pub fn check_manifest(manifest: &Table, member: &Member) -> Vec<String> {
    let mut messages = Vec::new();
    if !is_true(manifest, &["lints", "workspace"]) {
        messages.push("does not inherit the lints: add `[lints] workspace = true`".to_owned());
    }
    if member.has_library && at(manifest, &["lib", "doctest"]) != Some(&Value::Boolean(false)) {
        messages.push("runs doctests: add `[lib] doctest = false`".to_owned());
    }
    for field in ["version", "edition", "rust-version", "license", "publish"] {
        if !is_true(manifest, &["package", field, "workspace"]) {
            messages.push(format!("does not inherit `{field}`: write `{field}.workspace = true`"));
        }
    }
    let described = at(manifest, &["package", "description"]).and_then(Value::as_str);
    if described.is_none_or(str::is_empty) {
        messages.push("has no description: one sentence on what the crate is for".to_owned());
    }
    let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
    for dependencies in tables.iter().filter_map(|name| manifest.get(*name)?.as_table()) {
        for (name, dependency) in dependencies {
            let inherited = dependency.get("workspace") == Some(&Value::Boolean(true));
            // A crate that tests itself with more features has to name its own path.
            if !inherited && *name != member.name {
                messages.push(format!("`{name}` is not taken from `[workspace.dependencies]`"));
            }
        }
    }
    messages
}

/// One test binary per crate: each further one links everything again.
fn extra_test_binaries(root: &Path, manifest: &Path) -> Vec<Finding> {
    let folder = manifest.with_file_name("tests");
    let Ok(entries) = fs::read_dir(root.join(&folder)) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    names.sort();
    names
        .into_iter()
        .map(|name| folder.join(name))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| Finding::file(&path, "is a second test binary: make it a module of `tests/it/main.rs`"))
        .collect()
}

fn at<'a>(table: &'a Table, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let value = table.get(*first)?;
    if rest.is_empty() { Some(value) } else { at(value.as_table()?, rest) }
}

fn is_true(table: &Table, path: &[&str]) -> bool {
    at(table, path) == Some(&Value::Boolean(true))
}
