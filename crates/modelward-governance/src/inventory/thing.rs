//! One thing of the inventory, whatever its kind, and the edit that brings it about.

use modelward_decision::Removed;
use modelward_decision::inventory::{
    Alias, Dataset, Endpoint, Environment, Group, Machine, Model, Person, Project, Version,
};
use modelward_decision::vocabulary::ModelId;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "value")]
pub enum Thing {
    Person(Person),
    Machine(Machine),
    Group(Group),
    Project(Project),
    Environment(Environment),
    Model(Model),
    Description(Description),
    Version(Version),
    Alias(Alias),
    Dataset(Dataset),
    Endpoint(Endpoint),
}

/// What people read about a model. No policy sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    pub model: ModelId,
    /// The model card, in Markdown.
    #[serde(default)]
    pub card: String,
    /// Metrics by name; values as the evaluation wrote them.
    #[serde(default)]
    pub metrics: serde_json::Map<String, serde_json::Value>,
}

impl Description {
    /// Longest model card, in bytes.
    pub const CARD_BYTES_MAX: usize = 256 * 1024;
    /// Most that the metrics of one model can take as JSON, in bytes.
    pub const METRICS_BYTES_MAX: usize = 64 * 1024;

    pub fn empty(model: ModelId) -> Self {
        Self { model, card: String::new(), metrics: serde_json::Map::new() }
    }

    /// Whether card and metrics are within their bounds.
    pub fn fits(&self) -> bool {
        self.card.len() <= Self::CARD_BYTES_MAX
            && serde_json::to_vec(&self.metrics).is_ok_and(|json| json.len() <= Self::METRICS_BYTES_MAX)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    Put(Box<Thing>),
    Remove(Removed),
}
