//! Why nothing could be proved or refuted at all. A single question that stays open is a verdict, not an error.

/// What is wrong with what was to be proved.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    #[error("{file}: {message}")]
    Invariant { file: String, message: String },
    #[error("{file}: invariant `{id}` {message}")]
    InvariantShape { file: String, id: String, message: String },
    #[error("{file}: the invariant id `{id}` is taken by another one")]
    DuplicateInvariant { file: String, id: String },
    #[error("failed to list the actions of the schema")]
    Actions(#[source] Box<cedar_policy::entities_errors::EntitiesError>),
    #[error("failed to compile the schema: {0}")]
    Schema(String),
    #[error("failed to assemble policies")]
    Set(#[source] Box<cedar_policy::PolicySetError>),
    #[error("failed to join the conditions of invariants")]
    Joint(#[source] Box<cedar_policy::PolicyFromJsonError>),
    #[error("failed to write a policy as JSON")]
    Json(#[source] Box<cedar_policy::PolicyToJsonError>),
    #[error("failed to compute a digest")]
    Digest(#[source] modelward_seal::canonical::CanonicalError),
}
