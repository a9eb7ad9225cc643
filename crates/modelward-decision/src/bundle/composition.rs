//! Bundles put together into one: whose each file is.

use std::collections::{BTreeMap, BTreeSet};

use modelward_seal::Digest;

/// A root bundle with files of others among its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composition {
    pub root: Digest,
    /// The files that are not the root's, with the bundle each comes from.
    pub files: BTreeMap<String, Digest>,
}

impl Composition {
    /// The bundle a file comes from.
    pub fn origin(&self, file: &str) -> Digest {
        self.files.get(file).copied().unwrap_or(self.root)
    }

    /// The bundles beside the root.
    pub fn others(&self) -> BTreeSet<Digest> {
        self.files.values().copied().collect()
    }
}
