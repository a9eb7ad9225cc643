//! What a token costs: minting, verifying cold, verifying remembered, each against one bare Ed25519 verification in
//! the same run. Figures of one machine mean little; the ratios are the result.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark measures real time, prints it, and has nobody to report an error to"
)]

use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm, DecodingKey};
use modelward_decision::EpochScope;
use modelward_decision::vocabulary::{Binding, ModelId, Name, PersonId, Privilege};
use modelward_identity::enrol::Enrolment;
use modelward_identity::password::{Password, Passwords};
use modelward_identity::session::{self, Since};
use modelward_identity::token::{Ask, Issuer, KeySet, Profile, SigningKey, Standing, Verifier};
use modelward_identity::{Epochs, Models, Rights};
use modelward_seal::source::Ids;

const ROUNDS: u32 = 2_000;

fn main() {
    let ids = Counter(Mutex::new(1));
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 50);
    let key = SigningKey::generate(Profile::Access, &ids).unwrap();
    let control = SigningKey::generate(Profile::Control, &ids).unwrap();
    let keys = KeySet::new([(key.public().clone(), Standing::Active)]).unwrap();
    let public = *key.public().bytes();
    let issuer = Issuer::new("https://iss", "https://gateway", key, "https://control", control).unwrap();

    let (code, enrolment) = Enrolment::issue(PersonId::from_bits(1), &ids, now);
    let (enrolment, secret) = enrolment.offer(&code, &ids, now).unwrap();
    let password = Password::new("tram ocean pickle lantern").unwrap();
    let passwords = Passwords::new();
    let start = Instant::now();
    let enrolled =
        enrolment.complete(&code, "dana", &password, &secret.code(now), &passwords, &ids, now).unwrap();
    let hash = start.elapsed();
    let opened = session::open(
        &enrolled.login,
        Since::read(&NoBumps, enrolled.login.principal()),
        Binding::None,
        None,
        &ids,
        now,
    );
    let who = opened.record.authenticate(&opened.token, &NoBumps, now).unwrap();
    let ask = Ask {
        profile: Profile::Access,
        rights: Rights::new([Privilege::Inference], Models::only([ModelId::from_bits(1)])),
        client: Name::new("bench").unwrap(),
        ttl: None,
        binding: None,
    };
    let mint = || issuer.exchange(&who, &ask, &Rights::full(), &NoBumps, &ids, now).unwrap();
    let token = mint();
    let text = token.text.expose().as_bytes();

    let cold = Verifier::new(Profile::Access, "https://iss", "https://gateway", keys.clone()).remembering(0);
    let warm = Verifier::new(Profile::Access, "https://iss", "https://gateway", keys);

    let signed = text.iter().rposition(|byte| *byte == b'.').unwrap();
    let (message, signature) = text.split_at(signed);
    let signature = base64::Engine::decode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        signature.strip_prefix(b".").unwrap(),
    )
    .unwrap();
    let decoding = DecodingKey::from_ed_der(&public);
    let bare = measure(|| {
        let verifier = (DEFAULT_PROVIDER.verifier_factory)(&Algorithm::EdDSA, &decoding).unwrap();
        verifier.verify(black_box(message), &signature).unwrap();
    });

    let parse = measure(|| {
        for part in text.split(|byte| *byte == b'.').take(2) {
            let json =
                base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, black_box(part));
            drop(serde_json::from_slice::<serde_json::Value>(&json.unwrap()).unwrap());
        }
    });
    let least = bare + parse;

    println!("token of {} bytes, {ROUNDS} rounds, median", text.len());
    let row = |name: &str, time: Duration| {
        let ratio = time.as_secs_f64() / least.as_secs_f64();
        println!("{name:<38} {:>9.2} µs   {ratio:>6.2} x least", time.as_secs_f64() * 1e6);
    };
    row("bare Ed25519 verification", bare);
    row("decoding and parsing alone", parse);
    let (cold, warm) = (
        measure(|| drop(cold.verify(black_box(text), &NoBumps, now).unwrap())),
        measure(|| drop(warm.verify(black_box(text), &NoBumps, now).unwrap())),
    );
    row("verify, cold", cold);
    row("verify, remembered", warm);
    let reached = |is: bool| if is { "reached" } else { "NOT REACHED" };
    println!(
        "cold at most 1.5 x both together: {}",
        reached(cold.as_secs_f64() <= 1.5 * least.as_secs_f64())
    );
    println!("remembered at most 1 µs: {}", reached(warm <= Duration::from_micros(1)));
    row(
        "authenticate a session",
        measure(|| {
            drop(opened.record.authenticate(black_box(&opened.token), &NoBumps, now).unwrap());
        }),
    );
    row("exchange", measure(|| drop(mint())));
    println!("{:<38} {:>9.0} ms", "one password hash (46 MiB)", hash.as_secs_f64() * 1e3);
}

/// The median of many rounds: what a loaded machine does to a few of them does not count.
fn measure(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

struct NoBumps;

impl Epochs for NoBumps {
    fn epoch(&self, scope: EpochScope) -> u64 {
        black_box(scope);
        0
    }
}

#[derive(Debug)]
struct Counter(Mutex<u64>);

impl Ids for Counter {
    fn uuid(&self) -> uuid::Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Uuid::from_bytes(bytes)
    }

    fn fill(&self, bytes: &mut [u8]) {
        let mut next = self.0.lock().unwrap();
        for byte in bytes {
            *next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let [.., top] = next.to_le_bytes();
            *byte = top;
        }
    }
}
