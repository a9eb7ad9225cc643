use modelward_seal::Digest;

use super::super::index::Index;
use crate::entry::{IntentRef, Mark};

#[test]
fn a_snapshot_gives_the_index_back_and_damage_gives_nothing() {
    let mut index = Index::default();
    index.add(Digest::of(b"0"), Some("event-1"), &Mark::None);
    index.add(Digest::of(b"1"), None, &Mark::Opens("a".to_owned()));
    index.add(Digest::of(b"2"), None, &Mark::Opens("b".to_owned()));
    index.add(Digest::of(b"3"), None, &Mark::Closes(IntentRef { id: "a".to_owned(), index: 1 }));
    // The right index with the wrong id closes nothing.
    index.add(Digest::of(b"4"), None, &Mark::Closes(IntentRef { id: "a".to_owned(), index: 2 }));
    let bytes = index.encode().unwrap();
    assert_eq!(Index::decode(&bytes), Some(index.clone()));
    assert_eq!(index.open_intents().collect::<Vec<_>>(), [IntentRef { id: "b".to_owned(), index: 2 }]);
    assert_eq!(index.receipt_of("event-1").map(|receipt| receipt.index), Some(0));
    for bit in 0..bytes.len() * 8 {
        let mut broken = bytes.clone();
        broken[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Index::decode(&broken), None, "bit {bit}");
    }
}
