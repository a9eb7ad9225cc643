//! The permission matrix of the default bundle, as reviewed.

use std::sync::Arc;

use expect_test::expect_file;
use modelward_decision::Bundle;
use modelward_decision::matrix::{Condition, matrix, render};
use modelward_decision::vocabulary::{Action, Privilege};

#[test]
fn the_default_bundle_decides_as_the_reviewed_matrix_says() {
    let bundle = Arc::new(Bundle::default_bundle().expect("the default bundle"));
    let rows = matrix(&bundle).expect("well-formed names");
    expect_file!["../../../../policies/matrix.txt"].assert_eq(&render(&rows));
}

#[test]
fn no_action_but_ones_own_is_allowed_without_a_grant_of_its_privilege() {
    let bundle = Arc::new(Bundle::default_bundle().expect("the default bundle"));
    for row in matrix(&bundle).expect("well-formed names") {
        if row.action.privilege() == Privilege::SelfService {
            continue;
        }
        for (condition, cell) in Condition::ALL.into_iter().zip(&row.cells) {
            let without = [Condition::NoGrant, Condition::OtherGrants, Condition::Ended, Condition::NotBegun];
            assert!(!without.contains(&condition) || !cell.is_allow(), "{row:?} {condition:?}");
        }
    }
}

#[test]
fn every_action_but_the_forbidden_ones_can_be_allowed_to_somebody() {
    let bundle = Arc::new(Bundle::default_bundle().expect("the default bundle"));
    let rows = matrix(&bundle).expect("well-formed names");
    let never: Vec<Action> = Action::ALL
        .into_iter()
        .filter(|action| {
            !rows.iter().any(|row| row.action == *action && row.cells.iter().any(|cell| cell.is_allow()))
        })
        .collect();
    assert_eq!(never, [Action::ReadHiddenStates, Action::PresignWeights]);
}
