//! Links between documents lead somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::{Finding, Source};

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut known: BTreeSet<PathBuf> = BTreeSet::new();
    for source in sources {
        known.extend(source.path.ancestors().map(Path::to_owned));
    }
    let pages: BTreeMap<&Path, &str> = sources
        .iter()
        .filter(|source| is_page(&source.path))
        .map(|source| (source.path.as_path(), source.text.as_str()))
        .collect();
    let mut findings = Vec::new();
    for (path, text) in &pages {
        for (number, target) in targets(text) {
            if let Some(problem) = problem(path, &target, &known, &pages) {
                findings.push(Finding::line(path, number, problem));
            }
        }
    }
    findings
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// The targets of inline links and images outside code, with their lines.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_fence = false;
    for (line, number) in text.lines().zip(1..) {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        }
        if in_fence {
            continue;
        }
        // Text between backticks is code.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for (_, rest) in
            prose.match_indices("](").filter_map(|(at, found)| prose.split_at_checked(at + found.len()))
        {
            if let Some((target, _)) = rest.split_once(')') {
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

fn problem(
    page: &Path,
    target: &str,
    known: &BTreeSet<PathBuf>,
    pages: &BTreeMap<&Path, &str>,
) -> Option<String> {
    if ["https://", "http://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
        return None;
    }
    let (file, anchor) = target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let path = if file.is_empty() { page.to_owned() } else { resolve(page, file) };
    // Pictures are not text, so the list of sources does not have them.
    let exists = known.contains(&path) || super::root().join(&path).exists();
    if !exists {
        return Some(format!("links to `{target}`, which does not exist"));
    }
    let (Some(anchor), Some(text)) = (anchor, pages.get(path.as_path())) else { return None };
    let headings: BTreeSet<String> = text
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| slug(line.trim_start_matches('#')))
        .collect();
    (!headings.contains(anchor)).then(|| format!("links to `{target}`, which has no such heading"))
}

fn resolve(page: &Path, file: &str) -> PathBuf {
    let mut resolved = page.parent().map_or_else(PathBuf::new, Path::to_owned);
    for part in Path::new(file).components() {
        match part {
            Component::ParentDir => {
                resolved.pop();
            }
            Component::Normal(name) => resolved.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    resolved
}

/// How a heading is named in a link.
fn slug(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            _ if character.is_alphanumeric() => Some(character),
            _ => None,
        })
        .collect()
}
