use super::*;

#[test]
fn events_are_counted_wherever_the_bytes_were_cut() {
    let text = b"data: a\n\nevent: x\ndata: b\n\ndata: [DONE]\n\n";
    for cut in 0..=text.len() {
        let mut events = Events::default();
        events.read(&text[..cut]);
        events.read(&text[cut..]);
        assert_eq!(events.found, 3, "cut at {cut}");
    }
}

#[test]
fn a_quantile_is_a_value_that_was_measured() {
    assert_eq!(quantile(&[1, 2, 3, 4, 100], 0.5), 3.0);
    assert_eq!(quantile(&[1, 2, 3, 4, 100], 1.0), 100.0);
    assert!(quantile(&[], 0.5).is_nan());
}
