//! What exists, as declared in files: read, merged, compared with what is, and turned into the edits that lead there.
//!
//! Start at [`plan`].

mod declaration;
mod merge;
mod plan;
mod thing;

pub use declaration::{
    AliasDeclaration, ColumnDeclaration, DatasetDeclaration, Declaration, EndpointDeclaration,
    EnvironmentDeclaration, GroupDeclaration, MachineDeclaration, ModelDeclaration, ProjectDeclaration,
    ServedDeclaration, VersionDeclaration,
};
pub use merge::{MergeError, Merged, Section, merge};
pub use plan::{Current, Difference, FieldChange, Operation, Plan, PlanError, Prune, plan};
pub use thing::{Description, Edit, Thing};
