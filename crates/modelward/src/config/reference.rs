//! The reference page of the configuration, made from the list of settings.

use super::setting::{Default, variable_of};
use super::settings::ALL;

const HEAD: &str = "\
# Configuration

<!-- Made from the list of settings in crates/modelward/src/config/settings.rs; a test keeps both equal. -->

`modelward serve --config FILE` reads one TOML file. An environment variable named below overrides the key beside
it. A key or a `MODELWARD_…` variable that is not listed here refuses to start, with its place and, where one is near,
the key that was meant. `modelward config check` shows every value in force and where it came from.

Keys whose name starts with `danger_` weaken the protection; each says how.

Lists are separated by commas in environment variables. A `*` stands for a name you choose; such keys have no
environment variable. Relative paths count from the folder of the configuration file.
";

/// The text of `docs/reference/configuration.md`.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    let mut section = "";
    for setting in ALL {
        let table = setting.path().split_once('.').map_or("", |(table, _)| table);
        if table != section {
            section = table;
            if !table.is_empty() {
                page.push_str(&format!("\n## `{table}`\n"));
            }
        } else if table.is_empty() && page.len() == HEAD.len() {
            page.push_str("\n## Top level\n");
        }
        let default = match setting.default() {
            Default::Text(text) => format!("`{text}`"),
            Default::Absent(words) => words.to_owned(),
            Default::Required => "none: the key is required".to_owned(),
        };
        let variable =
            variable_of(setting.path()).map_or_else(|| "none".to_owned(), |name| format!("`{name}`"));
        page.push_str(&format!(
            "\n### `{}`\n\n{}\n\n- form: {}\n- default: {default}\n- environment: {variable}\n",
            setting.path(),
            setting.doc().trim(),
            setting.form(),
        ));
    }
    page
}
