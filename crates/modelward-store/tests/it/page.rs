//! `docs/reference/state.md` is written by hand; here it is held to the schema.

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_page_on_state_names_every_table_and_no_other() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(here.join("../../docs/reference/state.md")).unwrap();
    let mut tables = BTreeSet::from(["migration".to_owned()]);
    for file in std::fs::read_dir(here.join("migrations")).unwrap() {
        let sql = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let made = sql.lines().filter_map(|line| line.strip_prefix("CREATE TABLE "));
        tables.extend(made.map(|rest| rest.split_whitespace().next().unwrap().to_owned()));
    }
    let (_, section) = page.split_once("## Tables").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let first_cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let named: BTreeSet<String> = first_cells
        .flat_map(|cell| cell.split(','))
        .map(|name| name.trim().trim_matches('`').to_owned())
        .collect();
    assert_eq!(named, tables);
}
