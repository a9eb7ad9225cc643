//! Codes people type: Crockford base 32 in groups, read back forgivingly, stored only as digests.

use std::fmt;

use modelward_seal::Digest;
use modelward_seal::source::Ids;
use zeroize::Zeroizing;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// `CHARS` random characters of five bits each, shown in groups of `GROUP`.
#[derive(Clone)]
pub(crate) struct Code<const CHARS: usize, const GROUP: usize>(Zeroizing<[u8; CHARS]>);

impl<const CHARS: usize, const GROUP: usize> Code<CHARS, GROUP> {
    pub(crate) fn random(ids: &(impl Ids + ?Sized)) -> Self {
        let mut bytes = Zeroizing::new([0; CHARS]);
        ids.fill(bytes.as_mut_slice());
        for byte in bytes.iter_mut() {
            // 256 is a multiple of 32, so every character is equally likely.
            *byte = ALPHABET.get(usize::from(*byte % 32)).copied().unwrap_or(b'0');
        }
        Self(bytes)
    }

    /// Reads what somebody typed: case, spaces and hyphens do not matter, and the letters that look like digits are
    /// read as those (Crockford). `None` when it cannot be a code.
    pub(crate) fn read(typed: &str) -> Option<Self> {
        // Separators included; longer input is not worth reading.
        if typed.len() > 4 * CHARS {
            return None;
        }
        let mut bytes = Zeroizing::new([0; CHARS]);
        let mut places = bytes.iter_mut();
        for typed in typed.bytes().filter(|byte| !matches!(byte, b' ' | b'-')) {
            let read = match typed.to_ascii_lowercase() {
                b'o' => b'0',
                b'i' | b'l' => b'1',
                other => other,
            };
            if !ALPHABET.contains(&read) {
                return None;
            }
            *places.next()? = read;
        }
        places.next().is_none().then_some(Self(bytes))
    }

    /// What may be stored. Codes are random and long, so one plain hash is enough.
    pub(crate) fn digest(&self, purpose: &str) -> Digest {
        let mut text = Zeroizing::new(Vec::with_capacity(purpose.len() + 1 + CHARS));
        text.extend_from_slice(purpose.as_bytes());
        text.push(0);
        text.extend_from_slice(self.0.as_slice());
        Digest::of(&text)
    }

    /// The text to show, once.
    pub(crate) fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(CHARS + CHARS / GROUP));
        for (place, byte) in self.0.iter().enumerate() {
            if place > 0 && place % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(*byte));
        }
        text
    }
}

impl<const CHARS: usize, const GROUP: usize> fmt::Debug for Code<CHARS, GROUP> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}
