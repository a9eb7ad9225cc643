//! Questions about one request environment, compiled and asked.

use std::sync::Arc;

use cedar_policy::{Policy, PolicySet, Schema};
use cedar_policy_symcc::{
    CompiledPolicy, CompiledPolicySet, Env, implies_asserts, matches_implies_asserts, never_errors_asserts,
    never_matches_asserts,
};
use modelward_seal::Digest;

use crate::counterexample::{Case, Counterexample, Shown, Shows, Telling};
use crate::environment::{Surroundings, set_of};
use crate::loosen::{self, Narrow};
use crate::prover::Prover;
use crate::session::{Asked, Finding};
use crate::world::World;

/// What is implied cannot be asked about in parts, and the effort grows with the square of the entities it names.
const WIDE_MAX: usize = 500;

/// A set of policies, compiled for one environment.
pub(crate) struct Side {
    policies: Arc<PolicySet>,
    compiled: Result<CompiledPolicySet, String>,
}

/// What came of a question, with what is needed to tell of it.
pub(crate) struct Replied {
    pub(crate) query: Option<Digest>,
    pub(crate) reply: Reply,
    pub(crate) micros: u64,
}

pub(crate) enum Reply {
    Holds,
    Fails(Failing),
    Unknown(String),
}

/// An example the solver gave, and what it is an example of.
pub(crate) struct Failing {
    example: Box<Env>,
    of: Sides,
}

enum Sides {
    Implication { by: Arc<PolicySet>, not_by: Arc<PolicySet> },
    Failure { policy: Arc<PolicySet> },
}

impl Side {
    /// The policies that can concern the environment, compiled for it.
    pub(crate) fn new(
        policies: &PolicySet,
        at: &Surroundings,
        schema: &Schema,
    ) -> Result<Self, crate::ProofError> {
        let policies = at.concerned(policies)?;
        let compiled =
            CompiledPolicySet::compile_with_custom_symenv(&policies, &at.cedar, schema, at.symbolic.clone());
        let compiled = compiled.map_err(|error| error.to_string());
        Ok(Self { policies: Arc::new(policies), compiled })
    }
}

/// Whether all that `narrow` allows, `wide` allows too: asked of permits that name nobody first, then of some at a time.
pub(crate) fn implied(
    narrow: &Narrow<'_>,
    wide: &PolicySet,
    at: &Surroundings,
    schema: &Schema,
    prover: &Prover<'_>,
) -> Result<Replied, crate::ProofError> {
    let wide = Side::new(wide, at, schema)?;
    let ask = |narrow: &PolicySet| Ok(implies(&Side::new(narrow, at, schema)?, &wide, prover));
    let Some(loosened) = &narrow.loosened else { return ask(narrow.exact) };
    let mut replied = ask(loosened)?;
    // Without a solver nothing else would be answered either.
    if matches!(replied.reply, Reply::Holds) || prover.solver().is_none() {
        return Ok(replied);
    }
    let mut queries = Vec::new();
    let mut micros = replied.micros;
    for batch in loosen::batches(&at.concerned(narrow.exact)?)? {
        replied = ask(&batch)?;
        micros += replied.micros;
        queries.extend(replied.query);
        if !matches!(replied.reply, Reply::Holds) {
            return Ok(Replied { micros, ..replied });
        }
    }
    // Several questions decided it: their digests stand together.
    let digests: Vec<&[u8]> = queries.iter().map(|query| query.as_bytes().as_slice()).collect();
    let query = (!digests.is_empty()).then(|| Digest::of_parts(&digests));
    Ok(Replied { query, reply: Reply::Holds, micros })
}

/// Whether all that `narrow` allows, `wide` allows too.
pub(crate) fn implies(narrow: &Side, wide: &Side, prover: &Prover<'_>) -> Replied {
    if wide.policies.num_of_policies() > WIDE_MAX {
        let why = format!("more than {WIDE_MAX} policies stand on the wider side of one question");
        return Replied { query: None, reply: Reply::Unknown(why), micros: 0 };
    }
    let asked = match (&narrow.compiled, &wide.compiled) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (Err(error), _) | (_, Err(error)) => Err(error.clone()),
    };
    let (asked, micros) =
        prover.timed(|| asked.map(|(narrow, wide)| prover.ask(&implies_asserts(narrow, wide))));
    replied(asked, micros, || Sides::Implication {
        by: Arc::clone(&narrow.policies),
        not_by: Arc::clone(&wide.policies),
    })
}

/// Whether the policy fails on no request of the environment.
pub(crate) fn never_errs(
    policy: &Policy,
    at: &Surroundings,
    schema: &Schema,
    prover: &Prover<'_>,
) -> Replied {
    let (asked, micros) = prover.timed(|| {
        let compiled = compile(policy, at, schema)?;
        Ok(prover.ask(&never_errors_asserts(&compiled)))
    });
    match set_of([policy]) {
        Ok(set) => replied(asked, micros, || Sides::Failure { policy: Arc::new(set) }),
        Err(error) => Replied { query: None, reply: Reply::Unknown(error.to_string()), micros },
    }
}

/// Looks for a request of the environment that the policy matches.
pub(crate) fn matching(policy: &Policy, at: &Surroundings, schema: &Schema, prover: &Prover<'_>) -> Finding {
    match compile(policy, at, schema) {
        Ok(compiled) => prover.ask(&never_matches_asserts(&compiled)).finding,
        Err(error) => Finding::Unknown(error),
    }
}

/// Looks for a request of the environment that the first policy matches and the second does not.
pub(crate) fn matching_alone(
    policy: &Policy,
    without: &Policy,
    at: &Surroundings,
    schema: &Schema,
    prover: &Prover<'_>,
) -> Finding {
    match (compile(policy, at, schema), compile(without, at, schema)) {
        (Ok(policy), Ok(without)) => prover.ask(&matches_implies_asserts(&policy, &without)).finding,
        (Err(error), _) | (_, Err(error)) => Finding::Unknown(error),
    }
}

fn compile(policy: &Policy, at: &Surroundings, schema: &Schema) -> Result<CompiledPolicy, String> {
    CompiledPolicy::compile_with_custom_symenv(policy, &at.cedar, schema, at.symbolic.clone())
        .map_err(|error| error.to_string())
}

fn replied(asked: Result<Asked, String>, micros: u64, sides: impl FnOnce() -> Sides) -> Replied {
    match asked {
        Err(error) => Replied { query: None, reply: Reply::Unknown(error), micros },
        Ok(Asked { query, finding }) => {
            let reply = match finding {
                Finding::None => Reply::Holds,
                Finding::Example(example) => Reply::Fails(Failing { example, of: sides() }),
                Finding::Unknown(why) => Reply::Unknown(why),
            };
            Replied { query, reply, micros }
        }
    }
}

impl Failing {
    /// The same example against other sets, if it is one of theirs.
    pub(crate) fn instead(&self, by: PolicySet, not_by: PolicySet, schema: &Schema) -> Option<Self> {
        self.against(Arc::new(by), Arc::new(not_by), schema)
    }

    /// The same example, if it also breaks this promise.
    pub(crate) fn breaking(&self, promise: PolicySet, schema: &Schema) -> Option<Self> {
        match &self.of {
            Sides::Implication { by, .. } => self.against(Arc::clone(by), Arc::new(promise), schema),
            Sides::Failure { .. } => None,
        }
    }

    fn against(&self, by: Arc<PolicySet>, not_by: Arc<PolicySet>, schema: &Schema) -> Option<Self> {
        let shows = Shows::Allowed { by: &by, not_by: &not_by };
        let shown = Case { schema, shows, telling: Telling::Could }.shown(&World::of(&self.example)?);
        let example = self.example.clone();
        matches!(shown, Shown::Yes { .. }).then_some(Self { example, of: Sides::Implication { by, not_by } })
    }

    /// The example confirmed, made small and told; the reason where the authorizer does not confirm it.
    pub(crate) fn tell(&self, schema: &Schema, telling: Telling) -> Result<Counterexample, String> {
        let case = match &self.of {
            Sides::Implication { by, not_by } => {
                Case { schema, shows: Shows::Allowed { by, not_by }, telling }
            }
            Sides::Failure { policy } => {
                Case { schema, shows: Shows::Fails { policy }, telling: Telling::Fails }
            }
        };
        Counterexample::of(&self.example, &case)
    }
}
