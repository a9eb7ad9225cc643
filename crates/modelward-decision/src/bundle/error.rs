//! Why some files are no bundle: which file, where, and what to do.

use miette::Diagnostic;

#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("the bundle has no file `{file}`")]
    Missing { file: &'static str },
    #[error("the bundle has {found} {what}, more than {max}")]
    TooLarge { what: &'static str, found: usize, max: usize },
    #[error("failed to read `{file}`")]
    Manifest {
        file: &'static str,
        #[source]
        source: Box<toml::de::Error>,
    },
    #[error("the bundle speaks schema version {found}, this program version {known}")]
    SchemaVersion { found: u32, known: u32 },
    #[error("{file}:{line}:{column}: {message}")]
    Syntax { file: String, line: usize, column: usize, message: String, hint: Option<String> },
    #[error("{file}: a policy lacks `@{annotation}`")]
    Annotation { file: String, annotation: &'static str },
    #[error("{file}: policy `{id}`: {message}")]
    AnnotationValue { file: String, id: String, message: String },
    #[error("{file}: the id `{id}` is taken by another policy")]
    DuplicateId { file: String, id: String },
    #[error("{file}: policy `{id}` is not valid: {message}")]
    Invalid { file: String, id: String, message: String },
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

/// Turns a Cedar diagnostic into file, line and column (both counted from 1).
pub(super) fn located<T, E: Diagnostic>(
    file: &str,
    text: &str,
    result: Result<T, E>,
) -> Result<T, BundleError> {
    result.map_err(|error| {
        let offset = error.labels().and_then(|mut labels| labels.next()).map_or(0, |label| label.offset());
        let before = text.get(..offset).unwrap_or(text);
        BundleError::Syntax {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1,
            message: error.to_string(),
            hint: error.help().map(|help| help.to_string()),
        }
    })
}
