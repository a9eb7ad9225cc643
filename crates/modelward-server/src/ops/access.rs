//! Who may do what: "can", "who can", and the matrix.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use modelward_decision::explain::{Clause, ClauseResult, PolicyTrace, Trace};
use modelward_decision::search::PrincipalKind;
use modelward_decision::vocabulary::{
    Action, Ask, Binding, Confidence, CredentialScope, DeviceFacts, EndpointId, Fact, Facts, GranteeRef,
    Name, PrincipalRef, ResourceRef, SessionFacts, Source,
};
use modelward_decision::{
    Bundle, Citation, Decision, Outcome, Request, Snapshot, explain, may_know_of, search,
};
use modelward_enforcement::Summary;
use modelward_store::Moment;

use crate::caller::Caller;
use crate::control::{Allowed, ControlPlane};
use crate::ops::explain::{Audience, DECIDED_MAX, at_best, position, remedies, smallest_view};
use crate::problem::Problem;
use crate::wire::{
    CanAnswer, CanRequest, FactView, Format, MatrixQuery, MatrixRow, MatrixRows, MatrixView, PolicyView,
    PrivilegeView, Question, SmallestView, TraceCandidate, TraceClause, TraceView, WhoCanAnswer,
    WhoCanRequest, WhoCanRow,
};
use crate::{marks, names, ops, question, words};

/// How far from now a question can lie.
const FAR: SignedDuration = SignedDuration::from_hours(400 * 24);

pub(crate) fn moment(plane: &ControlPlane, at: Option<Timestamp>) -> Result<Timestamp, Problem> {
    let now = plane.now();
    let at = at.unwrap_or(now);
    if at.duration_since(now).abs() > FAR {
        return Err(Problem::malformed("`at` is at most 400 days away"));
    }
    Ok(at)
}

/// The snapshot of a past moment, or the present one, which also answers for the future.
pub(crate) async fn snapshot_at(plane: &ControlPlane, at: Timestamp) -> Result<Arc<Snapshot>, Problem> {
    let now = plane.now();
    let present = plane.snapshot();
    if at >= now {
        return Ok(present);
    }
    Ok(Arc::new(plane.state_at(Moment::At(at), at).await?))
}

/// Where a resource is reached when nobody says: an endpoint that serves it, in that environment.
pub(crate) fn reached(
    snapshot: &Snapshot,
    caller: &Caller,
    resource: ResourceRef,
    environment: Option<Name>,
) -> (Name, Option<EndpointId>) {
    let fits = |name: &Name| environment.as_ref().is_none_or(|wanted| wanted == name);
    let serving =
        snapshot.endpoints().filter(|endpoint| fits(&endpoint.environment)).filter(
            |endpoint| match resource {
                ResourceRef::Version(id) => endpoint
                    .serves
                    .iter()
                    .any(|served| snapshot.resolve(served.target).is_some_and(|it| it.id == id)),
                ResourceRef::Model(id) => endpoint.serves.iter().any(|served| served.model == id),
                ResourceRef::Endpoint(id) => endpoint.id == id,
                ResourceRef::Platform | ResourceRef::Project(_) | ResourceRef::Dataset(_) => false,
            },
        );
    // Production first: that is what people mean; then by name, so that the answer does not change by itself.
    let production =
        |name: &Name| snapshot.environment(name).is_some_and(|environment| environment.production);
    let best = serving.min_by_key(|endpoint| {
        (!endpoint.approved, !production(&endpoint.environment), endpoint.name.clone())
    });
    match best {
        Some(endpoint) => (endpoint.environment.clone(), Some(endpoint.id)),
        None => (environment.unwrap_or_else(|| caller.situation.environment.clone()), None),
    }
}

/// A question about a model, where the action is about one of its versions, is about the one served or the newest.
fn fitting(snapshot: &Snapshot, action: Action, resource: ResourceRef) -> ResourceRef {
    let kinds = action.resources();
    let ResourceRef::Model(model) = resource else { return resource };
    if kinds.contains(&resource.kind()) {
        return resource;
    }
    let served = snapshot
        .endpoints()
        .flat_map(|endpoint| &endpoint.serves)
        .filter(|served| served.model == model)
        .find_map(|served| snapshot.resolve(served.target));
    let newest = ops::inventory::versions_of(snapshot, model).into_iter().next();
    served.cloned().or(newest).map_or(resource, |version| ResourceRef::Version(version.id))
}

pub(crate) fn facts(
    caller: &Caller,
    request: &CanRequest,
    at: Timestamp,
    environment: Name,
    endpoint: Option<EndpointId>,
) -> Result<Facts, Problem> {
    let strength = request.strength.unwrap_or(2);
    if strength > 3 {
        return Err(Problem::malformed("`strength` is 0 to 3"));
    }
    let unknown = caller.situation.place.value.clone();
    let network = match &request.network {
        Some(network) => Fact::new(network.clone(), Source::Caller, at, Confidence::Claimed),
        None => caller.situation.network.clone(),
    };
    let session = SessionFacts {
        id: caller.who.session().id,
        strength,
        methods: Vec::new(),
        authenticated_at: at,
        binding: if request.bound { Binding::Dpop } else { Binding::None },
        scope: CredentialScope::Full,
    };
    Ok(Facts {
        now: at,
        environment,
        endpoint,
        session: Arc::new(session),
        device: if request.managed_device {
            DeviceFacts { managed: true, compliant: true, confidence: Confidence::Managed }
        } else {
            DeviceFacts::UNKNOWN
        },
        network,
        place: Fact::new(unknown, Source::Default, at, Confidence::None),
        risk: Fact::new(0, Source::Default, at, Confidence::None),
        ask: Ask {
            fields: request.fields.iter().copied().collect(),
            bytes: None,
            purpose: request.purpose.clone(),
        },
    })
}

/// Answers "can?". The asking is recorded; what is asked about is not done.
pub(crate) async fn can(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: CanRequest,
) -> Result<Allowed<CanAnswer>, Problem> {
    let at = moment(plane, request.at)?;
    let action = question::action(&request.action)?;
    let present = plane.snapshot();
    let principal = match &request.principal {
        None => caller.who.principal(),
        // An unknown name is told only to those who may ask about others.
        Some(name) => match names::principal(&present, name) {
            Ok(principal) => principal,
            Err(problem) if plane.may(caller, Action::ReadAccess, ResourceRef::Platform) => {
                return Err(problem);
            }
            Err(_) => PrincipalRef::Person(modelward_decision::vocabulary::PersonId::from_bits(0)),
        },
    };
    let own = principal == caller.who.principal();
    let resource = names::resource(&present, &request.resource);
    let asked_on = match (&resource, own) {
        (Ok(resource), false) => *resource,
        (Ok(_), true) | (Err(_), _) => ResourceRef::Platform,
    };
    let summary = Summary::default()
        .with("what", "can")
        .with("action", action)
        .with("principal", plane.pseudonym(principal))
        .with("resource", resource.as_ref().map_or_else(|_| "nothing known".to_owned(), ToString::to_string));
    let asking = if own { Action::ReadSelf } else { Action::ReadAccess };
    let (request, pass) = plane.permit(caller, asking, asked_on, summary, request).await?;
    let id = pass.id();
    pass.carry_out(async move {
        let snapshot = snapshot_at(plane, at).await?;
        // Whether a thing exists at all is for those who may ask about others. For everybody else, what does not exist is
        // asked about all the same: the answer is the one for what one may not know of.
        let auditor = plane.may(caller, Action::ExplainOthers, ResourceRef::Platform);
        let resource = match names::resource(&snapshot, &request.resource) {
            Err(problem) if auditor => return Err(problem),
            found => found.unwrap_or_else(|_| nothing(&request.resource)),
        };
        let resource = fitting(&snapshot, action, resource);
        let (environment, endpoint) = reached(&snapshot, caller, resource, request.environment.clone());
        let facts = facts(caller, &request, at, environment, endpoint)?;
        let asked = Request { principal, action, resource, facts };
        let asked = snapshot.situated(&asked).into_owned();
        let decision = plane.would(&snapshot, &asked);
        let hidden = !auditor && decision.covering.is_empty() && !decision.is_allow();
        let held: Vec<_> = decision.held_fields.iter().copied().collect();
        let trace = (!hidden).then(|| trace_view(&snapshot, &explain(&snapshot, &asked, &held)));
        let known = auditor || may_know_of(&snapshot, &asked);
        // Which policy says no to a thing, and where it is served, tells that it exists.
        let decision = if known || decision.is_allow() {
            decision
        } else {
            Decision { outcome: Outcome::NotPermitted, determining: Vec::new(), ..decision }
        };
        let environment = if known {
            asked.facts.environment.clone()
        } else {
            request.environment.clone().unwrap_or_else(|| caller.situation.environment.clone())
        };
        let mut shown = asked;
        shown.facts.environment = environment;
        let what =
            if known { names::resource_view(&snapshot, resource).name } else { request.resource.clone() };
        let audience = Audience { admin: auditor, what: &what };
        Ok(CanAnswer {
            allowed: decision.is_allow(),
            outcome: decision.outcome.as_str().to_owned(),
            sentence: addressed(&decision.sentence, &snapshot, principal, own),
            question: Question {
                principal: names::principal_view(&snapshot, principal),
                action,
                privilege: action.privilege(),
                phrase: action.phrase().to_owned(),
                resource: if hidden {
                    crate::wire::ResourceView {
                        kind: "thing".to_owned(),
                        id: None,
                        name: request.resource.clone(),
                    }
                } else {
                    names::resource_view(&snapshot, resource)
                },
                environment: shown.facts.environment.to_string(),
                at,
            },
            facts: fact_views(&snapshot, &shown, hidden),
            remedies: remedies(&snapshot, &decision, known, &what),
            smallest: smallest_view(&snapshot, &shown, &decision, audience).map(|it| SmallestView {
                sentence: addressed(&it.sentence, &snapshot, principal, own),
                ..it
            }),
            obligations: decision.obligations.iter().map(words::obligation).collect(),
            held_fields: held,
            grant: decision.grant,
            determining: policy_views(snapshot.bundle_for(principal), &decision.determining),
            bundle: decision.bundle.to_string(),
            trace,
            decision: id,
            revision: decision.revision,
        })
    })
    .await
}

/// A thing of the kind the text names, that is nobody's.
fn nothing(text: &str) -> ResourceRef {
    use modelward_decision::vocabulary::{DatasetId, ModelId, ProjectId, VersionId};
    match text.split_once(':') {
        Some(("project", _)) => ResourceRef::Project(ProjectId::from_bits(0)),
        Some(("endpoint", _)) => ResourceRef::Endpoint(EndpointId::from_bits(0)),
        Some(("dataset", _)) => ResourceRef::Dataset(DatasetId::from_bits(0)),
        _ if text.contains(['/', '@']) => ResourceRef::Version(VersionId::from_bits(0)),
        _ => ResourceRef::Model(ModelId::from_bits(0)),
    }
}

/// The caller's sentence says "you"; about somebody else it says who.
fn addressed(sentence: &str, snapshot: &Snapshot, principal: PrincipalRef, own: bool) -> String {
    if own {
        return sentence.to_owned();
    }
    let name = names::principal_view(snapshot, principal).name;
    // Word by word: "you" stands for whoever would ask, wherever the sentence or a policy's reason says it.
    let words = sentence.split(' ').map(|word| {
        let bare = word.trim_end_matches([',', '.', ';', ':']);
        let tail = word.get(bare.len()..).unwrap_or_default();
        let said = match bare {
            "You" => name.as_str(),
            "you" => "they",
            "your" => "their",
            "yours" => "theirs",
            other => other,
        };
        format!("{said}{tail}")
    });
    words.collect::<Vec<_>>().join(" ")
}

pub(crate) fn policy_views(bundle: &Bundle, citations: &[Citation]) -> Vec<PolicyView> {
    citations
        .iter()
        .map(|citation| PolicyView {
            id: citation.policy.to_string(),
            title: citation.title.to_string(),
            owner: citation.owner.to_string(),
            text: bundle.policy_text(&citation.policy),
            bundle: citation.bundle.map(|bundle| bundle.to_string()),
        })
        .collect()
}

pub(crate) fn trace_view(snapshot: &Snapshot, trace: &Trace) -> TraceView {
    let mut candidates = Vec::new();
    for policy in &trace.without_grant {
        candidates.push(candidate(snapshot, policy, None));
    }
    for grant in &trace.per_grant {
        for policy in &grant.policies {
            candidates.push(candidate(snapshot, policy, Some(grant.grant)));
        }
    }
    // What settled it first: what applies, then what came nearest.
    candidates.sort_by_key(|it: &TraceCandidate| match (it.verdict.as_str(), it.effect.as_str()) {
        ("satisfied", "forbid") => 0,
        ("satisfied", _) => 1,
        ("error", _) => 2,
        (_, "permit") => 3,
        _ => 4,
    });
    TraceView { candidates }
}

fn candidate(
    snapshot: &Snapshot,
    policy: &PolicyTrace,
    grant: Option<modelward_decision::vocabulary::GrantId>,
) -> TraceCandidate {
    let mut reached = true;
    let clauses = policy
        .clauses
        .iter()
        .map(|clause| {
            let verdict = if reached { clause_word(clause) } else { "not-reached" };
            reached &= clause.result == ClauseResult::Holds;
            TraceClause {
                text: clause.text.clone(),
                verdict: verdict.to_owned(),
                values: clause.values.iter().map(|(path, value)| format!("{path} = {value}")).collect(),
            }
        })
        .collect();
    TraceCandidate {
        policy: PolicyView {
            id: policy.policy.to_string(),
            title: policy.title.to_string(),
            owner: owner(snapshot, &policy.policy),
            text: None,
            bundle: None,
        },
        effect: if policy.forbids { "forbid" } else { "permit" }.to_owned(),
        grant,
        verdict: match policy.applies {
            ClauseResult::Holds => "satisfied",
            ClauseResult::DoesNotHold => "not satisfied",
            ClauseResult::Errs => "error",
        }
        .to_owned(),
        clauses,
    }
}

/// Who keeps a policy, as its text says.
fn owner(snapshot: &Snapshot, policy: &str) -> String {
    let text = snapshot.bundle().policy_text(policy).unwrap_or_default();
    let owner = text.split_once("@owner(\"").and_then(|(_, rest)| rest.split_once('"'));
    owner.map(|(owner, _)| owner.to_owned()).unwrap_or_default()
}

const fn clause_word(clause: &Clause) -> &'static str {
    match clause.result {
        ClauseResult::Holds => "true",
        ClauseResult::DoesNotHold => "false",
        ClauseResult::Errs => "error",
    }
}

/// The facts of a request with where each comes from. Of a thing one may not know of, nothing is told.
pub(crate) fn fact_views(snapshot: &Snapshot, request: &Request, hidden: bool) -> Vec<FactView> {
    let facts = &request.facts;
    let plain = |name: &str, value: String, source: &str, confidence: &str| FactView {
        name: name.to_owned(),
        value,
        source: source.to_owned(),
        observed_at: None,
        confidence: confidence.to_owned(),
    };
    let mut views = vec![
        plain("time", facts.now.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(), "clock", "proved"),
        plain("environment", facts.environment.to_string(), "inventory", "managed"),
        FactView {
            observed_at: Some(facts.session.authenticated_at),
            ..plain("sign-in", words::strength(facts.session.strength).to_owned(), "credential", "proved")
        },
        named("network", &facts.network),
        named("place", &facts.place),
        FactView {
            observed_at: Some(facts.risk.observed_at),
            ..plain(
                "risk",
                facts.risk.value.to_string(),
                words::source(facts.risk.source),
                words::confidence(facts.risk.confidence),
            )
        },
    ];
    let clearance = match request.principal {
        PrincipalRef::Person(id) => snapshot.person(id).map(|person| person.clearance),
        PrincipalRef::Machine(id) => snapshot.machine(id).map(|machine| machine.clearance),
    };
    if let Some(clearance) = clearance {
        views.push(plain("clearance", clearance.to_string(), "inventory", "managed"));
    }
    if !hidden {
        let classification = match request.resource {
            ResourceRef::Dataset(id) => snapshot.dataset(id).map(|dataset| dataset.classification),
            other => {
                snapshot.model_of(other).and_then(|id| snapshot.model(id)).map(|model| model.classification)
            }
        };
        if let Some(classification) = classification {
            views.push(plain("classification", classification.to_string(), "inventory", "managed"));
        }
        if let Some(endpoint) = facts.endpoint.and_then(|id| snapshot.endpoint(id)) {
            let approved = if endpoint.approved { "approved" } else { "not approved" };
            views.push(plain("endpoint", format!("{}, {approved}", endpoint.name), "inventory", "managed"));
        }
    }
    if !facts.ask.fields.is_empty() {
        let fields: Vec<&str> = facts.ask.fields.iter().map(|field| field.as_str()).collect();
        views.push(plain("fields asked for", fields.join(", "), "caller", "claimed"));
    }
    if let Some(purpose) = &facts.ask.purpose {
        views.push(plain("purpose", purpose.to_string(), "caller", "claimed"));
    }
    views
}

fn named(name: &str, fact: &Fact<Name>) -> FactView {
    FactView {
        name: name.to_owned(),
        value: fact.value.to_string(),
        source: words::source(fact.source).to_owned(),
        observed_at: Some(fact.observed_at),
        confidence: words::confidence(fact.confidence).to_owned(),
    }
}

pub(crate) async fn who_can(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: WhoCanRequest,
) -> Result<Allowed<WhoCanAnswer>, Problem> {
    let at = moment(plane, request.at)?;
    let limit = usize::try_from(ops::page(request.limit)?).unwrap_or(usize::MAX);
    let from = position(request.after.as_deref())?;
    let action = question::action(&request.action)?;
    let resource = names::resource(&plane.snapshot(), &request.resource);
    let asked_on = *resource.as_ref().unwrap_or(&ResourceRef::Platform);
    let summary =
        Summary::default().with("what", "who-can").with("action", action).with("resource", asked_on);
    let (request, pass) = plane.permit(caller, Action::ReadAccess, asked_on, summary, request).await?;
    pass.carry_out(async move {
        resource?;
        let snapshot = snapshot_at(plane, at).await?;
        let resource = fitting(&snapshot, action, names::resource(&snapshot, &request.resource)?);
        let (environment, endpoint) = reached(&snapshot, caller, resource, request.environment.clone());
        let circumstances = CanRequest {
            environment: request.environment.clone(),
            network: request.network.clone(),
            strength: Some(3),
            ..CanRequest::default()
        };
        let facts = at_best(facts(caller, &circumstances, at, environment.clone(), endpoint)?);
        let mut candidates: Vec<PrincipalRef> = [PrincipalKind::Person, PrincipalKind::Machine]
            .into_iter()
            .flat_map(|kind| search::principals(&snapshot, action, resource, endpoint, kind, None))
            .collect();
        candidates.sort_by_cached_key(|it| names::principal_view(&snapshot, *it).name);
        let mut considered: u64 = 0;
        let mut allowed = Vec::new();
        let mut next = None;
        for (place, principal) in candidates.into_iter().enumerate().skip(from) {
            if allowed.len() == limit || place - from == DECIDED_MAX {
                next = Some(place.to_string());
                break;
            }
            considered += 1;
            let asked = Request { principal, action, resource, facts: facts.clone() };
            let decision: Decision = plane.would(&snapshot, &asked);
            if decision.is_allow() {
                allowed.push(WhoCanRow {
                    principal: names::principal_view(&snapshot, principal),
                    grant: decision.grant,
                    until: decision.grant.and_then(|id| snapshot.grant(id)).map(|grant| grant.not_after),
                    obligations: decision.obligations.iter().map(words::obligation).collect(),
                });
            }
        }
        Ok(WhoCanAnswer {
            action,
            resource: names::resource_view(&snapshot, resource),
            environment: environment.to_string(),
            allowed,
            considered,
            next,
            revision: snapshot.revision(),
        })
    })
    .await
}

pub(crate) async fn matrix(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    query: MatrixQuery,
) -> Result<Allowed<MatrixView>, Problem> {
    let at = moment(plane, query.at)?;
    let limit = match (query.limit, query.format) {
        // An export holds everything unless told otherwise.
        (None, Some(_)) => usize::MAX,
        (limit, _) => usize::try_from(ops::page(limit)?).unwrap_or(usize::MAX),
    };
    let summary = Summary::default().with("what", "matrix");
    let (query, pass) =
        plane.permit(caller, Action::ReadMatrix, ResourceRef::Platform, summary, query).await?;
    pass.carry_out(async move {
        let snapshot = snapshot_at(plane, at).await?;
        let environment =
            query.environment.as_deref().map(|text| environment(&snapshot, text)).transpose()?;
        let network = query.network.as_deref().map(Name::new).transpose();
        let network = network.map_err(|error| Problem::malformed(error.to_string()))?;
        let sight = marks::Sight::now(plane, caller).elsewhere(at, environment, network);
        let models = marks::models_by_name(&snapshot, query.model.as_deref());
        let table = marks::Table::new(plane, &snapshot, &models, &sight);
        let mut all = rows(&snapshot, query.rows.unwrap_or(MatrixRows::People));
        let total_rows = u64::try_from(all.len()).unwrap_or(u64::MAX);
        all.sort_by(|(_, one), (_, other)| marks::by_name(one, other));
        let offset = usize::try_from(query.offset.unwrap_or(0)).unwrap_or(usize::MAX);
        let rows = all
            .into_iter()
            .skip(offset)
            .take(limit)
            .map(|(grantee, principal)| {
                let cells = match grantee {
                    GranteeRef::Person(id) => table.row(PrincipalRef::Person(id)),
                    GranteeRef::Machine(id) => table.row(PrincipalRef::Machine(id)),
                    GranteeRef::Group(_) => table.group_row(grantee),
                };
                MatrixRow { principal, cells }
            })
            .collect();
        Ok(MatrixView {
            environment: sight.environment.as_ref().map_or_else(|| "any".to_owned(), ToString::to_string),
            network: sight.network.as_ref().map(ToString::to_string),
            at,
            columns: models
                .iter()
                .map(|model| names::resource_view(&snapshot, ResourceRef::Model(model.id)))
                .collect(),
            rows,
            total_rows,
            revision: snapshot.revision(),
            bundle: snapshot.bundle().digest().to_string(),
            complete_to: plane.reader().position().size,
        })
    })
    .await
}

fn environment(snapshot: &Snapshot, text: &str) -> Result<Name, Problem> {
    let known = snapshot.environments().find(|environment| environment.name.as_str() == text);
    known.map(|environment| environment.name.clone()).ok_or_else(|| Problem::not_found("environment", text))
}

fn rows(snapshot: &Snapshot, of: MatrixRows) -> Vec<(GranteeRef, crate::wire::PrincipalView)> {
    let grantees: Vec<GranteeRef> = match of {
        MatrixRows::People => {
            snapshot.people().filter(|it| it.active).map(|it| GranteeRef::Person(it.id)).collect()
        }
        MatrixRows::Machines => {
            snapshot.machines().filter(|it| it.active).map(|it| GranteeRef::Machine(it.id)).collect()
        }
        MatrixRows::Groups => snapshot.groups().map(|it| GranteeRef::Group(it.id)).collect(),
    };
    grantees.into_iter().map(|grantee| (grantee, names::grantee_view(snapshot, grantee))).collect()
}

/// The matrix in other forms than JSON.
pub(crate) fn write_matrix(matrix: &MatrixView, format: Format) -> Result<Vec<u8>, Problem> {
    match format {
        Format::Json => crate::control::json(matrix),
        Format::Csv => Ok(crate::export::matrix_csv(matrix).into_bytes()),
        Format::Text => Ok(crate::export::matrix_text(matrix).into_bytes()),
    }
}

/// The whole vocabulary, which is no secret: what each privilege is and what it consists of.
pub(crate) async fn privileges(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<crate::wire::List<PrivilegeView>>, Problem> {
    let summary = Summary::default().with("what", "privileges");
    let ((), pass) = plane.permit(caller, Action::ReadSelf, ResourceRef::Platform, summary, ()).await?;
    let items = modelward_decision::vocabulary::Privilege::ALL
        .into_iter()
        .map(|privilege| PrivilegeView {
            name: privilege,
            letter: privilege.letter(),
            summary: privilege.summary().to_owned(),
            actions: privilege.actions().map(|it| (it.as_str().to_owned(), it.phrase().to_owned())).collect(),
        })
        .collect();
    Ok(pass.answer(crate::wire::List { items, revision: plane.snapshot().revision() }))
}
