//! What a client asks to see: filter, order, page and attributes (RFC 7644 sections 3.4.2 and 3.9).

use std::cmp::Ordering;

use serde_json::{Value, json};

use crate::error::shown;
use crate::filter::{Filter, Path, Scope};
use crate::resource::{names_schema, syntax};
use crate::{Error, ErrorKind, Kind, Object};

/// Resources in one answer at most, and unless asked otherwise.
pub const COUNT_MAX: usize = 200;
const COUNT: usize = 100;
/// Names in `attributes` or `excludedAttributes`.
const NAMES_MAX: usize = 64;

/// A query for resources of some kinds.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    kinds: Vec<Kind>,
    filter: Option<Filter>,
    sort_by: Option<Path>,
    descending: bool,
    /// From one on.
    start: usize,
    count: usize,
    view: View,
}

/// Which attributes of a resource are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum View {
    #[default]
    Whole,
    Only(Vec<Path>),
    Without(Vec<Path>),
}

impl Query {
    pub const SCHEMA: &'static str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
    const LIST: &'static str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

    /// Of the parameters of an address.
    pub fn of_parameters(kinds: &[Kind], parameters: &[(String, String)]) -> Result<Self, Error> {
        let mut given = Given::default();
        for (name, value) in parameters {
            given.take(name, value)?;
        }
        given.query(kinds)
    }

    /// Of the body of a POST to `.search`.
    pub fn of_body(kinds: &[Kind], body: &Value) -> Result<Self, Error> {
        let Value::Object(body) = body else { return Err(syntax("a search is a JSON object")) };
        names_schema(body, Self::SCHEMA)?;
        let mut given = Given::default();
        for (name, value) in body {
            match value {
                _ if name.eq_ignore_ascii_case("schemas") => {}
                Value::Null => {}
                Value::String(text) => given.take(name, text)?,
                Value::Number(number) => given.take(name, &number.to_string())?,
                Value::Array(names) => {
                    let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
                    given.take(name, &names.ok_or_else(|| wrong(name))?.join(","))?;
                }
                Value::Bool(_) | Value::Object(_) => return Err(wrong(name)),
            }
        }
        given.query(kinds)
    }

    pub const fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }

    /// Picks, orders and shows; `resources` are whole, in the order they were made.
    pub fn answer(&self, resources: Vec<(Kind, Object)>) -> Value {
        let passes = |(kind, resource): &(Kind, Object)| {
            self.kinds.contains(kind)
                && self.filter.as_ref().is_none_or(|filter| filter.matches(*kind, resource))
        };
        let mut found: Vec<(Kind, Object)> = resources.into_iter().filter(passes).collect();
        if let Some(path) = &self.sort_by {
            let key = |(kind, resource): &(Kind, Object)| sort_key(*kind, resource, path);
            found.sort_by_cached_key(|found| Sorted { key: key(found), descending: self.descending });
        }
        let total = found.len();
        let page: Vec<Value> = found
            .into_iter()
            .skip(self.start.saturating_sub(1))
            .take(self.count)
            .map(|(kind, resource)| Value::Object(self.view.show(kind, resource)))
            .collect();
        json!({
            "schemas": [Self::LIST],
            "totalResults": total,
            "startIndex": self.start,
            "itemsPerPage": page.len(),
            "Resources": page,
        })
    }
}

/// Lists everything there is of something, such as schemas.
pub fn list(resources: &[Value]) -> Value {
    json!({
        "schemas": [Query::LIST],
        "totalResults": resources.len(),
        "startIndex": 1,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

/// Parameters as they came, each at most once.
#[derive(Debug, Default)]
struct Given {
    filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
    attributes: Option<String>,
    excluded: Option<String>,
}

impl Given {
    fn take(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let place = match name.to_ascii_lowercase().as_str() {
            "filter" => &mut self.filter,
            "sortby" => &mut self.sort_by,
            "sortorder" => &mut self.sort_order,
            "startindex" => &mut self.start_index,
            "count" => &mut self.count,
            "attributes" => &mut self.attributes,
            "excludedattributes" => &mut self.excluded,
            _ => return Err(syntax(format!("there is no parameter `{}`", shown(name)))),
        };
        if place.is_some() {
            return Err(syntax(format!("`{}` stands there twice", shown(name))));
        }
        if !value.is_empty() {
            *place = Some(value.to_owned());
        }
        Ok(())
    }

    fn query(self, kinds: &[Kind]) -> Result<Query, Error> {
        let number = |name: &str, text: Option<String>| {
            text.map(|text| text.parse::<i64>().map_err(|_| wrong(name))).transpose()
        };
        let start = number("startIndex", self.start_index)?.unwrap_or(1).max(1);
        let count =
            number("count", self.count)?.map_or(COUNT, |count| usize::try_from(count.max(0)).unwrap_or(0));
        let descending = match self.sort_order.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("ascending") => false,
            Some("descending") => true,
            Some(_) => return Err(wrong("sortOrder")),
        };
        let sort_by = self.sort_by.map(|text| sort_path(kinds, &text)).transpose()?;
        Ok(Query {
            kinds: kinds.to_vec(),
            filter: self.filter.map(|text| Filter::read(&text, kinds)).transpose()?,
            sort_by,
            descending,
            start: usize::try_from(start).unwrap_or(usize::MAX),
            count: count.min(COUNT_MAX),
            view: view(self.attributes.as_deref(), self.excluded.as_deref())?,
        })
    }
}

impl View {
    /// Of the parameters of an address of one resource.
    pub fn of_parameters(parameters: &[(String, String)]) -> Result<Self, Error> {
        let mut given = Given::default();
        for (name, value) in parameters {
            given.take(name, value)?;
        }
        if let Given {
            filter: None, sort_by: None, sort_order: None, start_index: None, count: None, ..
        } = &given
        {
            return view(given.attributes.as_deref(), given.excluded.as_deref());
        }
        Err(syntax("one resource takes `attributes` or `excludedAttributes` and nothing else"))
    }

    /// The resource as it is shown. Its id and its schemas always are (RFC 7643 section 7).
    pub fn show(&self, kind: Kind, resource: Object) -> Object {
        match self {
            Self::Whole => resource,
            Self::Only(paths) => {
                let mut shown = Object::new();
                for name in ["schemas", "id"] {
                    shown.extend(resource.get(name).map(|value| (name.to_owned(), value.clone())));
                }
                for (name, value) in resource {
                    let kept = keep(kind, paths, &name, value, true);
                    shown.extend(kept.map(|value| (name, value)));
                }
                shown
            }
            Self::Without(paths) => resource
                .into_iter()
                .filter_map(|(name, value)| {
                    if matches!(name.as_str(), "schemas" | "id") {
                        return Some((name, value));
                    }
                    let kept = keep(kind, paths, &name, value, false);
                    kept.map(|value| (name, value))
                })
                .collect(),
        }
    }
}

/// What is left of an attribute when only what is named is kept, or only what is not.
fn keep(kind: Kind, paths: &[Path], name: &str, value: Value, named: bool) -> Option<Value> {
    let about = paths.iter().filter(|path| {
        let of_schema = path.schema.as_ref().is_none_or(|schema| schema.eq_ignore_ascii_case(kind.schema()));
        of_schema && path.attribute.eq_ignore_ascii_case(name)
    });
    let about: Vec<&Path> = about.collect();
    if about.iter().any(|path| path.part.is_none()) {
        return named.then_some(value);
    }
    if about.is_empty() {
        return (!named).then_some(value);
    }
    let is_named = |part: &str| {
        about.iter().any(|path| path.part.as_ref().is_some_and(|it| it.eq_ignore_ascii_case(part)))
    };
    let pick = |value: Value| match value {
        Value::Object(parts) => {
            let parts: Object = parts.into_iter().filter(|(part, _)| is_named(part) == named).collect();
            (!parts.is_empty()).then_some(Value::Object(parts))
        }
        other => (!named).then_some(other),
    };
    match value {
        Value::Array(values) => {
            let values: Vec<Value> = values.into_iter().filter_map(pick).collect();
            (!values.is_empty()).then_some(Value::Array(values))
        }
        value => pick(value),
    }
}

fn view(attributes: Option<&str>, excluded: Option<&str>) -> Result<View, Error> {
    match (attributes, excluded) {
        (None, None) => Ok(View::Whole),
        (Some(names), None) => Ok(View::Only(paths(names)?)),
        (None, Some(names)) => Ok(View::Without(paths(names)?)),
        (Some(_), Some(_)) => Err(syntax("`attributes` and `excludedAttributes` exclude each other")),
    }
}

fn paths(names: &str) -> Result<Vec<Path>, Error> {
    if names.split(',').count() > NAMES_MAX {
        return Err(syntax(format!("more than {NAMES_MAX} attributes")));
    }
    let read = |name: &str| {
        Path::read(name.trim()).ok_or_else(|| syntax(format!("`{}` is not an attribute", shown(name))))
    };
    names.split(',').filter(|name| !name.trim().is_empty()).map(read).collect()
}

fn sort_path(kinds: &[Kind], text: &str) -> Result<Path, Error> {
    let unknown =
        || Error::new(ErrorKind::InvalidPath, format!("there is no attribute `{}` to sort by", shown(text)));
    let path = Path::read(text).ok_or_else(unknown)?;
    let is_known = |kind: &Kind| match Scope::Of(*kind).attribute(&path) {
        Ok(Some(attribute)) => path.part.as_ref().is_none_or(|part| attribute.part(part).is_some()),
        Ok(None) | Err(_) => false,
    };
    if kinds.iter().any(is_known) { Ok(path) } else { Err(unknown()) }
}

/// What a resource is sorted by: of many values the primary one, or else the first (RFC 7644 section 3.4.2.3).
fn sort_key(kind: Kind, resource: &Object, path: &Path) -> Option<String> {
    let attribute = Scope::Of(kind).attribute(path).ok()??;
    let value = resource.get(attribute.name)?;
    let value = match value {
        Value::Array(values) => {
            values.iter().find(|value| crate::resource::is_primary(value)).or_else(|| values.first())?
        }
        value => value,
    };
    let (attribute, value) = match (&path.part, value) {
        (Some(part), Value::Object(parts)) => {
            let part = attribute.part(part)?;
            (part, parts.get(part.name)?)
        }
        (None, Value::Object(parts)) => (attribute, parts.get("value")?),
        (_, value) => (attribute, value),
    };
    match value {
        Value::String(text) if attribute.is_case_exact => Some(text.clone()),
        Value::String(text) => Some(text.to_lowercase()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whoever has no value comes last in ascending order, and first in descending (RFC 7644 section 3.4.2.3).
#[derive(PartialEq, Eq)]
struct Sorted {
    key: Option<String>,
    descending: bool,
}

impl Ord for Sorted {
    fn cmp(&self, other: &Self) -> Ordering {
        let ascending = match (&self.key, &other.key) {
            (Some(one), Some(other)) => one.cmp(other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        if self.descending { ascending.reverse() } else { ascending }
    }
}

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn wrong(name: &str) -> Error {
    Error::new(ErrorKind::InvalidValue, format!("`{}` has no such value", shown(name)))
}
