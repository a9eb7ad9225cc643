//! The permission matrix: principal kind × action × resource kind × condition, computed by deciding each cell.
//!
//! Every cell is a real decision on a world made for it. The table is kept as a reviewed golden file beside the
//! policies, so that a change of policy is seen as a changed table.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::decide::decide;
use crate::decision::{Outcome, Request};
use crate::grant::{Conditions, Day, Grant, Origin, Window};
use crate::inventory::{
    Dataset, Endpoint, Environment, Group, Machine, Model, OnSensitiveAsk, Person, Project, Protocol, Served,
    Target, Version,
};
use crate::vocabulary::{
    Action, Ask, Binding, Classification, Confidence, CredentialScope, DatasetId, DecisionId, DeviceFacts,
    EndpointId, EventId, Fact, Facts, Field, GrantId, GranteeRef, GroupId, MachineId, ModelId, Name,
    NameError, PersonId, PrincipalRef, Privilege, ProjectId, ResourceKind, ResourceRef, ScopeRef,
    SessionFacts, SessionId, Source, VersionId,
};
use crate::{Bundle, Change, Snapshot};

/// Who asks in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// A person with a grant of their own.
    Person,
    /// A person whose group holds the grant.
    Member,
    /// A machine with a grant of its own.
    Machine,
}

/// One thing that is different from a request in which all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// All is well: a live grant, a strong and recent sign-in, a bound credential, a managed device.
    Well,
    NoGrant,
    /// A grant of every other privilege, and none of this one.
    OtherGrants,
    Ended,
    NotBegun,
    FewerApprovals,
    OtherEnvironment,
    OtherRegion,
    OtherSegment,
    NoPurpose,
    OutsideWindow,
    OneFactor,
    OldSignIn,
    BearerCredential,
    NarrowCredential,
    UnmanagedDevice,
    HighRisk,
    LowClearance,
    Inactive,
    Quarantined,
    UnapprovedEndpoint,
    UnheldField,
}

/// One row: what one kind of principal can do to one kind of thing, condition by condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    pub holder: Holder,
    pub action: Action,
    pub resource: ResourceKind,
    pub cells: Vec<Outcome>,
}

impl Holder {
    pub const ALL: [Self; 3] = [Self::Person, Self::Member, Self::Machine];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Member => "member",
            Self::Machine => "machine",
        }
    }
}

impl Condition {
    pub const ALL: [Self; 22] = [
        Self::Well,
        Self::NoGrant,
        Self::OtherGrants,
        Self::Ended,
        Self::NotBegun,
        Self::FewerApprovals,
        Self::OtherEnvironment,
        Self::OtherRegion,
        Self::OtherSegment,
        Self::NoPurpose,
        Self::OutsideWindow,
        Self::OneFactor,
        Self::OldSignIn,
        Self::BearerCredential,
        Self::NarrowCredential,
        Self::UnmanagedDevice,
        Self::HighRisk,
        Self::LowClearance,
        Self::Inactive,
        Self::Quarantined,
        Self::UnapprovedEndpoint,
        Self::UnheldField,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Well => "all well",
            Self::NoGrant => "no grant",
            Self::OtherGrants => "grants of every other privilege only",
            Self::Ended => "grant ended",
            Self::NotBegun => "grant not begun",
            Self::FewerApprovals => "one approval fewer",
            Self::OtherEnvironment => "environment the grant does not name",
            Self::OtherRegion => "region the grant does not name",
            Self::OtherSegment => "network segment the grant does not name",
            Self::NoPurpose => "purpose the grant asks for not stated",
            Self::OutsideWindow => "outside the grant's time window",
            Self::OneFactor => "signed in with one factor",
            Self::OldSignIn => "signed in an hour ago",
            Self::BearerCredential => "credential not bound to its holder",
            Self::NarrowCredential => "credential minted for something else",
            Self::UnmanagedDevice => "device not managed",
            Self::HighRisk => "high risk",
            Self::LowClearance => "clearance below the classification",
            Self::Inactive => "principal not active",
            Self::Quarantined => "model in quarantine",
            Self::UnapprovedEndpoint => "endpoint not approved",
            Self::UnheldField => "sensitive field asked for and not held",
        }
    }
}

/// Every row of the bundle's matrix, in vocabulary order.
pub fn matrix(bundle: &Arc<Bundle>) -> Result<Vec<Row>, NameError> {
    matrix_within(bundle, PROJECT)
}

/// The same, with everything that is asked for in this project: permits of its own then show.
pub fn matrix_within(bundle: &Arc<Bundle>, project: ProjectId) -> Result<Vec<Row>, NameError> {
    let mut rows = Vec::new();
    for action in Action::ALL {
        for kind in action.resources() {
            for holder in Holder::ALL {
                let cells = Condition::ALL
                    .into_iter()
                    .map(|condition| Cell { holder, action, kind: *kind, condition, project }.decide(bundle))
                    .collect::<Result<_, NameError>>()?;
                rows.push(Row { holder, action, resource: *kind, cells });
            }
        }
    }
    Ok(rows)
}

/// The matrix as text: one line a row, one mark a condition.
pub fn render(rows: &[Row]) -> String {
    let mut text = String::from(
        "The permission matrix: what the bundle decides, cell by cell.\n\
         ✔ allowed   ✘ forbidden by a guardrail   · not permitted   ! closed by an error   ? obligation unmet\n\nColumns:\n",
    );
    for (number, condition) in (1..).zip(Condition::ALL) {
        text += &format!("{number:>4}  {}\n", condition.as_str());
    }
    let numbers: String = (1..=Condition::ALL.len()).map(|number| format!("{number:>3}")).collect();
    let mut heading = None;
    for row in rows {
        let privilege = row.action.privilege();
        if heading != Some(privilege) {
            heading = Some(privilege);
            text += &format!("\n{} {privilege}\n{:<46}{numbers}\n", privilege.letter(), "");
        }
        let title = format!("{} {} {}", row.action, row.resource.as_str(), row.holder.as_str());
        let cells: String = row.cells.iter().map(|cell| format!("  {}", mark(*cell))).collect();
        text += &format!("{title:<46}{cells}\n");
    }
    text
}

const fn mark(outcome: Outcome) -> char {
    match outcome {
        Outcome::Permitted => '✔',
        Outcome::Forbidden => '✘',
        Outcome::NotPermitted => '·',
        Outcome::ErrorClosed => '!',
        Outcome::ObligationUnmet => '?',
    }
}

struct Cell {
    holder: Holder,
    action: Action,
    kind: ResourceKind,
    condition: Condition,
    project: ProjectId,
}

const PERSON: PersonId = PersonId::from_bits(0x10);
const OTHER: PersonId = PersonId::from_bits(0x11);
const MACHINE: MachineId = MachineId::from_bits(0x20);
const GROUP: GroupId = GroupId::from_bits(0x30);
const PROJECT: ProjectId = ProjectId::from_bits(0x40);
const MODEL: ModelId = ModelId::from_bits(0x50);
const ELSEWHERE: ModelId = ModelId::from_bits(0x51);
const VERSION: VersionId = VersionId::from_bits(0x60);
const ENDPOINT: EndpointId = EndpointId::from_bits(0x70);
const DATASET: DatasetId = DatasetId::from_bits(0x80);
/// Noon of a Friday, in UTC.
const NOON: Timestamp = Timestamp::constant(1_795_176_000, 0);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

impl Cell {
    fn decide(&self, bundle: &Arc<Bundle>) -> Result<Outcome, NameError> {
        let snapshot = Snapshot::empty(Arc::clone(bundle)).with(self.world()?);
        Ok(decide(&snapshot, &self.request()?, DecisionId::from_bits(1)).outcome)
    }

    fn is(&self, condition: Condition) -> bool {
        self.condition == condition
    }

    fn when<T>(&self, condition: Condition, then: T, otherwise: T) -> T {
        if self.is(condition) { then } else { otherwise }
    }

    fn world(&self) -> Result<Vec<Change>, NameError> {
        let production = Name::new("production")?;
        let clearance =
            self.when(Condition::LowClearance, Classification::Internal, Classification::Confidential);
        let (active, groups) = (!self.is(Condition::Inactive), BTreeSet::from([GROUP]));
        let person = |id, name, groups| {
            Ok(Person { id, name: Name::new(name)?, display_name: String::new(), clearance, active, groups })
        };
        let mut changes = vec![
            Change::Environment(Arc::new(Environment { name: production.clone(), production: true })),
            Change::Group(Arc::new(Group { id: GROUP, name: Name::new("group")?, parents: BTreeSet::new() })),
            Change::Person(Arc::new(person(PERSON, "person", groups)?)),
            Change::Person(Arc::new(Person { active: true, ..person(OTHER, "owner", BTreeSet::new())? })),
            Change::Machine(Arc::new(Machine {
                id: MACHINE,
                name: Name::new("machine")?,
                owner: OTHER,
                clearance,
                active,
                groups: BTreeSet::new(),
            })),
            Change::Project(Arc::new(Project { id: self.project, name: Name::new("project")? })),
            Change::Model(Arc::new(Model {
                id: MODEL,
                project: self.project,
                name: Name::new("model")?,
                classification: Classification::Confidential,
                tags: BTreeSet::new(),
                quarantined: self.is(Condition::Quarantined),
                on_sensitive_ask: OnSensitiveAsk::Refuse,
                fail_static: false,
            })),
            Change::Version(Arc::new(Version {
                id: VERSION,
                model: MODEL,
                label: Name::new("1")?,
                digest: None,
                label_outputs: BTreeSet::new(),
                proven: true,
                quarantined: false,
            })),
            Change::Endpoint(Arc::new(Endpoint {
                id: ENDPOINT,
                name: Name::new("endpoint")?,
                environment: production,
                protocol: Protocol::OpenInference,
                upstream: Name::new("upstream")?,
                approved: !self.is(Condition::UnapprovedEndpoint),
                serves: vec![Served {
                    public_name: "model".to_owned(),
                    model: MODEL,
                    target: Target::Version(VERSION),
                    upstream_name: "model".to_owned(),
                }],
            })),
            Change::Dataset(Arc::new(Dataset {
                id: DATASET,
                project: self.project,
                name: Name::new("dataset")?,
                classification: Classification::Confidential,
                tags: BTreeSet::new(),
                columns: Vec::new(),
            })),
        ];
        changes.extend(self.grants()?.into_iter().map(|grant| Change::Grant(Arc::new(grant))));
        Ok(changes)
    }

    fn grants(&self) -> Result<Vec<Grant>, NameError> {
        let needed = self.action.privilege();
        let privileges: Vec<Privilege> = match self.condition {
            Condition::NoGrant => Vec::new(),
            Condition::OtherGrants => {
                Privilege::ALL.into_iter().filter(|privilege| *privilege != needed).collect()
            }
            _ => vec![needed],
        };
        let (not_before, not_after) = match self.condition {
            Condition::Ended => (NOON - HOUR * 2, NOON - HOUR),
            Condition::NotBegun => (NOON + HOUR, NOON + HOUR * 2),
            _ => (NOON - HOUR, NOON + HOUR),
        };
        let names = |text| Ok(BTreeSet::from([Name::new(text)?]));
        let conditions = Conditions {
            environments: Some(names(if self.kind == ResourceKind::Platform {
                "control"
            } else {
                "production"
            })?),
            regions: Some(names("eu")?),
            segments: Some(names("office")?),
            purposes: Some(names("care")?),
            windows: Some(vec![Window {
                days: BTreeSet::from([Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri]),
                from: jiff::civil::time(self.when(Condition::OutsideWindow, 14, 8), 0, 0, 0),
                until: jiff::civil::time(18, 0, 0, 0),
                zone: "UTC".to_owned(),
            }]),
            fields: Field::of(self.action).map(|field| BTreeSet::from([field])),
            max_uses: None,
            max_bytes: None,
        };
        let grantee = match self.holder {
            Holder::Person => GranteeRef::Person(PERSON),
            Holder::Member => GranteeRef::Group(GROUP),
            Holder::Machine => GranteeRef::Machine(MACHINE),
        };
        let approvals = approvals(needed).saturating_sub(u8::from(self.is(Condition::FewerApprovals)));
        let grant = |(number, privilege): (u128, Privilege)| Grant {
            id: GrantId::from_bits(0x90 + number),
            grantee,
            privilege,
            scope: ScopeRef::Platform,
            conditions: conditions.clone(),
            not_before,
            not_after,
            origin: Origin::Request { request: EventId::from_bits(0xa0), approvals },
        };
        Ok((0..).zip(privileges).map(grant).collect())
    }

    fn request(&self) -> Result<Request, NameError> {
        let name = Name::new;
        let sign_in = self.when(Condition::OldSignIn, NOON - HOUR, NOON - SignedDuration::from_mins(1));
        let narrow = CredentialScope::Limited {
            privileges: BTreeSet::from([self.action.privilege()]),
            models: BTreeSet::from([ELSEWHERE]),
            actions: BTreeSet::new(),
        };
        let session = SessionFacts {
            id: SessionId::from_bits(0xb0),
            strength: self.when(Condition::OneFactor, 1, 3),
            methods: vec![name("hwk")?],
            authenticated_at: sign_in,
            binding: self.when(Condition::BearerCredential, Binding::None, Binding::Dpop),
            scope: self.when(Condition::NarrowCredential, narrow, CredentialScope::Full),
        };
        let managed = !self.is(Condition::UnmanagedDevice);
        let fact = |value| Ok(Fact::new(name(value)?, Source::Socket, NOON, Confidence::Proved));
        let home = if self.kind == ResourceKind::Platform { "control" } else { "production" };
        let unheld = [Field::Logprobs].into_iter().filter(|_| self.is(Condition::UnheldField));
        Ok(Request {
            principal: match self.holder {
                Holder::Person | Holder::Member => PrincipalRef::Person(PERSON),
                Holder::Machine => PrincipalRef::Machine(MACHINE),
            },
            action: self.action,
            resource: match self.kind {
                ResourceKind::Platform => ResourceRef::Platform,
                ResourceKind::Project => ResourceRef::Project(self.project),
                ResourceKind::Model => ResourceRef::Model(MODEL),
                ResourceKind::Version => ResourceRef::Version(VERSION),
                ResourceKind::Endpoint => ResourceRef::Endpoint(ENDPOINT),
                ResourceKind::Dataset => ResourceRef::Dataset(DATASET),
            },
            facts: Facts {
                now: NOON,
                environment: name(self.when(Condition::OtherEnvironment, "staging", home))?,
                endpoint: (self.kind == ResourceKind::Version).then_some(ENDPOINT),
                session: Arc::new(session),
                device: DeviceFacts { managed, compliant: managed, confidence: Confidence::Proved },
                network: fact(self.when(Condition::OtherSegment, "unknown", "office"))?,
                place: fact(self.when(Condition::OtherRegion, "unknown", "eu"))?,
                risk: Fact::new(
                    self.when(Condition::HighRisk, 90, 0),
                    Source::Signal,
                    NOON,
                    Confidence::Managed,
                ),
                ask: Ask {
                    fields: Field::of(self.action).into_iter().chain(unheld).collect(),
                    bytes: None,
                    purpose: if self.is(Condition::NoPurpose) { None } else { Some(name("care")?) },
                },
            },
        })
    }
}

/// How many approvals the default bundle asks for.
const fn approvals(privilege: Privilege) -> u8 {
    match privilege {
        Privilege::Retraining | Privilege::Export | Privilege::DataExport => 2,
        Privilege::InferenceSensitive | Privilege::Experiment | Privilege::Registry | Privilege::Deploy => 1,
        Privilege::SelfService
        | Privilege::ReadOnly
        | Privilege::Inference
        | Privilege::Govern
        | Privilege::Audit => 0,
    }
}
