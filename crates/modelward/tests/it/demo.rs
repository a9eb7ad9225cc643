//! The demonstration goes as it says.

use std::process::Command;

#[test]
fn each_step_of_the_story_goes_as_expected() {
    let told =
        Command::new(env!("CARGO_BIN_EXE_modelward")).args(["demo", "--once", "--json"]).output().unwrap();
    let story: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    let surprises: Vec<_> =
        story["steps"].as_array().unwrap().iter().filter(|step| step["as_expected"] != true).collect();
    assert!(surprises.is_empty(), "{surprises:#?}");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}
