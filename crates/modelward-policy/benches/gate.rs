//! What it costs to read a large bundle: texts parsed, strictly validated and indexed.
//!
//! `cargo bench -p modelward-policy` prints a table. Figures are of one thread.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a bench measures time, prints, and may stop"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use modelward_policy::gate::{Candidate, check};
use modelward_policy::{Bundle, BundleFile, Parts, lint};

fn main() {
    println!("{:<56} {:>10}", "", "ms");
    for policies in [100, 1_000, 10_000] {
        let sources = sources(policies);
        let bundle = row(&format!("{policies} policies parsed, validated, indexed"), || {
            Bundle::from_sources(sources.clone()).expect("a valid bundle")
        });
        let parts = Parts::read(&sources).expect("well-formed tables");
        row(&format!("{policies} policies, every lint"), || lint::check(&bundle, &parts.gate));
        let bytes = BundleFile::pack(sources).and_then(|file| file.to_bytes()).expect("a file");
        row(&format!("{policies} policies, file opened"), || BundleFile::open(&bytes).expect("a file"));
    }
    println!("  reach: 10000 policies parsed, validated, indexed in 3000 ms");
    let default = Arc::new(Bundle::default_bundle().expect("the default bundle"));
    row("whole gate on the default bundle, without a solver", || {
        check(Candidate { sources: default.sources(), active: Some(&default), verdicts: None })
    });
}

fn row<T>(title: &str, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    println!("{title:<56} {:>10.1}", start.elapsed().as_secs_f64() * 1_000.0);
    result
}

/// The default bundle, with permits for single groups on single projects, as a large site would have them.
fn sources(policies: usize) -> BTreeMap<String, String> {
    let mut sources = Bundle::default_bundle().expect("the default bundle").sources().clone();
    let own = sources.values().map(|text| text.matches("@id(").count()).sum::<usize>();
    let more: String = (own..policies)
        .map(|number| {
            format!(
                "@id(\"own-{number}\") @title(\"Group {number} sees its project\") @owner(\"bench\")\n\
                 permit (\n  principal in Modelward::Group::\"gp_{number}\",\n  \
                 action in Modelward::Action::\"ReadOnly\",\n  \
                 resource in Modelward::Scope::\"pr_{number}\"\n)\n\
                 when {{ context has grant && context.grant.approvals >= 1 && context.session.strength >= 2 }};\n"
            )
        })
        .collect();
    sources.insert("more.cedar".to_owned(), more);
    sources
}
