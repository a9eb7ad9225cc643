use std::path::PathBuf;

use xtask::tidy::{self, Edge, Member, Source};

#[test]
fn the_repository_is_tidy() {
    let findings = tidy::check(&tidy::root()).unwrap();
    let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "\n{}", told.join("\n"));
}

#[test]
fn the_planes_cannot_see_each_other() {
    let text = std::fs::read_to_string(tidy::root().join("ARCHITECTURE.md")).unwrap();
    let allowed = tidy::allowed_edges(&text);
    for forbidden in ["modelward-store", "modelward-governance", "modelward-server"] {
        assert!(!allowed["modelward-gateway"].contains(forbidden), "{forbidden}");
    }
    assert!(!allowed["modelward-server"].contains("modelward-gateway"));
    assert!(allowed["modelward-seal"].is_empty());
    assert_eq!(allowed["modelward-ledger"].iter().collect::<Vec<_>>(), ["modelward-seal"]);
}

/// What the rules on text say about one file.
fn told(path: &str, text: &str) -> Vec<String> {
    let source = Source { path: PathBuf::from(path), text: text.to_owned() };
    tidy::check_sources(&[source]).iter().map(ToString::to_string).collect()
}

fn assert_told(path: &str, text: &str, expected: &str) {
    let told = told(path, text);
    assert!(told.iter().any(|line| line.contains(expected)), "{told:?} lacks {expected:?}");
}

#[test]
fn work_that_was_put_off_is_found() {
    let word = ["TO", "DO"].concat();
    assert_told("crates/x/src/lib.rs", &format!("// {word}: later\n"), "puts work off");
    assert_eq!(told("crates/x/src/lib.rs", &format!("const MASTO{word}N: u8 = 0;\n")), Vec::<String>::new());
}

#[test]
fn a_clock_outside_its_file_is_found() {
    let read = ["let now = Timestamp::", "now();\n"].concat();
    assert_told("crates/modelward-decision/src/decide.rs", &read, "reads a clock");
    assert_eq!(told("crates/modelward/src/clock.rs", &read), Vec::<String>::new());
    let lifted = ["#[expect(clippy::disallowed_", "methods, reason = \"because\")]\n"].concat();
    assert_told("crates/modelward-gateway/src/lib.rs", &lifted, "lifts a ban");
}

#[test]
fn credentials_ended_beside_their_one_place_are_found() {
    let bump = "let changes = vec![StateChange::Bump(scope)];\n";
    assert_told("crates/modelward-server/src/ops/people.rs", bump, "ends credentials");
    assert_eq!(told("crates/modelward-server/src/revocation.rs", bump), Vec::<String>::new());
    let read = "    StateChange::Bump(scope) => vec![Recorded::Bump(*scope)],\n";
    assert_eq!(told("crates/modelward-server/src/turn.rs", read), Vec::<String>::new());
}

#[test]
fn a_link_to_nowhere_is_found() {
    assert_told("docs/a.md", "See [b](b.md).\n", "links to `b.md`, which does not exist");
    assert_told("docs/a.md", "# One\n[two](#two)\n", "no such heading");
    assert_eq!(
        told("docs/a.md", "# One thing\n[it](#one-thing) `[x](y)` [far](https://example.org)\n"),
        [""; 0]
    );
}

#[test]
fn a_reference_page_without_a_test_is_found() {
    assert_told("docs/reference/secrets.md", "# Secrets\n", "has no test that generates it");
}

fn gateway(edges: Vec<Edge>) -> Member {
    Member {
        name: "modelward-gateway".to_owned(),
        manifest: PathBuf::from("crates/modelward-gateway/Cargo.toml"),
        edges,
        has_library: true,
    }
}

#[test]
fn an_edge_that_is_not_in_the_table_is_found() {
    let table = Source {
        path: PathBuf::from("ARCHITECTURE.md"),
        text: std::fs::read_to_string(tidy::root().join("ARCHITECTURE.md")).unwrap(),
    };
    let told = |to: &str, dev: bool| {
        let member = gateway(vec![Edge { to: to.to_owned(), dev }]);
        tidy::check_rooms(&[member], std::slice::from_ref(&table)).len()
    };
    assert_eq!(told("modelward-decision", false), 0);
    assert_eq!(told("modelward-store", false), 1);
    assert_eq!(told("modelward-store", true), 1);
    assert_eq!((told("modelward-testkit", true), told("modelward-testkit", false)), (0, 1));
    let stranger = Member { name: "modelward-util".to_owned(), ..gateway(Vec::new()) };
    assert_eq!(tidy::check_rooms(&[stranger], &[table]).len(), 1);
}

#[test]
fn a_manifest_that_goes_its_own_way_is_found() {
    let manifest = toml::toml! {
        [package]
        name = "modelward-gateway"
        version = "9.9.9"
        edition.workspace = true
        rust-version.workspace = true
        license.workspace = true
        publish.workspace = true
        description = "The data plane."
        [dependencies]
        hyper = "1"
        http.workspace = true
    };
    let told = tidy::check_manifest(&manifest, &gateway(Vec::new())).join("\n");
    for expected in ["inherit the lints", "runs doctests", "inherit `version`", "`hyper` is not taken"] {
        assert!(told.contains(expected), "{told:?} lacks {expected:?}");
    }
    assert_eq!(told.lines().count(), 4, "{told}");
}
