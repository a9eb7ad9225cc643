//! What a policy bundle implies in every request there can be: proofs, counterexamples, differences.
//!
//! **Rule:** a claim is decided by the symbolic compiler of Cedar and a solver outside, never by this crate; without a
//! solver nothing is proven. Every counterexample is confirmed by the ordinary authorizer before it is shown.
//!
//! Deliberately absent: reading files and settings (texts and paths are arguments), a solver of our own, and any part in
//! decisions. Nothing that decides requests depends on this crate.
//!
//! Start at [`prove()`], then [`difference()`] and [`Attestation`].

mod attestation;
mod change;
mod counterexample;
mod difference;
mod environment;
mod error;
mod facts;
mod idle;
mod invariant;
mod loosen;
mod minimal;
mod prove;
mod prover;
mod question;
mod sentence;
mod session;
mod solver;
mod verdict;
mod work;
mod world;

pub use attestation::{Attestation, Mismatch, Recheck};
pub use change::{How, PolicyChange};
pub use counterexample::Counterexample;
pub use difference::{ActionDifference, Difference, Direction, difference};
pub use environment::Environment;
pub use error::ProofError;
pub use idle::{Idle, IdleWhy, idle};
pub use invariant::Invariant;
pub use prove::{prove, within_envelope};
pub use prover::Prover;
pub use solver::{NO_SOLVER, Solver, SolverIdentity};
pub use verdict::{Claim, Outcome, Verdict};
pub use work::Progress;
