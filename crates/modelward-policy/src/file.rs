//! A bundle as one file: its texts, what was proved of them, and who signed.
//!
//! The identity is the digest of the texts, the same that decisions name. Canonical JSON, so that one bundle with the same
//! verdicts and signatures is the same bytes everywhere.

use std::collections::BTreeMap;

use modelward_decision::bundle::FileKind;
use modelward_seal::Digest;
use modelward_seal::canonical::{self, CanonicalError, Limits, ParseError, parse_strict};
use serde::{Deserialize, Serialize};

use crate::review::Signature;
use crate::verdict::{CHECKS_MAX, Verdicts};
use crate::{Bundle, BundleError};

/// The version of the format, as the file names it.
pub const FORMAT: &str = "modelward-bundle/1";
/// Bytes of one file at most; the texts in it are bounded by the decision point.
pub const FILE_BYTES_MAX: usize = 96 * 1024 * 1024;
/// Signatures on one file at most.
pub const SIGNATURES_MAX: usize = 64;
const LIMITS: Limits = Limits { bytes: FILE_BYTES_MAX, depth: 8, values: 2_000_000 };

/// A bundle ready to be carried from one machine to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFile {
    digest: Digest,
    files: BTreeMap<String, String>,
    verdicts: Option<Verdicts>,
    signatures: Vec<Signature>,
}

/// Why some bytes are no bundle file, or some texts cannot be made one.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("the file is not strict JSON")]
    Json(#[from] ParseError),
    #[error("the file has the format `{found}`, and this program reads `{FORMAT}`")]
    Format { found: String },
    #[error("the file is no bundle file")]
    Shape(#[source] serde_json::Error),
    #[error("the file says it is {said}, and its texts are {found}")]
    Digest { said: Digest, found: Digest },
    #[error("{found} {what}, more than {max}")]
    TooMany { what: &'static str, found: usize, max: usize },
    #[error("the texts are no bundle")]
    Bundle(#[from] BundleError),
    #[error("the file cannot be written as canonical JSON")]
    Canonical(#[from] CanonicalError),
}

/// The file's shape.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    digest: Digest,
    files: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verdicts: Option<Verdicts>,
    signatures: Vec<Signature>,
}

impl BundleFile {
    /// Makes a file of the texts of a folder, by path relative to it. Nothing is proved or signed yet.
    pub fn pack(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, FileError> {
        let files: BTreeMap<String, String> = files.into_iter().collect();
        check_names(&files)?;
        Ok(Self { digest: Bundle::digest_of(&files)?, files, verdicts: None, signatures: Vec::new() })
    }

    /// Reads a file and checks that it is what it says. Whether its policies are valid is [`Self::bundle`]'s to say, and
    /// whether its signatures count [`check_signatures`](crate::review::check_signatures)'s.
    pub fn open(bytes: &[u8]) -> Result<Self, FileError> {
        let value = parse_strict(bytes, LIMITS)?;
        // The version first, so that a newer file is called newer and not broken.
        let found = value.get("format").and_then(serde_json::Value::as_str).unwrap_or_default();
        if found != FORMAT {
            return Err(FileError::Format { found: found.chars().take(64).collect() });
        }
        let document: Document = serde_json::from_value(value).map_err(FileError::Shape)?;
        at_most("signatures", document.signatures.len(), SIGNATURES_MAX)?;
        at_most("checks", document.verdicts.as_ref().map_or(0, |each| each.checks.len()), CHECKS_MAX)?;
        check_names(&document.files)?;
        let digest = Bundle::digest_of(&document.files)?;
        if digest != document.digest {
            return Err(FileError::Digest { said: document.digest, found: digest });
        }
        let Document { files, verdicts, signatures, .. } = document;
        Ok(Self { digest, files, verdicts, signatures })
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>, FileError> {
        let document = Document {
            format: FORMAT.to_owned(),
            digest: self.digest,
            files: self.files.clone(),
            verdicts: self.verdicts.clone(),
            signatures: self.signatures.clone(),
        };
        Ok(canonical::to_vec(&document)?)
    }

    /// The identity of the bundle.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    pub const fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    pub const fn verdicts(&self) -> Option<&Verdicts> {
        self.verdicts.as_ref()
    }

    /// What a signature names as the verdicts its signer saw.
    pub fn verdicts_digest(&self) -> Result<Option<Digest>, FileError> {
        Ok(self.verdicts.as_ref().map(Digest::of_canonical).transpose()?)
    }

    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// With what a solver found out. Signatures were given for other verdicts, so they go.
    #[must_use]
    pub fn with_verdicts(self, verdicts: Verdicts) -> Self {
        Self { verdicts: Some(verdicts), signatures: Vec::new(), ..self }
    }

    /// With one signature more; a second one of the same reviewer takes the place of the first.
    #[must_use]
    pub fn with_signature(mut self, signature: Signature) -> Self {
        self.signatures.retain(|other| other.reviewer != signature.reviewer);
        self.signatures.push(signature);
        self.signatures.sort_by(|a, b| a.reviewer.cmp(&b.reviewer));
        self
    }

    /// The bundle in the file, through every check of the decision point.
    pub fn bundle(&self) -> Result<Bundle, FileError> {
        Ok(Bundle::from_sources(self.files.clone())?)
    }
}

fn check_names(files: &BTreeMap<String, String>) -> Result<(), FileError> {
    match files.keys().find(|file| FileKind::of(file).is_none()) {
        Some(file) => Err(BundleError::UnknownFile { file: file.chars().take(256).collect() }.into()),
        None => Ok(()),
    }
}

const fn at_most(what: &'static str, found: usize, max: usize) -> Result<(), FileError> {
    if found > max { Err(FileError::TooMany { what, found, max }) } else { Ok(()) }
}
