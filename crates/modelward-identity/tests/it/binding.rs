//! A bound token in the hands of its holder, and in those of a thief.

use std::sync::Arc;

use modelward_decision::vocabulary::{Binding, Privilege};
use modelward_identity::token::{
    Admission, Ask, ExchangeRefusal, KeySet, Profile, ProofKey, ProofRefusal, Proofs, Scheme, Shown,
    Standing, Thumbprint, TokenBinding, TokenRefusal, Unadmitted, Verifier,
};

use crate::support::{GATEWAY, House, ISS, SeededIds, URL, ask, holder, noon, zeroize};

/// What a request shows, to be changed row by row.
struct Request {
    token: String,
    scheme: Scheme,
    proofs: Vec<String>,
    certificate: Option<Thumbprint>,
}

impl Request {
    fn admit(&self, house: &House) -> Result<Binding, Unadmitted> {
        let proofs: Vec<&[u8]> = self.proofs.iter().map(String::as_bytes).collect();
        let shown = Shown {
            token: self.token.as_bytes(),
            scheme: self.scheme,
            proofs: &proofs,
            method: "POST",
            url: URL,
            certificate: self.certificate,
        };
        house.door.admit(&shown, &house.epochs, noon()).map(|who| who.session().binding)
    }
}

fn bound(house: &House, binding: Option<TokenBinding>) -> String {
    let asked = Ask { binding, ..ask([Privilege::Inference], [1]) };
    house.exchange(&house.dana(), &asked, noon()).unwrap().text.expose().to_owned()
}

fn prove(house: &House, key: &ProofKey, token: &str) -> String {
    key.prove("POST", URL, Some(token.as_bytes()), None, &house.ids, noon()).unwrap()
}

#[test]
fn threat_08_a_token_bound_to_a_key_is_worth_nothing_to_a_thief() {
    let house = House::new();
    let token = bound(&house, Some(TokenBinding::Key(holder().thumbprint())));
    let other = bound(&house, Some(TokenBinding::Key(holder().thumbprint())));
    let thief = ProofKey::from_seed(zeroize(66)).unwrap();
    let with = |scheme, proofs: Vec<String>| {
        Request { token: token.clone(), scheme, proofs, certificate: None }.admit(&house)
    };
    let mine = || prove(&house, &holder(), &token);
    assert_eq!(with(Scheme::Dpop, vec![mine()]), Ok(Binding::Dpop));
    assert_eq!(with(Scheme::Bearer, vec![]), Err(TokenRefusal::Scheme.into()), "as a bearer token");
    assert_eq!(with(Scheme::Bearer, vec![mine()]), Err(TokenRefusal::Scheme.into()), "even with a proof");
    assert_eq!(with(Scheme::Dpop, vec![]), Err(ProofRefusal::Missing.into()));
    assert_eq!(with(Scheme::Dpop, vec![mine(), mine()]), Err(ProofRefusal::Several.into()));
    assert_eq!(with(Scheme::Dpop, vec![prove(&house, &thief, &token)]), Err(ProofRefusal::Holder.into()));
    assert_eq!(with(Scheme::Dpop, vec![prove(&house, &holder(), &other)]), Err(ProofRefusal::Token.into()));
    assert_eq!(with(Scheme::Dpop, vec![token.clone()]), Err(ProofRefusal::Header.into()), "the token itself");
    assert_eq!(
        house.gateway.verify(token.as_bytes(), &house.epochs, noon()).unwrap_err(),
        TokenRefusal::Scheme,
        "a verifier that knows no proofs refuses it"
    );
}

#[test]
fn a_token_bound_to_a_certificate_needs_that_certificate() {
    let house = House::new();
    let [mine, other] = [b"mine".as_slice(), b"other"].map(Thumbprint::of_certificate);
    let token = bound(&house, Some(TokenBinding::Certificate(mine)));
    let with = |scheme, certificate| {
        Request { token: token.clone(), scheme, proofs: vec![], certificate }.admit(&house)
    };
    assert_eq!(with(Scheme::Bearer, Some(mine)), Ok(Binding::MutualTls));
    assert_eq!(with(Scheme::Bearer, None), Err(TokenRefusal::Certificate.into()));
    assert_eq!(with(Scheme::Bearer, Some(other)), Err(TokenRefusal::Certificate.into()));
    assert_eq!(with(Scheme::Dpop, Some(mine)), Err(TokenRefusal::Scheme.into()));
    assert_eq!(
        house.gateway.verify(token.as_bytes(), &house.epochs, noon()).unwrap_err(),
        TokenRefusal::Certificate
    );
}

#[test]
fn a_bearer_token_is_no_bound_one() {
    let house = House::new();
    let token = bound(&house, None);
    let proofs = vec![prove(&house, &holder(), &token)];
    let with = |scheme| {
        Request { token: token.clone(), scheme, proofs: proofs.clone(), certificate: None }.admit(&house)
    };
    assert_eq!(with(Scheme::Bearer), Ok(Binding::None));
    assert_eq!(with(Scheme::Dpop), Err(TokenRefusal::Scheme.into()));
}

#[test]
fn above_inference_a_token_is_bound() {
    let house = House::new();
    for privilege in Privilege::ALL {
        let with = |binding| {
            let asked = Ask { binding, ..ask([privilege], []) };
            house.exchange(&house.dana(), &asked, noon())
        };
        let for_bearers =
            matches!(privilege, Privilege::SelfService | Privilege::ReadOnly | Privilege::Inference);
        match with(None) {
            Ok(_) => assert!(for_bearers, "{privilege}"),
            Err(refused) => {
                assert_eq!(refused, ExchangeRefusal::Unbound(privilege));
                assert!(!for_bearers, "{privilege}");
            }
        }
        let token = with(Some(TokenBinding::Key(holder().thumbprint()))).unwrap();
        house.admit(token.text.expose(), noon()).unwrap();
    }
}

#[test]
fn what_weighs_most_needs_a_nonce_of_this_server() {
    let house = House::new();
    for privilege in Privilege::ALL {
        let asked = Ask {
            binding: Some(TokenBinding::Key(holder().thumbprint())),
            ..ask([privilege, Privilege::ReadOnly], [])
        };
        let token = house.exchange(&house.dana(), &asked, noon()).unwrap();
        let request = Request {
            proofs: vec![prove(&house, &holder(), token.text.expose())],
            token: token.text.expose().to_owned(),
            scheme: Scheme::Dpop,
            certificate: None,
        };
        let needs = matches!(
            privilege,
            Privilege::Retraining
                | Privilege::Export
                | Privilege::DataExport
                | Privilege::Deploy
                | Privilege::Govern
        );
        let expected = if needs { Err(ProofRefusal::Nonce.into()) } else { Ok(Binding::Dpop) };
        assert_eq!(request.admit(&house), expected, "{privilege}");
    }
}

#[test]
fn an_exchange_is_no_way_to_shed_a_binding() {
    let house = House::new();
    let key = TokenBinding::Key(holder().thumbprint());
    let token = bound(&house, Some(key));
    let who = house.admit(&token, noon()).unwrap();
    let to = |binding| {
        let asked = Ask { binding, ..ask([Privilege::Inference], [1]) };
        house.exchange(&who, &asked, noon()).map(|_| ())
    };
    assert_eq!(to(Some(key)), Ok(()));
    assert_eq!(to(None), Err(ExchangeRefusal::Binding));
    let other = ProofKey::from_seed(zeroize(66)).unwrap();
    assert_eq!(to(Some(TokenBinding::Key(other.thumbprint()))), Err(ExchangeRefusal::Binding));
    let certificate = TokenBinding::Certificate(holder().thumbprint());
    assert_eq!(to(Some(certificate)), Err(ExchangeRefusal::Binding), "the same digest of another thing");
}

#[test]
fn no_key_shows_in_debug() {
    let key = ProofKey::from_seed(zeroize(9)).unwrap();
    let shown = format!("{key:?}");
    assert!(shown.contains(&key.thumbprint().to_string()));
    assert!(!shown.contains("[9, 9") && !shown.contains(&crate::support::b64([9; 32])), "{shown}");
}

#[test]
fn threat_08_a_proof_counts_at_one_of_several_gateways() {
    let house = House::new();
    let token = bound(&house, Some(TokenBinding::Key(holder().thumbprint())));
    let door = |seed| {
        let keys = KeySet::new([(house.access_key.public().clone(), Standing::Active)]).unwrap();
        let verifier = Verifier::new(Profile::Access, ISS, GATEWAY, keys);
        let proofs = Proofs::new(Arc::new(SeededIds::new(seed)), noon());
        Admission::new(Arc::new(verifier), proofs).among_others()
    };
    let doors = [door(21), door(22)];
    let at = |door: &Admission, proof: &str| {
        let shown = Shown {
            token: token.as_bytes(),
            scheme: Scheme::Dpop,
            proofs: &[proof.as_bytes()],
            method: "POST",
            url: URL,
            certificate: None,
        };
        door.admit(&shown, &house.epochs, noon()).map(drop)
    };
    let proof = |nonce: Option<&str>| {
        holder().prove("POST", URL, Some(token.as_bytes()), nonce, &house.ids, noon()).unwrap()
    };
    for (mine, other) in [(&doors[0], &doors[1]), (&doors[1], &doors[0])] {
        let made = proof(Some(mine.nonce(noon()).as_str()));
        assert_eq!(at(other, &made), Err(ProofRefusal::Nonce.into()), "taken there first");
        assert_eq!(at(mine, &made), Ok(()));
        assert_eq!(at(other, &made), Err(ProofRefusal::Nonce.into()), "replayed");
        assert_eq!(at(mine, &made), Err(ProofRefusal::Replayed.into()));
        assert_eq!(at(mine, &proof(None)), Err(ProofRefusal::Nonce.into()), "also for a plain prediction");
    }
}
