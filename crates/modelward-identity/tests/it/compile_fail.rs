//! What must not compile, and what must not be implemented.

use std::fmt::Display;
use std::marker::PhantomData;

use modelward_identity::Authenticated;
use modelward_identity::login::Login;
use modelward_identity::password::Password;
use modelward_identity::session::SessionToken;
use modelward_identity::token::{SigningKey, TokenText};
use modelward_identity::totp::TotpSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;

#[test]
fn nothing_but_identity_makes_an_authenticated() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile_fail/*.rs");
}

/// Answers whether a type implements a trait: an inherent constant, where its bound holds, hides the trait's.
macro_rules! implements {
    ($type:ty: $bound:path) => {{
        #[allow(dead_code, reason = "it is there for the types that lack the trait")]
        trait Otherwise {
            const ANSWER: bool = false;
        }
        impl<T> Otherwise for T {}
        struct Probe<T>(PhantomData<T>);
        #[allow(dead_code, reason = "it is there for the types that have the trait")]
        impl<T: $bound> Probe<T> {
            const ANSWER: bool = true;
        }
        Probe::<$type>::ANSWER
    }};
}

#[test]
fn a_proof_is_neither_read_from_bytes_nor_made_from_nothing() {
    assert!(implements!(String: DeserializeOwned) && implements!(String: Default), "the probe works");
    assert!(!implements!(Authenticated: DeserializeOwned));
    assert!(!implements!(Authenticated: Default));
    assert!(!implements!(Login: DeserializeOwned));
    assert!(!implements!(Login: Default));
    assert!(!implements!(Login: Clone), "one sign-in, one session");
}

#[test]
fn no_secret_is_printed_or_serialized_by_accident() {
    assert!(implements!(String: Display) && implements!(String: Serialize), "the probe works");
    assert!(!implements!(Password: Display) && !implements!(Password: Serialize));
    assert!(!implements!(SessionToken: Display) && !implements!(SessionToken: Serialize));
    assert!(!implements!(TokenText: Display) && !implements!(TokenText: Serialize));
    assert!(!implements!(TotpSecret: Display) && !implements!(TotpSecret: Serialize));
    assert!(!implements!(SigningKey: Display) && !implements!(SigningKey: Serialize));
}
