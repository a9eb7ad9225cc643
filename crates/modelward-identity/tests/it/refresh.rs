//! Refresh handles: once, in the right hands, and not for ever.

use modelward_decision::EpochScope;
use modelward_decision::vocabulary::{CredentialScope, Name, Privilege};
use modelward_identity::refresh::{
    self, Family, Handle, HandleRecord, HandleRefusal, LIFE, Presented, RETRY, Use,
};
use modelward_identity::session::{Opened, SessionRecord};
use modelward_identity::token::{Demand, Held, Profile, ProofKey};
use modelward_identity::{Models, Rights};

use crate::support::{House, URL, ask, holder, later, model, noon, zeroize};

/// What somebody with this key shows.
fn held(house: &House, key: &ProofKey, seconds: i64) -> Held {
    let proof = key.prove("POST", URL, None, None, &house.ids, later(seconds)).unwrap();
    let demand = Demand { method: "POST", url: URL, token: None, nonce: false };
    house.door.prove(&[proof.as_bytes()], &demand, None, later(seconds)).unwrap()
}

fn begun(house: &House, session: &SessionRecord, rights: &Rights) -> (Handle, Family) {
    let plan = (Profile::Access, Name::new("api").unwrap());
    refresh::begin(session, rights, plan, held(house, &holder(), 0), &house.ids, noon()).unwrap()
}

fn everything() -> Rights {
    Rights::new([Privilege::Inference, Privilege::Deploy], Models::Any)
}

fn unused(handle: &Handle) -> HandleRecord {
    HandleRecord { hash: handle.digest(), used: None }
}

fn fresh(presented: Presented) -> (Use, Handle) {
    match presented {
        Presented::Fresh { used, next } => (used, next),
        Presented::Again { .. } => panic!("it was used before"),
    }
}

/// The text of the next handle, if the same answer is given again.
fn again(presented: Result<Presented, HandleRefusal>) -> Result<String, HandleRefusal> {
    presented.map(|presented| match presented {
        Presented::Again { next } => next.expose().to_string(),
        Presented::Fresh { .. } => panic!("it counts a second time"),
    })
}

#[test]
fn a_handle_is_used_once_and_an_honest_retry_gets_the_same_answer() {
    let house = House::new();
    let Opened { record: session, .. } = house.session(noon());
    let (handle, family) = begun(&house, &session, &everything());
    let present = |record: &HandleRecord, key: &ProofKey, seconds| {
        family.present(&handle, record, Some(held(&house, key, seconds)), &house.ids, later(seconds))
    };
    let (used, next) = fresh(present(&unused(&handle), &holder(), 60).unwrap());
    assert_ne!(next.digest(), handle.digest());
    let record = HandleRecord { used: Some(used), ..unused(&handle) };
    for seconds in [60, 65, 69] {
        assert_eq!(again(present(&record, &holder(), seconds)), Ok(next.expose().to_string()));
    }
    let late = 60 + RETRY.as_secs();
    assert_eq!(again(present(&record, &holder(), late)), Err(HandleRefusal::Reused));
    let thief = ProofKey::from_seed(zeroize(66)).unwrap();
    assert_eq!(again(present(&record, &thief, 61)), Err(HandleRefusal::Reused), "no retry of the holder's");
    assert_eq!(
        again(family.present(&handle, &record, None, &house.ids, later(61))),
        Err(HandleRefusal::Reused)
    );
}

#[test]
fn a_handle_counts_only_in_the_hands_it_was_given_to() {
    let house = House::new();
    let Opened { record: session, .. } = house.session(noon());
    let (handle, family) = begun(&house, &session, &everything());
    let thief = ProofKey::from_seed(zeroize(66)).unwrap();
    for held in [None, Some(held(&house, &thief, 1))] {
        let refused = family.present(&handle, &unused(&handle), held, &house.ids, later(1)).unwrap_err();
        assert_eq!(refused, HandleRefusal::Holder);
    }
    let refused = family.authenticate(&session, held(&house, &thief, 2), &house.epochs, later(2));
    assert_eq!(refused.unwrap_err(), HandleRefusal::Holder);
    let (other, _) = begun(&house, &session, &everything());
    let refused = family.present(&other, &unused(&handle), None, &house.ids, later(1)).unwrap_err();
    assert_eq!(refused, HandleRefusal::Unknown, "a record of another handle");
}

#[test]
fn a_handle_outlives_the_idleness_of_its_session_and_neither_its_end_nor_eight_hours() {
    let house = House::new();
    let Opened { token, record: session, .. } = house.session(noon());
    let (handle, family) = begun(&house, &session, &everything());
    assert_eq!(family.ends_at, noon() + LIFE);
    let who = |seconds| {
        family.authenticate(&session, held(&house, &holder(), seconds), &house.epochs, later(seconds))
    };
    let hour = 3600;
    assert!(session.authenticate(&token, &house.epochs, later(hour)).is_err(), "it idles");
    let ines = who(7 * hour).unwrap();
    assert_eq!(ines.principal(), session.principal);
    assert_eq!(ines.expires_at(), family.ends_at);
    let minted = house.exchange(
        &ines,
        &modelward_identity::token::Ask { binding: Some(family.holder), ..ask([Privilege::Inference], [1]) },
        later(7 * hour),
    );
    assert_eq!(minted.unwrap().rights.models, Models::only([model(1)]));
    assert_eq!(who(8 * hour).unwrap_err(), HandleRefusal::Ended);
    let late = family.present(&handle, &unused(&handle), None, &house.ids, later(8 * hour)).unwrap_err();
    assert_eq!(late, HandleRefusal::Ended);

    let short = SessionRecord { until: Some(later(600)), ..session.clone() };
    let (_, brief) = begun(&house, &short, &everything());
    assert_eq!(brief.ends_at, later(600), "it ends with the proof the session rests on");
    house.epochs.bump(EpochScope::Session(session.id));
    assert_eq!(who(hour).unwrap_err(), HandleRefusal::SignedOut);
}

#[test]
fn the_tokens_of_a_handle_carry_what_it_was_asked_for_and_no_more() {
    let house = House::new();
    let Opened { record: session, .. } = house.session(noon());
    let narrow = CredentialScope::of_privileges([Privilege::ReadOnly, Privilege::Inference]);
    let session = SessionRecord { scope: narrow, ..session };
    let (_, family) = begun(&house, &session, &everything());
    assert_eq!(family.rights(), Rights::new([Privilege::Inference], Models::Any));
    let who = family.authenticate(&session, held(&house, &holder(), 1), &house.epochs, later(1)).unwrap();
    let bound =
        |privilege| modelward_identity::token::Ask { binding: Some(family.holder), ..ask([privilege], []) };
    assert!(house.exchange(&who, &bound(Privilege::Inference), later(1)).is_ok());
    assert!(house.exchange(&who, &bound(Privilege::ReadOnly), later(1)).is_err());
    let free = modelward_identity::token::Ask { binding: None, ..bound(Privilege::Inference) };
    assert!(house.exchange(&who, &free, later(1)).is_err(), "what is bound stays bound");
    let plan = (Profile::Access, Name::new("api").unwrap());
    let deploy = Rights::new([Privilege::Deploy], Models::Any);
    let nothing = refresh::begin(&session, &deploy, plan, held(&house, &holder(), 2), &house.ids, noon());
    assert!(nothing.is_none());
}

#[test]
fn only_what_we_give_out_is_read_as_a_handle_and_it_is_never_shown() {
    let house = House::new();
    let (handle, _) = begun(&house, &house.session(noon()).record, &everything());
    let text = handle.expose();
    assert_eq!(Handle::parse(&text).unwrap().digest(), handle.digest());
    assert_eq!(format!("{handle:?}"), "Handle(…)");
    for wrong in
        ["", "mwr_", "mws_", &text[4..], &format!("{}=", *text), &format!("{}é", &text[..46]), &text[..46]]
    {
        assert!(Handle::parse(wrong).is_err(), "{wrong}");
    }
}
