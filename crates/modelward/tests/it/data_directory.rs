//! The data directory: made once, opened again, and never with anything wrong in it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use modelward::config::{Config, Environment, Loaded};
use modelward::house::{House, HouseError};

use crate::stage::Stage;

fn config_in(stage: &Stage, text: &str) -> Config {
    std::fs::create_dir_all(stage.path("data")).unwrap();
    std::fs::set_permissions(stage.path("data"), std::fs::Permissions::from_mode(0o700)).unwrap();
    stage.write("data/modelward.toml", text);
    Loaded::read(&stage.path("data/modelward.toml"), &Environment::default()).unwrap().config
}

const SMALL: &str = "[ledger]\norigin = 'example.org/audit'\nsegment_size = '1 MiB'\n";

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(work)
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn it_is_made_once_and_opened_again() {
    let stage = Stage::new();
    let config = config_in(&stage, SMALL);
    run(async {
        House::create(&config).await.unwrap().close().await;
        assert!(matches!(House::create(&config).await, Err(HouseError::NotEmpty { .. })));
        House::open(&config).await.unwrap().close().await;
    });
}

#[test]
fn nobody_else_can_read_what_is_in_it() {
    let stage = Stage::new();
    let config = config_in(&stage, SMALL);
    run(async { House::create(&config).await.unwrap().close().await });
    for file in
        files_below(&stage.path("data/keys")).into_iter().chain(files_below(&stage.path("data/state")))
    {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", file.display());
    }
    std::fs::set_permissions(stage.path("data"), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(run(House::open(&config)), Err(HouseError::Private(_))));
}

#[test]
fn the_name_of_the_ledger_stays() {
    let stage = Stage::new();
    let config = config_in(&stage, SMALL);
    run(async { House::create(&config).await.unwrap().close().await });
    let renamed = config_in(&stage, "[ledger]\norigin = 'example.org/other'\nsegment_size = '1 MiB'\n");
    let refused = run(House::open(&renamed));
    assert!(matches!(refused, Err(HouseError::OtherOrigin { named, .. }) if named == "example.org/audit"));
}

#[test]
fn a_ledger_is_checked_offline_and_a_changed_one_is_named() {
    let stage = Stage::new();
    let config = config_in(&stage, SMALL);
    run(async { House::create(&config).await.unwrap().close().await });
    let said = stage.run(&["ledger", "verify", "data/ledger", "--entries", "--json"]);
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    let report: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(report["verdict"], "intact");
    assert_eq!(report["origin"], "example.org/audit");
    assert!(report["size"].as_u64().unwrap() > 0);

    let bundle = files_below(&stage.path("data/ledger/log/tile/entries")).pop().unwrap();
    let mut bytes = std::fs::read(&bundle).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&bundle, bytes).unwrap();
    let said = stage.run(&["ledger", "verify", "data/ledger"]);
    assert_eq!(said.code, 1);
    assert!(
        said.stdout.starts_with("damaged: ") && said.stdout.contains("first bad entry: "),
        "{}",
        said.stdout
    );
}

#[test]
fn a_ledger_signed_by_another_key_is_not_trusted() {
    let stage = Stage::new();
    let config = config_in(&stage, SMALL);
    run(async { House::create(&config).await.unwrap().close().await });
    let other = Stage::new();
    let other_config = config_in(&other, SMALL);
    run(async { House::create(&other_config).await.unwrap().close().await });
    let key = other.path("data/ledger.vkey");
    let said = stage.run(&["ledger", "verify", "data/ledger", "--key", key.to_str().unwrap()]);
    assert_eq!(said.code, 1);
    assert!(said.stdout.starts_with("untrusted: "), "{}", said.stdout);
    let said = stage.run(&["ledger", "verify", "data"]);
    assert_eq!(said.code, 2, "not a ledger: {}", said.stderr);
}
