//! The words of a request: who, what, on which thing, under which circumstances.
//!
//! Every type here is parsed once at an edge and cannot be wrong afterwards.

mod action;
mod classification;
mod facts;
mod field;
pub mod id;
mod name;
mod principal;
mod resource;

pub use action::{Action, Privilege, UnknownAction, UnknownPrivilege};
pub use classification::{Classification, UnknownClassification};
pub use facts::{Ask, Binding, Confidence, CredentialScope, DeviceFacts, Fact, Facts, SessionFacts, Source};
pub use field::{Field, UnknownField};
pub use id::{
    AliasId, DatasetId, DecisionId, EndpointId, EventId, GrantId, GroupId, Id, IdError, Kind, MachineId,
    ModelId, PersonId, ProjectId, RefreshId, SessionId, TokenId, VersionId,
};
pub use name::{Name, NameError};
pub use principal::{GranteeRef, PrincipalRef};
pub use resource::{ResourceKind, ResourceRef, ScopeRef};
