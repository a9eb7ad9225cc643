//! What is particular to files.

use modelward_decision::vocabulary::{GranteeRef, ScopeRef};
use modelward_governance::inventory::Thing;
use modelward_store::{Options, Store, StoreError};

use crate::house::{Place, commit, event, furnished, give, grant, id, model, name, noon, now, person, put};

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_reads_the_database() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::sqlite();
    let store = furnished(&place).await;
    let mut files = 0;
    for file in std::fs::read_dir(place.folder()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
        files += 1;
    }
    assert!(files >= 2, "the write-ahead file is one of them");
    store.close().await;
}

#[tokio::test]
async fn odd_characters_in_the_path_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("a b?mode=memory#c%20ü");
    std::fs::create_dir(&odd).unwrap();
    let path = odd.join("modelward.db");
    let store = Store::open(&path, Options::new(noon())).await.unwrap();
    store.set_setting("a", "b").await.unwrap();
    store.close().await;
    assert!(std::fs::metadata(&path).unwrap().len() > 0);
    let again = Store::open(&path, Options::new(noon())).await.unwrap();
    assert_eq!(again.setting("a").await.unwrap().as_deref(), Some("b"));
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no/modelward.db");
    let error = Store::open(&missing, Options::new(noon())).await.unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }));
    assert!(error.to_string().contains("no/modelward.db"));
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("modelward.db");
    let text = "this is a letter, not a database\n".repeat(100);
    std::fs::write(&path, &text).unwrap();
    assert!(Store::open(&path, Options::new(noon())).await.is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

/// `cargo test -p modelward-store --release -- --ignored --nocapture million`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn a_million_grants_load() {
    let place = Place::sqlite();
    let store = furnished(&place).await;
    // A thousand people and a thousand models: every grant has a place of its own, as in a large firm.
    let people = (0..1000).map(|n| put(Thing::Person(person(100_000 + n, &format!("person-{n}")))));
    let models = (0..1000).map(|n| {
        let mut model = model();
        (model.id, model.name) = (id(200_000 + n), name(&format!("model-{n}")));
        put(Thing::Model(model))
    });
    store.commit(commit(1999, people.chain(models).collect::<Vec<_>>())).await.unwrap();
    store.ledgered(event(1999), 1, noon()).await.unwrap();
    for batch in 0..100 {
        let changes: Vec<_> = (batch * 10_000..(batch + 1) * 10_000)
            .map(|n| {
                let mut grant = grant(1_000_000 + n);
                grant.grantee = GranteeRef::Person(id(100_000 + n / 1000));
                grant.scope = ScopeRef::Model(id(200_000 + n % 1000));
                give(grant)
            })
            .collect();
        store.commit(commit(2000 + batch, changes)).await.unwrap();
        store.ledgered(event(2000 + batch), u64::try_from(batch).unwrap() + 2, noon()).await.unwrap();
    }
    let mut loaded = 0_u32;
    let before = resident_kib();
    store.load_each(modelward_store::Moment::Now, noon(), |_| loaded += 1).await.unwrap();
    let grown = resident_kib().saturating_sub(before);
    println!("{loaded} changes read with {grown} KiB more resident");
    assert!(loaded >= 1_000_000);
    assert!(grown < 64 * 1024, "reading holds few rows at a time");
    let snapshot = now(&store).await;
    println!("restored: {} KiB resident", resident_kib());
    assert_eq!(snapshot.grants().count(), 1_000_000);
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap_or_default()
}
