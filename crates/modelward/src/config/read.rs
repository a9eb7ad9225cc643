//! From a file and the environment to values with their origin. Unknown keys and variables are problems.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Environment;
use super::form::{Form, Raw};
use super::problem::{Place, Position, Problem};
use super::setting::{Default, PREFIX, Setting, variable_of};
use super::settings::ALL;

/// The steps from the root of the file to a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Path(Vec<String>);

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File { line: usize, column: usize },
    Variable(String),
}

struct Entry {
    raw: Raw,
    origin: Origin,
    place: Place,
    secret: bool,
}

/// Every value somebody stated or a default states. Each one reads as the type of its setting.
pub struct Effective {
    entries: BTreeMap<Path, Entry>,
}

/// Variables of Modelward that are not settings: the command line reads them.
pub const CLIENT_VARIABLES: [&str; 6] = [
    "MODELWARD_CONFIG",
    "MODELWARD_SERVER",
    "MODELWARD_CA",
    "MODELWARD_DEMO_INFO",
    "MODELWARD_DEMO_UPSTREAM",
    "MODELWARD_DEMO_UPSTREAM_CREDENTIAL",
];

impl Effective {
    /// Reads the text of the file, then the environment over it. Problems are all collected.
    pub fn read(text: &str, environment: &Environment, problems: &mut Vec<Problem>) -> Self {
        let mut effective = Self { entries: BTreeMap::new() };
        match DeTable::parse(text) {
            Ok(table) => effective.read_table(&Path(Vec::new()), table.get_ref(), text, problems),
            Err(error) => problems.push(Problem {
                message: format!("not TOML: {}", error.message()),
                place: Place::File(error.span().unwrap_or(0..0)),
                hint: None,
            }),
        }
        effective.read_environment(environment, problems);
        effective.fill_defaults();
        effective
    }

    fn read_table(&mut self, at: &Path, table: &DeTable<'_>, text: &str, problems: &mut Vec<Problem>) {
        for (key, value) in table {
            let path = at.child(key.get_ref());
            if let DeValue::Table(inner) = value.get_ref()
                && ALL.iter().any(|setting| path.leads_to(setting.path()))
            {
                self.read_table(&path, inner, text, problems);
                continue;
            }
            let Some(setting) = ALL.iter().find(|setting| path.matches(setting.path())) else {
                problems.push(unknown_key(&path, key.span()));
                continue;
            };
            let place = Place::File(value.span());
            match raw(value).and_then(|raw| setting.check(&raw).map(|()| raw)) {
                Ok(raw) => {
                    let Position { line, column, .. } = Position::of(text, key.span().start);
                    let origin = Origin::File { line, column };
                    self.entries.insert(path, Entry { raw, origin, place, secret: setting.secret() });
                }
                Err(why) => problems.push(Problem {
                    message: format!("`{path}` {why}"),
                    place,
                    hint: Some(format!("write {}", a_or_an(setting.form()))),
                }),
            }
        }
    }

    fn read_environment(&mut self, environment: &Environment, problems: &mut Vec<Problem>) {
        for (name, text) in environment.starting_with(PREFIX) {
            if CLIENT_VARIABLES.contains(&name) {
                continue;
            }
            let place = Place::Variable(name.to_owned());
            let Some(setting) =
                ALL.iter().find(|setting| variable_of(setting.path()).as_deref() == Some(name))
            else {
                let known = ALL.iter().filter_map(|setting| variable_of(setting.path()));
                problems.push(Problem {
                    message: format!("unknown environment variable `{name}`"),
                    place,
                    hint: nearest(name, known).map(|near| format!("did you mean `{near}`?")),
                });
                continue;
            };
            let raw = setting.raw_of(text);
            match setting.check(&raw) {
                Ok(()) => {
                    let origin = Origin::Variable(name.to_owned());
                    let entry = Entry { raw, origin, place, secret: setting.secret() };
                    self.entries.insert(Path::of(setting.path()), entry);
                }
                Err(why) => problems.push(Problem {
                    message: format!("`{}` {why}", setting.path()),
                    place,
                    hint: Some(format!("write {}", a_or_an(setting.form()))),
                }),
            }
        }
    }

    fn fill_defaults(&mut self) {
        for setting in ALL {
            let Default::Text(text) = setting.default() else { continue };
            for path in self.instances_of(setting.path()) {
                self.entries.entry(path).or_insert_with(|| Entry {
                    raw: setting.raw_of(text),
                    origin: Origin::Default,
                    place: Place::Nowhere,
                    secret: setting.secret(),
                });
            }
        }
    }

    /// The paths a pattern stands for: itself, or one for each chosen name.
    fn instances_of(&self, pattern: &str) -> Vec<Path> {
        match pattern.split_once(".*.") {
            None => vec![Path::of(pattern)],
            Some((before, after)) => self
                .names_under(before)
                .into_iter()
                .map(|name| Path::of(before).child(&name).child(after))
                .collect(),
        }
    }

    /// The names the operator chose below a table, sorted.
    pub fn names_under(&self, table: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .entries
            .keys()
            .filter(|path| path.0.first().is_some_and(|first| first == table))
            .filter_map(|path| path.0.get(1).cloned())
            .collect();
        names.dedup();
        names
    }

    /// The value of a setting that has a default.
    pub fn value<T: Form>(&self, setting: &Setting<T>) -> Result<T, Problem> {
        self.required(setting, None)
    }

    /// The value of a setting below a chosen name.
    pub fn value_of<T: Form>(&self, setting: &Setting<T>, name: &str) -> Result<T, Problem> {
        self.required(setting, Some(name))
    }

    /// The value of a setting that may be absent.
    pub fn find<T: Form>(&self, setting: &Setting<T>) -> Result<Option<T>, Problem> {
        self.optional(setting, None)
    }

    pub fn find_of<T: Form>(&self, setting: &Setting<T>, name: &str) -> Result<Option<T>, Problem> {
        self.optional(setting, Some(name))
    }

    /// Where the value of a setting stands, to point at it.
    pub fn place<T>(&self, setting: &Setting<T>, name: Option<&str>) -> Place {
        self.entries
            .get(&Path::filled(setting.path, name))
            .map_or(Place::Nowhere, |entry| entry.place.clone())
    }

    fn required<T: Form>(&self, setting: &Setting<T>, name: Option<&str>) -> Result<T, Problem> {
        self.optional(setting, name)?.ok_or_else(|| Problem {
            message: format!("`{}` is missing", Path::filled(setting.path, name)),
            place: Place::Nowhere,
            hint: Some(format!("write {}", a_or_an(T::FORM))),
        })
    }

    fn optional<T: Form>(&self, setting: &Setting<T>, name: Option<&str>) -> Result<Option<T>, Problem> {
        let path = Path::filled(setting.path, name);
        let Some(entry) = self.entries.get(&path) else { return Ok(None) };
        T::read(&entry.raw).map(Some).map_err(|why| Problem {
            message: format!("`{path}` {why}"),
            place: entry.place.clone(),
            hint: None,
        })
    }

    /// Each value with its origin, sorted by path; secrets are replaced.
    pub fn shown(&self) -> impl Iterator<Item = (String, String, &Origin)> {
        self.entries.iter().map(|(path, entry)| {
            let value = if entry.secret { "(hidden)".to_owned() } else { entry.raw.to_string() };
            (path.to_string(), value, &entry.origin)
        })
    }
}

impl fmt::Debug for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.shown().map(|(path, value, _)| (path, value))).finish()
    }
}

fn raw(value: &Spanned<DeValue<'_>>) -> Result<Raw, String> {
    match value.get_ref() {
        DeValue::String(text) => Ok(Raw::Text(text.as_ref().to_owned())),
        DeValue::Boolean(value) => Ok(Raw::Boolean(*value)),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map(Raw::Integer)
            .map_err(|_| "is out of range".to_owned()),
        DeValue::Array(parts) => parts
            .iter()
            .map(|part| match part.get_ref() {
                DeValue::String(text) => Ok(text.as_ref().to_owned()),
                _ => Err("is a list with a part that is not text".to_owned()),
            })
            .collect::<Result<_, _>>()
            .map(Raw::List),
        DeValue::Float(_) => Err("is a number with a fraction".to_owned()),
        DeValue::Datetime(_) => Err("is a date".to_owned()),
        DeValue::Table(_) => Err("is a table".to_owned()),
    }
}

fn unknown_key(path: &Path, span: Range<usize>) -> Problem {
    let known: Vec<&str> = ALL.iter().map(|setting| setting.path()).collect();
    let table_is_known = path.parent().is_some_and(|table| known.iter().any(|known| table.leads_to(known)));
    let candidates = known.iter().filter(|known| {
        // Below a known table, only its own keys are worth proposing.
        !table_is_known
            || path.parent().is_some_and(|table| table.child("").depth() == Path::of(known).depth())
    });
    let near = nearest(&path.to_string(), candidates.map(|known| path.with_names_in(known)));
    Problem {
        message: format!("unknown key `{path}`"),
        place: Place::File(span),
        hint: Some(near.map_or_else(
            || "`modelward config keys` lists every key".to_owned(),
            |near| format!("did you mean `{near}`?"),
        )),
    }
}

/// The candidate with the fewest edits, if it is near enough to be what was meant.
fn nearest(text: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    let bound = (text.len() / 4).clamp(1, 4);
    candidates
        .map(|candidate| (distance(text, &candidate), candidate))
        .filter(|(edits, _)| *edits <= bound)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions and replacements from one text to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, have) in from.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        let mut next = vec![left];
        for (want, above) in to.iter().zip(row.iter().skip(1)) {
            let kept = diagonal + usize::from(have != *want);
            left = kept.min(above + 1).min(left + 1);
            next.push(left);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

fn a_or_an(form: &str) -> String {
    match form.chars().next() {
        Some('`') => form.to_owned(),
        Some('a' | 'e' | 'i' | 'o' | 'u' | 'h') => format!("an {form}"),
        _ => format!("a {form}"),
    }
}

impl Path {
    fn of(pattern: &str) -> Self {
        Self(pattern.split('.').map(str::to_owned).collect())
    }

    /// The pattern with its `*` replaced.
    fn filled(pattern: &str, name: Option<&str>) -> Self {
        let mut path = Self::of(pattern);
        for step in &mut path.0 {
            if let (true, Some(name)) = (step == "*", name) {
                name.clone_into(step);
            }
        }
        path
    }

    fn child(&self, step: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(step.to_owned());
        Self(steps)
    }

    fn parent(&self) -> Option<Self> {
        self.0.split_last().map(|(_, steps)| Self(steps.to_vec()))
    }

    fn depth(&self) -> usize {
        self.0.len()
    }

    fn matches(&self, pattern: &str) -> bool {
        self.depth() == pattern.split('.').count() && self.begins(pattern)
    }

    /// Whether keys of this pattern stand below the path.
    fn leads_to(&self, pattern: &str) -> bool {
        self.depth() < pattern.split('.').count() && self.begins(pattern)
    }

    fn begins(&self, pattern: &str) -> bool {
        self.0.iter().zip(pattern.split('.')).all(|(step, want)| want == "*" || step == want)
    }

    /// A pattern with its `*` replaced by the step this path has there.
    fn with_names_in(&self, pattern: &str) -> String {
        let steps = pattern.split('.').enumerate().map(|(place, want)| match self.0.get(place) {
            Some(step) if want == "*" => step.clone(),
            _ => want.to_owned(),
        });
        Self(steps.collect()).to_string()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(".")?;
            }
            let bare = step.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || b == b'*');
            if bare { f.write_str(step)? } else { write!(f, "{step:?}")? }
        }
        Ok(())
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Integer(value) => value.fmt(f),
            Self::Boolean(value) => value.fmt(f),
            Self::List(parts) => write!(f, "{parts:?}"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { line, column } => write!(f, "file, {line}:{column}"),
            Self::Variable(name) => f.write_str(name),
        }
    }
}
