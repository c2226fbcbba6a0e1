//! Bitnami SealedSecrets: a value is encrypted with the certificate of a cluster's controller, offline.
//!
//! A fresh AES-256 key encrypts the value (GCM, nonce of zeros: the key is used once), and the controller's RSA key
//! encrypts that key (OAEP with SHA-256) under a label that says for which Secret: in the strict scope it is
//! `namespace/name`, so that a value moved into another Secret does not open. What is stored is the length of the
//! encrypted key in two bytes, that key, and the encrypted value, in Base64.
//!
//! Source: github.com/bitnami-labs/sealed-secrets, `docs/developer/crypto.md` and `pkg/crypto`.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};

use super::{Backend, Error, Place, check};
use crate::domain::secrets::Ciphertext;

/// The public key of one cluster's controller.
pub struct SealedSecrets {
    key: OaepPublicEncryptingKey,
}

impl SealedSecrets {
    /// Reads the certificate, as `kubeseal --fetch-cert` prints it.
    ///
    /// # Errors
    /// [`Error::Certificate`].
    pub fn new(pem: &str) -> Result<Self, Error> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| Error::Certificate("it is not a certificate in PEM form"))?;
        let certificate = webpki::EndEntityCert::try_from(&der).map_err(|_| Error::Certificate("it is damaged"))?;
        let key = PublicEncryptingKey::from_der(certificate.subject_public_key_info().as_ref())
            .map_err(|_| Error::Certificate("its key is not an RSA key of at least 2048 bits"))?;
        Ok(Self { key: OaepPublicEncryptingKey::new(key).map_err(|_| Error::Failed)? })
    }
}

/// Whether a text has the form of a sealed value: what the controller could open, with the right key. One in clear text has
/// not, however long it is.
#[must_use]
pub fn is_sealed(text: &str) -> bool {
    let Ok(bytes) = STANDARD.decode(text) else { return false };
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else { return false };
    let wrapped = usize::from(u16::from_be_bytes(*length));
    // A key of 2048 bits at least, and a value of one byte with its tag.
    wrapped >= 256 && rest.len() > wrapped + 16
}

impl Backend for SealedSecrets {
    fn encrypt(&self, place: &Place<'_>, value: &SecretString) -> Result<Ciphertext, Error> {
        let value = value.expose_secret();
        check(value)?;
        let scope = format!("{}/{}", place.namespace, place.name);
        let mut session = [0_u8; 32];
        rand::fill(&mut session).map_err(|_| Error::Failed)?;
        let mut wrapped = vec![0; self.key.ciphertext_size()];
        let wrapped = self
            .key
            .encrypt(&OAEP_SHA256_MGF1SHA256, &session, &mut wrapped, Some(scope.as_bytes()))
            .map_err(|_| Error::Failed)?;
        let length = u16::try_from(wrapped.len()).map_err(|_| Error::Failed)?;
        let mut sealed = Vec::with_capacity(2 + wrapped.len() + value.len() + 16);
        sealed.extend_from_slice(&length.to_be_bytes());
        sealed.extend_from_slice(wrapped);
        let key = UnboundKey::new(&AES_256_GCM, &session).map_err(|_| Error::Failed)?;
        let mut data = value.as_bytes().to_vec();
        LessSafeKey::new(key)
            .seal_in_place_append_tag(Nonce::assume_unique_for_key([0; 12]), Aad::empty(), &mut data)
            .map_err(|_| Error::Failed)?;
        sealed.append(&mut data);
        Ok(Ciphertext::Sealed { scope, value: STANDARD.encode(sealed) })
    }
}
