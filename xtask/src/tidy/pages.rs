//! Reference pages come from the code, and a test holds each to it.

use std::path::Path;

use super::{Finding, Source};

/// Pages of `docs/reference/` that a person writes.
const HANDWRITTEN: [&str; 1] = ["docs/reference/README.md"];

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let tests: Vec<&Source> = sources.iter().filter(|source| is_test(&source.path)).collect();
    let pages = sources.iter().filter(|source| source.path.starts_with("docs/reference"));
    pages
        .filter(|page| !HANDWRITTEN.iter().any(|known| page.path == Path::new(known)))
        .filter(|page| {
            let named = page.path.to_string_lossy();
            !tests.iter().any(|test| test.text.contains(named.as_ref()))
        })
        .map(|page| Finding::file(&page.path, "has no test that generates it: name the page in one"))
        .collect()
}

fn is_test(path: &Path) -> bool {
    let in_tests = path.components().any(|part| part.as_os_str() == "tests");
    let is_rust = path.extension().is_some_and(|extension| extension == "rs");
    is_rust && (in_tests || path.file_name().is_some_and(|name| name == "tests.rs"))
}
