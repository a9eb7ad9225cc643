use expect_test::expect;
use xtask::bench::{Figure, Reach, table};

fn figure(ours: f64, peer: Option<f64>, reach: Option<Reach>) -> Figure {
    Figure {
        name: "CPU per request".to_owned(),
        unit: "µs".to_owned(),
        ours,
        peer: peer.map(|value| ("nginx".to_owned(), value)),
        reach,
    }
}

#[test]
fn a_table_names_ratio_promise_and_verdict() {
    let figures = [
        figure(31.25, Some(15.5), Some(Reach::RatioAtMost(3.0))),
        figure(62.0, Some(15.5), Some(Reach::RatioAtMost(3.0))),
        figure(81.5, None, Some(Reach::AtMost(80.0))),
        figure(120_000.0, None, Some(Reach::AtLeast(100_000.0))),
        figure(0.25, Some(1.0), None),
    ];
    expect![[r#"
        figure           ours       peer        ratio   reach        verdict
        CPU per request  31.2 µs    nginx 15.5  2.02 ×  ≤ 3 ×        reached
        CPU per request  62.0 µs    nginx 15.5  4.00 ×  ≤ 3 ×        MISSED
        CPU per request  81.5 µs    –           –       ≤ 80 µs      MISSED
        CPU per request  120000 µs  –           –       ≥ 100000 µs  reached
        CPU per request  0.25 µs    nginx 1.00  0.25 ×  –            –
    "#]]
    .assert_eq(&table(&figures));
}

#[test]
fn what_was_not_measured_reaches_nothing() {
    for reach in [Reach::AtMost(1.0), Reach::AtLeast(1.0), Reach::RatioAtMost(1.0), Reach::RatioAtLeast(1.0)]
    {
        assert_eq!(figure(f64::NAN, None, Some(reach)).is_reached(), Some(false), "{reach:?}");
        assert_eq!(figure(1.0, Some(f64::NAN), Some(Reach::RatioAtMost(9.0))).is_reached(), Some(false));
    }
}
