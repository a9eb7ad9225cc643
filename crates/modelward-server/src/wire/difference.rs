//! What two bundles decide differently.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BundleFileView, BundleLine};

/// Against which bundle to compare.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DifferenceQuery {
    /// A bundle, `sha256:…`; the one in force unless told.
    pub from: Option<String>,
}

/// What changes from one bundle to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BundleDifference {
    pub from: BundleLine,
    pub to: BundleLine,
    pub files: Vec<BundleFileView>,
    /// Cells of the permission matrix that change, in order of the vocabulary, at most [`Self::CELLS_MAX`].
    pub cells: Vec<MatrixChange>,
    /// How many of all of them become looser, stricter, or deny for another reason.
    pub looser: u64,
    pub stricter: u64,
    pub other: u64,
}

impl BundleDifference {
    pub const CELLS_MAX: usize = 2_000;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Leaning {
    /// Something is allowed that was not.
    Looser,
    /// Something is no longer allowed.
    Stricter,
    /// The answer stays, its reason changes.
    Other,
}

/// One cell of the permission matrix that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MatrixChange {
    pub leaning: Leaning,
    pub action: String,
    #[schema(value_type = String)]
    pub privilege: modelward_decision::vocabulary::Privilege,
    /// The kind of thing, such as `Version`.
    pub resource: String,
    /// The kind of principal.
    pub holder: String,
    /// Under which circumstances.
    pub condition: String,
    /// An outcome; absent where the row is only in the other bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}
