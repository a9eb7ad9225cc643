//! The reference page says what the code does.

use modelward_decision::vocabulary::Privilege;
use modelward_identity::token::{
    ACTIONS_MAX, ACTORS_MAX, BEARER_TTL_MAX, LEEWAY, MODELS_MAX, PROFILES, PROOF_BYTES_MAX, PROOF_ID_MAX,
    PROOF_WINDOW, Profile, ProofRefusal, TOKEN_BYTES_MAX, TokenBinding, TokenRefusal, is_for_bearers, ttl,
};
use modelward_identity::{Models, Rights, Strength, refresh};

use crate::support::{House, ask, holder, noon, read};

const PAGE: &str = include_str!("../../../../docs/reference/tokens.md");

#[track_caller]
fn says(text: &str) {
    assert!(PAGE.contains(text), "docs/reference/tokens.md does not say: {text}");
}

#[test]
fn every_claim_is_described() {
    let house = House::new();
    let token = house.exchange(&house.dana(), &ask([Privilege::Retraining], []), noon()).unwrap();
    let (header, claims, _) = read(token.text.expose());
    for object in [header, claims] {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&object).unwrap();
        for member in object.keys() {
            says(&format!("| `{member}` |"));
        }
    }
}

#[test]
fn every_refusal_is_described() {
    for refusal in TokenRefusal::ALL {
        says(&format!("| `{}` | {refusal} |", refusal.code()));
    }
    for refusal in ProofRefusal::ALL {
        says(&format!("| `{}` | {refusal} |", refusal.code()));
    }
}

#[test]
fn every_figure_is_the_one_in_force() {
    for row in PROFILES {
        says(&format!("| {} | `{}` |", row.name, row.typ));
    }
    let bound = Some(TokenBinding::Key(holder().thumbprint()));
    for privilege in Privilege::ALL {
        let life = ttl(Profile::Access, &Rights::new([privilege], Models::Any), bound).as_mins();
        let bearer = if is_for_bearers(privilege) { "2 min" } else { "–" };
        says(&format!("| `{privilege}` | {life} min | {bearer} |"));
    }
    assert_eq!(BEARER_TTL_MAX.as_mins(), 2);
    for strength in Strength::ALL {
        says(&format!("| `{}` | {} | {strength} |", strength.acr(), strength.level()));
    }
    says(&format!("{} s", LEEWAY.as_secs()));
    says(&format!("{TOKEN_BYTES_MAX} bytes"));
    says(&format!("at most {MODELS_MAX}"));
    says(&format!("at most {ACTORS_MAX}"));
    says(&format!("at most {ACTIONS_MAX} single"));
    says(&format!("| lives | {} h", refresh::LIFE.as_hours()));
    says(&format!("| asked again within {} s", refresh::RETRY.as_secs()));
    says(&format!("{} families of one session", refresh::FAMILIES_MAX));
    says(&format!("{} handles of one family", refresh::HANDLES_MAX));
    says(&format!("at most {PROOF_BYTES_MAX} bytes"));
    says(&format!("within {} s", PROOF_WINDOW.as_secs()));
    says(&format!("1 to {PROOF_ID_MAX} bytes"));
}
