//! Who asks: from cookie, session secret or control token to proof, with the checks that keep other sites out.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::ConnectInfo;
use http::header::{AUTHORIZATION, COOKIE, ORIGIN, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use modelward_decision::vocabulary::{Confidence, DeviceFacts, Fact, Name, Source};
use modelward_enforcement::{Peer, Rejection, RejectionKind, RequestMark, Situation};
use modelward_identity::Authenticated;
use modelward_identity::session::{SessionRecord, SessionToken};
use modelward_identity::token::{ProofRefusal, Scheme, Shown, Thumbprint, Unadmitted};

use crate::control::ControlPlane;
use crate::gateways::PeerCertificate;
use crate::problem::{Challenge, Problem};
use crate::settings::Settings;
use crate::wire::ErrorCode;

/// Header with which scripts of the console send the session's form token.
pub(crate) const FORM_TOKEN_HEADER: &str = "mw-form-token";

/// Where a request came from and what it was, before it is known who asks.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) address: IpAddr,
    pub(crate) situation: Situation,
    pub(crate) mark: RequestMark,
    pub(crate) user_agent: Option<String>,
}

/// Somebody who proved who they are, with the request they sent.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) who: Authenticated,
    pub(crate) situation: Situation,
    pub(crate) mark: RequestMark,
    /// Of a session; absent behind a token.
    pub(crate) session: Option<Arc<SessionRecord>>,
    /// What forms of a browser session must carry.
    pub(crate) form_token: Option<String>,
}

/// The one credential of a request.
enum Credential {
    Cookie(String),
    Authorization(Scheme, String),
}

impl Visit {
    pub(crate) fn of(
        parts: &Parts,
        body: &[u8],
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        let address = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(address)| address.ip().to_canonical())
            .ok_or_else(|| Problem::new(ErrorCode::Internal, "the connection has no peer address"))?;
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let head = format!("{} {target}\n", parts.method);
        let mark = RequestMark::of(&[head.as_bytes(), body].concat());
        let user_agent =
            parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Self { address, situation: situation(address, settings, now)?, mark, user_agent })
    }

    /// Records that nobody could be made out, and says so.
    pub(crate) fn unauthenticated(&self, plane: &ControlPlane, reason: &str) -> Problem {
        plane.enforcer().reject(&Rejection {
            kind: RejectionKind::Unauthenticated,
            peer: self.situation.peer.clone(),
            protocol: "control",
            reason: reason.to_owned(),
            request: Some(self.mark),
        });
        Problem::unauthenticated()
    }
}

fn situation(address: IpAddr, settings: &Settings, now: Timestamp) -> Result<Situation, Problem> {
    let name = |text: &str| Name::new(text).map_err(|error| Problem::internal("naming a fact", &error));
    let network = match (settings.segment_of)(address) {
        Some(segment) => Fact::new(segment, Source::Socket, now, Confidence::Managed),
        None => Fact::new(name("unknown")?, Source::Default, now, Confidence::None),
    };
    Ok(Situation {
        peer: Peer::of(address),
        environment: name(Situation::CONTROL)?,
        endpoint: None,
        device: DeviceFacts::UNKNOWN,
        network,
        place: Fact::new(name("unknown")?, Source::Default, now, Confidence::None),
        risk: Fact::new(0, Source::Default, now, Confidence::None),
    })
}

/// Turns the credential of a request into proof. `form_token` is what a form carried, for requests of the console.
pub(crate) async fn authenticate(
    plane: &ControlPlane,
    parts: &Parts,
    visit: &Visit,
    form_token: Option<&str>,
) -> Result<Caller, Problem> {
    let credential = credential(&parts.headers, plane.settings.session_cookie())?;
    let caller = match credential {
        None => return Err(visit.unauthenticated(plane, "no credential")),
        Some(Credential::Cookie(text)) => {
            let (caller, token) = session(plane, visit, &text).await?;
            if !is_safe(&parts.method) {
                same_origin(&parts.headers, &plane.settings)?;
                let header = parts.headers.get(FORM_TOKEN_HEADER).and_then(|value| value.to_str().ok());
                let presented = form_token.or(header);
                if !presented.is_some_and(|presented| token.is_form_token(presented)) {
                    return Err(cross_site());
                }
            }
            Caller { form_token: Some(token.form_token()), ..caller }
        }
        Some(Credential::Authorization(Scheme::Bearer, text)) if text.starts_with("mws_") => {
            session(plane, visit, &text).await?.0
        }
        Some(Credential::Authorization(scheme, text)) => {
            let who = token(plane, parts, visit, scheme, &text)?;
            Caller {
                who,
                situation: visit.situation.clone(),
                mark: visit.mark,
                session: None,
                form_token: None,
            }
        }
    };
    Ok(caller)
}

/// What a token proves, under its scheme and with its proof.
fn token(
    plane: &ControlPlane,
    parts: &Parts,
    visit: &Visit,
    scheme: Scheme,
    text: &str,
) -> Result<Authenticated, Problem> {
    let url = format!("{}{}", plane.settings.external_url, parts.uri.path());
    let shown = Shown {
        token: text.as_bytes(),
        scheme,
        proofs: &proofs(&parts.headers),
        method: parts.method.as_str(),
        url: &url,
        certificate: parts.extensions.get().map(|PeerCertificate(digest)| Thumbprint::new(*digest)),
    };
    let now = plane.now();
    plane.admission.admit(&shown, &plane.snapshot(), now).map_err(|why| {
        let problem = visit.unauthenticated(plane, &why.to_string());
        match why {
            Unadmitted::Proof(ProofRefusal::Nonce) => {
                problem.challenge(Challenge { error: "use_dpop_nonce", nonce: plane.admission.nonce(now) })
            }
            Unadmitted::Proof(_) => problem
                .challenge(Challenge { error: "invalid_dpop_proof", nonce: plane.admission.nonce(now) }),
            Unadmitted::Token(_) if scheme == Scheme::Dpop => {
                problem.challenge(Challenge { error: "invalid_token", nonce: plane.admission.nonce(now) })
            }
            Unadmitted::Token(_) => problem,
        }
    })
}

/// Every proof a request carries (RFC 9449 section 4.1); more than one counts as none.
pub(crate) fn proofs(headers: &HeaderMap) -> Vec<&[u8]> {
    headers.get_all("dpop").iter().take(2).map(http::HeaderValue::as_bytes).collect()
}

pub(crate) async fn session(
    plane: &ControlPlane,
    visit: &Visit,
    text: &str,
) -> Result<(Caller, SessionToken), Problem> {
    let refused = |reason: &dyn std::fmt::Display| visit.unauthenticated(plane, &reason.to_string());
    let token = SessionToken::parse(text).map_err(|refusal| refused(&refusal))?;
    let found = plane.store.session_by_token(&token.digest()).await?;
    let Some(found) = found.filter(|session| session.ended_at.is_none()) else {
        return Err(refused(&"this is not a session of ours, or it was ended"));
    };
    let now = plane.now();
    let record = found.record;
    let who = record.authenticate(&token, &plane.snapshot(), now).map_err(|refusal| refused(&refusal))?;
    if let Some(touched) = record.touched(now) {
        plane.store.touch_session(touched.id, now).await?;
    }
    let caller = Caller {
        who,
        situation: visit.situation.clone(),
        mark: visit.mark,
        session: Some(Arc::new(record)),
        form_token: None,
    };
    Ok((caller, token))
}

/// At most one credential: a request with two could be read as either.
fn credential(headers: &HeaderMap, cookie: &str) -> Result<Option<Credential>, Problem> {
    let cookies: Vec<&str> = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(|(name, value)| (name == cookie).then_some(value))
        .collect();
    let authorizations: Vec<&[u8]> =
        headers.get_all(AUTHORIZATION).iter().map(http::HeaderValue::as_bytes).collect();
    match (cookies.as_slice(), authorizations.as_slice()) {
        ([], []) => Ok(None),
        ([value], []) => Ok(Some(Credential::Cookie((*value).to_owned()))),
        ([], [value]) => {
            let text = std::str::from_utf8(value).ok().and_then(|text| text.split_once(' '));
            match text {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                    Ok(Some(Credential::Authorization(Scheme::Bearer, token.trim().to_owned())))
                }
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("dpop") => {
                    Ok(Some(Credential::Authorization(Scheme::Dpop, token.trim().to_owned())))
                }
                _ => Err(Problem::malformed("the credential is not `Authorization: Bearer …` or `DPoP …`")),
            }
        }
        _ => Err(Problem::malformed("a request carries one credential")),
    }
}

/// Whether there is a browser session to look at, for pages that show the way to sign in instead of an error.
pub(crate) fn has_credential(headers: &HeaderMap, settings: &Settings) -> bool {
    !matches!(credential(headers, settings.session_cookie()), Ok(None))
}

const fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn cross_site() -> Problem {
    Problem::new(ErrorCode::CrossSite, "the request did not come from this console")
        .hint("open the page again and send it from there")
}

/// Whether a browser says that its request comes from our own pages (Fetch Metadata, and RFC 6454 for older ones).
pub(crate) fn same_origin(headers: &HeaderMap, settings: &Settings) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site")
        && site != "same-origin"
    {
        return Err(cross_site());
    }
    match headers.get(ORIGIN).and_then(|value| value.to_str().ok()) {
        Some(origin) if origin == settings.external_url => Ok(()),
        Some(_) => Err(cross_site()),
        None if text("sec-fetch-site").is_some() => Ok(()),
        None => Err(cross_site()),
    }
}
