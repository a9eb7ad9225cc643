use std::collections::BTreeSet;

use super::*;
use crate::vocabulary::PersonId;

fn share(bundle: &Arc<Bundle>, per_mille: u16) -> BTreeSet<u128> {
    let candidate = Candidate { bundle: Arc::clone(bundle), reach: Reach::Canary { per_mille } };
    (0..1000).filter(|bits| candidate.governs(PrincipalRef::Person(PersonId::from_bits(*bits)))).collect()
}

#[test]
fn a_larger_share_holds_the_smaller_one_and_both_are_about_as_large_as_told() {
    let bundle = Arc::new(Bundle::default_bundle().unwrap());
    let (few, many) = (share(&bundle, 50), share(&bundle, 300));
    assert!(few.is_subset(&many));
    assert!(
        (25..=75).contains(&few.len()) && (250..=350).contains(&many.len()),
        "{} {}",
        few.len(),
        many.len()
    );
    assert!(share(&bundle, 0).is_empty());
    assert_eq!(share(&bundle, 1000).len(), 1000);
}
