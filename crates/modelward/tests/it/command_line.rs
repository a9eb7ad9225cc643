//! The binary, spawned with an environment of its own.

use std::path::Path;
use std::process::{Command, Output};

fn modelward(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modelward"));
    command.args(args).current_dir(folder).env_clear().env("HOME", folder);
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_command_nobody_knows_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let output = modelward(folder.path(), &["conquer"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stdout(&output).is_empty(), "data goes to stdout, all else to stderr");
}

#[test]
fn a_configuration_that_cannot_be_used_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("modelward.toml");
    std::fs::write(&file, "gatway = 3\n").unwrap();
    let output = modelward(folder.path(), &["config", "check", "--config", "modelward.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("error: unknown key `gatway`\n  --> modelward.toml:1:1"), "{output:?}");

    let missing = modelward(folder.path(), &["config", "check"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("hint: `modelward init`"), "{missing:?}");
}

#[test]
fn values_in_force_are_data() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m.toml"), "drain_timeout = '5s'\n").unwrap();
    let output = modelward(folder.path(), &["config", "check", "--config", "m.toml", "--json"]);
    let values: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let drain = values.as_array().unwrap().iter().find(|value| value["key"] == "drain_timeout").unwrap();
    assert_eq!(drain["value"], "\"5s\"");
    assert_eq!(drain["from"], "file, 1:1");
}

#[test]
fn every_shell_gets_a_script() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = modelward(folder.path(), &["completions", shell]);
        assert!(stdout(&output).contains("modelward"), "{shell}");
    }
}
