//! Changes of a resource: RFC 7644 section 3.5.2. All operations are made, or none.
//!
//! Three habits of clients in the wild are met as they are meant: operations in capitals; `remove` with a list of values,
//! which takes away those and not all; and `add` at `emails[type eq "work"].value` where there is no such value yet,
//! which makes it.

use serde_json::Value;

use crate::error::shown;
use crate::filter::{Filter, Lexed, Parser, Scope};
use crate::resource::{self, assigned, complete, fits, is_primary, names_schema, single, syntax};
use crate::schema::{Attribute, Mutability, is_not_kept};
use crate::{Error, ErrorKind, Kind, Object};

/// Operations in one request.
pub const OPERATIONS_MAX: usize = 256;

/// The operations of one request, read but not made.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch(Vec<Operation>);

#[derive(Debug, Clone, PartialEq)]
struct Operation {
    op: Op,
    target: Target,
    value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Replace,
    Remove,
}

/// Where an operation is made.
#[derive(Debug, Clone, PartialEq)]
enum Target {
    At(Place),
    /// An attribute that is not kept: nothing happens.
    Nowhere,
}

#[derive(Debug, Clone, PartialEq)]
struct Place {
    attribute: &'static Attribute,
    /// Which of its values; all of them where there is no filter.
    filter: Option<Filter>,
    part: Option<&'static Attribute>,
}

impl Patch {
    pub const SCHEMA: &'static str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

    /// Reads the body of a PATCH for a resource of this kind.
    pub fn read(kind: Kind, body: &Value) -> Result<Self, Error> {
        let Value::Object(body) = body else { return Err(syntax("a patch is a JSON object")) };
        names_schema(body, Self::SCHEMA)?;
        let operations = member(body, "Operations").and_then(Value::as_array);
        let operations = operations.ok_or_else(|| syntax("`Operations` is missing, or no list"))?;
        if operations.is_empty() || operations.len() > OPERATIONS_MAX {
            return Err(syntax(format!("a patch has 1 to {OPERATIONS_MAX} operations")));
        }
        let mut read = Vec::new();
        for operation in operations {
            Operation::read(kind, operation, &mut read)?;
            // A value without a path is as many operations as it has members.
            if read.len() > OPERATIONS_MAX {
                return Err(syntax(format!("a patch has 1 to {OPERATIONS_MAX} operations")));
            }
        }
        Ok(Self(read))
    }

    /// The resource after all operations.
    pub fn apply(&self, kind: Kind, resource: &Object) -> Result<Object, Error> {
        let mut after = resource.clone();
        for operation in &self.0 {
            if let Target::At(place) = &operation.target {
                operation.make(place, &mut after)?;
            }
        }
        complete(kind, &after)?;
        Ok(after)
    }
}

fn member<'a>(object: &'a Object, wanted: &str) -> Option<&'a Value> {
    object.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
}

impl Operation {
    fn read(kind: Kind, operation: &Value, into: &mut Vec<Self>) -> Result<(), Error> {
        let Value::Object(members) = operation else { return Err(syntax("an operation is a JSON object")) };
        let known = ["op", "path", "value"];
        if let Some(name) =
            members.keys().find(|name| !known.iter().any(|known| known.eq_ignore_ascii_case(name)))
        {
            return Err(syntax(format!("an operation has no `{}`", shown(name))));
        }
        let op = member(members, "op").and_then(Value::as_str).unwrap_or_default();
        let op = match op.to_ascii_lowercase().as_str() {
            "add" => Op::Add,
            "replace" => Op::Replace,
            "remove" => Op::Remove,
            _ => return Err(syntax(format!("`{}` is not add, replace or remove", shown(op)))),
        };
        let value = member(members, "value").cloned().unwrap_or(Value::Null);
        match (member(members, "path"), &value) {
            (Some(Value::String(path)), _) => {
                into.push(Self { op, target: Target::read(kind, path)?, value });
            }
            (None | Some(Value::Null), _) if op == Op::Remove => {
                return Err(Error::new(ErrorKind::NoTarget, "`remove` needs a `path`"));
            }
            (None | Some(Value::Null), Value::Object(members)) => {
                for (path, value) in members.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("schemas"))
                {
                    let target = match Target::read(kind, path)? {
                        // What the server says of a resource often comes back with it.
                        Target::At(place) if place.is_read_only() => Target::Nowhere,
                        target => target,
                    };
                    into.push(Self { op, target, value: value.clone() });
                }
            }
            (None | Some(Value::Null), _) => {
                return Err(Error::new(ErrorKind::InvalidValue, "without `path`, `value` is an object"));
            }
            (Some(_), _) => return Err(Error::new(ErrorKind::InvalidPath, "`path` is text")),
        }
        Ok(())
    }

    fn make(&self, place: &Place, resource: &mut Object) -> Result<(), Error> {
        place.may_be_changed()?;
        let name = place.attribute.name;
        let before = resource.remove(name);
        let after = match (&place.filter, place.part) {
            (None, None) => self.whole(place.attribute, before)?,
            (None, Some(part)) if !place.attribute.is_many => {
                let mut object = before.and_then(into_object).unwrap_or_default();
                self.set_part(part, &mut object)?;
                Some(Value::Object(object))
            }
            (filter, part) => self.values(place.attribute, filter.as_ref(), part, before)?,
        };
        let is_empty = |value: &Value| match value {
            Value::Array(values) => values.is_empty(),
            Value::Object(members) => members.is_empty(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        };
        if let Some(after) = after.filter(|after| !is_empty(after)) {
            resource.insert(name.to_owned(), after);
        }
        Ok(())
    }

    /// At an attribute as a whole.
    fn whole(&self, attribute: &'static Attribute, before: Option<Value>) -> Result<Option<Value>, Error> {
        let value = assigned(attribute, &self.value)?;
        match (self.op, before, value) {
            (Op::Remove, Some(Value::Array(before)), Some(Value::Array(gone))) => {
                let is_gone = |value: &Value| {
                    gone.iter().any(|gone| {
                        gone == value
                            || (gone.get("value").is_some() && gone.get("value") == value.get("value"))
                    })
                };
                Ok(Some(Value::Array(before.into_iter().filter(|value| !is_gone(value)).collect())))
            }
            (Op::Remove, _, _) => Ok(None),
            (Op::Add, Some(Value::Array(before)), Some(Value::Array(more))) => {
                let values = joined(before, more);
                fits(attribute, values.len())?;
                Ok(Some(Value::Array(values)))
            }
            // A set of parts replaces those parts, and no other (RFC 7644 sections 3.5.2.1 and 3.5.2.3).
            (Op::Add | Op::Replace, Some(Value::Object(mut before)), Some(Value::Object(parts))) => {
                before.extend(parts);
                Ok(Some(Value::Object(before)))
            }
            (Op::Add, before, None) => Ok(before),
            (Op::Add | Op::Replace, _, value) => Ok(value),
        }
    }

    /// At some values of an attribute, or at one part of each.
    fn values(
        &self,
        attribute: &'static Attribute,
        filter: Option<&Filter>,
        part: Option<&'static Attribute>,
        before: Option<Value>,
    ) -> Result<Option<Value>, Error> {
        let mut values = match before {
            Some(Value::Array(values)) => values,
            Some(value) => vec![value],
            None => Vec::new(),
        };
        let scope = Scope::Parts(attribute.parts());
        let is_meant = |value: &Value| {
            filter.is_none_or(|filter| value.as_object().is_some_and(|value| filter.passes(&scope, value)))
        };
        if let (Op::Remove, None) = (self.op, part) {
            values.retain(|value| !is_meant(value));
            return Ok(Some(Value::Array(values)));
        }
        let mut meant: Vec<usize> =
            values.iter().enumerate().filter_map(|(place, value)| is_meant(value).then_some(place)).collect();
        if meant.is_empty() && self.op == Op::Add {
            let fresh = filter.and_then(|filter| fresh(filter, &scope));
            let fresh = fresh.ok_or_else(|| no_target(attribute))?;
            meant.push(values.len());
            values.push(Value::Object(fresh));
            fits(attribute, values.len())?;
        }
        if meant.is_empty() && self.op == Op::Replace {
            return Err(no_target(attribute));
        }
        let mut becomes_primary = None;
        for place in meant {
            let Some(Value::Object(object)) = values.get_mut(place) else { continue };
            match part {
                Some(part) => self.set_part(part, object)?,
                None => match single(attribute, &self.value)? {
                    Some(Value::Object(parts)) => object.extend(parts),
                    _ => {
                        return Err(Error::new(
                            ErrorKind::InvalidValue,
                            format!("`{}` needs an object", attribute.name),
                        ));
                    }
                },
            }
            becomes_primary = becomes_primary.or(object
                .get("primary")
                .and_then(Value::as_bool)
                .filter(|is| *is)
                .map(|_| place));
        }
        one_primary(&mut values, becomes_primary);
        values.retain(|value| value.as_object().is_none_or(|value| !value.is_empty()));
        Ok(Some(Value::Array(values)))
    }

    fn set_part(&self, part: &'static Attribute, object: &mut Object) -> Result<(), Error> {
        match (self.op, single(part, &self.value)?) {
            (Op::Remove, _) | (Op::Replace, None) => drop(object.remove(part.name)),
            (Op::Add, None) => {}
            (Op::Add | Op::Replace, Some(value)) => drop(object.insert(part.name.to_owned(), value)),
        }
        Ok(())
    }
}

fn into_object(value: Value) -> Option<Object> {
    match value {
        Value::Object(object) => Some(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

/// Values with further ones, none twice. A primary one among the new takes the place of the one before.
fn joined(mut before: Vec<Value>, more: Vec<Value>) -> Vec<Value> {
    let mut becomes_primary = None;
    for value in more {
        let known = before.iter().position(|known| *known == value);
        let place = known.unwrap_or(before.len());
        if is_primary(&value) {
            becomes_primary = Some(place);
        }
        if known.is_none() {
            before.push(value);
        }
    }
    one_primary(&mut before, becomes_primary);
    before
}

fn one_primary(values: &mut [Value], becomes_primary: Option<usize>) {
    let Some(chosen) = becomes_primary else { return };
    for (place, value) in values.iter_mut().enumerate() {
        if let Some(primary) = value.get_mut("primary").filter(|_| place != chosen) {
            *primary = Value::Bool(false);
        }
    }
}

/// A value that passes a filter made of equalities.
fn fresh(filter: &Filter, scope: &Scope) -> Option<Object> {
    let mut object = Object::new();
    for (attribute, value) in filter.equalities(scope)? {
        object.insert(attribute.name.to_owned(), single(attribute, value).ok()??);
    }
    Some(object)
}

fn no_target(attribute: &Attribute) -> Error {
    Error::new(ErrorKind::NoTarget, format!("no value of `{}` is meant", attribute.name))
}

impl Target {
    fn read(kind: Kind, path: &str) -> Result<Self, Error> {
        let mut parser = Parser::new(path, ErrorKind::InvalidPath)?;
        if is_not_kept(kind, path) {
            return Ok(Self::Nowhere);
        }
        let path = parser.path()?;
        if path.schema.is_none() && path.attribute.eq_ignore_ascii_case("password") {
            return resource::attribute(kind, &path.attribute).map(|_| Self::Nowhere);
        }
        let invalid = |error: Error| Error::new(ErrorKind::InvalidPath, error.detail);
        let attribute = Scope::Of(kind).attribute(&path).map_err(invalid)?;
        let mut filter = None;
        let mut part = path.part.clone();
        if part.is_none() && parser.next_is(&Lexed::OpenSquare) {
            filter = Some(parser.filter()?);
            if !parser.next_is(&Lexed::CloseSquare) {
                return Err(parser.error("`]` is missing"));
            }
            if parser.next_is(&Lexed::Dot) {
                part = Some(parser.word("an attribute")?);
            }
        }
        parser.end()?;
        let Some(attribute) = attribute else { return Ok(Self::Nowhere) };
        if let Some(filter) = &filter {
            if attribute.parts().is_empty() {
                return Err(Error::new(ErrorKind::InvalidPath, format!("`{}` has no parts", attribute.name)));
            }
            filter.check(&Scope::Parts(attribute.parts()))?;
        }
        let part = match part {
            None => None,
            Some(name) => Some(attribute.part(&name).ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidPath,
                    format!("there is no attribute `{}.{}`", attribute.name, shown(&name)),
                )
            })?),
        };
        Ok(Self::At(Place { attribute, filter, part }))
    }
}

impl Place {
    fn is_read_only(&self) -> bool {
        let is = |attribute: &Attribute| attribute.mutability == Mutability::ReadOnly;
        is(self.attribute) || self.part.is_some_and(is)
    }

    fn may_be_changed(&self) -> Result<(), Error> {
        let is_immutable = self.part.is_some_and(|part| part.mutability == Mutability::Immutable);
        if self.is_read_only() || is_immutable {
            let detail =
                format!("`{}` is not a client's to change", self.part.unwrap_or(self.attribute).name);
            return Err(Error::new(ErrorKind::Mutability, detail));
        }
        Ok(())
    }
}
