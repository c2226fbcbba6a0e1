//! Secrets for a cluster: from a value that nobody may see to a text that everybody may.
//!
//! Owns encrypting and the three ways in which a Secret reaches a cluster. A value comes in as a [`SecretString`] and
//! leaves as a [`Ciphertext`]; no type here can print one, and no error repeats one. Decrypting is the cluster's part.

mod sealed;
mod sops;
pub mod sops_file;

use aws_lc_rs::rand;
use secrecy::SecretString;

use crate::domain::secrets::Ciphertext;

pub use self::sealed::{SealedSecrets, is_sealed};
pub use self::sops::Sops;

/// The most bytes of one value. Variables are not for files.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// The Secret and the key in it that a value is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// The Secret.
    pub name: &'a str,
    /// Its key.
    pub key: &'a str,
    /// The app that it belongs to.
    pub app: &'a str,
}

/// A way for secrets to reach a cluster.
pub trait Backend {
    /// Encrypts a value for one place.
    ///
    /// # Errors
    /// [`Error`].
    fn encrypt(&self, place: &Place<'_>, value: &SecretString) -> Result<Ciphertext, Error>;
}

/// Why a value was not encrypted. No message holds the value.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// What should be a certificate is none.
    #[error("the certificate cannot be read: {0}")]
    Certificate(&'static str),
    /// Nobody, or somebody who is no age recipient.
    #[error("it is not a list of age recipients (`age1...`)")]
    Recipient,
    /// The value cannot be a secret.
    #[error("the value {0}")]
    Value(&'static str),
    /// The library refused.
    #[error("encrypting failed")]
    Failed,
    /// Values are put into the store, and not into Git.
    #[error("the cluster's secrets come from an external store, which is where the value belongs")]
    ElsewhereKept,
}

/// External Secrets: the cluster fetches values from a store. There is nothing to encrypt, only a reference to render.
#[derive(Clone, Copy, Debug)]
pub struct ExternalSecrets;

impl Backend for ExternalSecrets {
    fn encrypt(&self, _: &Place<'_>, _: &SecretString) -> Result<Ciphertext, Error> {
        Err(Error::ElsewhereKept)
    }
}

/// A password that nobody knows: 32 letters and digits, which mean nothing in an address or a shell, of about 190 bits.
///
/// # Errors
/// [`Error::Failed`] if the system has no randomness.
pub fn random_password() -> Result<SecretString, Error> {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut password = String::with_capacity(32);
    let mut bytes = [0_u8; 64];
    while password.len() < 32 {
        rand::fill(&mut bytes).map_err(|_| Error::Failed)?;
        // What is over 4 * 62 would make some letters more likely than others.
        let fair = bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(ALPHABET[usize::from(byte % 62)]));
        password.extend(fair.take(32 - password.len()));
    }
    Ok(SecretString::from(password))
}

/// What no backend takes: an empty value, or one that no variable can hold.
fn check(value: &str) -> Result<(), Error> {
    match value {
        "" => Err(Error::Value("is empty")),
        value if value.contains('\0') => Err(Error::Value("contains a NUL, which no variable can hold")),
        value if value.len() > MAX_VALUE_BYTES => Err(Error::Value("has more than 64 KiB")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[test]
    fn passwords_are_long_and_never_the_same() {
        let (one, two) = (random_password().unwrap(), random_password().unwrap());
        assert_ne!(one.expose_secret(), two.expose_secret());
        for password in [one, two] {
            let text = password.expose_secret();
            assert!(text.len() == 32 && text.bytes().all(|c| c.is_ascii_alphanumeric()));
        }
    }
}
