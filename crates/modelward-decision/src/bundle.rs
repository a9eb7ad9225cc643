//! A policy bundle: schema, policies and obligations, checked once and identified by the digest of their text.

use std::collections::BTreeMap;

use modelward_seal::Digest;

/// A bundle that passed strict validation.
#[derive(Debug)]
pub struct Bundle {
    digest: Digest,
    schema_digest: Digest,
    sources: BTreeMap<String, String>,
}

impl Bundle {
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    pub const fn schema_digest(&self) -> Digest {
        self.schema_digest
    }

    /// The files the bundle was made of, by name.
    pub const fn sources(&self) -> &BTreeMap<String, String> {
        &self.sources
    }
}
