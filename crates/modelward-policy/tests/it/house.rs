//! What several tests need: the default bundle's texts, changed ones, people with keys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use modelward_decision::vocabulary::Name;
use modelward_policy::parts::{Reviewer, Reviewers};
use modelward_policy::{Bundle, BundleFile};
use modelward_seal::note::{KeyName, Signer as _, SoftwareSigner};

pub(crate) fn default_bundle() -> Arc<Bundle> {
    static BUNDLE: LazyLock<Arc<Bundle>> =
        LazyLock::new(|| Arc::new(Bundle::default_bundle().expect("the default bundle")));
    Arc::clone(&BUNDLE)
}

pub(crate) fn sources() -> BTreeMap<String, String> {
    default_bundle().sources().clone()
}

/// The default bundle's texts with one file put or replaced.
pub(crate) fn with(file: &str, text: &str) -> BTreeMap<String, String> {
    let mut sources = sources();
    sources.insert(file.to_owned(), text.to_owned());
    sources
}

/// The default bundle's texts with a change made to one file.
pub(crate) fn changed(file: &str, from: &str, to: &str) -> BTreeMap<String, String> {
    let mut sources = sources();
    let text = sources.get_mut(file).expect("a file of the default bundle");
    assert!(text.contains(from), "{file} holds no `{from}`");
    *text = text.replacen(from, to, 1);
    sources
}

pub(crate) fn packed(sources: BTreeMap<String, String>) -> BundleFile {
    BundleFile::pack(sources).expect("files of a bundle")
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

pub(crate) fn key(of: &str) -> SoftwareSigner {
    let mut seed = [7; 32];
    seed[..of.len()].copy_from_slice(of.as_bytes());
    SoftwareSigner::from_seed(KeyName::new(of).expect("a key name"), &seed)
}

pub(crate) fn reviewer(of: &str, group: &str) -> Reviewer {
    let keys = vec![key(of).verifier().expect("a verifier")];
    Reviewer { name: name(of), group: name(group), keys, projects: BTreeSet::new() }
}

/// Those fixed at `init`: two of the platform, one of security.
pub(crate) fn genesis() -> Reviewers {
    Reviewers::new(vec![
        reviewer("erin", "platform"),
        reviewer("dana", "platform"),
        reviewer("sam", "security"),
    ])
    .expect("distinct reviewers")
}
