//! One setting: where it stands, what it may hold, what it means.

use std::fmt;
use std::marker::PhantomData;

use super::form::{Form, Raw};

/// A key of the configuration whose value is a `T`.
///
/// The path names tables with dots. A `*` stands for a name the operator chooses (`upstreams.*.urls`); such keys
/// have no environment variable, since a variable name cannot spell every name.
pub struct Setting<T> {
    pub path: &'static str,
    pub default: Default,
    pub doc: &'static str,
    pub secret: bool,
    value: PhantomData<fn() -> T>,
}

/// What holds when nobody says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// This text, read as an environment variable would be.
    Text(&'static str),
    /// Nothing; the words say what that means.
    Absent(&'static str),
    /// The key has to be there.
    Required,
}

/// What can be said of a setting without knowing its type.
pub trait AnySetting: Sync {
    fn path(&self) -> &'static str;
    fn default(&self) -> Default;
    fn doc(&self) -> &'static str;
    fn form(&self) -> &'static str;
    fn secret(&self) -> bool;
    fn raw_of(&self, text: &str) -> Raw;
    fn check(&self, raw: &Raw) -> Result<(), String>;
}

impl<T> Setting<T> {
    pub const fn new(path: &'static str, default: Default, doc: &'static str) -> Self {
        Self { path, default, doc, secret: false, value: PhantomData }
    }

    /// A value nobody sees again: not in `config check`, not in a log.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

impl<T: Form> AnySetting for Setting<T> {
    fn path(&self) -> &'static str {
        self.path
    }

    fn default(&self) -> Default {
        self.default
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn form(&self) -> &'static str {
        T::FORM
    }

    fn secret(&self) -> bool {
        self.secret
    }

    fn raw_of(&self, text: &str) -> Raw {
        T::from_variable(text)
    }

    fn check(&self, raw: &Raw) -> Result<(), String> {
        T::read(raw).map(|_| ())
    }
}

impl<T> fmt::Debug for Setting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The environment variable that overrides a key; none for keys below a chosen name.
pub fn variable_of(path: &str) -> Option<String> {
    if path.contains('*') {
        return None;
    }
    Some(format!("{PREFIX}{}", path.replace('.', "_").to_ascii_uppercase()))
}

/// What every environment variable of Modelward starts with.
pub const PREFIX: &str = "MODELWARD_";
