//! "Can I?" in words: `dana · download weights · fraud/3 · production`, or `can dana download weights of fraud?`.

use modelward_decision::Snapshot;
use modelward_decision::vocabulary::Action;

use crate::problem::Problem;
use crate::wire::CanRequest;

/// Longest question read, in characters.
pub(crate) const MAX: usize = 400;

/// Words that carry nothing.
const FILLERS: [&str; 18] = [
    "can", "may", "i", "a", "an", "the", "of", "on", "in", "from", "to", "for", "does", "do", "is", "at",
    "through", "me",
];

/// The action these words name: its own name, its name in words, or the beginning of either that names no other.
pub(crate) fn action(text: &str) -> Result<Action, Problem> {
    if let Ok(action) = text.trim().parse() {
        return Ok(action);
    }
    let wanted = fold(text);
    let spoken: Vec<(Action, String)> = Action::ALL.into_iter().map(|it| (it, fold(&in_words(it)))).collect();
    if let Some((action, _)) = spoken.iter().find(|(_, words)| *words == wanted) {
        return Ok(*action);
    }
    let begins: Vec<Action> =
        spoken.iter().filter(|(_, words)| words.starts_with(&wanted)).map(|(action, _)| *action).collect();
    match begins.as_slice() {
        [one] => Ok(*one),
        [] => {
            let by_phrase: Vec<Action> =
                Action::ALL.into_iter().filter(|it| fold(it.phrase()).contains(&wanted)).collect();
            match by_phrase.as_slice() {
                [one] => Ok(*one),
                _ => Err(unknown(text)),
            }
        }
        several => {
            let names: Vec<String> =
                several.iter().take(6).map(|it| format!("`{}`", in_words(*it))).collect();
            Err(Problem::malformed(format!("`{}` could be {}", shown(text), names.join(", "))))
        }
    }
}

fn unknown(text: &str) -> Problem {
    Problem::malformed(format!("`{}` names no action", shown(text)))
        .hint("say it like `predict`, `read card`, `download weights` or `read logprobs`")
}

fn shown(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(80).collect()
}

/// `downloadWeights` as `download weights`.
pub(crate) fn in_words(action: Action) -> String {
    let mut words = String::new();
    for char in action.as_str().chars() {
        if char.is_ascii_uppercase() {
            words.push(' ');
        }
        words.push(char.to_ascii_lowercase());
    }
    words
}

/// Letters and digits only, so that `Download-Weights`, `download weights` and `downloadWeights` are one.
fn fold(text: &str) -> String {
    text.chars().filter(|char| char.is_ascii_alphanumeric()).map(|char| char.to_ascii_lowercase()).collect()
}

/// Reads a question. Parts are split by `·`, `,` or `;`; without any of these, word by word.
pub(crate) fn read(snapshot: &Snapshot, text: &str) -> Result<CanRequest, Problem> {
    if text.chars().count() > MAX {
        return Err(Problem::malformed(format!("a question has at most {MAX} characters")));
    }
    let parts: Vec<&str> =
        text.split(['·', ',', ';']).map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.len() > 1 { from_parts(snapshot, &parts) } else { from_words(snapshot, text) }
}

#[derive(Default)]
struct Read {
    principal: Option<String>,
    action: Option<Action>,
    resource: Option<String>,
    environment: Option<modelward_decision::vocabulary::Name>,
}

impl Read {
    fn done(self, text: &str) -> Result<CanRequest, Problem> {
        let action = self.action.ok_or_else(|| unknown(text))?;
        let resource = match self.resource {
            Some(resource) => resource,
            None if action.resources().contains(&modelward_decision::vocabulary::ResourceKind::Platform) => {
                "platform".to_owned()
            }
            None => {
                return Err(Problem::malformed("say on which model, version, endpoint or dataset")
                    .hint("for example `predict · fraud`"));
            }
        };
        Ok(CanRequest {
            principal: self.principal,
            action: action.as_str().to_owned(),
            resource,
            environment: self.environment,
            ..CanRequest::default()
        })
    }
}

fn is_thing(snapshot: &Snapshot, word: &str) -> bool {
    crate::names::scope(snapshot, word).is_ok()
}

fn is_somebody(snapshot: &Snapshot, word: &str) -> bool {
    crate::names::principal(snapshot, word).is_ok()
}

/// Each part is what it can be: somebody, an action, a thing, an environment. What names nothing known is taken for
/// the thing asked about, so that the answer comes from the decision point and not from here.
fn from_parts(snapshot: &Snapshot, parts: &[&str]) -> Result<CanRequest, Problem> {
    let mut read = Read::default();
    let mut left: Option<&str> = None;
    for part in parts {
        let words = strip(part);
        if read.principal.is_none() && read.action.is_none() && is_somebody(snapshot, &words) {
            read.principal = Some(words);
        } else if read.action.is_none()
            && let Ok(found) = action(&words)
        {
            read.action = Some(found);
        } else if read.resource.is_none() && is_thing(snapshot, &words) {
            read.resource = Some(words);
        } else if let Some(known) = environment(snapshot, &words) {
            read.environment = Some(known);
        } else if !words.is_empty() && left.replace(part).is_some() {
            return Err(Problem::malformed(format!("`{}` names nothing you may know of", shown(part))));
        }
    }
    match (left, &read.resource) {
        (Some(part), None) if read.action.is_some() => read.resource = Some(strip(part)),
        (Some(part), _) => {
            return Err(Problem::malformed(format!("`{}` names nothing you may know of", shown(part))));
        }
        (None, _) => {}
    }
    read.done(&parts.join(" "))
}

/// A part without the words around it that carry nothing.
fn strip(part: &str) -> String {
    let words: Vec<&str> = part.split_whitespace().collect();
    let first = words.iter().position(|word| !FILLERS.contains(&word.to_ascii_lowercase().as_str()));
    let kept = words.get(first.unwrap_or(words.len())..).unwrap_or_default();
    kept.join(" ").trim_end_matches('?').to_owned()
}

fn environment(snapshot: &Snapshot, word: &str) -> Option<modelward_decision::vocabulary::Name> {
    snapshot.environments().find(|it| it.name.as_str() == word).map(|it| it.name.clone())
}

/// A sentence: what is not somebody, a thing or an environment is the action, in the order it was said.
fn from_words(snapshot: &Snapshot, text: &str) -> Result<CanRequest, Problem> {
    let mut read = Read::default();
    let mut verb: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        let word = word.trim_matches(['?', '.', '!', '"']);
        if word.is_empty() {
            continue;
        }
        let lower = word.to_ascii_lowercase();
        if read.principal.is_none() && verb.is_empty() && is_somebody(snapshot, word) {
            read.principal = Some(word.to_owned());
        } else if read.resource.is_none() && is_thing(snapshot, word) {
            read.resource = Some(word.to_owned());
        } else if let Some(known) = environment(snapshot, word) {
            read.environment = Some(known);
        } else if !FILLERS.contains(&lower.as_str()) {
            verb.push(word);
        }
    }
    // The longest beginning that names an action; a word left over is the thing asked about.
    for length in (1..=verb.len()).rev() {
        let (said, rest) = verb.split_at(length);
        if let Ok(found) = action(&said.join(" ")) {
            read.action = Some(found);
            match (rest, &read.resource) {
                ([], _) => {}
                ([one], None) => read.resource = Some((*one).to_owned()),
                ([first, ..], _) => {
                    return Err(Problem::malformed(format!(
                        "`{}` names nothing you may know of",
                        shown(first)
                    )));
                }
            }
            break;
        }
    }
    read.done(&verb.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_found_by_name_by_words_and_by_an_unmistakable_beginning() {
        for (said, meant) in [
            ("downloadWeights", Action::DownloadWeights),
            ("download weights", Action::DownloadWeights),
            ("Download-Weights", Action::DownloadWeights),
            ("predict", Action::Predict),
            ("read card", Action::ReadCard),
            ("log probabilities", Action::ReadLogprobs),
            ("embed", Action::Embed),
        ] {
            assert_eq!(action(said).map_err(|problem| problem.message), Ok(meant), "{said}");
        }
    }

    #[test]
    fn what_could_be_several_actions_is_asked_back() {
        let problem = action("delete").unwrap_err();
        assert!(problem.message.contains("could be"), "{}", problem.message);
        assert!(action("frobnicate").is_err());
        assert!(action("").is_err());
    }
}
