//! Reading and writing signed notes.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::{KeyId, KeyName, Verifier};
use super::signer::{SignError, Signer};

/// A text with signature lines, not yet checked. [`SignedNote::verify`] checks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<SignatureLine>,
}

/// One `— name base64` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine {
    pub name: KeyName,
    pub key_id: KeyId,
    pub blob: Vec<u8>,
}

/// A note's text and which of the given keys signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<'n> {
    pub text: &'n str,
    pub by: Vec<&'n SignatureLine>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("the note is larger than {} bytes", NOTE_BYTES_MAX)]
    TooLarge,
    #[error("the note is not valid UTF-8")]
    NotUtf8,
    #[error("the note holds a control character")]
    ControlCharacter,
    #[error("the note's text does not end with a line break and a blank line before the signatures")]
    Form,
    #[error("signature line {line} is malformed")]
    SignatureLine { line: usize },
    #[error("the note has more than {} signatures", SIGNATURES_MAX)]
    TooManySignatures,
    #[error("the note is not signed by any known key")]
    Unsigned,
    #[error("the signature by `{name}` ({key_id}) is wrong")]
    WrongSignature { name: String, key_id: KeyId },
    #[error("signing failed")]
    Sign(#[from] SignError),
}

const NOTE_BYTES_MAX: usize = 1 << 20;
const SIGNATURES_MAX: usize = 64;

impl SignedNote {
    /// A note without signatures. The text ends with a line break and has no other control characters.
    pub fn new(text: String) -> Result<Self, NoteError> {
        if text.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        if text.chars().any(|c| c.is_ascii_control() && c != '\n') {
            return Err(NoteError::ControlCharacter);
        }
        if !text.ends_with('\n') {
            return Err(NoteError::Form);
        }
        Ok(Self { text, signatures: Vec::new() })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// Adds an Ed25519 signature over the text.
    pub fn sign(&mut self, signer: &dyn Signer) -> Result<(), NoteError> {
        let blob = signer.sign(self.text.as_bytes())?.to_vec();
        self.add(SignatureLine { name: signer.name().clone(), key_id: signer.key_id(), blob })
    }

    /// Adds a signature line made elsewhere, for example a witness's cosignature.
    pub fn add(&mut self, line: SignatureLine) -> Result<(), NoteError> {
        if self.signatures.len() >= SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        self.signatures.push(line);
        Ok(())
    }

    /// Checks every signature by a known key; unknown keys are passed over. At least one must be known,
    /// and a wrong signature by a known key spoils the note, however many others are right.
    pub fn verify<'n>(&'n self, known: &[Verifier]) -> Result<Verified<'n>, NoteError> {
        let mut by = Vec::new();
        for line in &self.signatures {
            let matches = |key: &&Verifier| *key.name() == line.name && key.key_id() == line.key_id;
            let Some(key) = known.iter().find(matches) else { continue };
            if !key.verify(&self.text, &line.blob) {
                return Err(NoteError::WrongSignature { name: line.name.to_string(), key_id: line.key_id });
            }
            by.push(line);
        }
        if by.is_empty() {
            return Err(NoteError::Unsigned);
        }
        Ok(Verified { text: &self.text, by })
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NoteError> {
        std::str::from_utf8(bytes).map_err(|_| NoteError::NotUtf8)?.parse()
    }
}

impl FromStr for SignedNote {
    type Err = NoteError;

    fn from_str(whole: &str) -> Result<Self, NoteError> {
        if whole.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        // The last blank line: the text itself may hold blank lines.
        let (text, lines) = whole.rsplit_once("\n\n").ok_or(NoteError::Form)?;
        let mut note = Self::new(format!("{text}\n"))?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Form)?;
        for (line, number) in lines.split('\n').zip(1_usize..) {
            let parsed = parse_line(line).ok_or(NoteError::SignatureLine { line: number })?;
            note.add(parsed)?;
        }
        Ok(note)
    }
}

fn parse_line(line: &str) -> Option<SignatureLine> {
    let (name, encoded) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let (key_id, blob) = bytes.split_first_chunk::<4>()?;
    if blob.is_empty() {
        return None;
    }
    let name = KeyName::new(name).ok()?;
    Some(SignatureLine { name, key_id: KeyId::from_bytes(*key_id), blob: blob.to_vec() })
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.key_id.as_bytes().to_vec();
        bytes.extend_from_slice(&self.blob);
        write!(f, "\u{2014} {} {}", self.name, STANDARD.encode(bytes))
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
