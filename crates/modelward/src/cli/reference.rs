//! The reference page of the command line, made from the commands themselves.

use clap::{Arg, Command};

use crate::exit::Exit;

const HEAD: &str = "\
# Command line

<!-- Made from the commands in crates/modelward/src/cli; a test keeps both equal. -->

Data goes to stdout, all else to stderr. Every command takes `--json` for scripts and `--color auto|always|never`;
colour is off where stdout is no terminal or `NO_COLOR` is set, and never says anything the words do not.
";

/// The text of `docs/reference/cli.md`.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for exit in Exit::ALL {
        page.push_str(&format!("| {} | {} |\n", exit.code(), exit.meaning()));
    }
    let mut root = super::command();
    root.build();
    for command in root.get_subcommands() {
        describe(&mut page, command, "modelward", 2);
    }
    page
}

fn describe(page: &mut String, command: &Command, parent: &str, depth: usize) {
    let name = format!("{parent} {}", command.get_name());
    page.push_str(&format!("\n{} `{name}`\n\n", "#".repeat(depth)));
    let about = command.get_long_about().or_else(|| command.get_about());
    if let Some(about) = about {
        page.push_str(&format!("{}.\n", about.to_string().trim_end_matches('.')));
    }
    let own: Vec<&Arg> = command.get_arguments().filter(|arg| is_own(arg)).collect();
    if !own.is_empty() {
        page.push_str("\n| argument | meaning |\n|---|---|\n");
        for arg in own {
            page.push_str(&format!("| `{}` | {} |\n", spelling(arg), meaning(arg)));
        }
    }
    for inner in command.get_subcommands() {
        describe(page, inner, &name, depth + 1);
    }
}

fn is_own(arg: &Arg) -> bool {
    !arg.is_global_set() && !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version")
}

fn spelling(arg: &Arg) -> String {
    let value = arg.get_action().takes_values().then(|| {
        let names =
            arg.get_value_names().map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>());
        names.unwrap_or_else(|| vec![arg.get_id().to_string().to_uppercase()]).join(" ")
    });
    let mut text = String::new();
    if let Some(short) = arg.get_short() {
        text.push_str(&format!("-{short}, "));
    }
    if let Some(long) = arg.get_long() {
        text.push_str(&format!("--{long}"));
    }
    match (text.is_empty(), value) {
        (true, Some(value)) if arg.is_required_set() => value,
        (true, Some(value)) => format!("[{value}]"),
        (false, Some(value)) => format!("{text} {value}"),
        (_, None) => text,
    }
}

fn meaning(arg: &Arg) -> String {
    let help = arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut parts = vec![help.replace('\n', " ").replace('|', "\\|")];
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if arg.get_action().takes_values() && !values.is_empty() {
        parts.push(format!("One of {}", values.join(", ")));
    }
    if let Some(default) = arg.get_default_values().first() {
        parts.push(format!("Default: `{}`", default.to_string_lossy()));
    }
    if let Some(variable) = arg.get_env() {
        parts.push(format!("Environment: `{}`", variable.to_string_lossy()));
    }
    parts.retain(|part| !part.is_empty());
    parts.join(". ")
}
