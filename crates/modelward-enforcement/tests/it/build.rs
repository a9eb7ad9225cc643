//! The shortcuts that must not compile. The way that does is `chain::the_steps_can_be_taken_one_by_one`.

#[test]
fn the_shortcuts_do_not_build() {
    trybuild::TestCases::new().compile_fail("tests/build/*.rs");
}
