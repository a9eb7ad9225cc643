//! C2SP cosignature/v1: a witness states that it saw a checkpoint at a time.

use super::key::{Algorithm, KeyId};
use super::signed::{NoteError, SignatureLine};
use super::signer::Signer;

/// A witness's line for this checkpoint text. The witness checks consistency first; this only signs.
pub fn cosign(signer: &dyn Signer, text: &str, unix_seconds: u64) -> Result<SignatureLine, NoteError> {
    let signature = signer.sign(cosignature_message(unix_seconds, text).as_bytes())?;
    let mut blob = unix_seconds.to_be_bytes().to_vec();
    blob.extend_from_slice(&signature);
    let key_id = KeyId::of(signer.name(), Algorithm::CosignatureV1, &signer.public_key());
    Ok(SignatureLine { name: signer.name().clone(), key_id, blob })
}

/// When the witness says it saw the checkpoint, in Unix seconds. Meaningful only once verified.
pub fn cosignature_time(line: &SignatureLine) -> Option<u64> {
    let (time, signature) = line.blob.split_first_chunk::<8>()?;
    (signature.len() == 64).then(|| u64::from_be_bytes(*time))
}

pub(super) fn cosignature_message(unix_seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {unix_seconds}\n{text}")
}
