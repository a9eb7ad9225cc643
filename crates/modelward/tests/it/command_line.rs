//! What works without a server.

use crate::stage::Stage;

#[test]
fn a_command_nobody_knows_is_a_usage_error() {
    let said = Stage::new().run(&["conquer"]);
    assert_eq!(said.code, 2);
    assert!(said.stdout.is_empty(), "data goes to stdout, all else to stderr");
}

#[test]
fn a_configuration_that_cannot_be_used_is_a_usage_error() {
    let stage = Stage::new();
    stage.write("modelward.toml", "gatway = 3\n");
    let said = stage.run(&["config", "check", "--config", "modelward.toml"]);
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("error: unknown key `gatway`\n  --> modelward.toml:1:1"), "{}", said.stderr);

    let missing = stage.run(&["config", "check"]);
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.contains("hint: `modelward init`"), "{}", missing.stderr);
}

#[test]
fn values_in_force_are_data() {
    let stage = Stage::new();
    stage.write("m.toml", "drain_timeout = '5s'\n");
    let said = stage.run(&["config", "check", "--config", "m.toml", "--json"]);
    let values: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let drain = values.as_array().unwrap().iter().find(|value| value["key"] == "drain_timeout").unwrap();
    assert_eq!(drain["value"], "\"5s\"");
    assert_eq!(drain["from"], "file, 1:1");
}

#[test]
fn every_shell_gets_a_script() {
    let stage = Stage::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(stage.run(&["completions", shell]).stdout.contains("modelward"), "{shell}");
    }
}
