//! Small worlds, bundles and requests made up at random, dense enough that most things meet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy_core::ast::EntityUID;
use jiff::{SignedDuration, Timestamp};

use super::Described;
use crate::cedar;
use crate::grant::{Conditions, Grant, Origin};
use crate::inventory::*;
use crate::vocabulary::*;
use crate::{Bundle, Change, Request, Snapshot};

/// `SplitMix64`: small, seeded, the same everywhere.
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).expect("small")].clone()
    }

    pub(super) fn some<T: Clone + Ord>(&mut self, from: &[T], percent: u64) -> BTreeSet<T> {
        from.iter().filter(|_| self.chance(percent)).cloned().collect()
    }
}

const PEOPLE: [u128; 3] = [0x11, 0x12, 0x13];
const MACHINE: u128 = 0x21;
const GROUPS: [u128; 4] = [0x31, 0x32, 0x33, 0x34];
const PROJECTS: [u128; 2] = [0x41, 0x42];
const MODELS: [u128; 2] = [0x51, 0x52];
const VERSIONS: [u128; 3] = [0x61, 0x62, 0x63];
const ALIASES: [u128; 2] = [0x71, 0x72];
const ENDPOINTS: [u128; 2] = [0x81, 0x82];
const DATASET: u128 = 0x91;
const ACTIONS: [Action; 6] = [
    Action::ReadCard,
    Action::Predict,
    Action::ReadLogprobs,
    Action::ReadDatasetSchema,
    Action::GrantAccess,
    Action::ReadSelf,
];

pub(super) fn now() -> Timestamp {
    "2026-11-20T12:00:00.25Z".parse().expect("a time")
}

pub(super) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// Random policies beside one simple permit, so that about half of all requests meet a yes.
pub(super) fn bundle(rng: &mut Rng) -> Bundle {
    let mut sources = Bundle::default_bundle().expect("the default bundle").sources().clone();
    sources.remove("privileges.cedar");
    sources.remove("guardrails.cedar");
    let mut text = String::from(
        "@id(\"permit-covered\") @title(\"t\") @owner(\"o\") permit (principal, action, resource)
         when { context has grant && principal in context.grant.grantee && resource in context.grant.scope };",
    );
    for n in 0..6 {
        let (obligation, scope, body) = (obligation(rng), scope(rng), body(rng, 12));
        text += &format!(
            "@id(\"permit-{n}\") @title(\"t\") @owner(\"o\") {obligation} permit ({scope}) {body};\n"
        );
    }
    for n in 0..3 {
        let (scope, body) = (scope(rng), body(rng, 45));
        text += &format!(
            "@id(\"forbid-{n}\") @title(\"t\") @owner(\"o\") @reason(\"r\") @remedy(\"network\")
             forbid ({scope}) {body};\n"
        );
    }
    let mut rules = String::new();
    for n in 0..3 {
        let obligation =
            rng.pick(&["round:1", "round:3", "label-only", "rate:5", "row-filter:a", "row-filter:b"]);
        let (scope, body) = (scope(rng), body(rng, 5));
        rules += &format!(
            "@id(\"rule-{n}\") @title(\"t\") @owner(\"o\") @obligation(\"{obligation}\") permit ({scope}) {body};\n"
        );
    }
    sources.insert("random.cedar".to_owned(), text);
    sources.insert("obligations.cedar".to_owned(), rules);
    Bundle::from_sources(sources).unwrap_or_else(|error| panic!("{error}"))
}

fn obligation(rng: &mut Rng) -> String {
    if rng.chance(40) {
        return format!("@obligation(\"{}\")", rng.pick(&["round:2", "top-k:3", "watermark"]));
    }
    String::new()
}

fn scope(rng: &mut Rng) -> String {
    let person = PersonId::from_bits(PEOPLE[0]);
    let group = GroupId::from_bits(rng.pick(&GROUPS));
    let leaf = GroupId::from_bits(rng.pick(&GROUPS));
    let principal = rng.pick(&[
        "principal".to_owned(),
        "principal".to_owned(),
        format!("principal == Modelward::Person::\"{person}\""),
        format!("principal in Modelward::Person::\"{person}\""),
        format!("principal in Modelward::Group::\"{group}\""),
        format!("principal in Modelward::Grantee::\"{leaf}\""),
        "principal is Modelward::Person".to_owned(),
        format!("principal is Modelward::Person in Modelward::Group::\"{group}\""),
    ]);
    let action = rng.pick(&[
        "action",
        "action",
        "action == Modelward::Action::\"predict\"",
        "action in Modelward::Action::\"ReadOnly\"",
        "action in [Modelward::Action::\"Inference\", Modelward::Action::\"readCard\", Modelward::Action::\"ReadOnly\"]",
        "action in [Modelward::Action::\"grantAccess\", Modelward::Action::\"Self\"]",
    ]);
    let version = VersionId::from_bits(VERSIONS[0]);
    let project = ProjectId::from_bits(rng.pick(&PROJECTS));
    let model = ModelId::from_bits(rng.pick(&MODELS));
    let alias = AliasId::from_bits(rng.pick(&ALIASES));
    let endpoint = EndpointId::from_bits(ENDPOINTS[0]);
    let any = [
        "resource".to_owned(),
        "resource".to_owned(),
        format!("resource in Modelward::Scope::\"{project}\""),
    ];
    let versions = [
        format!("resource == Modelward::Version::\"{version}\""),
        format!("resource in Modelward::Scope::\"{model}\""),
        format!("resource in Modelward::Scope::\"{alias}\""),
        format!("resource in Modelward::Scope::\"{endpoint}\""),
        "resource is Modelward::Version".to_owned(),
        format!("resource is Modelward::Version in Modelward::Scope::\"{model}\""),
    ];
    // A scope that could never hold is rejected by validation, so resources follow actions.
    let of_versions = action.contains("predict") || action.contains("ReadOnly");
    let resource = if of_versions && rng.chance(60) { rng.pick(&versions) } else { rng.pick(&any) };
    format!("{principal}, {action}, {resource}")
}

/// A body, erring by overflow now and then: only with an active principal is the sum reached.
fn body(rng: &mut Rng, erring_percent: u64) -> String {
    if rng.chance(erring_percent) {
        return "when { principal.active && context.risk.value + 9223372036854775800 > 0 }".to_owned();
    }
    rng.pick(&[
        "",
        "when { principal.active }",
        "when { principal.clearance >= 2 }",
        "unless { context.environment == \"production\" }",
        "when { context.session.strength >= 2 }",
        "when { context has grant && context.grant.personal }",
        "when { context has grant && context.grant has environments }
         unless { context.grant.environments.contains(context.environment) }",
        "when { context has grant } unless { context has grantWindowOpen && context.grantWindowOpen }",
        "when { context has endpoint && context.endpoint.approved }",
        "when { context.ask.fields.contains(\"logprobs\") }",
        "when { context.network.value == \"office\" && context.now < datetime(\"2027-01-01\") }",
    ])
    .to_owned()
}

/// Who and what exists, and which grants.
pub(super) struct World {
    people: Vec<Person>,
    machine: Machine,
    groups: Vec<Group>,
    projects: Vec<Project>,
    models: Vec<Model>,
    versions: Vec<Version>,
    aliases: Vec<Alias>,
    endpoints: Vec<Endpoint>,
    dataset: Dataset,
    grants: Vec<Grant>,
    /// What most grants and most requests of this world are about.
    action: Action,
}

impl World {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let groups = GROUPS.map(GroupId::from_bits);
        let models = MODELS.map(|bits| model(rng, bits)).to_vec();
        let versions = VERSIONS.map(|bits| version(rng, bits)).to_vec();
        let action = rng.pick(&ACTIONS);
        Self {
            people: PEOPLE.map(|bits| person(rng, bits)).to_vec(),
            machine: Machine {
                id: MachineId::from_bits(MACHINE),
                name: name("machine"),
                owner: PersonId::from_bits(rng.pick(&PEOPLE)),
                clearance: rng.pick(&Classification::ALL),
                active: rng.chance(80),
                groups: rng.some(&groups, 30),
            },
            groups: (0..groups.len())
                .map(|n| Group {
                    id: groups[n],
                    name: name(&format!("group-{n}")),
                    // Parents come later in the list, so there is no cycle.
                    parents: rng.some(&groups[n + 1..], 40),
                })
                .collect(),
            projects: PROJECTS
                .map(|bits| Project {
                    id: ProjectId::from_bits(bits),
                    name: name(&format!("project-{bits}")),
                })
                .to_vec(),
            aliases: ALIASES.map(|bits| alias(rng, bits, &versions)).to_vec(),
            endpoints: ENDPOINTS.map(|bits| endpoint(rng, bits)).to_vec(),
            dataset: Dataset {
                id: DatasetId::from_bits(DATASET),
                project: ProjectId::from_bits(rng.pick(&PROJECTS)),
                name: name("dataset"),
                classification: rng.pick(&Classification::ALL),
                tags: BTreeSet::new(),
                columns: Vec::new(),
            },
            grants: (0..4 + rng.below(12)).map(|n| grant(rng, u128::from(n), action.privilege())).collect(),
            action,
            models,
            versions,
        }
    }

    pub(super) fn changes(&self) -> Vec<Change> {
        let production = Environment { name: name("production"), production: true };
        let mut changes = vec![
            Change::Environment(Arc::new(production)),
            Change::Machine(Arc::new(self.machine.clone())),
            Change::Dataset(Arc::new(self.dataset.clone())),
        ];
        changes.extend(self.people.iter().cloned().map(|it| Change::Person(Arc::new(it))));
        changes.extend(self.groups.iter().cloned().map(|it| Change::Group(Arc::new(it))));
        changes.extend(self.projects.iter().cloned().map(|it| Change::Project(Arc::new(it))));
        changes.extend(self.models.iter().cloned().map(|it| Change::Model(Arc::new(it))));
        changes.extend(self.versions.iter().cloned().map(|it| Change::Version(Arc::new(it))));
        changes.extend(self.aliases.iter().cloned().map(|it| Change::Alias(Arc::new(it))));
        changes.extend(self.endpoints.iter().cloned().map(|it| Change::Endpoint(Arc::new(it))));
        changes.extend(self.grants.iter().cloned().map(|it| Change::Grant(Arc::new(it))));
        changes
    }

    pub(super) fn request(&self, rng: &mut Rng) -> Request {
        let action = if rng.chance(80) { self.action } else { rng.pick(&ACTIONS) };
        let resource = match rng.pick(action.resources()) {
            ResourceKind::Platform => ResourceRef::Platform,
            ResourceKind::Project => ResourceRef::Project(rng.pick(&self.projects).id),
            ResourceKind::Model => ResourceRef::Model(rng.pick(&self.models).id),
            ResourceKind::Version => ResourceRef::Version(rng.pick(&self.versions).id),
            ResourceKind::Endpoint => ResourceRef::Endpoint(rng.pick(&self.endpoints).id),
            ResourceKind::Dataset => ResourceRef::Dataset(self.dataset.id),
        };
        let principal = if rng.chance(90) {
            PrincipalRef::Person(
                rng.pick(&[PEOPLE[0], PEOPLE[0], PEOPLE[1], PEOPLE[2]].map(PersonId::from_bits)),
            )
        } else {
            PrincipalRef::Machine(self.machine.id)
        };
        let fact = |value: &str| Fact::new(name(value), Source::Socket, now(), Confidence::Proved);
        let risk = u8::try_from(rng.below(20)).expect("small");
        let session = SessionFacts {
            id: SessionId::from_bits(1),
            strength: u8::try_from(rng.below(4)).expect("small"),
            methods: vec![name("pwd")],
            authenticated_at: now() - SignedDuration::from_mins(3),
            binding: rng.pick(&[Binding::None, Binding::Dpop]),
            scope: CredentialScope::Full,
        };
        Request {
            principal,
            action,
            resource,
            facts: Facts {
                now: now(),
                environment: rng.pick(&[name("production"), name("staging")]),
                endpoint: rng.chance(60).then(|| rng.pick(&self.endpoints).id),
                session: Arc::new(session),
                device: DeviceFacts::UNKNOWN,
                network: fact(rng.pick(&["office", "unknown"])),
                place: fact("unknown"),
                risk: Fact::new(risk, Source::Signal, now(), Confidence::Managed),
                ask: Ask {
                    fields: rng.some(&[Field::Logprobs, Field::Tokens], 30),
                    bytes: rng.chance(20).then_some(7),
                    purpose: rng.chance(20).then(|| name("care")),
                },
            },
        }
    }

    /// Covering grants by definition: every grant is looked at, every group followed.
    pub(super) fn covering(&self, snapshot: &Snapshot, request: &Request) -> Vec<Grant> {
        let parents: BTreeMap<_, _> =
            self.entities(snapshot, request).into_iter().map(|(uid, _, parents)| (uid, parents)).collect();
        let is_below = |from: &EntityUID, to: &EntityUID| {
            let mut open = vec![from.clone()];
            while let Some(at) = open.pop() {
                if at == *to {
                    return true;
                }
                open.extend(parents.get(&at).into_iter().flatten().cloned());
            }
            false
        };
        let types = snapshot.bundle().types();
        let (principal, resource) = (types.principal(request.principal), types.resource(request.resource));
        let covers = |grant: &&Grant| {
            grant.privilege == request.action.privilege()
                && grant.not_before <= request.facts.now
                && request.facts.now < grant.not_after
                && is_below(&principal, &types.grantee_leaf(grant.grantee))
                && is_below(&resource, &types.scope_leaf(grant.scope))
        };
        let mut covering: Vec<Grant> = self.grants.iter().filter(covers).cloned().collect();
        covering.sort_by_key(|grant| (grant.scope.breadth(), grant.id));
        covering
    }

    /// Every entity with its direct parents only, the whole world at once.
    pub(super) fn entities(&self, snapshot: &Snapshot, request: &Request) -> Described {
        let types = snapshot.bundle().types();
        let mut all: Described = Vec::new();
        for group in &self.groups {
            let parents = group.parents.iter().map(|parent| types.group(*parent));
            let leaf = types.grantee_leaf(GranteeRef::Group(group.id));
            all.push((types.group(group.id), BTreeMap::new(), parents.chain([leaf]).collect()));
        }
        let mut principal = |principal: PrincipalRef, groups: &BTreeSet<GroupId>, attributes| {
            let parents = groups.iter().map(|group| types.group(*group));
            let leaf = types.grantee_leaf(principal.as_grantee());
            all.push((types.principal(principal), attributes, parents.chain([leaf]).collect()));
        };
        for person in &self.people {
            let attributes = BTreeMap::from([
                ("active", cedar::boolean(person.active)),
                ("clearance", cedar::long(person.clearance.rank())),
            ]);
            principal(PrincipalRef::Person(person.id), &person.groups, attributes);
        }
        let owner = self.people.iter().find(|person| person.id == self.machine.owner).expect("an owner");
        let attributes = BTreeMap::from([
            ("active", cedar::boolean(self.machine.active)),
            ("clearance", cedar::long(self.machine.clearance.rank())),
            ("ownerActive", cedar::boolean(owner.active)),
        ]);
        principal(PrincipalRef::Machine(self.machine.id), &self.machine.groups, attributes);
        let (attributes, scopes) = self.resource(request);
        let parents = scopes.into_iter().map(|scope| types.scope_leaf(scope)).collect();
        all.push((types.resource(request.resource), attributes, parents));
        let action = request.action;
        all.push((types.action(action), BTreeMap::new(), vec![types.action_group(action)]));
        all
    }

    fn resource(
        &self,
        request: &Request,
    ) -> (BTreeMap<&'static str, cedar_policy_core::ast::Value>, Vec<ScopeRef>) {
        let mut scopes = vec![request.resource.as_scope(), ScopeRef::Platform];
        let mut attributes = BTreeMap::new();
        let of_model = |model: ModelId| self.models.iter().find(|it| it.id == model).expect("a model");
        let mut describe = |model: &Model, quarantined: bool| {
            attributes.insert("sensitivity", cedar::long(model.classification.rank()));
            attributes.insert("quarantined", cedar::boolean(quarantined));
            attributes.insert("stripsSensitive", cedar::boolean(false));
            attributes.insert("tags", cedar::strings(model.tags.iter().map(Name::as_str)));
        };
        let mut served = None;
        match request.resource {
            ResourceRef::Platform | ResourceRef::Project(_) => {}
            ResourceRef::Model(id) => {
                let model = of_model(id);
                scopes.push(ScopeRef::Project(model.project));
                describe(model, model.quarantined);
                served = Some(id);
            }
            ResourceRef::Version(id) => {
                let version = self.versions.iter().find(|it| it.id == id).expect("a version");
                let model = of_model(version.model);
                scopes.extend([ScopeRef::Model(model.id), ScopeRef::Project(model.project)]);
                scopes.extend(
                    self.aliases.iter().filter(|it| it.version == id).map(|it| ScopeRef::Alias(it.id)),
                );
                describe(model, model.quarantined || version.quarantined);
                attributes.insert("proven", cedar::boolean(version.proven));
                served = Some(version.model);
            }
            ResourceRef::Endpoint(id) => {
                let endpoint = self.endpoints.iter().find(|it| it.id == id).expect("an endpoint");
                attributes.insert("approved", cedar::boolean(endpoint.approved));
            }
            ResourceRef::Dataset(_) => {
                scopes.push(ScopeRef::Project(self.dataset.project));
                attributes.insert("sensitivity", cedar::long(self.dataset.classification.rank()));
                attributes.insert("tags", cedar::strings([]));
            }
        }
        if let Some(via) = request.facts.endpoint {
            let door = self.endpoints.iter().find(|it| it.id == via).expect("an endpoint");
            if door.serves.iter().any(|it| Some(it.model) == served) {
                scopes.push(ScopeRef::Endpoint(via));
            }
        }
        (attributes, scopes)
    }
}

fn person(rng: &mut Rng, bits: u128) -> Person {
    Person {
        id: PersonId::from_bits(bits),
        name: name(&format!("person-{bits}")),
        display_name: String::new(),
        clearance: rng.pick(&Classification::ALL),
        active: rng.chance(80),
        groups: rng.some(&GROUPS.map(GroupId::from_bits), 30),
    }
}

fn model(rng: &mut Rng, bits: u128) -> Model {
    Model {
        id: ModelId::from_bits(bits),
        project: ProjectId::from_bits(rng.pick(&PROJECTS)),
        name: name(&format!("model-{bits}")),
        classification: rng.pick(&Classification::ALL),
        tags: rng.some(&[name("trained-on-personal")], 30),
        quarantined: rng.chance(10),
        on_sensitive_ask: OnSensitiveAsk::Refuse,
        fail_static: false,
    }
}

fn version(rng: &mut Rng, bits: u128) -> Version {
    Version {
        id: VersionId::from_bits(bits),
        model: ModelId::from_bits(rng.pick(&MODELS)),
        label: name(&format!("v{bits}")),
        digest: None,
        label_outputs: BTreeSet::new(),
        proven: rng.chance(50),
        quarantined: rng.chance(10),
    }
}

fn alias(rng: &mut Rng, bits: u128, versions: &[Version]) -> Alias {
    let version = rng.pick(versions);
    Alias {
        id: AliasId::from_bits(bits),
        model: version.model,
        name: name(&format!("alias-{bits}")),
        version: version.id,
        protected: false,
    }
}

fn endpoint(rng: &mut Rng, bits: u128) -> Endpoint {
    let serve = |model| Served {
        public_name: "m".to_owned(),
        model,
        target: Target::Version(VersionId::from_bits(VERSIONS[0])),
        upstream_name: "m".to_owned(),
    };
    Endpoint {
        id: EndpointId::from_bits(bits),
        name: name(&format!("endpoint-{bits}")),
        environment: name("production"),
        protocol: Protocol::OpenInference,
        upstream: name("upstream"),
        approved: rng.chance(80),
        serves: rng.some(&MODELS.map(ModelId::from_bits), 60).into_iter().map(serve).collect(),
    }
}

fn grant(rng: &mut Rng, n: u128, usual: Privilege) -> Grant {
    let grantee = rng.pick(&[
        GranteeRef::Person(PersonId::from_bits(PEOPLE[0])),
        GranteeRef::Person(PersonId::from_bits(PEOPLE[1])),
        GranteeRef::Machine(MachineId::from_bits(MACHINE)),
        GranteeRef::Group(GroupId::from_bits(GROUPS[0])),
        GranteeRef::Group(GroupId::from_bits(GROUPS[2])),
    ]);
    let scope = rng.pick(&[
        ScopeRef::Platform,
        ScopeRef::Platform,
        ScopeRef::Platform,
        ScopeRef::Platform,
        ScopeRef::Project(ProjectId::from_bits(PROJECTS[0])),
        ScopeRef::Model(ModelId::from_bits(MODELS[0])),
        ScopeRef::Version(VersionId::from_bits(VERSIONS[0])),
        ScopeRef::Alias(AliasId::from_bits(ALIASES[0])),
        ScopeRef::Endpoint(EndpointId::from_bits(ENDPOINTS[0])),
        ScopeRef::Dataset(DatasetId::from_bits(DATASET)),
    ]);
    let hour = SignedDuration::from_hours(1);
    let (not_before, not_after) = rng.pick(&[
        (now() - hour, now() + hour),
        (now() - hour, now() + hour),
        (now() - hour, now() + hour),
        (now() + hour, now() + hour * 2),
        (now() - hour, now()),
    ]);
    Grant {
        id: GrantId::from_bits(0xa00 + n),
        grantee,
        privilege: if rng.chance(80) { usual } else { rng.pick(&ACTIONS).privilege() },
        scope,
        conditions: Conditions {
            environments: rng.chance(30).then(|| BTreeSet::from([name("production")])),
            fields: rng.chance(50).then(|| BTreeSet::from([Field::Logprobs])),
            windows: rng.chance(20).then(Vec::new),
            ..Conditions::default()
        },
        not_before,
        not_after,
        origin: Origin::Bootstrap { by: PersonId::from_bits(PEOPLE[0]) },
    }
}
