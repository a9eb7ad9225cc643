//! What exists: declaring it, and reading what one may know of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use modelward_decision::Snapshot;
use modelward_decision::inventory::{Dataset, Endpoint, Model, Target, Version};
use modelward_decision::vocabulary::{Action, Classification, ModelId, Name, PrincipalRef, ResourceRef};
use modelward_enforcement::Summary;
use modelward_governance::inventory::{
    AliasDeclaration, ColumnDeclaration, Current, DatasetDeclaration, Declaration as Declared, Description,
    Difference, EndpointDeclaration, EnvironmentDeclaration, GroupDeclaration, MachineDeclaration,
    ModelDeclaration, Operation, Plan, ProjectDeclaration, Prune, ServedDeclaration, VersionDeclaration,
    merge, plan,
};
use modelward_governance::own::nobody_widens_their_own;
use modelward_store::{Commit, Moment, StateChange};

use crate::caller::Caller;
use crate::control::{Allowed, ControlPlane};
use crate::marks;
use crate::problem::Problem;
use crate::turn::{Changed, Turn};
use crate::wire::{
    AccessRow, AliasView, Applied, ApplyGroupsRequest, ApplyMachinesRequest, ApplyRequest, ChangeVerb,
    ColumnView, DatasetView, Declaration, DeclaredChange, DeclaredDataset, DeclaredEndpoint, DeclaredModel,
    EndpointView, EnvironmentView, List, MetricsView, ModelLine, ModelView, ProjectView, ServedView,
    VersionLine, VersionView,
};
use crate::{names, words};

/// What the request was read from, for errors: there is no file here.
const SOURCE: &str = "the request";
const THINGS: [&str; 7] = ["project", "environment", "model", "version", "alias", "dataset", "endpoint"];
const GROUPS: [&str; 3] = ["group", "person", "machine"];
const MACHINES: [&str; 1] = ["machine"];

// --- Declaring ---

pub(crate) async fn apply(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: ApplyRequest,
) -> Result<Allowed<Applied>, Problem> {
    let summary = Summary::default().with("prune", request.prune).with("dry_run", request.dry_run);
    let (request, pass) =
        plane.permit(caller, Action::ApplyInventory, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let declared = declared(request.declaration)?;
        let job = Job { what: "apply", kinds: &THINGS, prune: request.prune, dry_run: request.dry_run };
        run(plane.turn().await?, plane, caller, declared, job).await
    })
    .await
}

pub(crate) async fn apply_groups(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: ApplyGroupsRequest,
) -> Result<Allowed<Applied>, Problem> {
    let summary = Summary::default().with("prune", request.prune).with("dry_run", request.dry_run);
    let (request, pass) =
        plane.permit(caller, Action::ManageGroups, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let turn = plane.turn().await?;
        let mut declared = Declared { machines: known_machines(turn.state()), ..Declared::default() };
        for group in request.groups {
            let members = group.members.map(split_members).transpose()?;
            let (people, machines) =
                members.map_or((None, None), |(people, machines)| (Some(people), Some(machines)));
            let declaration = GroupDeclaration { parents: group.parents, people, machines };
            once(&mut declared.groups, "group", group.name, declaration)?;
        }
        let job =
            Job { what: "apply-groups", kinds: &GROUPS, prune: request.prune, dry_run: request.dry_run };
        let applied = run(turn, plane, caller, declared, job).await?;
        if !applied.dry_run {
            plane.observe_bootstrap().await?;
        }
        Ok(applied)
    })
    .await
}

pub(crate) async fn apply_machines(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    request: ApplyMachinesRequest,
) -> Result<Allowed<Applied>, Problem> {
    let summary = Summary::default().with("prune", request.prune).with("dry_run", request.dry_run);
    let (request, pass) =
        plane.permit(caller, Action::ManagePeople, ResourceRef::Platform, summary, request).await?;
    pass.carry_out(async {
        let turn = plane.turn().await?;
        let mut declared = Declared { groups: known_groups(turn.state()), ..Declared::default() };
        for machine in request.machines {
            let declaration = MachineDeclaration {
                owner: machine.owner,
                clearance: machine.clearance.unwrap_or(Classification::Public),
                active: machine.active.unwrap_or(true),
            };
            once(&mut declared.machines, "machine", machine.name, declaration)?;
        }
        let job =
            Job { what: "apply-machines", kinds: &MACHINES, prune: request.prune, dry_run: request.dry_run };
        run(turn, plane, caller, declared, job).await
    })
    .await
}

/// What kind of things one request may touch, and how.
struct Job {
    what: &'static str,
    kinds: &'static [&'static str],
    prune: bool,
    dry_run: bool,
}

async fn run(
    turn: Turn,
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    declared: Declared,
    job: Job,
) -> Result<Applied, Problem> {
    let snapshot = Arc::clone(turn.state());
    let models: Vec<ModelId> = declared
        .models
        .keys()
        .filter_map(|name| snapshot.model_named(name.as_str()).map(|model| model.id))
        .collect();
    let descriptions = plane.store.descriptions(models).await?;
    let merged = merge([(SOURCE.to_owned(), declared)])?;
    let current = Current { snapshot: &snapshot, descriptions: &descriptions };
    let mut mint = || plane.ids.uuid().as_u128();
    let prune = if job.prune { Prune::Remove } else { Prune::Keep };
    let planned = only(plan(&merged, current, prune, &mut mint)?, job.kinds);
    let not_declared = if job.prune {
        Vec::new()
    } else {
        // What pruning would take away; a reference to it is no error as long as it stays.
        let pruned = plan(&merged, current, Prune::Remove, &mut mint).unwrap_or_default();
        let gone = only(pruned, job.kinds).into_iter().filter(|it| it.operation == Operation::Delete);
        gone.map(|difference| format!("{} {}", difference.kind, difference.name)).collect()
    };
    let edits = planned.iter().flat_map(|difference| &difference.edits);
    nobody_widens_their_own(caller.who.principal(), &snapshot, edits)?;
    let changes: Vec<DeclaredChange> = planned.iter().map(change_view).collect();
    let mut revision = None;
    if !job.dry_run && !planned.is_empty() {
        revision = Some(make(turn, caller.who.principal(), job.what, &changes, planned).await?);
    }
    Ok(Applied { changes, not_declared, dry_run: job.dry_run, revision })
}

fn only(plan: Plan, kinds: &[&str]) -> Vec<Difference> {
    plan.differences.into_iter().filter(|difference| kinds.contains(&difference.kind)).collect()
}

/// Commits in parts a transaction can hold; each part leaves a whole state, as the plan is in order.
async fn make(
    turn: Turn,
    actor: PrincipalRef,
    what: &'static str,
    changes: &[DeclaredChange],
    planned: Vec<Difference>,
) -> Result<u64, Problem> {
    let mut lines: Vec<String> = changes.iter().map(line).collect();
    let mut parts: Vec<Changed> = Vec::new();
    let mut part: Vec<StateChange> = Vec::new();
    let mut rest = planned.into_iter().peekable();
    while let Some(difference) = rest.next() {
        part.extend(difference.edits.into_iter().map(StateChange::from));
        let next = rest.peek().map_or(0, |next| next.edits.len());
        if rest.peek().is_none() || part.len() + next > Commit::CHANGES_MAX {
            let (lines, changes) = (std::mem::take(&mut lines), std::mem::take(&mut part));
            parts.push(Changed { actor: Some(actor), what, lines, changes });
        }
    }
    Ok(turn.make_all(parts).await?.revision)
}

fn line(change: &DeclaredChange) -> String {
    let sign = match change.verb {
        ChangeVerb::Add => '+',
        ChangeVerb::Change => '~',
        ChangeVerb::Remove => '-',
    };
    let details = change.details.join("; ");
    format!("{sign} {} {} {details}", change.kind, change.name)
}

fn change_view(difference: &Difference) -> DeclaredChange {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    let details = difference
        .fields
        .iter()
        .map(|field| match difference.operation {
            Operation::Create => format!("{}: {}", field.field, shown(&field.after)),
            Operation::Update | Operation::Delete => {
                format!("{}: {} → {}", field.field, shown(&field.before), shown(&field.after))
            }
        })
        .collect();
    DeclaredChange {
        verb: match difference.operation {
            Operation::Create => ChangeVerb::Add,
            Operation::Update => ChangeVerb::Change,
            Operation::Delete => ChangeVerb::Remove,
        },
        kind: difference.kind.to_owned(),
        name: difference.name.clone(),
        details,
    }
}

fn once<T>(into: &mut BTreeMap<Name, T>, kind: &str, name: Name, thing: T) -> Result<(), Problem> {
    if into.contains_key(&name) {
        return Err(Problem::malformed(format!("the {kind} `{name}` is declared twice")));
    }
    into.insert(name, thing);
    Ok(())
}

fn split_members(members: BTreeSet<String>) -> Result<(BTreeSet<Name>, BTreeSet<Name>), Problem> {
    let (mut people, mut machines) = (BTreeSet::new(), BTreeSet::new());
    for member in members {
        let (list, name) = match member.strip_prefix("machine:") {
            Some(machine) => (&mut machines, machine),
            None => (&mut people, member.as_str()),
        };
        list.insert(Name::new(name).map_err(|error| Problem::malformed(error.to_string()))?);
    }
    Ok((people, machines))
}

fn known_machines(snapshot: &Snapshot) -> BTreeMap<Name, MachineDeclaration> {
    snapshot
        .machines()
        .filter_map(|machine| {
            let owner = snapshot.person(machine.owner)?.name.clone();
            let (clearance, active) = (machine.clearance, machine.active);
            Some((machine.name.clone(), MachineDeclaration { owner, clearance, active }))
        })
        .collect()
}

fn known_groups(snapshot: &Snapshot) -> BTreeMap<Name, GroupDeclaration> {
    snapshot
        .groups()
        .map(|group| {
            let parents = group
                .parents
                .iter()
                .filter_map(|id| snapshot.group(*id).map(|parent| parent.name.clone()))
                .collect();
            (group.name.clone(), GroupDeclaration { parents, people: None, machines: None })
        })
        .collect()
}

fn declared(declaration: Declaration) -> Result<Declared, Problem> {
    let Declaration { environments, projects, models, endpoints, datasets } = declaration;
    let mut declared = Declared::default();
    for it in environments {
        let thing = EnvironmentDeclaration { production: it.production };
        once(&mut declared.environments, "environment", it.name, thing)?;
    }
    for it in projects {
        once(&mut declared.projects, "project", it.name, ProjectDeclaration {})?;
    }
    for it in models {
        let name = it.name.clone();
        once(&mut declared.models, "model", name, model_declared(it)?)?;
    }
    for it in endpoints {
        let name = it.name.clone();
        once(&mut declared.endpoints, "endpoint", name, endpoint_declared(it))?;
    }
    for it in datasets {
        let name = it.name.clone();
        once(&mut declared.datasets, "dataset", name, dataset_declared(it))?;
    }
    Ok(declared)
}

fn model_declared(model: DeclaredModel) -> Result<ModelDeclaration, Problem> {
    let mut metrics = serde_json::Map::new();
    let mut versions = BTreeMap::new();
    for version in model.versions {
        if !version.metrics.is_empty() {
            let measured =
                version.metrics.iter().map(|(name, value)| (name.clone(), serde_json::json!(value)));
            metrics.insert(version.label.to_string(), serde_json::Value::Object(measured.collect()));
        }
        let digest = version.digest.as_deref().map(str::parse).transpose();
        let digest =
            digest.map_err(|error: modelward_seal::DigestError| Problem::malformed(error.to_string()))?;
        let declaration =
            VersionDeclaration { digest, label_outputs: version.label_outputs, proven: version.proven };
        once(&mut versions, "version", version.label, declaration)?;
    }
    let mut aliases = BTreeMap::new();
    for alias in model.aliases {
        let declaration = AliasDeclaration { version: alias.version, protected: alias.protected };
        once(&mut aliases, "alias", alias.name, declaration)?;
    }
    Ok(ModelDeclaration {
        project: model.project,
        classification: model.classification,
        tags: model.tags,
        on_sensitive_ask: model.on_sensitive_ask,
        fail_static: model.fail_static,
        card: model.card,
        metrics: (!metrics.is_empty()).then_some(metrics),
        versions,
        aliases,
    })
}

fn endpoint_declared(endpoint: DeclaredEndpoint) -> EndpointDeclaration {
    let serves = endpoint
        .serves
        .into_iter()
        .map(|served| ServedDeclaration {
            model: served.model,
            version: served.version,
            alias: served.alias,
            upstream_name: served.upstream_name.or_else(|| Some(served.public_name.clone())),
            public_name: Some(served.public_name),
        })
        .collect();
    EndpointDeclaration {
        protocol: endpoint.protocol,
        environment: endpoint.environment,
        upstream: endpoint.upstream,
        approved: endpoint.approved,
        serves,
    }
}

fn dataset_declared(dataset: DeclaredDataset) -> DatasetDeclaration {
    let columns = dataset
        .columns
        .into_iter()
        .map(|column| ColumnDeclaration { name: column.name, classification: column.classification })
        .collect();
    DatasetDeclaration {
        project: dataset.project,
        classification: dataset.classification,
        tags: dataset.tags,
        columns,
    }
}

// --- Reading ---

/// A list of what one may know of: one's own view, so every item is asked about apart and left out if denied.
async fn listed<T>(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    what: &str,
    make: impl FnOnce(&Snapshot) -> Vec<T>,
) -> Result<Allowed<List<T>>, Problem> {
    let summary = Summary::default().with("what", what);
    let ((), pass) = plane.permit(caller, Action::ReadSelf, ResourceRef::Platform, summary, ()).await?;
    let snapshot = plane.snapshot();
    Ok(pass.answer(List { items: make(&snapshot), revision: snapshot.revision() }))
}

/// Whether a caller may know of a model: it can read its card, or use any version of it.
pub(crate) fn may_know(plane: &ControlPlane, caller: &Caller, snapshot: &Snapshot, model: &Model) -> bool {
    plane.may(caller, Action::ReadCard, ResourceRef::Model(model.id))
        || !marks::of_principal(
            plane,
            snapshot,
            caller.who.principal(),
            model,
            &marks::Sight::now(plane, caller),
        )
        .is_empty()
}

pub(crate) async fn projects(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<ProjectView>>, Problem> {
    listed(plane, caller, "projects", |snapshot| {
        let models: Vec<_> =
            snapshot.models().filter(|model| may_know(plane, caller, snapshot, model)).collect();
        let datasets: Vec<_> = snapshot
            .datasets()
            .filter(|dataset| plane.may(caller, Action::ReadDatasetSchema, ResourceRef::Dataset(dataset.id)))
            .collect();
        let mut projects: Vec<ProjectView> = snapshot
            .projects()
            .map(|project| ProjectView {
                id: project.id.to_string(),
                name: project.name.to_string(),
                models: count(models.iter().filter(|model| model.project == project.id)),
                datasets: count(datasets.iter().filter(|dataset| dataset.project == project.id)),
            })
            .filter(|view| view.models + view.datasets > 0)
            .collect();
        projects.sort_by(|one, other| one.name.cmp(&other.name));
        projects
    })
    .await
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    u64::try_from(items.count()).unwrap_or(u64::MAX)
}

pub(crate) async fn environments(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<EnvironmentView>>, Problem> {
    listed(plane, caller, "environments", |snapshot| {
        snapshot
            .environments()
            .map(|it| EnvironmentView { name: it.name.to_string(), production: it.production })
            .collect()
    })
    .await
}

fn model_line(plane: &ControlPlane, caller: &Caller, snapshot: &Snapshot, model: &Model) -> ModelLine {
    let project = snapshot.project(model.project).map(|project| project.name.to_string()).unwrap_or_default();
    let sight = marks::Sight::now(plane, caller);
    ModelLine {
        id: model.id.to_string(),
        name: model.name.to_string(),
        project,
        classification: model.classification.to_string(),
        tags: model.tags.iter().map(ToString::to_string).collect(),
        version_count: count(versions_of(snapshot, model.id).into_iter()),
        aliases: aliases_of(snapshot, model.id),
        quarantined: model.quarantined,
        mine: marks::of_principal(plane, snapshot, caller.who.principal(), model, &sight),
    }
}

/// Newest first: by number where labels are numbers.
pub(crate) fn versions_of(snapshot: &Snapshot, model: ModelId) -> Vec<Arc<Version>> {
    let mut versions: Vec<Arc<Version>> =
        snapshot.versions().filter(|version| version.model == model).map(Arc::clone).collect();
    versions.sort_by_cached_key(|version| {
        let number = version.label.as_str().parse::<u64>().ok();
        std::cmp::Reverse((number, version.label.to_string()))
    });
    versions
}

fn aliases_of(snapshot: &Snapshot, model: ModelId) -> Vec<AliasView> {
    let mut aliases: Vec<AliasView> = snapshot
        .aliases()
        .filter(|alias| alias.model == model)
        .map(|alias| AliasView {
            name: alias.name.to_string(),
            version: snapshot.version(alias.version).map(|it| it.label.to_string()).unwrap_or_default(),
            protected: alias.protected,
        })
        .collect();
    aliases.sort_by(|one, other| one.name.cmp(&other.name));
    aliases
}

fn version_line(snapshot: &Snapshot, version: &Version) -> VersionLine {
    VersionLine {
        id: version.id.to_string(),
        model: snapshot.model(version.model).map(|model| model.name.to_string()).unwrap_or_default(),
        label: version.label.to_string(),
        digest: version.digest.clone(),
        label_outputs: version.label_outputs.iter().cloned().collect(),
        proven: version.proven,
        quarantined: version.quarantined,
        aliases: snapshot
            .aliases()
            .filter(|alias| alias.version == version.id)
            .map(|alias| alias.name.to_string())
            .collect(),
    }
}

pub(crate) async fn models(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<ModelLine>>, Problem> {
    listed(plane, caller, "models", |snapshot| {
        let mut models: Vec<ModelLine> = snapshot
            .models()
            .filter(|model| may_know(plane, caller, snapshot, model))
            .map(|model| model_line(plane, caller, snapshot, model))
            .collect();
        models.sort_by(|one, other| one.name.cmp(&other.name));
        models
    })
    .await
}

/// The model of that name; when there is none, a resource that exists for nobody, so that the answer to "unknown" and to
/// "not yours" is one denial.
fn model_or_nothing(snapshot: &Snapshot, name: &str) -> (Option<Arc<Model>>, ResourceRef) {
    let found = snapshot.model_named(name).cloned();
    let resource =
        found.as_ref().map_or(ResourceRef::Model(ModelId::from_bits(0)), |it| ResourceRef::Model(it.id));
    (found, resource)
}

fn endpoints_of(snapshot: &Snapshot, model: ModelId) -> Vec<Arc<Endpoint>> {
    let mut endpoints: Vec<Arc<Endpoint>> = snapshot
        .endpoints()
        .filter(|endpoint| endpoint.serves.iter().any(|served| served.model == model))
        .map(Arc::clone)
        .collect();
    endpoints.sort_by(|one, other| one.name.cmp(&other.name));
    endpoints
}

pub(crate) async fn model(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
) -> Result<Allowed<ModelView>, Problem> {
    let snapshot = plane.snapshot();
    let (found, resource) = model_or_nothing(&snapshot, name);
    let (found, pass) = plane.permit(caller, Action::ReadCard, resource, Summary::default(), found).await?;
    pass.carry_out(async {
        let model = found.ok_or_else(|| Problem::not_found("model", name))?;
        let description = plane.store.description(model.id, Moment::Now).await?;
        let versions = versions_of(&snapshot, model.id);
        Ok(ModelView {
            line: model_line(plane, caller, &snapshot, &model),
            card: description.map(|description| description.card).filter(|card| !card.is_empty()),
            on_sensitive_ask: words::on_sensitive_ask(model.on_sensitive_ask).to_owned(),
            fail_static: model.fail_static,
            versions: versions.iter().map(|version| version_line(&snapshot, version)).collect(),
            endpoints: endpoints_of(&snapshot, model.id).iter().map(|it| it.name.to_string()).collect(),
        })
    })
    .await
}

/// A version, or a resource that exists for nobody.
fn version_or_nothing(snapshot: &Snapshot, model: &str, label: &str) -> (Option<Arc<Version>>, ResourceRef) {
    let found = match names::scope(snapshot, &format!("{model}/{label}")) {
        Ok(modelward_decision::vocabulary::ScopeRef::Version(id)) => snapshot.version(id).cloned(),
        Ok(_) | Err(_) => None,
    };
    let nothing = ResourceRef::Version(modelward_decision::vocabulary::VersionId::from_bits(0));
    let resource = found.as_ref().map_or(nothing, |version| ResourceRef::Version(version.id));
    (found, resource)
}

pub(crate) async fn version(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    model: &str,
    label: &str,
) -> Result<Allowed<VersionView>, Problem> {
    let snapshot = plane.snapshot();
    let (found, resource) = version_or_nothing(&snapshot, model, label);
    let (found, pass) =
        plane.permit(caller, Action::ReadVersion, resource, Summary::default(), found).await?;
    pass.carry_out(async {
        let version = found.ok_or_else(|| Problem::not_found("version", &format!("{model}/{label}")))?;
        let classification =
            snapshot.model(version.model).map(|model| model.classification).unwrap_or_default();
        let serves = |endpoint: &Arc<Endpoint>| {
            endpoint
                .serves
                .iter()
                .any(|served| snapshot.resolve(served.target).is_some_and(|it| it.id == version.id))
        };
        Ok(VersionView {
            line: version_line(&snapshot, &version),
            classification: classification.to_string(),
            endpoints: endpoints_of(&snapshot, version.model)
                .iter()
                .filter(|endpoint| serves(endpoint))
                .map(|endpoint| endpoint.name.to_string())
                .collect(),
        })
    })
    .await
}

pub(crate) async fn metrics(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    model: &str,
    label: &str,
) -> Result<Allowed<MetricsView>, Problem> {
    let snapshot = plane.snapshot();
    let (found, resource) = version_or_nothing(&snapshot, model, label);
    let (found, pass) =
        plane.permit(caller, Action::ReadMetrics, resource, Summary::default(), found).await?;
    pass.carry_out(async {
        let version = found.ok_or_else(|| Problem::not_found("version", &format!("{model}/{label}")))?;
        let description = plane.store.description(version.model, Moment::Now).await?;
        Ok(MetricsView {
            model: model.to_owned(),
            version: label.to_owned(),
            metrics: description.map(|it| measured(&it, label)).unwrap_or_default(),
        })
    })
    .await
}

/// The numbers of one version, as the declaration put them: by label, then by name.
fn measured(description: &Description, label: &str) -> BTreeMap<String, f64> {
    let of_version = description.metrics.get(label).and_then(serde_json::Value::as_object);
    of_version
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)))
        .collect()
}

pub(crate) async fn model_access(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
) -> Result<Allowed<List<AccessRow>>, Problem> {
    let snapshot = plane.snapshot();
    let (found, resource) = model_or_nothing(&snapshot, name);
    let (found, pass) = plane.permit(caller, Action::ReadAccess, resource, Summary::default(), found).await?;
    pass.carry_out(async {
        let model = found.ok_or_else(|| Problem::not_found("model", name))?;
        let sight = marks::Sight::now(plane, caller);
        Ok(List { items: marks::access(plane, &snapshot, &model, &sight), revision: snapshot.revision() })
    })
    .await
}

fn endpoint_view(snapshot: &Snapshot, endpoint: &Endpoint) -> EndpointView {
    let serves = endpoint
        .serves
        .iter()
        .map(|served| ServedView {
            public_name: served.public_name.clone(),
            model: snapshot.model(served.model).map(|model| model.name.to_string()).unwrap_or_default(),
            target: match served.target {
                Target::Version(id) => {
                    snapshot.version(id).map(|it| it.label.to_string()).unwrap_or_default()
                }
                Target::Alias(id) => snapshot.alias(id).map(|it| format!("@{}", it.name)).unwrap_or_default(),
            },
            resolves_to: snapshot.resolve(served.target).map(|version| version.label.to_string()),
        })
        .collect();
    EndpointView {
        id: endpoint.id.to_string(),
        name: endpoint.name.to_string(),
        environment: endpoint.environment.to_string(),
        protocol: words::protocol(endpoint.protocol).to_owned(),
        approved: endpoint.approved,
        serves,
    }
}

/// Endpoints one may know of: those with a right of their own, or that serve a model one may know of.
fn may_know_endpoint(
    plane: &ControlPlane,
    caller: &Caller,
    snapshot: &Snapshot,
    endpoint: &Endpoint,
) -> bool {
    plane.may(caller, Action::ReadEndpoint, ResourceRef::Endpoint(endpoint.id))
        || endpoint.serves.iter().any(|served| {
            snapshot.model(served.model).is_some_and(|model| may_know(plane, caller, snapshot, model))
        })
}

pub(crate) async fn endpoints(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<EndpointView>>, Problem> {
    listed(plane, caller, "endpoints", |snapshot| {
        let mut endpoints: Vec<EndpointView> = snapshot
            .endpoints()
            .filter(|endpoint| may_know_endpoint(plane, caller, snapshot, endpoint))
            .map(|endpoint| {
                let view = endpoint_view(snapshot, endpoint);
                // Of an endpoint shared with others, only what one may know of.
                let known = |served: &ServedView| {
                    snapshot
                        .model_named(&served.model)
                        .is_some_and(|model| may_know(plane, caller, snapshot, model))
                };
                EndpointView { serves: view.serves.into_iter().filter(known).collect(), ..view }
            })
            .collect();
        endpoints.sort_by(|one, other| one.name.cmp(&other.name));
        endpoints
    })
    .await
}

pub(crate) async fn endpoint(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
) -> Result<Allowed<EndpointView>, Problem> {
    let snapshot = plane.snapshot();
    let found = snapshot.endpoint_named(name).cloned();
    let nothing = ResourceRef::Endpoint(modelward_decision::vocabulary::EndpointId::from_bits(0));
    let resource = found.as_ref().map_or(nothing, |it| ResourceRef::Endpoint(it.id));
    let (found, pass) =
        plane.permit(caller, Action::ReadEndpoint, resource, Summary::default(), found).await?;
    pass.carry_out(async {
        let endpoint = found.ok_or_else(|| Problem::not_found("endpoint", name))?;
        Ok(endpoint_view(&snapshot, &endpoint))
    })
    .await
}

fn dataset_view(snapshot: &Snapshot, dataset: &Dataset) -> DatasetView {
    DatasetView {
        id: dataset.id.to_string(),
        name: dataset.name.to_string(),
        project: snapshot.project(dataset.project).map(|it| it.name.to_string()).unwrap_or_default(),
        classification: dataset.classification.to_string(),
        tags: dataset.tags.iter().map(ToString::to_string).collect(),
        columns: dataset
            .columns
            .iter()
            .map(|column| ColumnView {
                name: column.name.to_string(),
                classification: column.classification.to_string(),
            })
            .collect(),
    }
}

pub(crate) async fn datasets(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
) -> Result<Allowed<List<DatasetView>>, Problem> {
    listed(plane, caller, "datasets", |snapshot| {
        let mut datasets: Vec<DatasetView> = snapshot
            .datasets()
            .filter(|dataset| plane.may(caller, Action::ReadDatasetSchema, ResourceRef::Dataset(dataset.id)))
            .map(|dataset| dataset_view(snapshot, dataset))
            .collect();
        datasets.sort_by(|one, other| one.name.cmp(&other.name));
        datasets
    })
    .await
}

pub(crate) async fn dataset(
    plane: &Arc<ControlPlane>,
    caller: &Caller,
    name: &str,
) -> Result<Allowed<DatasetView>, Problem> {
    let snapshot = plane.snapshot();
    let found = snapshot.dataset_named(name).cloned();
    let nothing = ResourceRef::Dataset(modelward_decision::vocabulary::DatasetId::from_bits(0));
    let resource = found.as_ref().map_or(nothing, |it| ResourceRef::Dataset(it.id));
    let (found, pass) =
        plane.permit(caller, Action::ReadDatasetSchema, resource, Summary::default(), found).await?;
    pass.carry_out(async {
        let dataset = found.ok_or_else(|| Problem::not_found("dataset", name))?;
        Ok(dataset_view(&snapshot, &dataset))
    })
    .await
}
