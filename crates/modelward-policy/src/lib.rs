//! Policy bundles as software: read, checked, tested, covered, compared, signed, brought into force step by step.
//!
//! Rule: pure. Texts, keys, times and other bundles are arguments; nothing here reads a folder, a clock or a network, and
//! whatever has to be decided is decided by `modelward-decision`. Deliberately absent: solvers (`modelward-proof` makes the
//! [`verdict`]s that a bundle carries) and storage.
//!
//! Start at [`BundleFile`], then [`parts::Parts`] and [`review::check_signatures`].

mod finding;
mod markup;

pub mod cedar_test;
pub mod claim;
pub mod coverage;
pub mod difference;
pub mod file;
pub mod gate;
pub mod handbook;
pub mod lint;
pub mod parts;
pub mod project;
pub mod replay;
pub mod review;
pub mod scenario;
pub mod verdict;

pub use file::{BundleFile, FileError};
pub use finding::{Finding, Level};
pub use modelward_decision::bundle::{Bundle, BundleError};
pub use parts::Parts;
pub use review::{Reviewed, Signature, SignatureError, check_signatures};
