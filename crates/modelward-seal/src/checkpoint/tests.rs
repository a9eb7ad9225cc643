use super::*;
use crate::note::tests::signer;

#[test]
fn a_checkpoint_prints_as_the_specification_shows() {
    let origin = KeyName::new("modelward.example/audit").unwrap();
    let text = "modelward.example/audit\n1000000\nMkD3T/hQozCoiVO0iEOUCvnrL08yDuEJmSurSze+ANE=\n";
    let checkpoint: Checkpoint = text.parse().unwrap();
    assert_eq!((checkpoint.origin.clone(), checkpoint.size), (origin, 1_000_000));
    assert_eq!(checkpoint.to_string(), text);
}

#[test]
fn only_the_log_itself_signs_its_checkpoints() {
    let (log, other) = (signer("log", 1), signer("other", 2));
    let checkpoint = Checkpoint { origin: log.name().clone(), size: 3, root: Digest::of(b"x") };
    let note = checkpoint.sign(&log).unwrap();
    assert_eq!(Checkpoint::verify(&note, &log.verifier().unwrap()), Ok(checkpoint.clone()));
    let stolen = checkpoint.sign(&other).unwrap();
    let verified = Checkpoint::verify(&stolen, &other.verifier().unwrap());
    assert!(matches!(verified, Err(CheckpointError::Origin { .. })), "{verified:?}");
}

#[test]
fn other_spellings_are_rejected() {
    let root = "MkD3T/hQozCoiVO0iEOUCvnrL08yDuEJmSurSze+ANE=";
    for text in [
        String::new(),
        "o\n1\n".to_owned(),
        format!("o\n01\n{root}\n"),
        format!("o\n+1\n{root}\n"),
        format!("o\n1\n{root}"),
        format!("\n1\n{root}\n"),
        "o\n1\nAAAA\n".to_owned(),
        format!("o\n1\n{root}\n\n"),
    ] {
        assert!(text.parse::<Checkpoint>().is_err(), "{text:?}");
    }
    assert!(format!("o\n1\n{root}\nextension\n").parse::<Checkpoint>().is_ok());
}
