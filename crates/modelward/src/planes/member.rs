//! What makes this process a gateway of an installation: its key and certificate, whom it believes, and the highest
//! revision it ever had in force.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use modelward_planes::message::{Certificate, Joined};
use modelward_planes::{TrustError, TrustText};
use modelward_seal::source::Ids;
use rcgen::{CertificateParams, DistinguishedName};
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::key_of;
use super::tls::{self, MutualError};
use crate::private::{self, PrivateError};

const FOLDER: &str = "planes";
const MEMBER_FILE: &str = "gateway.json";
const TRUST_FILE: &str = "trust.json";
const REVISION_FILE: &str = "revision";
const FILE_MAX: u64 = 1 << 20;

/// A gateway of an installation.
#[derive(Debug)]
pub(crate) struct Member {
    folder: PathBuf,
    /// What the file says, replaced when the certificate is renewed.
    passport: Mutex<Passport>,
}

/// Who this gateway is towards the control plane.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Passport {
    gateway: String,
    name: String,
    /// In PEM.
    key: Zeroizing<String>,
    certificate: Certificate,
    /// The pinned authority, in PEM.
    authority: String,
}

/// Why a gateway is none of an installation, or cannot note what it must not forget.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    #[error("this gateway is not enrolled")]
    NotEnrolled,
    #[error("this gateway is enrolled already, as `{name}`")]
    Enrolled { name: String },
    #[error(transparent)]
    Private(#[from] PrivateError),
    #[error("`{}` is damaged", path.display())]
    Damaged { path: PathBuf },
    #[error("what the gateway believes cannot be read")]
    Trust(#[from] TrustError),
    #[error("the key of the gateway cannot be used")]
    Key(#[from] rcgen::Error),
    #[error("a certificate is not in PEM")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error(transparent)]
    Mutual(#[from] MutualError),
}

/// A key that is not certified yet.
pub(crate) struct Candidate {
    key: Zeroizing<String>,
    /// The certificate signing request, in PEM.
    pub(crate) request: String,
}

impl Candidate {
    pub(crate) fn new(ids: &dyn Ids) -> Result<Self, MemberError> {
        let mut seed = Zeroizing::new([0; 32]);
        ids.fill(seed.as_mut());
        let key = key_of(&seed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&key)?.pem()?;
        Ok(Self { key: Zeroizing::new(key.serialize_pem()), request })
    }
}

impl Member {
    /// Writes down what the control plane answered.
    pub(crate) fn found(
        home: &Path,
        candidate: Candidate,
        joined: Joined,
        authority: &CertificateDer<'_>,
    ) -> Result<Self, MemberError> {
        let folder = home.join(FOLDER);
        private::make_folder(&folder)?;
        private::check_folder(&folder)?;
        let trust = TrustText::read(&joined.trust)?;
        let passport = Passport {
            gateway: joined.gateway,
            name: joined.name,
            key: candidate.key,
            certificate: joined.certificate,
            authority: pem(authority),
        };
        let member = Self { folder, passport: Mutex::new(passport) };
        member.keep_trust(&trust)?;
        member.keep_revision(0)?;
        // Last: with this file the gateway is enrolled.
        member.write()?;
        Ok(member)
    }

    pub(crate) fn open(home: &Path) -> Result<Self, MemberError> {
        let folder = home.join(FOLDER);
        let path = folder.join(MEMBER_FILE);
        let text = private::read(&path, FILE_MAX).map(Zeroizing::new).map_err(|error| {
            if error.is_missing() { MemberError::NotEnrolled } else { MemberError::Private(error) }
        })?;
        // The parser's own message could quote the key.
        let passport = serde_json::from_slice(&text).map_err(|_| MemberError::Damaged { path })?;
        Ok(Self { folder, passport: Mutex::new(passport) })
    }

    /// # Errors
    /// There is a gateway in this data directory.
    pub(crate) fn refuse_if_enrolled(home: &Path) -> Result<(), MemberError> {
        match Self::open(home) {
            Ok(member) => Err(MemberError::Enrolled { name: member.name() }),
            Err(MemberError::NotEnrolled) => Ok(()),
            Err(other) => Err(other),
        }
    }

    fn passport(&self) -> Passport {
        self.passport.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn gateway(&self) -> String {
        self.passport().gateway
    }

    pub(crate) fn name(&self) -> String {
        self.passport().name
    }

    /// Whether half of the certificate's life is over.
    pub(crate) fn should_renew(&self, now: Timestamp) -> bool {
        let Certificate { issued_at, expires_at, .. } = self.passport().certificate;
        let half = expires_at.duration_since(issued_at).as_secs() / 2;
        now.duration_since(issued_at).as_secs() >= half
    }

    pub(crate) fn renewed(&self, candidate: Candidate, certificate: Certificate) -> Result<(), MemberError> {
        let next = Passport { key: candidate.key, certificate, ..self.passport() };
        *self.passport.lock().unwrap_or_else(PoisonError::into_inner) = next;
        self.write()
    }

    /// What connections to the control plane are made with.
    pub(crate) fn tls(&self) -> Result<ClientConfig, MemberError> {
        let passport = self.passport();
        let authority = CertificateDer::from_pem_slice(passport.authority.as_bytes())?;
        let chain = CertificateDer::pem_slice_iter(passport.certificate.chain.as_bytes());
        let chain = chain.collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(passport.key.as_bytes())?;
        Ok(tls::member(authority, chain, key)?)
    }

    pub(crate) fn trust(&self) -> Result<TrustText, MemberError> {
        let path = self.folder.join(TRUST_FILE);
        let text = String::from_utf8(private::read(&path, FILE_MAX)?);
        Ok(TrustText::read(&text.map_err(|_| MemberError::Damaged { path })?)?)
    }

    pub(crate) fn keep_trust(&self, trust: &TrustText) -> Result<(), MemberError> {
        Ok(private::write(&self.folder.join(TRUST_FILE), trust.text().as_bytes())?)
    }

    /// The highest revision that was ever in force here.
    pub(crate) fn revision(&self) -> Result<u64, MemberError> {
        let path = self.folder.join(REVISION_FILE);
        let text = private::read(&path, 64)?;
        let number = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
        number.ok_or(MemberError::Damaged { path })
    }

    pub(crate) fn keep_revision(&self, revision: u64) -> Result<(), MemberError> {
        Ok(private::write(&self.folder.join(REVISION_FILE), format!("{revision}\n").as_bytes())?)
    }

    fn write(&self) -> Result<(), MemberError> {
        let path = self.folder.join(MEMBER_FILE);
        let text = serde_json::to_vec_pretty(&self.passport()).map(Zeroizing::new);
        let text = text.map_err(|_| MemberError::Damaged { path: path.clone() })?;
        Ok(private::write(&path, &text)?)
    }
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(certificate);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

impl std::fmt::Debug for Passport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passport")
            .field("gateway", &self.gateway)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
