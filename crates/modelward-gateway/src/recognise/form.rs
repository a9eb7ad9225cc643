//! Forms: which keys a request may have, what kind of value each takes, and what becomes of it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use bytes::Bytes;
use modelward_decision::vocabulary::Field;

use crate::config::Bounds;
use crate::json::{Fault, Kind, Scanner, shown, text_of, write_text};
use crate::refusal::{Reason, Refusal};

/// The body of one route.
#[derive(Debug)]
pub(crate) struct Form {
    pub(super) members: &'static [Member],
    pub(super) required: &'static [&'static str],
}

/// A key of the body.
#[derive(Debug)]
pub(crate) struct Member {
    pub(super) key: &'static str,
    pub(super) shape: Shape,
    pub(super) rule: Rule,
}

/// What a value may be. Objects are closed: a key that is not listed is a fault.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Any JSON value; for values an upstream only ever passes to a model as data.
    Any,
    Null,
    Bool,
    Number,
    /// A whole number with an upper bound.
    Count(Bound),
    Text,
    /// One of these texts.
    Word(&'static [&'static str]),
    /// A text that is a `data:` URL, so that the upstream fetches nothing.
    DataUrl,
    Object(&'static [(&'static str, Self)]),
    List(&'static Self),
    /// Numbers, booleans or texts in lists of lists.
    Tensor,
    /// The first whose kind fits.
    Either(&'static [Self]),
}

/// What becomes of a value.
#[derive(Debug)]
pub(crate) enum Rule {
    /// Forwarded as it came.
    Pass,
    /// Replaced by the name the upstream knows.
    Model,
    /// Taken for the sake of clients that send it, and not forwarded.
    Ignored,
    /// Asks for a sensitive part unless it is one of these literals; forwarded only when the part is held.
    Asks(Field, &'static [&'static str]),
    /// Must be one of these literals, and is not forwarded; anything else would have the effect named.
    Only(&'static [&'static str], &'static str),
    /// A count that has an upper bound.
    AtMost(Bound),
    /// Written anew by the route's own code.
    Rewritten,
    /// A list of extra parts to include, each its own field.
    Include(&'static [(&'static str, Field)]),
}

/// Which configured bound a count has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    Choices,
    Tokens,
    Alternatives,
}

/// A body that fits its form.
#[derive(Debug)]
pub(crate) struct Filled {
    form: &'static Form,
    body: Bytes,
    values: Vec<(usize, Range<usize>)>,
    asks: BTreeSet<Field>,
}

/// What the forwarded body is made with.
#[derive(Debug)]
pub(crate) struct Rewrite<'a> {
    pub(crate) upstream_name: &'a str,
    pub(crate) held: &'a BTreeSet<Field>,
    /// No more alternatives per position than this are asked for.
    pub(crate) alternatives_max: u64,
}

impl Filled {
    /// Reads a body against its form.
    pub(crate) fn read(form: &'static Form, body: Bytes, bounds: &Bounds) -> Result<Self, Refusal> {
        let mut values = Vec::with_capacity(form.members.len().min(8));
        let mut asks = BTreeSet::new();
        let mut scanner = Scanner::new(&body).map_err(|fault| malformed(&fault))?;
        if scanner.peek().map_err(|fault| malformed(&fault))? != Kind::Object {
            return Err(Refusal::new(Reason::Body, "the body must be a JSON object"));
        }
        let read = scanner.object(|scanner, key| {
            let place = form.members.iter().position(|member| member.key == key);
            let Some((place, member)) = place.and_then(|at| form.members.get(at).map(|member| (at, member)))
            else {
                return Err(Reject::Unknown(shown(key)));
            };
            scanner.peek()?;
            let from = scanner.offset();
            let raw = check(&member.shape, scanner, member.key, bounds)?;
            weigh(member, raw, bounds, &mut asks)?;
            values.push((place, from..from.saturating_add(raw.len())));
            Ok(())
        });
        read.and_then(|()| scanner.end().map_err(Reject::from)).map_err(Refusal::from)?;
        let filled = Self { form, values, asks, body };
        for key in form.required {
            if filled.raw(key).is_none() {
                let message = format!("the key `{key}` is missing");
                return Err(Refusal::new(Reason::Body, message).about(*key));
            }
        }
        Ok(filled)
    }

    /// Sensitive parts the keys ask for.
    pub(crate) const fn asks(&self) -> &BTreeSet<Field> {
        &self.asks
    }

    /// The value of a key as it was written.
    pub(crate) fn raw(&self, key: &str) -> Option<&str> {
        let (_, range) = self
            .values
            .iter()
            .find(|(place, _)| self.form.members.get(*place).is_some_and(|member| member.key == key))?;
        std::str::from_utf8(self.body.get(range.clone())?).ok()
    }

    /// The text a key holds.
    pub(crate) fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        text_of(self.raw(key)?)
    }

    pub(crate) fn flag(&self, key: &str) -> bool {
        self.raw(key) == Some("true")
    }

    /// The body for the upstream: known keys, checked values, our model name, and only what is held.
    ///
    /// `rewritten` writes the value of keys with [`Rule::Rewritten`], or nothing to leave the key out.
    pub(crate) fn forwarded(
        &self,
        rewrite: &Rewrite<'_>,
        mut rewritten: impl FnMut(&mut Vec<u8>, &'static str, &str) -> bool,
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len().saturating_add(64));
        out.push(b'{');
        for (place, range) in &self.values {
            let Some(member) = self.form.members.get(*place) else { continue };
            let raw = self.body.get(range.clone()).and_then(|raw| std::str::from_utf8(raw).ok());
            let Some(raw) = raw else { continue };
            let mark = out.len();
            if mark > 1 {
                out.push(b',');
            }
            write_text(&mut out, member.key);
            out.push(b':');
            let keeps = match &member.rule {
                Rule::Pass => true,
                Rule::Model => {
                    write_text(&mut out, rewrite.upstream_name);
                    continue;
                }
                Rule::Ignored | Rule::Only(..) => false,
                Rule::Asks(field, silent) => rewrite.held.contains(field) && !silent.contains(&raw),
                Rule::AtMost(Bound::Alternatives) => {
                    let is_held = rewrite.held.contains(&Field::Logprobs);
                    match raw.parse::<u64>() {
                        Ok(count) if is_held => {
                            let count = count.min(rewrite.alternatives_max);
                            out.extend_from_slice(count.to_string().as_bytes());
                            continue;
                        }
                        // `true` and `null`, in dialects that have them.
                        _ => is_held && raw != "null",
                    }
                }
                Rule::AtMost(Bound::Choices | Bound::Tokens) => true,
                Rule::Rewritten => {
                    if rewritten(&mut out, member.key, raw) {
                        continue;
                    }
                    false
                }
                Rule::Include(known) => {
                    if write_include(&mut out, known, raw, rewrite.held) {
                        continue;
                    }
                    false
                }
            };
            if keeps {
                out.extend_from_slice(raw.as_bytes());
            } else {
                out.truncate(mark);
            }
        }
        out.push(b'}');
        out
    }
}

/// Why a body does not fit.
#[derive(Debug)]
pub(super) enum Reject {
    Fault(Fault),
    Unknown(String),
    Kind(&'static str),
    Refused(&'static str, &'static str),
    TooMany(&'static str, u64),
}

impl From<Fault> for Reject {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Reject> for Refusal {
    fn from(reject: Reject) -> Self {
        match reject {
            Reject::Fault(fault) => malformed(&fault),
            Reject::Unknown(key) => {
                Self::new(Reason::Body, format!("the key `{key}` is not taken here")).about(key)
            }
            Reject::Kind(key) => {
                Self::new(Reason::Body, format!("the value of `{key}` is not of the kind this key takes"))
                    .about(key)
            }
            Reject::Refused(key, why) => Self::new(Reason::Body, format!("`{key}`: {why}")).about(key),
            Reject::TooMany(key, max) => {
                Self::new(Reason::Body, format!("`{key}` is a whole number of at most {max} here")).about(key)
            }
        }
    }
}

fn malformed(fault: &Fault) -> Refusal {
    Refusal::new(Reason::Body, fault.to_string())
}

/// Checks one value against its shape and cuts it out. `top` names the key of the body it stands under.
fn check<'a>(
    shape: &Shape,
    scanner: &mut Scanner<'a>,
    top: &'static str,
    bounds: &Bounds,
) -> Result<&'a str, Reject> {
    let kind = scanner.peek()?;
    if !shape.takes(kind) {
        return Err(Reject::Kind(top));
    }
    match shape {
        Shape::Any | Shape::Null | Shape::Bool | Shape::Number | Shape::Text => Ok(scanner.value()?),
        Shape::Count(bound) => {
            let raw = scanner.value()?;
            let max = bounds.of(*bound);
            if raw.parse::<u64>().is_ok_and(|count| count <= max) {
                Ok(raw)
            } else {
                Err(Reject::TooMany(top, max))
            }
        }
        Shape::Word(words) => {
            let raw = scanner.value()?;
            let is_known = text_of(raw).is_some_and(|text| words.contains(&text.as_ref()));
            if is_known { Ok(raw) } else { Err(Reject::Kind(top)) }
        }
        Shape::DataUrl => {
            let raw = scanner.value()?;
            let is_data = text_of(raw).is_some_and(|text| text.starts_with("data:"));
            let why = "only `data:` URLs are taken; nothing is fetched on a caller's behalf";
            if is_data { Ok(raw) } else { Err(Reject::Refused(top, why)) }
        }
        Shape::Either(shapes) => match shapes.iter().find(|shape| shape.takes(kind)) {
            Some(shape) => check(shape, scanner, top, bounds),
            None => Err(Reject::Kind(top)),
        },
        Shape::Object(members) => scanner.cut_by(|scanner| {
            scanner.object(|scanner, key| {
                let member = members.iter().find(|(known, _)| *known == key);
                let (_, shape) = member.ok_or_else(|| Reject::Unknown(format!("{top}.{}", shown(key))))?;
                check(shape, scanner, top, bounds).map(drop)
            })
        }),
        Shape::List(item) => {
            scanner.cut_by(|scanner| scanner.list(|scanner| check(item, scanner, top, bounds).map(drop)))
        }
        Shape::Tensor => scanner.cut_by(|scanner| tensor(scanner, top)),
    }
}

fn tensor(scanner: &mut Scanner<'_>, top: &'static str) -> Result<(), Reject> {
    scanner.list(|scanner| match scanner.peek()? {
        Kind::List => tensor(scanner, top),
        Kind::Number | Kind::Bool | Kind::Text => Ok(scanner.value().map(drop)?),
        Kind::Null | Kind::Object => Err(Reject::Kind(top)),
    })
}

impl Shape {
    /// Whether a value of this kind can be one.
    fn takes(&self, kind: Kind) -> bool {
        match self {
            Self::Any => true,
            Self::Null => kind == Kind::Null,
            Self::Bool => kind == Kind::Bool,
            Self::Number | Self::Count(_) => kind == Kind::Number,
            Self::Text | Self::Word(_) | Self::DataUrl => kind == Kind::Text,
            Self::Object(_) => kind == Kind::Object,
            Self::List(_) | Self::Tensor => kind == Kind::List,
            Self::Either(shapes) => shapes.iter().any(|shape| shape.takes(kind)),
        }
    }
}

/// What a value asks for, and whether it is within bounds.
fn weigh(member: &Member, raw: &str, bounds: &Bounds, asks: &mut BTreeSet<Field>) -> Result<(), Reject> {
    match &member.rule {
        Rule::Pass | Rule::Model | Rule::Ignored | Rule::Rewritten => {}
        Rule::Asks(field, silent) => {
            if !silent.contains(&raw) {
                asks.insert(*field);
            }
        }
        Rule::Only(literals, why) => {
            if !literals.contains(&raw) {
                return Err(Reject::Refused(member.key, why));
            }
        }
        Rule::AtMost(bound) => {
            let max = bounds.of(*bound);
            let is_silent = raw == "null" || raw == "false";
            let is_flag = raw == "true" && matches!(bound, Bound::Alternatives);
            let is_within = raw.parse::<u64>().is_ok_and(|count| count <= max);
            if !(is_within || is_silent || is_flag) {
                return Err(Reject::TooMany(member.key, max));
            }
            if matches!(bound, Bound::Alternatives) && !is_silent {
                asks.insert(Field::Logprobs);
            }
        }
        Rule::Include(known) => {
            for text in list_of_texts(raw) {
                let named = known.iter().find(|(name, _)| *name == text);
                let (_, field) =
                    named.ok_or_else(|| Reject::Unknown(format!("{}: {}", member.key, shown(&text))))?;
                asks.insert(*field);
            }
        }
    }
    Ok(())
}

/// The texts of a list that was checked to hold nothing else.
fn list_of_texts(raw: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let Ok(mut scanner) = Scanner::new(raw.as_bytes()) else { return texts };
    if scanner.peek() == Ok(Kind::List) {
        let read: Result<(), Fault> = scanner.list(|scanner| {
            texts.extend(text_of(scanner.value()?).map(Cow::into_owned));
            Ok(())
        });
        debug_assert!(read.is_ok(), "the list was checked before");
    }
    texts
}

fn write_include(
    out: &mut Vec<u8>,
    known: &[(&'static str, Field)],
    raw: &str,
    held: &BTreeSet<Field>,
) -> bool {
    let names = list_of_texts(raw);
    let kept: Vec<&str> = known
        .iter()
        .filter(|(name, field)| held.contains(field) && names.iter().any(|asked| asked == name))
        .map(|(name, _)| *name)
        .collect();
    if kept.is_empty() {
        return false;
    }
    out.push(b'[');
    for (place, name) in kept.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write_text(out, name);
    }
    out.push(b']');
    true
}
