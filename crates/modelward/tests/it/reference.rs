//! Pages made from the code. `UPDATE_EXPECT=1 cargo test -p modelward` writes them anew.

use expect_test::expect_file;

#[test]
fn the_configuration_page_is_current() {
    expect_file!["../../../../docs/reference/configuration.md"].assert_eq(&modelward::config::reference());
}

#[test]
fn the_metrics_page_is_current() {
    expect_file!["../../../../docs/reference/metrics.md"]
        .assert_eq(&modelward::metrics::reference().unwrap());
}

#[test]
fn the_command_line_page_is_current() {
    expect_file!["../../../../docs/reference/cli.md"].assert_eq(&modelward::cli::reference());
}
