//! Signatures: what the headers of a delivery claim, and secrets that prove or disprove it.
//!
//! Every form is exact: one header, complete, spelled as the forge spells it. Comparisons take the same time whatever they
//! are given.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::refused;
use crate::domain::Problem;
use crate::forge::hooks::ForgeKind;

/// How far the clock of a sender may be from ours, in seconds.
const MAX_SKEW: u64 = 300;
/// How many signatures one delivery may carry: one for each secret while they are being changed.
const MAX_SIGNATURES: usize = 10;
/// The shortest secret, in bytes. A shorter one can be found by whoever sees a delivery and its signature.
const MIN_SECRET: usize = 16;
/// What a secret of signed deliveries begins with.
const SIGNING: &str = "whsec_";

type Mac = [u8; 32];

/// What the headers say to prove where a delivery comes from.
pub(super) enum Claim {
    /// The HMAC of the body.
    OfBody(Mac),
    /// What GitLab sends: the secret itself, or signatures over id, time and body.
    Gitlab { token: Option<String>, signed: Option<Signed> },
}

/// Signatures over the id of a delivery, its time and its body.
pub(super) struct Signed {
    id: String,
    timestamp: String,
    signatures: Vec<Mac>,
}

impl Claim {
    /// Reads the headers.
    ///
    /// # Errors
    /// `hook.signature` if there is no claim in the right form; `hook.replay` for a signed one of another time.
    pub(super) fn of(kind: ForgeKind, headers: &HeaderMap, now: Timestamp) -> Result<Self, Problem> {
        match kind {
            ForgeKind::Github => {
                let text = only(headers, "x-hub-signature-256")?.ok_or_else(refused)?;
                let hex = text.strip_prefix("sha256=").ok_or_else(refused)?;
                from_hex(hex).map(Self::OfBody).ok_or_else(refused)
            }
            ForgeKind::Gitea => {
                // Forgejo sends its own header and that of Gitea.
                let (forgejo, gitea) = (only(headers, "x-forgejo-signature")?, only(headers, "x-gitea-signature")?);
                let hex = match (forgejo, gitea) {
                    (Some(one), Some(two)) if one != two => return Err(refused()),
                    (one, two) => one.or(two).ok_or_else(refused)?,
                };
                from_hex(hex).map(Self::OfBody).ok_or_else(refused)
            }
            ForgeKind::Gitlab => {
                let token = only(headers, "x-gitlab-token")?.filter(|token| !token.is_empty()).map(str::to_owned);
                let signed = Signed::of(headers, now)?;
                if token.is_none() && signed.is_none() {
                    return Err(refused());
                }
                Ok(Self::Gitlab { token, signed })
            }
        }
    }
}

impl Signed {
    fn of(headers: &HeaderMap, now: Timestamp) -> Result<Option<Self>, Problem> {
        let Some(signatures) = only(headers, "webhook-signature")? else { return Ok(None) };
        let id = only(headers, "webhook-id")?.ok_or_else(refused)?;
        let timestamp = only(headers, "webhook-timestamp")?.ok_or_else(refused)?;
        // With a dot in the id, the signed text could be cut in two ways.
        let is_id = (1..=256).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_graphic() && c != b'.');
        let is_time = (1..=12).contains(&timestamp.len()) && timestamp.bytes().all(|c| c.is_ascii_digit());
        let signatures: Vec<Mac> = signatures
            .split(' ')
            .take(MAX_SIGNATURES)
            .filter_map(|text| from_base64(text.strip_prefix("v1,")?))
            .collect();
        if !is_id || !is_time || signatures.is_empty() {
            return Err(refused());
        }
        let sent: i64 = timestamp.parse().map_err(|_| refused())?;
        if now.as_second().abs_diff(sent) > MAX_SKEW {
            let detail = "the delivery was signed more than five minutes ago, or in the future";
            return Err(Problem::new("hook.replay", detail).hint("compare the clocks of the forge and of this machine"));
        }
        Ok(Some(Self { id: id.to_owned(), timestamp: timestamp.to_owned(), signatures }))
    }

    fn proves(&self, key: &hmac::Key, body: &[u8]) -> bool {
        let mut context = hmac::Context::with_key(key);
        for part in [self.id.as_bytes(), b".", self.timestamp.as_bytes(), b".", body] {
            context.update(part);
        }
        let expected = context.sign();
        // Each is looked at, so that it does not show which one was right.
        let is_equal = |mac: &Mac| aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_ref(), mac).is_ok();
        self.signatures.iter().filter(|mac| is_equal(mac)).count() > 0
    }
}

/// The header, if there is one; an error if there are several or it is no text.
fn only<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(HeaderName::from_static(name)).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| refused()),
        _ => Err(refused()),
    }
}

/// A MAC as forges write it: 64 digits in lower case.
fn from_hex(text: &str) -> Option<Mac> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let mut mac = [0; 32];
    let pairs = text.as_bytes().as_chunks::<2>();
    if pairs.0.len() != mac.len() || !pairs.1.is_empty() {
        return None;
    }
    for (byte, [high, low]) in mac.iter_mut().zip(pairs.0) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(mac)
}

/// Bytes as hexadecimal digits in lower case.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_base64(text: &str) -> Option<Mac> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// A secret, as what it proves things with.
pub(super) enum Secret {
    /// Signs bodies.
    Body(hmac::Key),
    /// Is sent along. Its MAC under a key of this process is kept, so that comparing says nothing of its length.
    Token { blind: hmac::Key, tag: hmac::Tag },
    /// Signs id, time and body.
    Signing(hmac::Key),
}

impl Secret {
    /// A secret of the settings.
    ///
    /// # Errors
    /// `hook.secret` if nothing could be proved with it.
    pub(super) fn new(kind: ForgeKind, blind: &hmac::Key, secret: &SecretString) -> Result<Self, Problem> {
        let text = secret.expose_secret();
        let long_enough = |bytes: &[u8]| {
            let detail = format!("a secret of a webhook has at least {MIN_SECRET} bytes");
            if bytes.len() >= MIN_SECRET { Ok(()) } else { Err(Problem::new("hook.secret", detail)) }
        };
        match (kind, text.strip_prefix(SIGNING)) {
            (ForgeKind::Gitlab, Some(encoded)) => {
                let invalid = || Problem::new("hook.secret", "after `whsec_` a secret goes on in base64");
                let bytes = STANDARD.decode(encoded).map_err(|_| invalid())?;
                long_enough(&bytes)?;
                Ok(Self::Signing(hmac::Key::new(HMAC_SHA256, &bytes)))
            }
            (ForgeKind::Gitlab, None) => {
                long_enough(text.as_bytes())?;
                Ok(Self::Token { blind: blind.clone(), tag: hmac::sign(blind, text.as_bytes()) })
            }
            (ForgeKind::Github | ForgeKind::Gitea, _) => {
                long_enough(text.as_bytes())?;
                Ok(Self::Body(hmac::Key::new(HMAC_SHA256, text.as_bytes())))
            }
        }
    }

    /// Whether the claim about this body was made by somebody who has this secret.
    pub(super) fn proves(&self, claim: &Claim, body: &[u8]) -> bool {
        match (self, claim) {
            (Self::Body(key), Claim::OfBody(mac)) => hmac::verify(key, body, mac).is_ok(),
            (Self::Token { blind, tag }, Claim::Gitlab { token: Some(token), .. }) => {
                hmac::verify(blind, token.as_bytes(), tag.as_ref()).is_ok()
            }
            (Self::Signing(key), Claim::Gitlab { signed: Some(signed), .. }) => signed.proves(key, body),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_is_exact() {
        let good = "00ff".repeat(16);
        assert_eq!(from_hex(&good).map(|mac| to_hex(&mac)), Some(good.clone()));
        for bad in
            ["", "00", &good[1..], &good.to_uppercase(), &format!("{good}0"), &format!("{good}00"), &"網".repeat(22)]
        {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn secrets_that_prove_nothing_are_refused() {
        let blind = hmac::Key::new(HMAC_SHA256, &[7; 32]);
        let secret = |kind, text: &str| Secret::new(kind, &blind, &SecretString::from(text)).map(|_| ());
        for kind in [ForgeKind::Github, ForgeKind::Gitlab, ForgeKind::Gitea] {
            assert_eq!(secret(kind, "").unwrap_err().code, "hook.secret");
            assert!(secret(kind, "fifteen bytes..").is_err());
            assert!(secret(kind, "sixteen bytes...").is_ok());
        }
        for bad in ["whsec_", "whsec_c2hvcnQ=", "whsec_not base64 but long enough"] {
            assert!(secret(ForgeKind::Gitlab, bad).is_err(), "{bad}");
        }
        assert!(secret(ForgeKind::Gitlab, "whsec_MDEyMzQ1Njc4OWFiY2RlZg==").is_ok());
    }
}
