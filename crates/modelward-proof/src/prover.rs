//! What every proof runs with: a solver or none, a clock, and somebody who watches.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use cedar_policy::Schema;
use cedar_policy_symcc::WellFormedAsserts;
use modelward_seal::source::Clock;

use crate::ProofError;
use crate::environment::Surroundings;
use crate::session::{self, Answers, Asked};
use crate::solver::Solver;
use crate::work::{self, Progress};

/// Solvers at work at once; more gain little, because most questions are short.
const WORKERS_MAX: usize = 8;

/// Keeps the answers it got: proofs about one bundle that run with the same prover ask nothing twice.
pub struct Prover<'a> {
    solver: Option<&'a Solver>,
    clock: &'a dyn Clock,
    progress: &'a (dyn Fn(Progress) + Sync),
    answers: Answers,
    /// Absent means all.
    actions: Option<BTreeSet<String>>,
}

impl<'a> Prover<'a> {
    /// Without a solver every verdict is "not proven".
    pub fn new(solver: Option<&'a Solver>, clock: &'a dyn Clock) -> Self {
        Self { solver, clock, progress: &|_| (), answers: Answers::default(), actions: None }
    }

    /// The same prover, telling how far it has come.
    #[must_use]
    pub fn watched_by(mut self, progress: &'a (dyn Fn(Progress) + Sync)) -> Self {
        self.progress = progress;
        self
    }

    /// The same prover for these actions alone. What it finds about them is no proof about a bundle.
    #[must_use]
    pub fn limited_to<S: Into<String>>(mut self, actions: impl IntoIterator<Item = S>) -> Self {
        self.actions = Some(actions.into_iter().map(Into::into).collect());
        self
    }

    pub const fn solver(&self) -> Option<&Solver> {
        self.solver
    }

    pub(crate) fn ask(&self, asserts: &WellFormedAsserts<'_>) -> Asked {
        session::ask(self.solver, &self.answers, asserts)
    }

    /// The request environments of a schema that are looked at.
    pub(crate) fn environments(&self, schema: &Schema) -> Result<Vec<Surroundings>, ProofError> {
        let mut all = Surroundings::all(schema)?;
        if let Some(actions) = &self.actions {
            all.retain(|at| actions.contains(&at.name.action));
        }
        Ok(all)
    }

    pub(crate) fn each<T: Sync, R: Send>(&self, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
        let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(WORKERS_MAX);
        work::each(items, workers, self.progress, work)
    }

    /// What `work` gives, and how many microseconds it took.
    pub(crate) fn timed<R>(&self, work: impl FnOnce() -> R) -> (R, u64) {
        let before = self.micros();
        let result = work();
        (result, self.micros().saturating_sub(before))
    }

    fn micros(&self) -> u64 {
        let wall = || u64::try_from(self.clock.now().as_microsecond()).unwrap_or_default();
        self.clock.monotonic_micros().unwrap_or_else(wall)
    }
}

impl std::fmt::Debug for Prover<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prover").field("solver", &self.solver).finish_non_exhaustive()
    }
}
