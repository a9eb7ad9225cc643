//! The small authority of an installation: it certifies the control plane towards gateways, and gateways towards it.
//!
//! Its certificate is made of its key alone, the same each time, so there is no file to lose or to mix up.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use modelward_planes::message::{CONTROL_NAME, Certificate};
use modelward_planes::{Beat, TokenKey, TokenStanding, Trust, TrustError, TrustText};
use modelward_seal::Digest;
use modelward_seal::note::{KeyName, NoteError, SignedNote, Signer, SoftwareSigner, VerifierError};
use modelward_seal::source::Ids;
use modelward_server::AuthorityError;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;

use super::key_of;
use crate::house::Keys;
use crate::keys::{KeyError, KeyRing, Purpose};

/// How long the certificate of a gateway counts. It is renewed after half of it.
pub(crate) const CERTIFICATE_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long a key that ended at once signs beside its successor.
const HANDOVER: SignedDuration = SignedDuration::from_mins(1);

/// The name under which beats are signed.
const SNAPSHOT_KEY: &str = "modelward/snapshot";

/// Vouches for the control plane, with the keys of the ring.
pub(crate) struct Authority {
    ring: Arc<KeyRing>,
    ids: Arc<dyn Ids>,
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
    trust: watch::Sender<TrustText>,
    /// Each with the moment it stops, for those that only hand over to another.
    signers: Mutex<Vec<(SoftwareSigner, Option<Timestamp>)>>,
    names: (String, String),
}

#[derive(Debug, thiserror::Error)]
pub enum AuthoritySetupError {
    #[error(transparent)]
    Keys(#[from] KeyError),
    #[error("the certificate of the authority cannot be made")]
    Certificate(#[from] rcgen::Error),
    #[error("the key that signs heartbeats cannot be used")]
    Signer(#[from] VerifierError),
    #[error(transparent)]
    Trust(#[from] TrustError),
}

impl Authority {
    /// `issuer` and `audience` are the names in access tokens.
    pub(crate) fn new(
        keys: &Keys,
        ids: Arc<dyn Ids>,
        issuer: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<Self, AuthoritySetupError> {
        let ring = Arc::clone(keys.ring());
        let active = ring.active(Purpose::Authority)?;
        let params = authority_params(&active.id, active.created_at);
        let key = key_of(active.secret())?;
        let certificate = params.self_signed(&key)?;
        let names = (issuer.to_owned(), audience.to_owned());
        let signers = signers(&ring, now)?;
        let trust = watch::Sender::new(believed(keys, &signers, &names)?);
        let issuer = Issuer::new(params, key);
        let signers = Mutex::new(signers.into_iter().map(|signer| (signer, None)).collect());
        Ok(Self { ring, ids, issuer, certificate, trust, signers, names })
    }

    /// Takes up what changed in the keys, and tells gateways of it.
    pub(crate) fn refresh(&self, keys: &Keys, now: Timestamp) -> Result<(), AuthoritySetupError> {
        let signers = signers(&self.ring, now)?;
        let trust = believed(keys, &signers, &self.names)?;
        let until = now.checked_add(HANDOVER).unwrap_or(now);
        let mut kept = self.signers.lock().unwrap_or_else(PoisonError::into_inner);
        // A key that ended at once signs a little longer, beside its successor, or nobody who knows it alone could ever
        // believe the successor. Whoever stole it can do no more with that.
        let leaving =
            kept.drain(..).filter(|(before, _)| signers.iter().all(|it| it.key_id() != before.key_id()));
        let leaving: Vec<_> = leaving.map(|(before, end)| (before, Some(end.unwrap_or(until)))).collect();
        kept.extend(signers.into_iter().map(|signer| (signer, None)).chain(leaving));
        drop(kept);
        self.trust.send_replace(trust);
        Ok(())
    }

    /// A certificate of the control plane itself, with a key of its own, for as long as the day lasts and some.
    pub(crate) fn own(
        &self,
        now: Timestamp,
    ) -> Result<(Vec<CertificateDer<'static>>, KeyPair), rcgen::Error> {
        let mut seed = zeroize::Zeroizing::new([0; 32]);
        self.ids.fill(seed.as_mut());
        let key = key_of(&seed)?;
        let mut params = self.leaf(now, CERTIFICATE_LIFE);
        params.subject_alt_names = vec![rcgen::SanType::DnsName(CONTROL_NAME.try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let made = params.signed_by(&key, &self.issuer)?;
        Ok((vec![made.der().clone(), self.certificate.der().clone()], key))
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    fn leaf(&self, now: Timestamp, life: SignedDuration) -> CertificateParams {
        let mut serial = [0; 16];
        self.ids.fill(&mut serial);
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let from = now.checked_sub(SignedDuration::from_mins(5)).unwrap_or(now);
        count_between(&mut params, from, now.checked_add(life).unwrap_or(now));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params
    }

    fn certified(
        &self,
        request: &str,
        gateway: &str,
        now: Timestamp,
    ) -> Result<(Certificate, Digest), rcgen::Error> {
        let mut asked = CertificateSigningRequestParams::from_pem(request)?;
        // Only the key is the gateway's to choose.
        asked.params = self.leaf(now, CERTIFICATE_LIFE);
        asked.params.distinguished_name.push(DnType::CommonName, format!("gateway {gateway}"));
        asked.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let made = asked.signed_by(&self.issuer)?;
        let certificate = Certificate {
            chain: format!("{}{}", made.pem(), self.certificate.pem()),
            issued_at: now,
            expires_at: now.checked_add(CERTIFICATE_LIFE).unwrap_or(now),
        };
        Ok((certificate, Digest::of(made.der())))
    }
}

/// Nothing in it is random or of today, so that the same key always makes the same certificate.
fn authority_params(id: &str, created_at: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("Modelward gateways {id}"));
    params.serial_number = Some(SerialNumber::from_slice(&[1]));
    let (day, years) = (SignedDuration::from_hours(24), SignedDuration::from_hours(20 * 365 * 24));
    let from = created_at.checked_sub(day).unwrap_or(created_at);
    count_between(&mut params, from, created_at.checked_add(years).unwrap_or(created_at));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// From when to when a certificate counts, to the second.
fn count_between(params: &mut CertificateParams, from: Timestamp, until: Timestamp) {
    let since_1970 = |at: Timestamp| Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0));
    params.not_before = date_time_ymd(1970, 1, 1) + since_1970(from);
    params.not_after = date_time_ymd(1970, 1, 1) + since_1970(until);
}

fn signers(ring: &KeyRing, now: Timestamp) -> Result<Vec<SoftwareSigner>, AuthoritySetupError> {
    let name = KeyName::new(SNAPSHOT_KEY)?;
    let keys = ring.verifying(Purpose::Snapshot, now);
    Ok(keys.iter().map(|key| SoftwareSigner::from_seed(name.clone(), key.secret())).collect())
}

fn believed(
    keys: &Keys,
    signers: &[SoftwareSigner],
    (issuer, audience): &(String, String),
) -> Result<TrustText, AuthoritySetupError> {
    use modelward_identity::token::Standing;
    let set = keys.access.keys();
    let tokens = set.iter().map(|(key, standing)| TokenKey {
        id: key.id().to_string(),
        public: hex::encode(key.bytes()),
        standing: match standing {
            Standing::Active => TokenStanding::Active,
            Standing::VerifyOnly => TokenStanding::VerifyOnly,
            Standing::Revoked => TokenStanding::Revoked,
        },
    });
    let verifiers = signers.iter().map(|signer| Ok(signer.verifier()?.to_string()));
    Ok(TrustText::of(&Trust {
        issuer: issuer.clone(),
        audience: audience.clone(),
        tokens: tokens.collect(),
        signers: verifiers.collect::<Result<_, VerifierError>>()?,
    })?)
}

impl modelward_server::Authority for Authority {
    fn trust(&self) -> watch::Receiver<TrustText> {
        self.trust.subscribe()
    }

    fn sign(&self, beat: &Beat) -> Result<SignedNote, NoteError> {
        let signers = self.signers.lock().unwrap_or_else(PoisonError::into_inner);
        let now = beat.at;
        let signing = signers.iter().filter(|(_, end)| end.is_none_or(|end| now < end));
        beat.sign(signing.map(|(signer, _)| signer as &dyn Signer))
    }

    fn certify(
        &self,
        request: &str,
        gateway: &str,
        now: Timestamp,
    ) -> Result<(Certificate, Digest), AuthorityError> {
        self.certified(request, gateway, now).map_err(|error| match error {
            rcgen::Error::CouldNotParseCertificationRequest
            | rcgen::Error::InvalidCertificationRequestSignature
            | rcgen::Error::UnsupportedExtension
            | rcgen::Error::UnsupportedSignatureAlgorithm => AuthorityError::Request(Box::new(error)),
            other => AuthorityError::Signing(Box::new(other)),
        })
    }

    fn digest(&self) -> Digest {
        Digest::of(self.certificate.der())
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("names", &self.names).finish_non_exhaustive()
    }
}
