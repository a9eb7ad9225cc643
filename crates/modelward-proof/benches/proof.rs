//! What proofs cost: the whole proof set of the default bundle, and one invariant over a thousand policies.
//!
//! `cargo bench -p modelward-proof` prints a table. It needs cvc5; without it there is nothing to measure.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a bench measures time, prints, and may stop"
)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use modelward_decision::Bundle;
use modelward_proof::{Invariant, Outcome, Prover, Solver, difference, idle, prove};
use modelward_seal::source::Clock;

const EXPORT: [&str; 5] =
    ["downloadWeights", "convertWeights", "replicateWeights", "decryptWeights", "presignWeights"];

fn main() {
    let chosen = std::env::var_os("MODELWARD_CVC5");
    let Some(solver) = Solver::find(chosen.as_deref(), std::env::var_os("PATH").as_deref()) else {
        println!("no solver found: install cvc5 or set MODELWARD_CVC5");
        return;
    };
    let clock = Stopwatch(Instant::now());
    let bundle = Bundle::default_bundle().expect("the default bundle");
    let invariants = Invariant::defaults(bundle.schema()).expect("its invariants");
    println!("{:<58} {:>9} {:>9}", "", "seconds", "reach");

    let prover = Prover::new(Some(&solver), &clock);
    row("default bundle: every invariant, no rule can fail", Some(30.0), || {
        let verdicts = prove(&bundle, &invariants, &prover).expect("verdicts");
        assert!(verdicts.iter().all(|verdict| verdict.holds()));
    });
    row("default bundle: policies that do nothing", None, || {
        assert_eq!(idle(&bundle, &Prover::new(Some(&solver), &clock)).expect("idle policies"), []);
    });
    row("default bundle: a guardrail for everything edited", None, || {
        let edited = larger(&bundle, |text| text.replace(">= 80", "> 79"), 0, "true");
        let prover = Prover::new(Some(&solver), &clock);
        let difference = difference(&bundle, &edited, &prover).expect("a difference");
        assert_eq!(difference.changed().count(), 0);
    });

    let export: Vec<Invariant> =
        invariants.iter().filter(|invariant| invariant.id == "leaves-to-managed-device").cloned().collect();
    for policies in [100, 1_000] {
        let sound = larger(&bundle, str::to_owned, policies, "context.risk.value < 80");
        let reach = (policies == 1_000).then_some(5.0);
        row(&format!("{policies} export permits: the export invariant holds"), reach, || {
            let prover = Prover::new(Some(&solver), &clock).limited_to(EXPORT);
            let verdicts = prove(&sound, &export, &prover).expect("verdicts");
            assert!(verdicts.iter().all(|verdict| verdict.holds()));
        });
        let hole = larger(&sound, |text| text.replace("context.device.managed && ", ""), 0, "true");
        row(&format!("{policies} export permits: a hole is found and told"), None, || {
            let prover = Prover::new(Some(&solver), &clock).limited_to(EXPORT);
            let verdicts = prove(&hole, &export, &prover).expect("verdicts");
            assert!(verdicts.iter().any(|verdict| matches!(verdict.result, Outcome::Violated { .. })));
        });
        row(&format!("{policies} export permits: one more, compared"), None, || {
            let more = larger(&sound, str::to_owned, policies + 1, "context.risk.value < 80");
            let prover = Prover::new(Some(&solver), &clock).limited_to(EXPORT);
            assert!(difference(&sound, &more, &prover).expect("a difference").changed().count() > 0);
        });
    }
}

fn row(name: &str, reach: Option<f64>, work: impl FnOnce()) {
    let begun = Instant::now();
    work();
    let reach = reach.map_or_else(String::new, |reach| format!("<= {reach}"));
    println!("{name:<58} {:>9.2} {reach:>9}", begun.elapsed().as_secs_f64());
}

/// The bundle with edited guardrails and that many export permits, each for a group and a project of its own.
fn larger(bundle: &Bundle, edit: impl FnOnce(&str) -> String, permits: usize, when: &str) -> Bundle {
    let mut sources = bundle.sources().clone();
    if let Some(guardrails) = sources.get_mut("guardrails.cedar") {
        *guardrails = edit(guardrails);
    }
    let mut text = String::new();
    for number in 0..permits {
        write!(
            text,
            "@id(\"export-{number}\") @title(\"Export {number}\") @owner(\"projects\")
             permit (principal in Modelward::Group::\"g{number}\", action in Modelward::Action::\"Export\",
                     resource in Modelward::Scope::\"s{number}\")
             when {{ context has grant && context.grant.privilege == \"export\" &&
                     principal in context.grant.grantee && {when} }};\n"
        )
        .expect("text");
    }
    if permits > 0 {
        sources.insert("projects.cedar".to_owned(), text);
    }
    Bundle::from_sources(sources).expect("a bundle")
}

#[derive(Debug)]
struct Stopwatch(Instant);

impl Clock for Stopwatch {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn monotonic_micros(&self) -> Option<u64> {
        let elapsed: Duration = self.0.elapsed();
        u64::try_from(elapsed.as_micros()).ok()
    }
}
