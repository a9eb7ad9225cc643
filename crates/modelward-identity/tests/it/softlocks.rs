//! Softlocks in virtual time.

use std::net::IpAddr;

use expect_test::expect;
use jiff::Timestamp;
use modelward_identity::softlock::{AccountKey, LockKey, Softlock, Softlocks, SourcePrefix};

use crate::support::{later, noon};

const HERE: &str = "192.0.2.10";
const THERE: &str = "198.51.100.7";

fn at(address: &str) -> IpAddr {
    address.parse().unwrap()
}

/// A guess that is wrong, if it is looked at.
fn fail(locks: &mut Softlocks, account: &str, from: IpAddr, now: Timestamp) -> bool {
    locks.begin(account, from, now).is_ok()
}

/// Guesses as fast as the locks allow, so many times; says how long after 16:00 each guess was looked at.
fn guess(locks: &mut Softlocks, account: &str, from: &str, times: usize) -> Vec<i64> {
    let mut now = noon();
    (0..times)
        .map(|_| {
            loop {
                match locks.begin(account, at(from), now) {
                    Ok(_attempt) => break (now - noon()).get_seconds(),
                    Err(wait) => {
                        assert!(now < wait.until, "the wait ends");
                        now = wait.until;
                    }
                }
            }
        })
        .collect()
}

#[test]
fn guessing_gets_slower_and_then_waits_for_the_next_day() {
    let mut locks = Softlocks::new();
    let looked_at = guess(&mut locks, "dana", HERE, 102);
    let gaps: Vec<String> = looked_at
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .collect::<Vec<_>>()
        .chunk_by(|one, other| one == other)
        .map(|same| format!("{} x {} s", same.len(), same[0]))
        .collect();
    expect!["2 x 1 s, 6 x 3 s, 16 x 5 s, 75 x 10 s, 1 x 27950 s, 1 x 1 s"].assert_eq(&gaps.join(", "));
    // The 101st guess of the day was made on the next one.
    assert_eq!(looked_at[100], 8 * 3600, "16:00 to midnight UTC");
}

#[test]
fn a_hundred_guesses_at_once_are_one() {
    let mut locks = Softlocks::new();
    let looked_at = (0..100).filter(|_| locks.begin("dana", at(HERE), noon()).is_ok()).count();
    assert_eq!(looked_at, 1);
}

#[test]
fn strangers_can_not_keep_the_owner_out() {
    let mut locks = Softlocks::new();
    let home = locks.begin("dana", at(HERE), noon()).unwrap();
    locks.succeed(&home, noon());
    // Somebody guesses from two hundred networks, all day long.
    for network in 0..200 {
        fail(&mut locks, "dana", at(&format!("203.0.{network}.1")), later(network));
    }
    assert!(locks.begin("dana", at(HERE), later(200)).is_ok(), "the owner is looked at without waiting");

    fail(&mut locks, "dana", at("203.0.113.1"), later(200));
    let elsewhere = locks.begin("dana", at(THERE), later(200)).unwrap_err();
    assert!(elsewhere.until <= later(210), "from a new network it is seconds, never the day");
}

#[test]
fn threat_18_a_hundred_guesses_elsewhere_do_not_stop_the_owner_with_a_passkey() {
    let mut locks = Softlocks::new();
    let looked_at = guess(&mut locks, "dana", THERE, 100);
    let now = later(looked_at[99]);
    assert!(locks.begin("dana", at(THERE), now).is_err(), "there it is over for the day");
    let attempt = locks.begin_passkey("dana", at(HERE), now).unwrap();
    locks.succeed(&attempt, now);
    assert!(locks.begin("dana", at(THERE), now).is_err(), "which gives nobody elsewhere a new start");
    // From a network where nobody guessed, the password waits for seconds at most.
    let wait = locks.begin("dana", at(HERE), now).unwrap_err();
    assert!(wait.until <= now + jiff::SignedDuration::from_secs(10));
}

#[test]
fn threat_18_a_passkey_is_tried_once_a_second_and_from_each_network_apart() {
    let mut locks = Softlocks::new();
    assert!(locks.begin_passkey("dana", at(HERE), noon()).is_ok());
    let wait = locks.begin_passkey("dana", at(HERE), noon()).unwrap_err();
    assert_eq!(wait.until, later(1));
    assert!(locks.begin_passkey("dana", at(THERE), noon()).is_ok());
    // However often it fails it stays a second; the network as a whole is slowed down as by any failures.
    for second in 1..20 {
        assert!(locks.begin_passkey("dana", at(HERE), later(second)).is_ok(), "{second}");
    }
}

#[test]
fn success_gives_the_count_back() {
    let mut locks = Softlocks::new();
    guess(&mut locks, "dana", HERE, 30);
    let attempt = locks.begin("dana", at(HERE), later(1000)).unwrap();
    locks.succeed(&attempt, later(1000));
    assert!(locks.begin("dana", at(HERE), later(1000)).is_ok(), "no wait after a success");
}

#[test]
fn a_known_network_is_forgotten_after_a_month() {
    let mut locks = Softlocks::new();
    let home = locks.begin("dana", at(HERE), noon()).unwrap();
    locks.succeed(&home, noon());
    let month = 30 * 86_400;
    for second in [month - 1, month] {
        fail(&mut locks, "dana", at(THERE), later(second));
    }
    let now = later(month);
    assert!(locks.begin("dana", at(HERE), now).is_err(), "as from anywhere else");
}

#[test]
fn names_nobody_has_wait_like_names_somebody_has() {
    let mut locks = Softlocks::new();
    // Nothing in here knows which accounts exist; the same guesses give the same waits.
    let known = guess(&mut locks, "dana", HERE, 40);
    let unknown = guess(&mut Softlocks::new(), "nobody", HERE, 40);
    assert_eq!(known, unknown);
    assert!(locks.begin("DANA", at(HERE), noon()).is_err(), "case makes no other account");
}

#[test]
fn one_network_trying_many_names_is_slowed_down() {
    let mut locks = Softlocks::new();
    let looked_at =
        (0..1000).filter(|name| locks.begin(&format!("user{name}"), at(HERE), noon()).is_ok()).count();
    assert_eq!(looked_at, 25);
    assert!(locks.begin("user0", at(THERE), later(3)).is_ok(), "other networks are not");
}

#[test]
fn people_who_sign_in_do_not_use_up_their_network() {
    let mut locks = Softlocks::new();
    for name in 0..500 {
        let attempt = locks.begin(&format!("user{name}"), at(HERE), noon()).unwrap();
        locks.succeed(&attempt, noon());
    }
}

#[test]
fn three_wrong_codes_wait_for_the_next_one() {
    let mut locks = Softlocks::new();
    for _ in 0..3 {
        assert!(locks.begin_totp("dana", later(7)).is_ok());
    }
    let wait = locks.begin_totp("dana", later(7)).unwrap_err();
    assert_eq!(wait.until, later(30));
    let attempt = locks.begin_totp("dana", later(30)).unwrap();
    locks.succeed(&attempt, later(30));
    assert!(locks.begin_totp("dana", later(30)).is_ok());
}

#[test]
fn codes_can_not_be_guessed_in_a_day() {
    let mut locks = Softlocks::new();
    let midnight = later(8 * 3600);
    let mut now = noon();
    let mut guesses = 0;
    while now < midnight {
        match locks.begin_totp("dana", now) {
            Ok(_) => guesses += 1,
            Err(wait) => now = wait.until,
        }
    }
    assert_eq!(guesses, 100, "3 in 10 000 to have guessed one of a million with three valid at a time");
}

#[test]
fn a_network_is_a_prefix() {
    let prefix = |text: &str| SourcePrefix::of(at(text)).to_string();
    assert_eq!(prefix("192.0.2.200"), "192.0.2.0/24");
    assert_eq!(prefix("::ffff:192.0.2.200"), "192.0.2.0/24", "IPv4 in IPv6 is IPv4");
    assert_eq!(prefix("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
}

#[test]
fn a_flood_of_names_stays_within_bounds_and_forgets_no_known_network() {
    let mut locks = Softlocks::with_max(1000);
    let home = locks.begin("dana", at(HERE), noon()).unwrap();
    locks.succeed(&home, noon());
    for number in 0..20_000_u32 {
        let address = IpAddr::from(std::net::Ipv4Addr::from_bits(0x0a00_0000 + (number << 8)));
        fail(&mut locks, &format!("name{number}"), address, noon());
        assert!(locks.len() <= 1000);
    }
    let pair = LockKey::Pair(AccountKey::of("dana"), SourcePrefix::of(at(HERE)));
    assert!(locks.get(&pair).is_some_and(|lock| lock.trusted_until.is_some()));
}

#[test]
fn counters_survive_a_restart_when_they_are_stored() {
    let mut before = Softlocks::new();
    guess(&mut before, "dana", HERE, 100);
    let stored: Vec<(String, Softlock)> = before.iter().map(|(key, lock)| (key.to_string(), *lock)).collect();
    assert_eq!(stored.len(), 3);
    let mut after = Softlocks::new();
    for (key, lock) in stored {
        after.restore(key.parse().unwrap(), lock);
    }
    let wait = after.begin("dana", at(HERE), later(3600)).unwrap_err();
    assert_eq!(wait.until, "2026-11-21T00:00:00Z".parse::<Timestamp>().unwrap());
}

#[test]
fn a_counter_is_read_back_from_its_text_and_from_no_other() {
    let (account, source) = (AccountKey::of("dana"), SourcePrefix::of(at("2001:db8::1")));
    for key in [
        LockKey::Pair(account, source),
        LockKey::Account(account),
        LockKey::Source(source),
        LockKey::Totp(account),
    ] {
        assert_eq!(key.to_string().parse(), Ok(key));
    }
    for bad in
        ["", "pair", "pair/x/y", "account/dana", "source/192.0.2.1/24", "source/192.0.2.0/64", "other/x"]
    {
        assert!(bad.parse::<LockKey>().is_err(), "{bad}");
    }
}
