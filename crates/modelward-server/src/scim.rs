//! The provisioning protocol under `/scim/v2` (RFC 7644): a source of people elsewhere says who comes, who changes and
//! who goes.
//!
//! A client is no principal and is given no permit: like a notice of a sign-out, what it says counts because an
//! administrator let it, for the people of one issuer and for nothing else. It gives no right: its groups are input to the
//! reviewed mapping of the policy bundle. What it takes away is in force when it is answered.

mod answer;
mod breaker;
mod door;
mod effect;
mod groups;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query as Parameters, State};
use axum::response::Response;
use axum::routing::any;
use http::{Method, Request};
use modelward_scim::query::{self, Query, View};
use modelward_scim::{Error, Kind, discovery};
use serde_json::Value;

use self::answer::{Answered, Refusal};
use self::door::Source;
use crate::api::Plane;
use crate::control::ControlPlane;
use crate::http::Incoming;

pub(crate) use breaker::{PASS, WINDOW};

/// Most a request can carry: a group with all its members.
const BODY_MAX: usize = 2 * 1024 * 1024;

pub(crate) fn router() -> Router<Plane> {
    Router::new()
        .route("/scim/v2", any(base))
        .route("/scim/v2/", any(base))
        .route("/scim/v2/{*path}", any(below))
}

async fn base(State(plane): State<Plane>, request: Request<Body>) -> Response {
    answer(&plane, "", request).await
}

async fn below(State(plane): State<Plane>, Path(path): Path<String>, request: Request<Body>) -> Response {
    answer(&plane, &path, request).await
}

async fn answer(plane: &Plane, path: &str, request: Request<Body>) -> Response {
    match serve(plane, path, request).await {
        Ok(answered) => answered.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// What an address stands for.
enum Place<'a> {
    Config,
    ResourceTypes(Option<&'a str>),
    Schemas(Option<&'a str>),
    All(Kind),
    One(Kind, &'a str),
    Search(&'static [Kind]),
}

impl<'a> Place<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        let (first, second) = (segments.next(), segments.next());
        if segments.next().is_some() {
            return None;
        }
        let kind = |name: &str| Kind::ALL.into_iter().find(|kind| kind.endpoint() == name);
        Some(match (first?, second) {
            ("ServiceProviderConfig", None) => Self::Config,
            ("ResourceTypes", id) => Self::ResourceTypes(id),
            ("Schemas", id) => Self::Schemas(id),
            (".search", None) => Self::Search(&Kind::ALL),
            (name, Some(".search")) => match kind(name)? {
                Kind::User => Self::Search(&[Kind::User]),
                Kind::Group => Self::Search(&[Kind::Group]),
            },
            (name, None) => Self::All(kind(name)?),
            (name, Some(id)) => Self::One(kind(name)?, id),
        })
    }
}

/// A request with who sent it.
struct Asked<'a> {
    plane: &'a Arc<ControlPlane>,
    source: Source,
    incoming: Incoming,
}

async fn serve(plane: &Plane, path: &str, request: Request<Body>) -> Result<Answered, Refusal> {
    let incoming = Incoming::read(plane, request, BODY_MAX).await?;
    let source = door::enter(plane, &incoming).await?;
    let asked = Asked { plane, source, incoming };
    let Some(place) = Place::of(path) else {
        return Err(Error::status(404, "there is nothing at this address").into());
    };
    match place {
        Place::Config | Place::ResourceTypes(_) | Place::Schemas(_) => asked.discover(&place),
        Place::Search(kinds) => asked.search(kinds).await,
        Place::All(kind) => asked.all(kind).await,
        Place::One(kind, id) => asked.one(kind, id).await,
    }
}

impl Asked<'_> {
    fn method(&self) -> &Method {
        &self.incoming.parts.method
    }

    fn parameters(&self) -> Result<Vec<(String, String)>, Refusal> {
        Parameters::try_from_uri(&self.incoming.parts.uri)
            .map(|Parameters(parameters)| parameters)
            .map_err(|_| Error::status(400, "the parameters cannot be read").into())
    }

    fn view(&self) -> Result<View, Refusal> {
        Ok(View::of_parameters(&self.parameters()?)?)
    }

    fn body(&self) -> Result<Value, Refusal> {
        answer::body(&self.incoming)
    }

    fn discover(&self, place: &Place<'_>) -> Result<Answered, Refusal> {
        if *self.method() != Method::GET {
            return Err(wrong_method());
        }
        let base = &self.source.base;
        let known = |id: &str, of: fn(Kind) -> &'static str| {
            let kind = Kind::ALL.into_iter().find(|kind| of(*kind) == id);
            kind.ok_or_else(|| Refusal::from(Error::status(404, "there is no such resource")))
        };
        let value = match place {
            Place::ResourceTypes(None) => {
                query::list(&Kind::ALL.map(|kind| discovery::resource_type(kind, base)))
            }
            Place::ResourceTypes(Some(id)) => discovery::resource_type(known(id, Kind::as_str)?, base),
            Place::Schemas(None) => query::list(&Kind::ALL.map(|kind| discovery::schema(kind, base))),
            Place::Schemas(Some(id)) => discovery::schema(known(id, Kind::schema)?, base),
            Place::Config | Place::All(_) | Place::One(..) | Place::Search(_) => {
                discovery::service_provider_config(base)
            }
        };
        Ok(Answered::ok(value))
    }

    async fn search(&self, kinds: &'static [Kind]) -> Result<Answered, Refusal> {
        if *self.method() != Method::POST {
            return Err(wrong_method());
        }
        self.list(&Query::of_body(kinds, &self.body()?)?, kinds).await
    }

    async fn list(&self, query: &Query, kinds: &[Kind]) -> Result<Answered, Refusal> {
        let mut found = Vec::new();
        for kind in kinds {
            let some = match kind {
                Kind::User => users::all(self.plane, &self.source, query).await?,
                Kind::Group => groups::all(self.plane, &self.source, query).await?,
            };
            found.extend(some.into_iter().map(|object| (*kind, object)));
        }
        Ok(Answered::ok(query.answer(found)))
    }

    async fn all(&self, kind: Kind) -> Result<Answered, Refusal> {
        match *self.method() {
            Method::GET => self.list(&Query::of_parameters(&[kind], &self.parameters()?)?, &[kind]).await,
            Method::POST => {
                let view = self.view()?;
                let said = modelward_scim::resource::read(kind, &self.body()?)?;
                self.source.may_write()?;
                let made = match kind {
                    Kind::User => users::create(self.plane, &self.source, said).await?,
                    Kind::Group => groups::create(self.plane, &self.source, said).await?,
                };
                Ok(Answered::created(kind, made, &view))
            }
            _ => Err(wrong_method()),
        }
    }

    async fn one(&self, kind: Kind, id: &str) -> Result<Answered, Refusal> {
        let view = self.view()?;
        let edit = match *self.method() {
            Method::GET => {
                let found = match kind {
                    Kind::User => users::one(self.plane, &self.source, id).await?,
                    Kind::Group => groups::one(self.plane, &self.source, id).await?,
                };
                return Ok(Answered::found(kind, found, &view).unless_known(&self.incoming.parts.headers));
            }
            Method::PUT => Edit::Replace(modelward_scim::resource::read(kind, &self.body()?)?),
            Method::PATCH => Edit::Patch(modelward_scim::patch::Patch::read(kind, &self.body()?)?),
            Method::DELETE => Edit::Withdraw,
            _ => return Err(wrong_method()),
        };
        self.source.may_write()?;
        let matching = answer::Matching::of(&self.incoming.parts.headers);
        let changed = match kind {
            Kind::User => users::change(self.plane, &self.source, id, &matching, edit).await?,
            Kind::Group => groups::change(self.plane, &self.source, id, &matching, edit).await?,
        };
        Ok(changed.map_or_else(Answered::gone, |changed| Answered::found(kind, changed, &view)))
    }
}

/// What is to become of a resource.
enum Edit {
    Replace(modelward_scim::Object),
    Patch(modelward_scim::patch::Patch),
    Withdraw,
}

fn wrong_method() -> Refusal {
    Error::status(405, "this address takes another method").into()
}
