//! What the classifier is worth, and what its table holds.

use demo_upstream::{Classifier, dataset};
use expect_test::expect;

#[test]
fn held_out_rows_are_mostly_labelled_right_and_all_measurements_beat_the_means() {
    let classifier = Classifier::train().unwrap();
    let table: Vec<String> = classifier
        .reports()
        .map(|report| {
            format!(
                "version {}: {} measurements, {} + {} rows, accuracy {:.3}, {} missed, {} false alarms",
                report.version,
                report.measurements,
                report.rows_trained,
                report.rows_held_out,
                report.accuracy,
                report.missed,
                report.false_alarms
            )
        })
        .collect();
    expect![[r#"
        version 1: 10 measurements, 456 + 113 rows, accuracy 0.938, 2 missed, 5 false alarms
        version 2: 30 measurements, 456 + 113 rows, accuracy 0.973, 3 missed, 0 false alarms"#]]
    .assert_eq(&table.join("\n"));
}

#[test]
fn training_twice_gives_the_same_model() {
    let row: Vec<f64> = dataset::rows()[0].features.iter().copied().map(f64::from).collect();
    let (first, second) = (Classifier::train().unwrap(), Classifier::train().unwrap());
    assert_eq!(first.score("2", &row), second.score("2", &row));
    assert_eq!(first.score("3", &row), None);
}

#[test]
fn the_table_has_every_row_and_every_identity_says_that_it_is_synthetic() {
    let csv = dataset::to_csv();
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(header.len(), dataset::IDENTITY_COLUMNS.len() + dataset::FEATURES + 1);
    assert_eq!(header[..4], dataset::IDENTITY_COLUMNS);
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 569);
    for row in &rows {
        assert_eq!(row.len(), header.len());
        assert!(row[0].starts_with("SYN-") && row[2].starts_with("SYN-") && row[3].starts_with("SYN-"));
        assert!(row[1].ends_with("(synthetic)"));
    }
    assert_eq!(rows.iter().filter(|row| row.last() == Some(&"benign")).count(), 357);
}
