use super::*;

fn aggregator() -> DenialAggregator {
    DenialAggregator::new(AggregationConfig {
        window_micros: 100,
        single_max: 2,
        singles_max: 100,
        sources_max: 3,
        reasons_max: 2,
    })
}

fn counts(drafts: &[EntryDraft]) -> Vec<(String, u64)> {
    let mut counts: Vec<_> = drafts
        .iter()
        .map(|d| (d.details["source"].as_str().unwrap().to_owned(), d.details["count"].as_u64().unwrap()))
        .collect();
    counts.sort();
    counts
}

#[test]
fn the_first_denials_stand_alone_and_the_rest_are_counted() {
    let mut denials = aggregator();
    assert_eq!(denials.observe(0, "a", "no-grant"), Observed::Single);
    assert_eq!(denials.observe(1, "a", "no-grant"), Observed::Single);
    for now in 2..50 {
        assert_eq!(denials.observe(now, "a", "no-grant"), Observed::Counted);
    }
    assert_eq!(denials.observe(50, "b", "no-grant"), Observed::Single);
    assert_eq!(denials.next_flush(), Some(100));
    assert!(denials.flush(99, || "id".to_owned()).is_empty());
    assert_eq!(counts(&denials.flush(100, || "id".to_owned())), [("a".to_owned(), 48)]);
    assert_eq!(denials.next_flush(), None);
    assert_eq!(denials.observe(101, "a", "no-grant"), Observed::Single);
}

#[test]
fn twenty_thousand_denials_a_second_become_a_handful_of_entries() {
    let mut denials = DenialAggregator::new(AggregationConfig::default());
    let singles =
        (0..20_000_u64).filter(|n| denials.observe(n * 50, "flood", "forbidden") == Observed::Single);
    assert_eq!(singles.count(), 10);
    let told = denials.flush_all(|| "id".to_owned());
    assert_eq!(counts(&told), [("flood".to_owned(), 19_990)]);
}

#[test]
fn a_flood_from_very_many_sources_costs_no_more_than_its_share() {
    let config = AggregationConfig::default();
    let mut denials = DenialAggregator::new(config);
    let (seconds, a_second) = (3, 100_000_u64);
    let mut singles = 0;
    let mut told = Vec::new();
    for n in 0..seconds * a_second {
        let now = 1_000_000_000 + n * 10;
        singles += u64::from(denials.observe(now, &format!("source {n}"), "malformed") == Observed::Single);
        if n % 25_000 == 0 {
            told.extend(denials.flush(now, || "id".to_owned()));
        }
    }
    told.extend(denials.flush_all(|| "id".to_owned()));
    assert_eq!(singles, seconds * u64::from(config.singles_max));
    let told = counts(&told);
    assert_eq!(told.iter().map(|(_, count)| count).sum::<u64>() + singles, seconds * a_second);
    assert!(told.len() <= 8, "{} counts", told.len());
    assert_eq!(denials.observe(2_000_000_000, "a quiet one", "malformed"), Observed::Single);
}

#[test]
fn sources_and_reasons_are_bounded_but_nothing_goes_uncounted() {
    let mut denials = aggregator();
    let mut singles = 0;
    for n in 0..1000 {
        singles += u64::from(
            denials.observe(n / 20, &format!("source {n}"), &format!("reason {n}")) == Observed::Single,
        );
    }
    let told = counts(&denials.flush_all(|| "id".to_owned()));
    assert_eq!(told.iter().map(|(_, count)| count).sum::<u64>() + singles, 1000);
    assert!(told.len() <= 4, "{told:?}");
    assert!(told.iter().any(|(source, _)| source == OTHER_SOURCES));
}
