//! A thing that stands for one the caller may not know of: of the same kind, and with nothing said against it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::decision::Request;
use crate::inventory::{
    Dataset, Endpoint, Model, OnSensitiveAsk, Project, Protocol, Served, Target, Version,
};
use crate::snapshot::{Change, Snapshot};
use crate::vocabulary::{
    Classification, DatasetId, EndpointId, Id, ModelId, Name, ProjectId, ResourceKind, ResourceRef, VersionId,
};

/// No UUIDv7 is this small, and the platform's own leaf is smaller still.
const PROJECT: ProjectId = ProjectId::from_bits(2);
const MODEL: ModelId = ModelId::from_bits(3);
const VERSION: VersionId = VersionId::from_bits(4);
const ENDPOINT: EndpointId = EndpointId::from_bits(5);
const DATASET: DatasetId = DatasetId::from_bits(6);

/// The world with such things in it, and the request about one of them. Nothing here depends on the real one.
pub(super) fn imagine(snapshot: &Snapshot, request: &Request) -> (Snapshot, Request) {
    let mut asked = request.clone();
    asked.resource = match request.resource {
        ResourceRef::Platform => ResourceRef::Platform,
        ResourceRef::Project(_) => ResourceRef::Project(PROJECT),
        // A question about a model is one about its version where only versions can be asked for.
        ResourceRef::Model(_) if !request.action.resources().contains(&ResourceKind::Model) => {
            ResourceRef::Version(VERSION)
        }
        ResourceRef::Model(_) => ResourceRef::Model(MODEL),
        ResourceRef::Version(_) => ResourceRef::Version(VERSION),
        ResourceRef::Endpoint(_) => ResourceRef::Endpoint(ENDPOINT),
        ResourceRef::Dataset(_) => ResourceRef::Dataset(DATASET),
    };
    let served = matches!(request.resource, ResourceRef::Model(_) | ResourceRef::Version(_));
    asked.facts.endpoint = served.then_some(ENDPOINT);
    (snapshot.with(things(&asked.facts.environment).unwrap_or_default()), asked)
}

fn things(environment: &Name) -> Option<Vec<Change>> {
    let serves = Served {
        public_name: String::new(),
        model: MODEL,
        target: Target::Version(VERSION),
        upstream_name: String::new(),
    };
    let endpoint = Endpoint {
        id: ENDPOINT,
        name: named(ENDPOINT)?,
        environment: environment.clone(),
        protocol: Protocol::OpenInference,
        upstream: named(ENDPOINT)?,
        approved: true,
        serves: vec![serves],
    };
    let model = Model {
        id: MODEL,
        project: PROJECT,
        name: named(MODEL)?,
        classification: Classification::Public,
        tags: BTreeSet::new(),
        quarantined: false,
        on_sensitive_ask: OnSensitiveAsk::Refuse,
        fail_static: false,
    };
    let version = Version {
        id: VERSION,
        model: MODEL,
        label: named(VERSION)?,
        digest: None,
        label_outputs: BTreeSet::new(),
        proven: true,
        quarantined: false,
    };
    let dataset = Dataset {
        id: DATASET,
        project: PROJECT,
        name: named(DATASET)?,
        classification: Classification::Public,
        tags: BTreeSet::new(),
        columns: Vec::new(),
    };
    Some(vec![
        Change::Project(Arc::new(Project { id: PROJECT, name: named(PROJECT)? })),
        Change::Model(Arc::new(model)),
        Change::Version(Arc::new(version)),
        Change::Endpoint(Arc::new(endpoint)),
        Change::Dataset(Arc::new(dataset)),
    ])
}

/// A name nobody gave.
fn named<K: crate::vocabulary::Kind>(id: Id<K>) -> Option<Name> {
    Name::new(&id.to_string()).ok()
}
