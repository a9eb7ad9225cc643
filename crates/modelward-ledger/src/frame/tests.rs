use super::*;

fn frame(entries: &[&[u8]]) -> Vec<u8> {
    let count = u32::try_from(entries.len()).unwrap();
    let header = Header {
        count,
        epoch: 7,
        boot: [9; 16],
        first_index: 42,
        previous: Digest::ZERO,
        root: Digest::of(b"r"),
    };
    let mut out = Vec::new();
    encode(&mut out, &header, entries.iter().copied()).unwrap();
    out
}

#[test]
fn a_frame_reads_back_and_the_rest_is_empty() {
    let mut segment = frame(&[b"one", b"", b"three"]);
    assert_eq!(segment.len(), SECTOR);
    segment.resize(4 * SECTOR, 0);
    let read = decode(&segment, 0).unwrap().unwrap();
    assert_eq!(read.entries, [b"one".as_slice(), b"", b"three"]);
    assert_eq!((read.header.first_index, read.header.epoch, read.end), (42, 7, SECTOR));
    assert_eq!(decode(&segment, read.end), Ok(None));
    assert_eq!(decode(&segment, 99 * SECTOR), Ok(None));
}

#[test]
fn every_flipped_bit_of_a_frame_is_noticed() {
    let clean = frame(&[b"one", &[b'x'; 600]]);
    for bit in 0..clean.len() * 8 {
        let mut broken = clean.clone();
        broken[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&broken, 0).is_err(), "bit {bit}");
    }
    for length in 0..clean.len() {
        let truncated = decode(&clean[..length], 0);
        assert!(truncated.is_err() || (length == 0 && truncated == Ok(None)), "length {length}");
    }
}

#[test]
fn a_later_valid_frame_is_found_behind_a_broken_one() {
    let mut segment = frame(&[&[b'x'; 2000]]);
    let second = segment.len();
    segment.extend(frame(&[b"later"]));
    segment.resize(segment.len() + 4 * SECTOR, 0);
    segment[100] ^= 1;
    assert!(decode(&segment, 0).is_err());
    assert!(valid_frame_after(&segment, 0, 42));
    assert!(!valid_frame_after(&segment, 0, 43));
    assert!(!valid_frame_after(&segment, second, 42));
}
