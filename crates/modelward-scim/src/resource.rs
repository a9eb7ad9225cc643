//! A resource as a client sends it: RFC 7643 section 2, RFC 7644 sections 3.3 and 3.5.1.

use serde_json::Value;

use crate::error::shown;
use crate::filter::boolean;
use crate::schema::{Attribute, Form, Mutability, is_not_kept};
use crate::{Error, ErrorKind, Kind, Object};

/// Characters of one text.
pub const TEXT_MAX: usize = 1024;
/// Values of an attribute, and people of a group.
pub const VALUES_MAX: usize = 64;
pub const MEMBERS_MAX: usize = 8000;

/// Reads the body of a POST or PUT: canonical names, only what is kept, nothing the server has to say.
pub fn read(kind: Kind, body: &Value) -> Result<Object, Error> {
    let Value::Object(body) = body else { return Err(syntax("a resource is a JSON object")) };
    names_schema(body, kind.schema())?;
    let mut resource = Object::new();
    for (name, value) in body {
        if name.eq_ignore_ascii_case("schemas") {
            continue;
        }
        let Some(attribute) = attribute(kind, name)? else { continue };
        if attribute.mutability == Mutability::ReadOnly {
            continue;
        }
        if let Some(value) = assigned(attribute, value)?
            && resource.insert(attribute.name.to_owned(), value).is_some()
        {
            return Err(syntax(format!("`{}` stands there twice", attribute.name)));
        }
    }
    complete(kind, &resource)?;
    Ok(resource)
}

/// The attribute of this name; nothing for one that is accepted and not kept.
pub(crate) fn attribute(kind: Kind, name: &str) -> Result<Option<&'static Attribute>, Error> {
    let own = name.rsplit_once(':').filter(|(schema, _)| schema.eq_ignore_ascii_case(kind.schema()));
    match kind.attribute(own.map_or(name, |(_, name)| name)) {
        Some(attribute) => Ok(Some(attribute)),
        None if is_not_kept(kind, name) => Ok(None),
        None if name.eq_ignore_ascii_case("password") => {
            Err(Error::new(ErrorKind::InvalidValue, "no password is taken: people sign in at their issuer"))
        }
        None => Err(syntax(format!("there is no attribute `{}`", shown(name)))),
    }
}

/// Whether a body says that it is of this schema.
pub(crate) fn names_schema(body: &Object, schema: &str) -> Result<(), Error> {
    let named = body.iter().find(|(name, _)| name.eq_ignore_ascii_case("schemas")).map(|(_, value)| value);
    let is_there = named.and_then(Value::as_array).is_some_and(|named| {
        named.iter().filter_map(Value::as_str).any(|one| one.eq_ignore_ascii_case(schema))
    });
    if is_there { Ok(()) } else { Err(syntax(format!("`schemas` does not name `{schema}`"))) }
}

/// What is required is there.
pub(crate) fn complete(kind: Kind, resource: &Object) -> Result<(), Error> {
    for attribute in kind.attributes().iter().filter(|attribute| attribute.is_required) {
        let is_there =
            resource.get(attribute.name).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
        if !is_there {
            return Err(Error::new(ErrorKind::InvalidValue, format!("`{}` is required", attribute.name)));
        }
    }
    Ok(())
}

/// A whole value of an attribute; nothing where it is unassigned (RFC 7643 section 2.5).
pub(crate) fn assigned(attribute: &'static Attribute, value: &Value) -> Result<Option<Value>, Error> {
    if !attribute.is_many {
        return single(attribute, value);
    }
    let one = std::slice::from_ref(value);
    let values = match value {
        Value::Null => return Ok(None),
        Value::Array(values) => values.as_slice(),
        // One value without its brackets: some clients leave them out.
        Value::Object(_) => one,
        Value::String(_) | Value::Bool(_) | Value::Number(_) => return Err(not_of(attribute, "a list")),
    };
    let mut read: Vec<Value> = Vec::with_capacity(values.len().min(VALUES_MAX));
    for value in values {
        if let Some(value) = single(attribute, value)?
            && !read.contains(&value)
        {
            read.push(value);
        }
        fits(attribute, read.len())?;
    }
    if primaries(&read) > 1 {
        return Err(Error::new(
            ErrorKind::InvalidValue,
            format!("`{}` has two primary values", attribute.name),
        ));
    }
    Ok(if read.is_empty() { None } else { Some(Value::Array(read)) })
}

/// An attribute has no more values than it may have.
pub(crate) fn fits(attribute: &Attribute, values: usize) -> Result<(), Error> {
    let max = if attribute.name == "members" { MEMBERS_MAX } else { VALUES_MAX };
    if values <= max {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidValue, format!("`{}` has more than {max} values", attribute.name)))
}

pub(crate) fn primaries(values: &[Value]) -> usize {
    values.iter().filter(|value| is_primary(value)).count()
}

pub(crate) fn is_primary(value: &Value) -> bool {
    value.get("primary").and_then(Value::as_bool).unwrap_or(false)
}

/// One value of an attribute.
pub(crate) fn single(attribute: &'static Attribute, value: &Value) -> Result<Option<Value>, Error> {
    match (&attribute.form, value) {
        (_, Value::Null) => Ok(None),
        (Form::Text | Form::DateTime | Form::Reference(_), Value::String(text)) => {
            if text.chars().count() > TEXT_MAX || text.chars().any(char::is_control) {
                return Err(not_of(attribute, &format!("text of at most {TEXT_MAX} printable characters")));
            }
            Ok(if text.is_empty() { None } else { Some(Value::String(text.clone())) })
        }
        (Form::Text | Form::DateTime | Form::Reference(_), _) => Err(not_of(attribute, "text")),
        (Form::Boolean, value) => boolean(value)
            .map(|value| Some(Value::Bool(value)))
            .ok_or_else(|| not_of(attribute, "true or false")),
        (Form::Complex(_), Value::Object(members)) => {
            let mut read = Object::new();
            for (name, value) in members {
                let Some(part) = attribute.part(name) else {
                    return Err(syntax(format!(
                        "there is no attribute `{}.{}`",
                        attribute.name,
                        shown(name)
                    )));
                };
                if part.mutability == Mutability::ReadOnly {
                    continue;
                }
                if let Some(value) = single(part, value)? {
                    read.insert(part.name.to_owned(), value);
                }
            }
            Ok(if read.is_empty() { None } else { Some(Value::Object(read)) })
        }
        (Form::Complex(_), _) => Err(not_of(attribute, "an object")),
    }
}

fn not_of(attribute: &Attribute, what: &str) -> Error {
    Error::new(ErrorKind::InvalidValue, format!("`{}` is {what}", attribute.name))
}

pub(crate) fn syntax(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidSyntax, detail)
}
