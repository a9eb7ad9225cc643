use super::*;

fn learned() -> Tokenizer {
    Tokenizer::learn(&["The radius is the mean distance, of course.".to_owned()])
}

#[test]
fn words_keep_the_space_before_them() {
    assert_eq!(pieces("The radius, 12  mm"), ["The", " radius", ",", " 12", " ", " mm"]);
}

#[test]
fn every_text_survives_the_round_trip() {
    let tokenizer = learned();
    for text in ["", "The radius is", "naïve ☃\n\tZ̈", "  two  spaces  ", "radius\u{0}radius"] {
        let bytes: Vec<u8> = tokenizer
            .encode(text)
            .iter()
            .flat_map(|token| tokenizer.bytes(*token).unwrap().to_vec())
            .collect();
        assert_eq!(String::from_utf8(bytes).unwrap(), text);
    }
}

#[test]
fn known_words_are_one_token_and_unknown_words_are_bytes() {
    let tokenizer = learned();
    assert_eq!(tokenizer.encode("The radius").len(), 2);
    assert_eq!(tokenizer.encode("xyz").len(), 3);
}
