//! Whom an event is about (RFC 9493, and the complex subjects of the Shared Signals Framework 1.0 section 3).

use serde_json::{Map, Value};

use super::TEXT_MAX;

/// Whom an event is about: several of them together narrow it down to one session, one device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    pub user: Vec<Party>,
    pub session: Vec<Party>,
    pub device: Vec<Party>,
    /// A subject that does not say what it is: the kind of event does.
    pub plain: Vec<Party>,
}

/// One identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Party {
    /// A subject at an issuer.
    IssSub {
        issuer: String,
        subject: String,
    },
    Email(String),
    Opaque(String),
    /// Of a kind by which nobody is known here, such as a telephone number.
    Other,
}

/// Identifiers of one subject at most.
const ALIASES_MAX: usize = 16;

impl Subject {
    /// `None` where it is not written as the standards say.
    pub(super) fn read(value: &Value) -> Option<Self> {
        let members = value.as_object()?;
        let format = members.get("format").map(Value::as_str);
        match format {
            Some(Some("complex")) => Self::complex(members),
            // Of before the format had a name.
            None => Self::complex(members),
            Some(Some(format)) => Some(Self { plain: parties(format, members)?, ..Self::default() }),
            Some(None) => None,
        }
    }

    fn complex(members: &Map<String, Value>) -> Option<Self> {
        let mut subject = Self::default();
        for (name, value) in members {
            if name == "format" {
                continue;
            }
            let inner = value.as_object()?;
            let read = parties(inner.get("format")?.as_str()?, inner)?;
            match name.as_str() {
                "user" => subject.user = read,
                "session" => subject.session = read,
                "device" => subject.device = read,
                // They say of whom else the subject is a part, and take nothing from who it is.
                "application" | "tenant" | "org_unit" | "group" => {}
                _ => return None,
            }
        }
        Some(subject)
    }
}

fn parties(format: &str, members: &Map<String, Value>) -> Option<Vec<Party>> {
    if format != "aliases" {
        return Some(vec![party(format, members)?]);
    }
    let listed = members.get("identifiers")?.as_array()?;
    if listed.is_empty() || listed.len() > ALIASES_MAX {
        return None;
    }
    let one = |value: &Value| {
        let inner = value.as_object()?;
        let format = inner.get("format")?.as_str()?;
        // Aliases of aliases are not allowed (RFC 9493 section 3.2.8).
        if format == "aliases" { None } else { party(format, inner) }
    };
    listed.iter().map(one).collect()
}

fn party(format: &str, members: &Map<String, Value>) -> Option<Party> {
    let text = |name: &str| {
        let text = members.get(name)?.as_str()?;
        (1..=TEXT_MAX).contains(&text.len()).then(|| text.to_owned())
    };
    Some(match format {
        "iss_sub" => Party::IssSub { issuer: text("iss")?, subject: text("sub")? },
        "email" => Party::Email(text("email")?),
        "opaque" => Party::Opaque(text("id")?),
        "account" | "uri" => {
            text("uri")?;
            Party::Other
        }
        "did" => {
            text("url")?;
            Party::Other
        }
        "phone_number" => {
            text("phone_number")?;
            Party::Other
        }
        "jwt_id" => {
            text("iss")?;
            text("jti")?;
            Party::Other
        }
        "saml_assertion_id" => {
            text("issuer")?;
            text("assertion_id")?;
            Party::Other
        }
        "ip-addresses" => Party::Other,
        _ => return None,
    })
}
