//! Every route of every protocol we know, with what it means and whether it is let through.
//!
//! Default deny: what no row matches is refused as unknown, and a row is a decision somebody took. The tables are
//! data so that they can be reviewed, rendered (`docs/reference/routes.md`) and walked by tests.

mod open_inference;
mod openai;

use std::borrow::Cow;
use std::collections::BTreeSet;

use http::Method;
use modelward_decision::inventory::Protocol;
use modelward_decision::vocabulary::{Action, Privilege};

/// One row: a method and a path template below `/{endpoint}`.
#[derive(Debug)]
pub struct Route {
    /// A stable name, for metrics and the ledger.
    pub id: &'static str,
    pub protocol: Protocol,
    pub method: Verb,
    /// `{name}` takes one segment, `{rest*}` takes all that follow, at least one.
    pub path: &'static str,
    pub class: Class,
    pub verdict: Verdict,
    /// Why it is denied, or what is done to it on its way.
    pub note: &'static str,
}

/// What a route lays bare, in the classes of the protocol study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    Public,
    Read,
    Infer,
    Sensitive,
    ExportData,
    Registry,
    Deploy,
    Train,
    Administer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Allow {
        /// The action that is decided; where several stand, the first that is allowed.
        actions: &'static [Action],
        release: Release,
        call: Call,
    },
    /// Refused whatever anybody was granted.
    Deny,
}

/// When the record must be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Nothing of the caller's or of a model's is touched.
    Unrecorded,
    /// Effect-free: queued before anything is forwarded, durable before anything is answered.
    R1,
}

/// How an allowed route is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    InferenceLive,
    InferenceReady,
    InferenceServer,
    InferenceModels,
    InferenceIndex,
    InferenceModel,
    InferenceModelReady,
    Infer,
    Generate,
    GenerateStream,
    ChatCompletions,
    Completions,
    Responses,
    Embeddings,
    Models,
    Model,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Get,
    Post,
    Delete,
    /// Whatever the method.
    Any,
}

/// A row and what its template took out of the path.
#[derive(Debug)]
pub(crate) struct Match<'p> {
    pub(crate) route: &'static Route,
    pub(crate) model: Option<&'p str>,
    pub(crate) version: Option<&'p str>,
}

/// The row of a request; none means the route is unknown and so denied. `segments` stand below the endpoint.
pub(crate) fn find<'p>(
    protocol: Protocol,
    method: &Method,
    segments: &'p [Cow<'_, str>],
) -> Option<Match<'p>> {
    table(protocol)
        .iter()
        .filter(|route| route.method.takes(method))
        .find_map(|route| match_path(route, segments))
}

const PROTOCOLS: [Protocol; 2] = [Protocol::OpenInference, Protocol::OpenAi];

/// What a credential has to be good for at most to take this route: the privileges of the actions it may be decided as,
/// and those of what can be asked for beside them. Empty for a route nobody knows.
///
/// For clients that choose a token by where they send it.
pub fn privileges(method: &Method, path: &str) -> BTreeSet<Privilege> {
    let below: Vec<Cow<'_, str>> = path.split('/').skip(2).map(Cow::Borrowed).collect();
    let allowed = |protocol| match find(protocol, method, &below)?.route.verdict {
        Verdict::Allow { actions, .. } => Some(actions),
        Verdict::Deny => None,
    };
    let Some(actions) = PROTOCOLS.into_iter().find_map(allowed) else { return BTreeSet::new() };
    let mut privileges: BTreeSet<Privilege> = actions.iter().map(|action| action.privilege()).collect();
    if privileges.contains(&Privilege::ReadOnly) {
        // Lists hold what one may use, too.
        privileges.insert(Privilege::Inference);
    }
    if privileges.contains(&Privilege::Inference) {
        // Scores beside an answer are asked for in the body.
        privileges.insert(Privilege::InferenceSensitive);
    }
    privileges
}

/// All rows of a protocol, the busiest first.
pub const fn table(protocol: Protocol) -> &'static [Route] {
    match protocol {
        Protocol::OpenInference => open_inference::ROUTES,
        Protocol::OpenAi => openai::ROUTES,
    }
}

fn match_path<'p>(route: &'static Route, segments: &'p [Cow<'_, str>]) -> Option<Match<'p>> {
    let mut found = Match { route, model: None, version: None };
    let mut left = segments.iter();
    for pattern in route.path.split('/').skip(1) {
        let segment: &str = left.next()?.as_ref();
        let Some(open) = pattern.strip_prefix('{') else {
            if segment != pattern {
                return None;
            }
            continue;
        };
        let (name, suffix) = open.split_once('}').unwrap_or((open, ""));
        if name == "rest*" {
            return Some(found);
        }
        let value = segment.strip_suffix(suffix).filter(|value| !value.is_empty())?;
        match name {
            "model" => found.model = Some(value),
            "version" => found.version = Some(value),
            _ => {}
        }
    }
    if left.next().is_some() { None } else { Some(found) }
}

/// The tables as a page, one section per protocol.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Routes\n\nGenerated from the gateway's route tables; a test keeps it true. Paths stand below \
         `/{endpoint}`. A request that matches no row is refused.\n\nClasses: P public, R read, I infer, S \
         sensitive inference, XD data export, W registry, D deploy, T train, A administer.\n\nRelease: R1 is \
         recorded before anything is forwarded and durable before anything is answered.\n",
    );
    for protocol in [Protocol::OpenInference, Protocol::OpenAi] {
        let title = match protocol {
            Protocol::OpenInference => "Open Inference Protocol v2 over REST",
            Protocol::OpenAi => "OpenAI-compatible HTTP API",
        };
        let rows = table(protocol);
        let allowed = rows.iter().filter(|route| route.is_allowed()).count();
        page.push_str(&format!(
            "\n## {title}\n\n{allowed} rows allowed, {} denied.\n\n\
             | method | path | class | verdict | action | release | note | id |\n|-|-|-|-|-|-|-|-|\n",
            rows.len() - allowed
        ));
        for route in rows {
            let (verdict, actions, release) = match route.verdict {
                Verdict::Deny => ("deny", String::new(), ""),
                Verdict::Allow { actions, release, .. } => {
                    let names: Vec<_> =
                        actions.iter().map(|action| format!("`{}`", action.as_str())).collect();
                    ("allow", names.join(" or "), release.as_str())
                }
            };
            page.push_str(&format!(
                "| {} | `{}` | {} | {verdict} | {actions} | {release} | {} | `{}` |\n",
                route.method.as_str(),
                route.path,
                route.class.as_str(),
                route.note,
                route.id,
            ));
        }
    }
    page
}

impl Route {
    pub const fn is_allowed(&self) -> bool {
        matches!(self.verdict, Verdict::Allow { .. })
    }

    const fn allow(
        id: &'static str,
        protocol: Protocol,
        (method, path): (Verb, &'static str),
        class: Class,
        (actions, call): (&'static [Action], Call),
        note: &'static str,
    ) -> Self {
        let release = if actions.is_empty() { Release::Unrecorded } else { Release::R1 };
        Self { id, protocol, method, path, class, verdict: Verdict::Allow { actions, release, call }, note }
    }

    const fn deny(
        id: &'static str,
        protocol: Protocol,
        (method, path): (Verb, &'static str),
        class: Class,
        note: &'static str,
    ) -> Self {
        Self { id, protocol, method, path, class, verdict: Verdict::Deny, note }
    }
}

impl Verb {
    fn takes(self, method: &Method) -> bool {
        match self {
            Self::Get => method == Method::GET,
            Self::Post => method == Method::POST,
            Self::Delete => method == Method::DELETE,
            Self::Any => true,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Any => "any",
        }
    }
}

impl Class {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "P",
            Self::Read => "R",
            Self::Infer => "I",
            Self::Sensitive => "S",
            Self::ExportData => "XD",
            Self::Registry => "W",
            Self::Deploy => "D",
            Self::Train => "T",
            Self::Administer => "A",
        }
    }
}

impl Release {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unrecorded => "none",
            Self::R1 => "R1",
        }
    }
}

impl Call {
    /// Whether the route takes a JSON body.
    pub(crate) const fn takes_body(self) -> bool {
        match self {
            Self::InferenceLive
            | Self::InferenceReady
            | Self::InferenceServer
            | Self::InferenceModels
            | Self::InferenceModel
            | Self::InferenceModelReady
            | Self::Models
            | Self::Model => false,
            Self::InferenceIndex
            | Self::Infer
            | Self::Generate
            | Self::GenerateStream
            | Self::ChatCompletions
            | Self::Completions
            | Self::Responses
            | Self::Embeddings => true,
        }
    }
}

#[cfg(test)]
mod tests;
