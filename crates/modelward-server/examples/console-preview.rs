//! Writes every page of the console with invented contents into a folder, to be looked at in a browser:
//! `cargo run -p modelward-server --example console-preview -- FOLDER`, then serve the folder.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_wrap,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a tool for the eye, with the fixtures of the tests"
)]

use std::path::Path;

use modelward_server::console::assets;
use modelward_server::console::view::Theme;

#[path = "../tests/it/fixtures.rs"]
mod fixtures;

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/console".to_owned());
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder.join("assets")).unwrap();
    let paths = assets::paths();
    for path in [&paths.style, &paths.script, &paths.icon] {
        std::fs::write(folder.join(path.trim_start_matches('/')), assets::find(path).unwrap().bytes).unwrap();
    }
    for (light, theme) in [("light", Theme::Light), ("dark", Theme::Dark)] {
        for (amount, count) in [("none", 0), ("ten", 10), ("many", 10_000)] {
            for (name, html) in fixtures::pages(count, theme) {
                std::fs::write(folder.join(format!("{name}-{amount}-{light}.html")), html).unwrap();
            }
        }
    }
    println!("{}", folder.display());
}
