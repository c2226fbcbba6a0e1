//! API tokens: their form, how they are kept, and what one may be asked for.
//!
//! `wooo_`, 43 characters that hold 256 random bits, and 6 that check them. The form lets scanners find one that leaked,
//! and lets us refuse a mistyped one without asking the database. What is kept is its SHA-256: it is looked up by that, so
//! nothing is compared byte by byte, and a copy of the database opens nothing.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};

use super::AuthError;
use super::keys::random;
use crate::domain::Problem;

const PREFIX: &str = "wooo_";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^43 > 2^256.
const BODY: usize = 43;
const CHECK: usize = 6;
/// How much of it is shown in lists: the prefix and six characters.
const SHOWN: usize = PREFIX.len() + 6;

/// How long a token lives if nothing else was asked for.
pub const DEFAULT_LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How long it lives at most.
pub const MAX_LIFE: SignedDuration = SignedDuration::from_hours(366 * 24);

/// The text of a token. It is shown to its owner once and kept nowhere.
#[derive(Clone)]
pub struct ApiToken(SecretString);

impl ApiToken {
    /// A new one.
    ///
    /// # Errors
    /// [`AuthError::Keys`] if the operating system gives no random numbers.
    pub fn generate() -> Result<Self, AuthError> {
        let body = digits(random::<32>()?.to_vec(), BODY);
        let check = checksum(&body);
        Ok(Self(format!("{PREFIX}{body}{check}").into()))
    }

    /// Reads one, or nothing if it has another form or a wrong checksum.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        if rest.len() != BODY + CHECK || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let (body, check) = rest.split_at(BODY);
        (checksum(body) == check).then(|| Self(text.to_owned().into()))
    }

    /// Whether a bearer token is meant to be one of these.
    #[must_use]
    pub fn looks_like_one(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// What is kept: SHA-256 in hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        let hash = digest(&SHA256, self.0.expose_secret().as_bytes());
        hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What is shown in lists.
    #[must_use]
    pub fn prefix(&self) -> String {
        self.0.expose_secret().chars().take(SHOWN).collect()
    }

    /// The whole text, for the answer in which its owner sees it.
    #[must_use]
    pub fn secret(&self) -> &SecretString {
        &self.0
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiToken({}...)", self.prefix())
    }
}

/// When a token ends that is made now.
///
/// # Errors
/// `auth.token_value` if it would have ended already or live longer than a year.
pub fn expiry(wanted: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Problem> {
    let Some(wanted) = wanted else { return Ok(now.saturating_add(DEFAULT_LIFE).unwrap_or(Timestamp::MAX)) };
    let life = wanted.duration_since(now);
    if life <= SignedDuration::ZERO || life > MAX_LIFE {
        return Err(
            Problem::new("auth.token_value", "a token lives for at most 366 days, from now on").field("expires_at")
        );
    }
    Ok(wanted)
}

/// A big-endian number in base 62, padded in front.
fn digits(mut number: Vec<u8>, width: usize) -> String {
    let mut text = vec![ALPHABET[0]; width];
    for place in text.iter_mut().rev() {
        let mut rest = 0u32;
        for byte in &mut number {
            let value = rest << 8 | u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        *place = ALPHABET[rest as usize % ALPHABET.len()];
    }
    text.into_iter().map(char::from).collect()
}

fn checksum(body: &str) -> String {
    let hash = digest(&SHA256, format!("wooo token {body}").as_bytes());
    digits(hash.as_ref().iter().take(4).copied().collect(), CHECK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_a_form_of_its_own() {
        let token = ApiToken::generate().unwrap();
        let text = token.secret().expose_secret();
        assert_eq!(text.len(), 54);
        let read = ApiToken::parse(text).unwrap();
        assert_eq!((read.hash(), read.prefix()), (token.hash(), token.prefix()));
        assert_eq!((token.hash().len(), token.prefix().len()), (64, 11));
        assert!(text.starts_with(&token.prefix()));
        assert_ne!(ApiToken::generate().unwrap().hash(), token.hash());
    }

    #[test]
    fn the_checksum_finds_every_single_mistake() {
        let text = ApiToken::generate().unwrap().secret().expose_secret().to_owned();
        for at in PREFIX.len()..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[at] = if wrong[at] == b'a' { b'b' } else { b'a' };
            assert!(ApiToken::parse(&String::from_utf8(wrong).unwrap()).is_none(), "{at}");
        }
        for bad in
            ["", "wooo_", &text[..53], &format!("{text}0"), &text.to_uppercase(), &text.replace("wooo_", "ghp_0")]
        {
            assert!(ApiToken::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn numbers_are_written_in_base_62() {
        assert_eq!(digits(vec![0], 3), "000");
        assert_eq!(digits(vec![61], 3), "00z");
        assert_eq!(digits(vec![1, 0], 3), "048");
        assert_eq!(digits(vec![255; 32], 43).len(), 43);
        assert_ne!(digits(vec![255; 32], 43), digits(vec![255; 32], 44)[..43], "43 places are enough");
    }

    #[test]
    fn a_token_ends_within_a_year() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        assert_eq!(expiry(None, now).unwrap().to_string(), "2026-04-01T00:00:00Z");
        assert!(expiry(at("2027-01-02T00:00:00Z"), now).is_ok());
        for bad in ["2027-01-03T00:00:00Z", "2026-01-01T00:00:00Z", "2025-12-31T00:00:00Z", "9999-12-30T00:00:00Z"] {
            assert_eq!(expiry(at(bad), now).unwrap_err().code, "auth.token_value", "{bad}");
        }
    }

    #[test]
    fn it_is_not_shown() {
        let token = ApiToken::generate().unwrap();
        let shown = format!("{token:?} {:?}", token.secret());
        assert!(!shown.contains(token.secret().expose_secret()), "{shown}");
    }
}
