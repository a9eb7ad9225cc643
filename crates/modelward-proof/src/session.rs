//! One question on its way: the symbolic compiler writes it, its digest is taken, and the solver answers it once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cedar_policy_symcc::err::Error;
use cedar_policy_symcc::solver::{Decision, DecisionWithModel, Solver as SymccSolver, SolverError};
use cedar_policy_symcc::{CedarSymCompiler, Env, ResetMode, SmtLibScript as _, WellFormedAsserts};
use futures_util::FutureExt as _;
use modelward_seal::Digest;

use crate::counterexample::UNCONFIRMED;
use crate::solver::{Answer, NO_SOLVER, Solver};

/// Answers by the digest of the question. Environments that differ only in names ask the same question.
#[derive(Debug, Default)]
pub(crate) struct Answers(Mutex<BTreeMap<Digest, Arc<Answer>>>);

/// What is known about one question.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The digest of the text the solver was given; nothing where the compiler alone could tell.
    pub(crate) query: Option<Digest>,
    pub(crate) finding: Finding,
}

#[derive(Debug)]
pub(crate) enum Finding {
    /// No request satisfies what was asked for.
    None,
    /// A request that does.
    Example(Box<Env>),
    Unknown(String),
}

/// Looks for a request that satisfies `asserts`.
pub(crate) fn ask(solver: Option<&Solver>, answers: &Answers, asserts: &WellFormedAsserts<'_>) -> Asked {
    let session = Session { solver, answers, text: Vec::new(), query: None, why: None };
    let mut compiler = match CedarSymCompiler::new(session) {
        // Each question is a script of its own: there is nothing to reset.
        Ok(compiler) => compiler.with_reset_mode(ResetMode::Comment),
        Err(error) => return Asked { query: None, finding: Finding::Unknown(error.to_string()) },
    };
    // Nothing in a session waits for a future: writing goes to memory, and asking blocks this thread.
    let found = compiler.check_sat(asserts).now_or_never();
    let session = compiler.solver();
    let finding = match (solver, found) {
        // What the compiler can tell without a solver is no proof either: one rule for all verdicts.
        (None, _) => Finding::Unknown(NO_SOLVER.to_owned()),
        (Some(_), Some(Ok(None))) => Finding::None,
        (Some(_), Some(Ok(Some(example)))) => Finding::Example(Box::new(example)),
        (Some(_), Some(Err(error))) => Finding::Unknown(session.why.clone().unwrap_or_else(|| why(&error))),
        (Some(_), None) => Finding::Unknown("the question was not asked to its end".to_owned()),
    };
    Asked { query: session.query, finding }
}

/// Longer explanations are terms nobody reads.
const WHY_CHARS_MAX: usize = 300;

fn why(error: &Error) -> String {
    match error {
        Error::ModelInvalid { .. } => UNCONFIRMED.to_owned(),
        other => other.to_string().chars().take(WHY_CHARS_MAX).collect(),
    }
}

/// Where the symbolic compiler writes to.
#[derive(Debug)]
struct Session<'a> {
    solver: Option<&'a Solver>,
    answers: &'a Answers,
    text: Vec<u8>,
    query: Option<Digest>,
    /// Why there is no answer, in words for people.
    why: Option<String>,
}

impl Session<'_> {
    async fn answer(&mut self) -> Result<Arc<Answer>, SolverError> {
        self.text.check_sat().await?;
        let query = Digest::of(&self.text);
        self.query = Some(query);
        let Some(solver) = self.solver else {
            return Ok(Arc::new(Answer::Unknown { why: NO_SOLVER.to_owned() }));
        };
        let answer = self.answers.to(query).unwrap_or_else(|| {
            let answer = Arc::new(solver.ask(&self.text));
            self.answers.keep(query, Arc::clone(&answer));
            answer
        });
        if let Answer::Unknown { why } = answer.as_ref() {
            self.why = Some(why.clone());
        }
        Ok(answer)
    }
}

impl SymccSolver for Session<'_> {
    fn smtlib_input(&mut self) -> &mut (dyn tokio::io::AsyncWrite + Unpin + Send) {
        &mut self.text
    }

    async fn enable_models(&mut self) -> Result<(), SolverError> {
        Ok(self.text.set_option("produce-models", "true").await?)
    }

    async fn check_sat(&mut self) -> Result<Decision, SolverError> {
        Ok(match self.answer().await?.as_ref() {
            Answer::Unsatisfiable => Decision::Unsat,
            Answer::Satisfiable { .. } => Decision::Sat,
            Answer::Unknown { .. } => Decision::Unknown,
        })
    }

    async fn check_sat_with_model(&mut self) -> Result<DecisionWithModel, SolverError> {
        Ok(match self.answer().await?.as_ref() {
            Answer::Unsatisfiable => DecisionWithModel::Unsat,
            Answer::Satisfiable { model } => DecisionWithModel::Sat { model: model.clone() },
            Answer::Unknown { .. } => DecisionWithModel::Unknown,
        })
    }
}

impl Answers {
    fn to(&self, query: Digest) -> Option<Arc<Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&query).cloned()
    }

    fn keep(&self, query: Digest, answer: Arc<Answer>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(query, answer);
    }
}
