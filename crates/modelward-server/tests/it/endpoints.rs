//! The list of endpoints is reviewed as a file.

use std::fmt::Write as _;

use expect_test::expect_file;
use modelward_server::routes::{Needs, ROUTES};

#[test]
fn every_endpoint_and_the_action_it_stands_for() {
    let mut table = String::new();
    for route in ROUTES {
        let needs = match route.needs {
            Needs::Nothing => "-".to_owned(),
            Needs::Action(action) => action.to_string(),
            Needs::Own { own, others } => format!("{own} | {others}"),
            Needs::Either(either, or) => format!("{either} or {or}"),
            Needs::OwnOrEither { own, either, or } => format!("{own} | {either} or {or}"),
        };
        writeln!(
            table,
            "{:<6} {:<50} {:<42} {} -> {}",
            route.method.as_str(),
            route.path,
            needs,
            route.takes,
            route.answers
        )
        .unwrap();
    }
    expect_file!["endpoints.txt"].assert_eq(&table);
}

#[test]
fn no_two_endpoints_share_method_and_path() {
    for (position, route) in ROUTES.iter().enumerate() {
        let again = ROUTES
            .iter()
            .skip(position + 1)
            .find(|other| other.method == route.method && other.path == route.path);
        assert_eq!(again, None);
    }
}
