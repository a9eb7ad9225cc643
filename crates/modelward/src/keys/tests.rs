use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::clock::SystemIds;

const NOON: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn ring() -> (tempfile::TempDir, PathBuf, KeyRing) {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let ring = KeyRing::create(&keys, &SystemIds, NOON).unwrap();
    (folder, keys, ring)
}

fn shown(keys: &[Key]) -> Vec<String> {
    keys.iter().map(|key| format!("{key:?}")).collect()
}

#[test]
fn keys_survive_a_restart() {
    let (_folder, path, ring) = ring();
    let reopened = KeyRing::open(&path).unwrap();
    for purpose in Purpose::ALL {
        let before = ring.active(purpose).unwrap();
        let after = reopened.active(purpose).unwrap();
        assert_eq!(before.secret(), after.secret(), "{purpose}");
    }
}

#[test]
fn no_two_purposes_share_a_secret() {
    let (_folder, _path, ring) = ring();
    let secrets: std::collections::BTreeSet<[u8; 32]> =
        ring.list().iter().map(|key| **key.secret()).collect();
    assert_eq!(secrets.len(), Purpose::ALL.len());
}

#[test]
fn a_rotated_key_counts_until_its_grace_ends() {
    let (_folder, path, ring) = ring();
    let before = ring.active(Purpose::AccessToken).unwrap();
    let fresh = ring.rotate(Purpose::AccessToken, &SystemIds, NOON, Duration::from_secs(600)).unwrap();
    assert_ne!(before.id, fresh.id);
    assert_eq!(ring.active(Purpose::AccessToken).unwrap().id, fresh.id);

    let reopened = KeyRing::open(&path).unwrap();
    let ids = |now| -> Vec<String> {
        reopened.verifying(Purpose::AccessToken, now).into_iter().map(|key| key.id).collect()
    };
    let mut both = ids(NOON + Duration::from_secs(599));
    both.sort();
    let mut expected = vec![before.id, fresh.id.clone()];
    expected.sort();
    assert_eq!(both, expected);
    assert_eq!(ids(NOON + Duration::from_secs(600)), [fresh.id]);
}

#[test]
fn a_revoked_key_counts_no_more() {
    let (_folder, path, ring) = ring();
    let before = ring.active(Purpose::ControlToken).unwrap();
    assert!(matches!(ring.revoke(&before.id, NOON), Err(KeyError::LastActive(_))));
    ring.rotate(Purpose::ControlToken, &SystemIds, NOON, Duration::from_secs(600)).unwrap();
    ring.revoke(&before.id, NOON).unwrap();
    let reopened = KeyRing::open(&path).unwrap();
    assert!(reopened.verifying(Purpose::ControlToken, NOON).iter().all(|key| key.id != before.id));
    assert!(matches!(ring.revoke(&before.id, NOON), Err(KeyError::AlreadyRevoked(_))));
    assert!(matches!(ring.revoke("nobody", NOON), Err(KeyError::Unknown(_))));
}

#[test]
fn what_could_not_be_read_without_a_key_keeps_it() {
    let (_folder, _path, ring) = ring();
    for purpose in [Purpose::Checkpoint, Purpose::Totp, Purpose::Facts, Purpose::Pseudonym] {
        let refused = ring.rotate(purpose, &SystemIds, NOON, Duration::from_secs(1));
        assert!(matches!(refused, Err(KeyError::Fixed(_))), "{purpose}");
    }
}

#[test]
fn keys_others_may_read_are_refused() {
    let (_folder, path, _ring) = ring();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
    assert!(matches!(KeyRing::open(&path), Err(KeyError::Private(PrivateError::Open { .. }))));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    let file = fs::read_dir(&path).unwrap().next().unwrap().unwrap().path();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(KeyRing::open(&path), Err(KeyError::Private(PrivateError::Open { .. }))));
}

#[test]
fn a_file_under_another_purpose_is_refused() {
    let (_folder, path, ring) = ring();
    let key = ring.active(Purpose::Totp).unwrap();
    let file = path.join(format!("totp.{}.json", key.id));
    let text = fs::read_to_string(&file).unwrap().replace("\"totp\"", "\"facts\"");
    private::write(&file, text.as_bytes()).unwrap();
    assert!(matches!(KeyRing::open(&path), Err(KeyError::Damaged { .. })));
}

#[test]
fn a_missing_purpose_is_refused() {
    let (_folder, path, ring) = ring();
    let key = ring.active(Purpose::Pseudonym).unwrap();
    fs::remove_file(path.join(format!("pseudonym.{}.json", key.id))).unwrap();
    assert!(matches!(KeyRing::open(&path), Err(KeyError::Missing(Purpose::Pseudonym))));
}

#[test]
fn a_secret_does_not_show() {
    let (_folder, path, ring) = ring();
    let shown = shown(&ring.list()).join("\n");
    for key in ring.list() {
        assert!(!shown.contains(&STANDARD.encode(key.secret().as_ref())));
    }
    let key = ring.active(Purpose::Totp).unwrap();
    let file = path.join(format!("totp.{}.json", key.id));
    let text = fs::read_to_string(&file).unwrap().replace("\"format\": 1", "\"format\": \"x\"");
    private::write(&file, text.as_bytes()).unwrap();
    let error = crate::exit::chain(&KeyRing::open(&path).unwrap_err());
    assert!(!error.contains(&STANDARD.encode(key.secret().as_ref())), "{error}");
}
