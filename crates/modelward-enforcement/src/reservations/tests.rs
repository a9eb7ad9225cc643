use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use modelward_decision::Grant;
use modelward_decision::grant::{Conditions, Origin};
use modelward_decision::vocabulary::{GrantId, GranteeRef, PersonId, Privilege, ScopeRef};
use tokio::task::JoinSet;

use super::frame::{self, Damage, Frame, Record};
use super::medium::Medium;
use super::{Budget, OpenError, Reservations, ReserveError, Spent, Wanted};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;
const NO_BYTES: Wanted = Wanted::Unknown { up_to: 0 };

fn grant(bits: u128, max_uses: Option<u64>, max_bytes: Option<u64>) -> Grant {
    Grant {
        id: GrantId::from_bits(bits),
        grantee: GranteeRef::Person(PersonId::from_bits(1)),
        privilege: Privilege::Inference,
        scope: ScopeRef::Platform,
        conditions: Conditions { max_uses, max_bytes, ..Conditions::default() },
        not_before: NOW,
        not_after: NOW + SignedDuration::from_hours(1),
        origin: Origin::Bootstrap { by: PersonId::from_bits(1) },
    }
}

async fn use_once(reservations: &Reservations, grant: &Grant) -> Result<(), ReserveError> {
    let mut reservation = reservations.reserve(grant, NO_BYTES, NOW).await?;
    reservation.begin();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_parallel_calls_on_one_remaining_use_exactly_one_passes_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let grant = Arc::new(grant(7, Some(3), None));
    let reservations = Arc::new(Reservations::create(folder.path()).unwrap());
    use_once(&reservations, &grant).await.unwrap();
    use_once(&reservations, &grant).await.unwrap();

    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let (reservations, grant) = (Arc::clone(&reservations), Arc::clone(&grant));
        calls.spawn(async move { use_once(&reservations, &grant).await });
    }
    let results = calls.join_all().await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let exhausted = ReserveError::Exhausted { grant: grant.id, budget: Budget::Uses { max: 3 } };
    assert_eq!(results.iter().filter(|result| **result == Err(exhausted)).count(), 99);

    drop(reservations);
    let reopened = Reservations::open(folder.path()).unwrap();
    assert_eq!(use_once(&reopened, &grant).await, Err(exhausted));
}

#[tokio::test]
async fn what_was_set_aside_and_not_forwarded_comes_back_and_what_was_forwarded_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let grant = grant(7, Some(2), Some(100));
    let reservations = Reservations::create(folder.path()).unwrap();
    let reserve = async || reservations.reserve(&grant, Wanted::AtMost(60), NOW).await;

    drop(reserve().await.unwrap());
    assert_eq!(reservations.spent(grant.id), Spent::default(), "dropped before anything was forwarded");

    let mut lost = reserve().await.unwrap();
    lost.begin();
    drop(lost);
    assert_eq!(reservations.spent(grant.id), Spent { uses: 1, bytes: 60 }, "nobody knows what left");

    let mut settled = reservations.reserve(&grant, Wanted::AtMost(40), NOW).await.unwrap();
    settled.begin();
    settled.settle(15);
    assert_eq!(reservations.spent(grant.id), Spent { uses: 2, bytes: 75 });

    drop(reservations);
    let reopened = Reservations::open(folder.path()).unwrap();
    assert_eq!(reopened.spent(grant.id), Spent { uses: 2, bytes: 75 });
}

#[tokio::test]
async fn a_cancelled_reservation_comes_back_even_after_it_began() {
    let folder = tempfile::tempdir().unwrap();
    let grant = grant(7, Some(1), None);
    let reservations = Reservations::create(folder.path()).unwrap();
    let mut reservation = reservations.reserve(&grant, NO_BYTES, NOW).await.unwrap();
    reservation.begin();
    reservation.cancel();
    use_once(&reservations, &grant).await.unwrap();
}

#[tokio::test]
async fn bytes_are_bounded_by_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let grant = grant(7, None, Some(100));
    let reservations = Reservations::create(folder.path()).unwrap();

    let mut first = reservations.reserve(&grant, Wanted::Unknown { up_to: 70 }, NOW).await.unwrap();
    assert_eq!(first.bytes(), Some(70));
    first.begin();
    let too_much = reservations.reserve(&grant, Wanted::AtMost(31), NOW).await.unwrap_err();
    let budget = Budget::Bytes { max: 100, left: 30 };
    assert_eq!(too_much, ReserveError::Exhausted { grant: grant.id, budget });
    let mut second = reservations.reserve(&grant, Wanted::Unknown { up_to: 70 }, NOW).await.unwrap();
    assert_eq!(second.bytes(), Some(30));
    second.begin();
    assert!(reservations.reserve(&grant, Wanted::Unknown { up_to: 1 }, NOW).await.is_err());
    let nothing_left = reservations.reserve(&grant, Wanted::AtMost(0), NOW).await.map(drop);
    assert!(nothing_left.is_err(), "who asks for no byte uses the grant all the same");
    first.settle(10);
    assert_eq!(reservations.spent(grant.id).bytes, 40);
}

#[tokio::test]
async fn a_grant_without_limits_is_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let grant = grant(7, None, None);
    let reservations = Reservations::create(folder.path()).unwrap();
    use_once(&reservations, &grant).await.unwrap();
    assert_eq!(reservations.spent(grant.id), Spent::default());
}

#[tokio::test]
async fn a_file_deleted_underneath_stops_every_limited_grant() {
    let folder = tempfile::tempdir().unwrap();
    let (limited, free) = (grant(7, Some(9), None), grant(8, None, None));
    let reservations = Reservations::create(folder.path()).unwrap();
    use_once(&reservations, &limited).await.unwrap();
    std::fs::remove_file(folder.path().join("counters.log")).unwrap();

    assert_eq!(use_once(&reservations, &limited).await, Err(ReserveError::Unavailable));
    assert_eq!(use_once(&reservations, &limited).await, Err(ReserveError::Unavailable));
    assert!(!reservations.is_healthy());
    use_once(&reservations, &free).await.unwrap();

    drop(reservations);
    assert!(matches!(Reservations::open(folder.path()), Err(OpenError::Missing { .. })));
}

#[test]
fn one_process_holds_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Reservations::create(folder.path()).unwrap();
    assert!(matches!(Reservations::open(folder.path()), Err(OpenError::Locked { .. })));
}

#[test]
fn a_folder_with_counters_is_not_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    drop(Reservations::create(folder.path()).unwrap());
    assert!(matches!(Reservations::create(folder.path()), Err(OpenError::Exists { .. })));
}

fn frames(count: u64) -> Vec<Vec<u8>> {
    (0..count)
        .map(|sequence| {
            let record = Record {
                grant: GrantId::from_bits(u128::from(sequence) + 1),
                spent: Spent { uses: sequence, bytes: 1000 - sequence },
                not_after: -5,
            };
            Frame { sequence, records: &[record] }.to_bytes()
        })
        .collect()
}

#[test]
fn a_file_cut_anywhere_in_its_last_frame_reads_up_to_the_frame_before() {
    let frames = frames(4);
    let whole: Vec<u8> = frames.concat();
    let kept = whole.len() - frames[3].len();
    for length in kept..whole.len() {
        let scan = frame::scan(&whole[..length]).unwrap();
        assert_eq!((scan.whole_bytes, scan.records.len()), (kept, 3));
    }
    assert_eq!(frame::scan(&whole).unwrap().records.len(), 4);
}

#[test]
fn any_flipped_bit_before_the_last_frame_is_damage_at_that_frame() {
    let frames = frames(3);
    let whole: Vec<u8> = frames.concat();
    for bit in 0..(frames[0].len() + frames[1].len()) * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let offset = if bit / 8 < frames[0].len() { 0 } else { frames[0].len() };
        assert_eq!(frame::scan(&bytes), Err(Damage { offset }), "bit {bit}");
    }
}

#[test]
fn a_missing_or_doubled_frame_and_a_file_without_any_are_damage() {
    let frames = frames(3);
    let offset = frames[0].len();
    assert_eq!(frame::scan(&[&frames[0][..], &frames[2][..]].concat()), Err(Damage { offset }));
    assert_eq!(frame::scan(&[&frames[0][..], &frames[0][..]].concat()), Err(Damage { offset }));
    assert_eq!(frame::scan(&[]), Err(Damage { offset: 0 }));
    assert_eq!(frame::scan(&[0; 64]), Err(Damage { offset: 0 }));
    let tail = [&frames[0][..], &[0; 100_000][..]].concat();
    assert_eq!(frame::scan(&tail), Err(Damage { offset }), "no crash tears more than one frame");
}

/// A disk that stops at the n-th byte it is asked to write, as a killed process does.
#[derive(Clone)]
struct Killed {
    bytes: Arc<Mutex<Vec<u8>>>,
    bytes_until_death: Arc<AtomicU64>,
}

impl Killed {
    fn take(&self, asked: usize) -> usize {
        let left = self.bytes_until_death.load(Ordering::SeqCst);
        let taken = u64::try_from(asked).unwrap().min(left);
        self.bytes_until_death.store(left - taken, Ordering::SeqCst);
        usize::try_from(taken).unwrap()
    }
}

impl Medium for Killed {
    fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        let taken = self.take(frame.len());
        self.bytes.lock().unwrap().extend(&frame[..taken]);
        if taken == frame.len() { Ok(()) } else { Err(io::Error::other("killed")) }
    }

    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.take(bytes.len()) < bytes.len() {
            return Err(io::Error::other("killed"));
        }
        *self.bytes.lock().unwrap() = bytes.to_vec();
        Ok(())
    }

    fn length(&self) -> u64 {
        u64::try_from(self.bytes.lock().unwrap().len()).unwrap()
    }
}

#[tokio::test]
async fn killed_at_any_byte_no_use_is_ever_given_twice() {
    const MAX: u64 = 8;
    let grant = grant(7, Some(MAX), None);
    let empty = Frame { sequence: 0, records: &[] }.to_bytes();
    let mut restarts = 0;
    for first_life in 0..1200_u64 {
        let disk = Arc::new(Mutex::new(empty.clone()));
        let mut passed = 0;
        // Lives of growing length until the grant is used up; each is killed after so many bytes.
        for life in 0.. {
            let bytes_until_death = Arc::new(AtomicU64::new(first_life + life * 97));
            let medium = Killed { bytes: Arc::clone(&disk), bytes_until_death };
            let scan = frame::scan(&disk.lock().unwrap()).unwrap();
            disk.lock().unwrap().truncate(scan.whole_bytes);
            // A small bound, so that rewriting is killed too.
            let reservations = Reservations::start(medium, scan.records, 100).unwrap();
            let spent = reservations.spent(grant.id).uses;
            assert!(spent >= passed, "life {life} forgot a use: {spent} < {passed}");
            let mut end = use_once(&reservations, &grant).await;
            while end.is_ok() {
                passed += 1;
                end = use_once(&reservations, &grant).await;
            }
            restarts += 1;
            if matches!(end, Err(ReserveError::Exhausted { .. })) {
                break;
            }
        }
        assert!(passed <= MAX, "{passed} uses of {MAX}");
    }
    assert!(restarts > 1200);
}

#[tokio::test]
async fn a_long_history_is_rewritten_and_says_the_same() {
    let disk = Arc::new(Mutex::new(Vec::new()));
    let bytes_until_death = Arc::new(AtomicU64::new(u64::MAX));
    let medium = Killed { bytes: Arc::clone(&disk), bytes_until_death };
    let reservations = Reservations::start(medium, Vec::new(), 4096).unwrap();
    let grants: Vec<Grant> = (1..=5).map(|bits| grant(bits, Some(1000), None)).collect();
    for _ in 0..200 {
        for grant in &grants {
            use_once(&reservations, grant).await.unwrap();
        }
    }
    drop(reservations);
    let bytes = disk.lock().unwrap().clone();
    assert!(bytes.len() < 8192, "{} bytes", bytes.len());
    let scan = frame::scan(&bytes).unwrap();
    for grant in &grants {
        let last = scan.records.iter().rfind(|record| record.grant == grant.id).unwrap();
        assert_eq!(last.spent.uses, 200);
    }
}
