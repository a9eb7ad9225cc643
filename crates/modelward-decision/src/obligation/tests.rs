use proptest::prelude::*;

use super::*;

fn any_obligation() -> impl Strategy<Value = Obligation> {
    prop_oneof![
        proptest::collection::btree_set(proptest::sample::select(Field::ALL.to_vec()), 1..3)
            .prop_map(|fields| Obligation::StripFields { fields }),
        (0_u8..4).prop_map(|decimals| Obligation::Round { decimals }),
        (1_u16..6).prop_map(|k| Obligation::TopK { k }),
        Just(Obligation::LabelOnly),
        proptest::sample::select(Classification::ALL.to_vec()).prop_map(|at| Obligation::MaskColumns { at }),
        proptest::sample::select(vec!["a", "b"])
            .prop_map(|name| Obligation::RowFilter { filter: Name::new(name).expect("a name") }),
        (1_u32..20).prop_map(|rows| Obligation::MinimumCohort { rows }),
        (1_u64..9).prop_map(|max| Obligation::AnswerBytes { max }),
        (1_u32..9).prop_map(|per_minute| Obligation::Rate { per_minute }),
        (1_u8..4, 1_u32..9)
            .prop_map(|(strength, max_age_seconds)| Obligation::StepUp { strength, max_age_seconds }),
        Just(Obligation::Watermark),
        proptest::sample::select(vec!["security", "owner"])
            .prop_map(|name| Obligation::Notify { audience: Name::new(name).expect("a name") }),
    ]
}

fn any_set() -> impl Strategy<Value = Vec<Obligation>> {
    proptest::collection::vec(any_obligation(), 0..5)
}

proptest! {
    #[test]
    fn joining_is_commutative_associative_and_idempotent(a in any_set(), b in any_set(), c in any_set()) {
        let all = |sets: &[&Vec<Obligation>]| join(sets.iter().flat_map(|set| set.iter().cloned()));
        prop_assert_eq!(all(&[&a, &b]).ok(), all(&[&b, &a]).ok());
        let nested = all(&[&a, &b]).and_then(|ab| all(&[&ab, &c]));
        prop_assert_eq!(nested.ok(), all(&[&a, &b, &c]).ok());
        if let Ok(joined) = join(a) {
            prop_assert_eq!(all(&[&joined, &joined]).ok(), Some(joined));
        }
    }

    #[test]
    fn a_join_is_at_least_as_strict_as_each_part(a in any_set(), b in any_set()) {
        if let (Ok(a), Ok(both)) = (join(a.clone()), join(a.into_iter().chain(b))) {
            prop_assert!(at_most_as_strict(&a, &both));
        }
    }

    #[test]
    fn an_obligation_survives_its_text_form(obligation in any_obligation()) {
        prop_assert_eq!(obligation.to_string().parse(), Ok(obligation));
    }
}

#[test]
fn two_row_filters_cannot_hold_together() {
    let filter = |name| Obligation::RowFilter { filter: Name::new(name).expect("a name") };
    assert!(join([filter("berlin"), filter("paris")]).is_err());
    assert_eq!(join([filter("berlin"), filter("berlin")]), Ok(vec![filter("berlin")]));
}

#[test]
fn labels_alone_are_stricter_than_rounded_numbers() {
    let round = Obligation::Round { decimals: 2 };
    let joined = join([round.clone(), Obligation::LabelOnly]).expect("they hold together");
    assert_eq!(joined, vec![Obligation::LabelOnly]);
    assert!(at_most_as_strict(&[round], &joined));
}

#[test]
fn a_misspelt_obligation_is_rejected() {
    for text in ["", "round", "round:x", "label-only:1", "strip:", "top-k:-1", "step-up:3"] {
        assert!(text.parse::<Obligation>().is_err(), "{text}");
    }
}
