//! What no file may say.

use std::path::Path;

use super::{Finding, Source};

/// The one file that reads a clock.
const CLOCK: &str = "crates/modelward/src/clock.rs";

/// Files that may lift the ban on some method, each for the reason its own `#[expect]` gives. A new one is added here
/// in review. Beside the clock only the chores read the time, where they play a person with an authenticator app.
const LIFTED: [&str; 4] = [
    CLOCK,
    "crates/modelward/src/config.rs",
    "crates/modelward-store/tests/it/house.rs",
    "xtask/src/system.rs",
];

/// Work that was put off does not belong in a commit, and neither does the machine it was written on.
/// Written in halves, so that this file does not find itself.
const FORBIDDEN: [(&str, &str, &str); 9] = [
    ("TO", "DO", "puts work off: do it, or open an issue"),
    ("FIX", "ME", "puts work off: do it, or open an issue"),
    ("HA", "CK", "puts work off: do it, or say why it is right"),
    ("unimple", "mented!", "is a hole in the program"),
    ("to", "do!(", "is a hole in the program"),
    ("/wo", "rk/", "names a folder of one machine"),
    ("/ro", "ot/", "names a folder of one machine"),
    ("<<<<", "<<<", "is left over from a merge"),
    (">>>>", ">>>", "is left over from a merge"),
];

/// Where credentials are ended, and the one place there that does it: so every cause is recorded the same way, and the
/// sessions follow.
const ENDINGS: &str = "crates/modelward-server/src/";
const ENDING: &str = "crates/modelward-server/src/revocation.rs";
const BUMPS: &str = "StateChange::Bump(";

/// Reading the time by any of these names, in halves as above.
const CLOCKS: [(&str, &str); 3] = [("SystemTime::", "now("), ("Timestamp::", "now("), ("Zoned::", "now(")];

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    sources.iter().filter(|source| is_ours(&source.path)).flat_map(check_file).collect()
}

/// Licence texts and lock files are other people's words.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    !matches!(name, "LICENSE" | "Cargo.lock")
}

fn check_file(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let path = source.path.as_path();
    let is_rust = path.extension().is_some_and(|extension| extension == "rs");
    let lifted = LIFTED.iter().any(|lifted| path == Path::new(lifted));
    // A bench measures real time.
    let measures = path.components().any(|part| part.as_os_str() == "benches");
    for (line, number) in source.text.lines().zip(1..) {
        for (head, tail, why) in FORBIDDEN {
            let word = [head, tail].concat();
            if stands_alone(line, &word) {
                findings.push(Finding::line(path, number, format!("`{word}` {why}")));
            }
        }
        if is_rust && !measures && !lifted {
            for (head, tail) in CLOCKS {
                if line.contains(&[head, tail].concat()) {
                    let message =
                        format!("reads a clock: time is an argument, and the clock is in `{CLOCK}`");
                    findings.push(Finding::line(path, number, message));
                }
            }
        }
        let bumps = is_rust && path.starts_with(ENDINGS) && path != Path::new(ENDING);
        if bumps && line.contains(BUMPS) && !line.contains("=>") {
            findings.push(Finding::line(path, number, format!("ends credentials beside `{ENDING}`")));
        }
        let lifts = ["clippy::disallowed_", "methods"].concat();
        if is_rust && line.contains(&lifts) && !measures && !lifted {
            findings.push(Finding::line(path, number, "lifts a ban and is not on the list in `xtask`"));
        }
    }
    if !source.text.is_empty() && !source.text.ends_with('\n') {
        findings.push(Finding::file(path, "does not end with a new line"));
    }
    findings
}

/// Whether `word` stands in `line` as a word of its own, not inside a longer one.
fn stands_alone(line: &str, word: &str) -> bool {
    let is_part =
        |character: Option<char>| character.is_some_and(|next| next.is_alphanumeric() || next == '_');
    line.match_indices(word).any(|(start, found)| {
        let before = line.get(..start).and_then(|before| before.chars().next_back());
        let after = line.get(start + found.len()..).and_then(|after| after.chars().next());
        let starts_word = word.starts_with(char::is_alphanumeric);
        let ends_word = word.ends_with(char::is_alphanumeric);
        !(starts_word && is_part(before) || ends_word && is_part(after))
    })
}
