//! Why some files are no bundle: which file, where, and what to do.

use miette::Diagnostic;

use super::{MANIFEST, Place};

#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("the bundle has no file `{file}`")]
    Missing { file: &'static str },
    #[error("`{file}` is no file of a bundle")]
    UnknownFile { file: String },
    #[error("the bundle has {found} {what}, more than {max}")]
    TooLarge { what: &'static str, found: usize, max: usize },
    #[error("the bundle speaks schema version {found}, this program version {known}")]
    SchemaVersion { found: u32, known: u32 },
    #[error("{MANIFEST} says `kind = \"project\"`: such a bundle decides nothing alone")]
    Project,
    #[error("{at}: {message}")]
    Syntax { at: Place, message: String, hint: Option<String> },
    #[error("{at}: a policy lacks `@{annotation}`")]
    Annotation { at: Place, annotation: &'static str },
    #[error("{at}: policy `{id}`: {message}")]
    AnnotationValue { at: Place, id: String, message: String },
    #[error("{at}: the id `{id}` is taken by another policy")]
    DuplicateId { at: Place, id: String },
    #[error("{at}: policy `{id}` is not valid: {message}")]
    Invalid { at: Place, id: String, message: String, hint: Option<String> },
    #[error("the entity types of namespace `Modelward` are not names to this version of Cedar")]
    Vocabulary,
    #[error("failed to assemble the policies")]
    Set {
        #[source]
        source: Box<cedar_policy::PolicySetError>,
    },
    #[error("failed to compute the digest of the bundle")]
    Digest {
        #[source]
        source: serde_json::Error,
    },
}

impl BundleError {
    /// Where in the bundle it is, if at one place.
    pub const fn place(&self) -> Option<&Place> {
        match self {
            Self::Syntax { at, .. }
            | Self::Annotation { at, .. }
            | Self::AnnotationValue { at, .. }
            | Self::DuplicateId { at, .. }
            | Self::Invalid { at, .. } => Some(at),
            Self::Missing { .. }
            | Self::UnknownFile { .. }
            | Self::TooLarge { .. }
            | Self::SchemaVersion { .. }
            | Self::Project
            | Self::Vocabulary
            | Self::Set { .. }
            | Self::Digest { .. } => None,
        }
    }

    /// What went wrong, without the place.
    pub fn message(&self) -> String {
        let whole = self.to_string();
        let prefix = self.place().map(|at| format!("{at}: ")).unwrap_or_default();
        whole.strip_prefix(&prefix).map(str::to_owned).unwrap_or(whole)
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Syntax { hint, .. } | Self::Invalid { hint, .. } => return hint.clone(),
            Self::Missing { file } => format!("add `{file}`; `policies/` has an example"),
            Self::UnknownFile { .. } => {
                "a bundle has bundle.toml, schema.cedarschema, *.cedar, entitlements.toml, groups.toml, signals.toml, \
                 reviewers.toml, matrix.txt, invariants/*.cedar, tests/*.scenario and tests/*.json"
                    .to_owned()
            }
            Self::Annotation { annotation, .. } => format!("write `@{annotation}(\"…\")` before the policy"),
            Self::DuplicateId { .. } => "give one of the two another `@id`".to_owned(),
            Self::Project => "check it together with the root bundle it belongs to".to_owned(),
            Self::SchemaVersion { known, .. } => format!("write `schema_version = {known}`"),
            Self::TooLarge { .. }
            | Self::AnnotationValue { .. }
            | Self::Vocabulary
            | Self::Set { .. }
            | Self::Digest { .. } => return None,
        })
    }
}

/// Turns a Cedar diagnostic into its place in the file.
pub(super) fn located<T, E: Diagnostic>(
    file: &str,
    text: &str,
    result: Result<T, E>,
) -> Result<T, BundleError> {
    result.map_err(|error| BundleError::Syntax {
        at: label(file, text, &error).unwrap_or_else(|| Place::start(file)),
        message: error.to_string(),
        hint: error.help().map(|help| help.to_string()),
    })
}

/// The first stretch of text a diagnostic points at.
pub(super) fn label(file: &str, text: &str, error: &impl Diagnostic) -> Option<Place> {
    let label = error.labels()?.next()?;
    Some(Place::new(file, text, label.offset()..label.offset().saturating_add(label.len())))
}
