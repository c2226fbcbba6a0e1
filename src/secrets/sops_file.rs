//! SOPS files: a Secret whose values only the holders of an age identity can read, in the form that the `sops` program
//! (3.8 and newer) and Flux's kustomize-controller decrypt. Only what a Secret needs of that format is here: X25519
//! recipients in one key group, values that are texts, and one rule for what is encrypted.
//!
//! The format has no specification; this follows `Tree.Encrypt` and `aes.Cipher` of github.com/getsops/sops. In short:
//! every value is sealed with AES-256-GCM under the file's data key, with its path as additional data, so that it opens
//! in its own place only. The MAC is a SHA-512 over the clear values in the order of the file, encrypted and other ones
//! alike, sealed with the time of the last change. sops refuses a file whose MAC is wrong; Flux does not look at it,
//! because kustomize changes labels and the order of keys before anything is decrypted.

use aes_gcm::aead::consts::U32;
use aes_gcm::aes::Aes256;
use aes_gcm::{AeadInPlace, AesGcm, KeyInit};
use age::x25519::{Identity, Recipient};
use aws_lc_rs::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use aws_lc_rs::digest::{Context, SHA512};
use aws_lc_rs::rand::{self, SystemRandom};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::{Map, Value, json};

/// The parts of a Secret whose values are encrypted.
const PARTS: [&str; 2] = ["data", "stringData"];

/// Every top-level key of a Secret. An unknown one could carry a value in the clear.
const KEYS: [&str; 7] = ["apiVersion", "kind", "metadata", "type", "immutable", "data", "stringData"];

/// AES-256-GCM with the nonces of 32 bytes that sops uses; aws-lc-rs has those of 12 bytes only.
type Cipher = AesGcm<Aes256, U32>;

/// Why a file was not made or not read. No message has a value, a recipient or an identity in it: who pastes a password
/// or an identity into the wrong field must not find it in a log.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// Something else than a Secret.
    #[error("not a Kubernetes Secret (apiVersion v1, kind Secret)")]
    NotASecret,
    /// A top-level key that no clear Secret has, such as `sops`.
    #[error("a Secret has no top-level key `{0}`")]
    UnknownKey(String),
    /// Nothing to encrypt.
    #[error("the Secret has no value in `data` or `stringData`")]
    NoValue,
    /// A value that is no text, or one without a character: that one sops leaves in the clear.
    #[error("`{0}` is not a text of at least one character")]
    Value(String),
    /// A key elsewhere that sops' rule matches too, since it is asked about every part of a path.
    #[error("`{0}`: sops encrypts what has this name wherever it is, rename it")]
    NameOfAPart(String),
    /// A number that does not go into the MAC in the same way from YAML and from JSON.
    #[error("`{0}` is not an integer of at most 53 bits")]
    Number(String),
    /// A time that sops writes in another way than it reads it, so that it could not open the MAC.
    #[error("the time has another form than 2026-01-31T23:59:59Z")]
    Time,
    /// No recipient at all, or one that is not of the X25519 kind.
    #[error("not an age recipient of the form age1... (X25519), or none at all")]
    Recipient,
    /// The system's randomness or the cipher failed.
    #[error("encrypting failed")]
    Encrypting,
    /// Not an X25519 identity, or none that opens the file's data key.
    #[error("not the identity (AGE-SECRET-KEY-1...) of a recipient of this file")]
    Identity,
    /// A text that is not in sops' form, was changed, or was moved here from elsewhere.
    #[error("`{0}` is not as it was encrypted for this place in this file")]
    Sealed(String),
    /// There is no MAC, or it is another one.
    #[error("the file was changed after it was encrypted: the MAC is missing or does not match")]
    Mac,
}

/// `secret` with every value below `data` and `stringData` encrypted for each of `recipients`, and a `sops` section at
/// its end. `now_rfc3339` is the time to the second in UTC, such as `2026-01-31T23:59:59Z`. The keys have to keep their
/// order on the way into the file: the MAC depends on it.
///
/// # Errors
///
/// If sops would leave a part of the Secret in the clear, encrypt too much of it or read it back in another way; for no
/// or a wrong recipient; and for a time in another form.
pub fn encrypt(secret: &Value, recipients: &[String], now_rfc3339: &str) -> Result<Value, Error> {
    let secret = as_secret(secret).ok_or(Error::NotASecret)?;
    if let Some(key) = secret.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(Error::UnknownKey(key.clone()));
    }
    check_time(now_rfc3339)?;
    let recipients = recipients.iter().map(|text| recipient(text)).collect::<Result<Vec<_>, _>>()?;
    if recipients.is_empty() {
        return Err(Error::Recipient);
    }
    let mut key = vec![0; 32];
    rand::fill(&mut key).map_err(|_| Error::Encrypting)?;
    let key = SecretSlice::from(key);
    let mut file = with_values(secret, |path, text| seal(&key, text, path).ok_or(Error::Encrypting))?;
    let mac = seal(&key, &mac(secret)?, now_rfc3339).ok_or(Error::Encrypting)?;
    let age = recipients.iter().map(|to| {
        let enc = age::encrypt_and_armor(to, key.expose_secret()).map_err(|_| Error::Encrypting)?;
        Ok(json!({"recipient": to.to_string(), "enc": enc}))
    });
    let sops = json!({
        "age": age.collect::<Result<Vec<_>, Error>>()?,
        "lastmodified": now_rfc3339,
        "mac": mac,
        "encrypted_regex": "^(data|stringData)$",
        // Newer ones read it as it is; only files of old versions are treated otherwise.
        "version": "3.8.1",
    });
    file.insert("sops".to_owned(), sops);
    Ok(Value::Object(file))
}

/// The Secret that [`encrypt`] made `file` of.
///
/// # Errors
///
/// If `identity` belongs to none of the recipients, or anything in the file was changed since.
pub fn decrypt(file: &Value, identity: &str) -> Result<Value, Error> {
    let mut clear = as_secret(file).ok_or(Error::NotASecret)?.clone();
    let sops = clear.shift_remove("sops").unwrap_or_default();
    let identity: Identity = identity.trim().parse().map_err(|_| Error::Identity)?;
    let mut enclosed = sops["age"].as_array().into_iter().flatten().filter_map(|one| one["enc"].as_str());
    let key = enclosed.find_map(|enc| age::decrypt(&identity, enc.as_bytes()).ok().map(SecretSlice::from));
    let key = key.ok_or(Error::Identity)?;
    let clear = with_values(&clear, |path, text| {
        open(&key, text, path).ok_or_else(|| Error::Sealed(path.trim_end_matches(':').replace(':', ".")))
    })?;
    let expected = sops["mac"].as_str().zip(sops["lastmodified"].as_str()).ok_or(Error::Mac)?;
    if open(&key, expected.0, expected.1).ok_or(Error::Mac)? != mac(&clear)? {
        return Err(Error::Mac);
    }
    Ok(Value::Object(clear))
}

/// Whether no value of `secret` is in the clear: it has a `sops` section with a MAC and a recipient, and every value
/// below `data` and `stringData`, one at least, is an encrypted text. It looks at the form only, without a key. A value
/// that is empty counts as clear, and so does an encrypted number, which no cluster accepts in a Secret.
#[must_use]
pub fn is_encrypted(secret: &Value) -> bool {
    let Some(object) = as_secret(secret) else { return false };
    let sealed = |value: &Value| value.as_str().is_some_and(|text| parse(text).is_some());
    let armored = |one: &Value| {
        let enc = one["enc"].as_str().is_some_and(|enc| enc.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"));
        enc && one["recipient"].as_str().is_some_and(|recipient| !recipient.is_empty())
    };
    let mut parts = PARTS.iter().filter_map(|part| object.get(*part)).map(|part| part.as_object());
    let some = parts.clone().flatten().any(|part| !part.is_empty());
    let all = parts.all(|part| part.is_some_and(|part| part.values().all(sealed)));
    let known = object.keys().all(|key| key == "sops" || KEYS.contains(&key.as_str()));
    let age = secret["sops"]["age"].as_array().is_some_and(|age| !age.is_empty() && age.iter().all(armored));
    some && all && known && age && sealed(&secret["sops"]["mac"])
}

/// Whether [`encrypt`] takes `text` as a recipient.
///
/// # Errors
///
/// [`Error::Recipient`] if not.
pub fn check_recipient(text: &str) -> Result<(), Error> {
    recipient(text).map(drop)
}

fn recipient(text: &str) -> Result<Recipient, Error> {
    // The prefix in lower case: age would take upper case too, and then sops would not.
    let data = text.strip_prefix("age1").ok_or(Error::Recipient)?;
    let recipient = text.parse().map_err(|_| Error::Recipient)?;
    // age panics when it encrypts for a point of low order, such as all zeros, with which every key agrees on zero;
    // aws-lc refuses one. The point is the first 256 bits of the bech32 text, which has five in a character.
    let fives: Vec<_> = data.chars().filter_map(|symbol| "qpzry9x8gf2tvdw0s3jn54khce6mua7l".find(symbol)).collect();
    let bit = |at: usize| fives.get(at / 5).is_some_and(|five| five >> (4 - at % 5) & 1 == 1);
    let byte = |at: usize| (8 * at..8 * at + 8).fold(0, |byte, at| byte << 1 | u8::from(bit(at)));
    let point: Vec<u8> = (0..32).map(byte).collect();
    let own = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).map_err(|_| Error::Encrypting)?;
    agree_ephemeral(own, UnparsedPublicKey::new(&X25519, point), Error::Recipient, |_| Ok(recipient))
}

fn as_secret(value: &Value) -> Option<&Map<String, Value>> {
    value.as_object().filter(|_| value["apiVersion"] == "v1" && value["kind"] == "Secret")
}

/// sops reads the time and writes it again as additional data of the MAC, so only the form that it writes will do.
fn check_time(text: &str) -> Result<(), Error> {
    let most = b"9999-19-39T29:59:59Z";
    let fits = |(is, most): (u8, &u8)| is == *most || most.is_ascii_digit() && (b'0'..=*most).contains(&is);
    if text.len() == most.len() && text.bytes().zip(most).all(fits) { Ok(()) } else { Err(Error::Time) }
}

/// `object` with each value below `data` and `stringData` replaced by what `turn` makes of its path, as sops writes it
/// into the additional data, and its text.
fn with_values(
    object: &Map<String, Value>,
    turn: impl Fn(&str, &str) -> Result<String, Error>,
) -> Result<Map<String, Value>, Error> {
    let (mut object, mut count) = (object.clone(), 0);
    for part in PARTS {
        let Some(values) = object.get_mut(part) else { continue };
        let values = values.as_object_mut().ok_or_else(|| Error::Value(part.to_owned()))?;
        for (name, value) in values.iter_mut() {
            let text = value.as_str().filter(|text| !text.is_empty());
            let text = text.ok_or_else(|| Error::Value(format!("{part}.{name}")))?;
            *value = Value::String(turn(&format!("{part}:{name}:"), text)?);
            count += 1;
        }
    }
    if count == 0 { Err(Error::NoValue) } else { Ok(object) }
}

/// sops' MAC of a clear Secret, in hexadecimal digits.
fn mac(secret: &Map<String, Value>) -> Result<String, Error> {
    let mut hash = Context::new(&SHA512);
    for (key, value) in secret {
        hash_leaves(&mut hash, key, PARTS.contains(&key.as_str()), value)?;
    }
    Ok(hash.finish().as_ref().iter().map(|byte| format!("{byte:02X}")).collect())
}

fn hash_leaves(hash: &mut Context, path: &str, in_part: bool, value: &Value) -> Result<(), Error> {
    match value {
        Value::Null => {}
        // The spelling of Python, which sops was written in at first.
        Value::Bool(value) => hash.update(if *value { b"True" } else { b"False" }),
        Value::Number(number) => {
            let number = number.as_i64().filter(|number| number.unsigned_abs() <= 1 << 53);
            hash.update(number.ok_or_else(|| Error::Number(path.to_owned()))?.to_string().as_bytes());
        }
        Value::String(text) => hash.update(text.as_bytes()),
        Value::Array(items) => items.iter().try_for_each(|item| hash_leaves(hash, path, in_part, item))?,
        Value::Object(object) => object.iter().try_for_each(|(key, value)| {
            let path = format!("{path}.{key}");
            let clash = !in_part && PARTS.contains(&key.as_str());
            if clash { Err(Error::NameOfAPart(path)) } else { hash_leaves(hash, &path, in_part, value) }
        })?,
    }
    Ok(())
}

/// `text` under the file's data key, as sops writes it. It opens only with the same `about`, the additional data.
fn seal(key: &SecretSlice<u8>, text: &str, about: &str) -> Option<String> {
    let (mut data, mut iv) = (text.as_bytes().to_vec(), [0; 32]);
    rand::fill(&mut iv).ok()?;
    let cipher = Cipher::new_from_slice(key.expose_secret()).ok()?;
    let tag = cipher.encrypt_in_place_detached(&iv.into(), about.as_bytes(), &mut data).ok()?;
    let [data, iv, tag] = [&data[..], &iv[..], &tag[..]].map(|bytes| BASE64_STANDARD.encode(bytes));
    Some(format!("ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:str]"))
}

fn open(key: &SecretSlice<u8>, text: &str, about: &str) -> Option<String> {
    let (mut data, iv, tag) = parse(text)?;
    let cipher = Cipher::new_from_slice(key.expose_secret()).ok()?;
    cipher.decrypt_in_place_detached(&iv.into(), about.as_bytes(), &mut data, &tag.into()).ok()?;
    String::from_utf8(data).ok()
}

/// The data, the nonce and the tag of an encrypted text.
fn parse(text: &str) -> Option<(Vec<u8>, [u8; 32], [u8; 16])> {
    let text = text.strip_prefix("ENC[AES256_GCM,data:")?.strip_suffix(",type:str]")?;
    let (data, text) = text.split_once(",iv:")?;
    let (iv, tag) = text.split_once(",tag:")?;
    let bytes = |text: &str| BASE64_STANDARD.decode(text).ok().filter(|bytes| !bytes.is_empty());
    Some((bytes(data)?, bytes(iv)?.try_into().ok()?, bytes(tag)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// age's own test key.
    const IDENTITY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";
    const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

    fn secret() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "a", "labels": {"app": "a"}, "creationTimestamp": null, "generation": 7},
            "immutable": true, "stringData": {"ONE": "p\u{e4}ssword\n", "true": "true"}, "data": {"TWO": "dHdv"},
        })
    }

    fn sealed(secret: &Value, recipient: &str) -> Result<Value, Error> {
        let other = Identity::generate().to_public().to_string();
        encrypt(secret, &[other, recipient.to_owned()], "2026-01-31T23:59:59Z")
    }

    #[test]
    fn comes_back_as_it_was_also_from_the_real_sops() {
        let file = sealed(&secret(), RECIPIENT).unwrap();
        assert_eq!(decrypt(&file, IDENTITY).unwrap().to_string(), secret().to_string());
        let real = serde_json::from_str(include_str!("../../fixtures/secrets/by-sops-3.11.0.json")).unwrap();
        assert_eq!(decrypt(&real, IDENTITY), Ok(secret()));
        assert!(is_encrypted(&file) && is_encrypted(&real) && !is_encrypted(&secret()));
        assert_eq!(decrypt(&file, Identity::generate().to_string().expose_secret()), Err(Error::Identity));
    }

    #[test]
    fn changes_and_clear_parts_are_noticed() {
        let file = sealed(&secret(), RECIPIENT).unwrap();
        let text = |at| file.pointer(at).and_then(Value::as_str).unwrap();
        // The first character of the data, which no padding ignores.
        let flip = |at| text(at)[..20].to_owned() + if &text(at)[20..21] == "A" { "B" } else { "A" } + &text(at)[21..];
        let value = Error::Sealed("data.TWO".to_owned());
        for (at, change, error, still_encrypted) in [
            ("/data/TWO", json!(flip("/data/TWO")), value.clone(), true),
            ("/data/TWO", json!(text("/stringData/ONE")), value.clone(), true),
            ("/sops/mac", json!(flip("/sops/mac")), Error::Mac, true),
            ("/sops/lastmodified", json!("2026-01-31T23:59:58Z"), Error::Mac, true),
            ("/metadata/labels/app", json!("b"), Error::Mac, true),
            ("/data/TWO", json!("hunter2"), value.clone(), false),
            ("/data/TWO", json!(text("/data/TWO").replace(":str", ":x")), value.clone(), false),
            ("/data/TWO", json!({"x": text("/data/TWO")}), Error::Value("data.TWO".to_owned()), false),
            ("/data", json!("hunter2"), Error::Value("data".to_owned()), false),
            ("", json!({"apiVersion": "v1", "kind": "Secret", "sops": file["sops"]}), Error::NoValue, false),
            ("/sops/mac", Value::Null, Error::Mac, false),
            ("/sops/age", json!([]), Error::Identity, false),
        ] {
            let mut file = file.clone();
            *file.pointer_mut(at).unwrap() = change;
            assert_eq!((decrypt(&file, IDENTITY), is_encrypted(&file)), (Err(error), still_encrypted), "{at}");
        }
        assert_eq!(sealed(&file, RECIPIENT), Err(Error::UnknownKey("sops".to_owned())));
        let mut file = file.clone();
        file["more"] = json!("x");
        assert!(!is_encrypted(&file));
    }

    #[test]
    fn what_sops_would_read_otherwise_is_refused_without_saying_the_value() {
        for (at, wrong) in [
            ("/kind", json!("hunter2")),
            ("/data", json!("hunter2")),
            ("/data/TWO", json!("")),
            ("/metadata/labels", json!({"data": "hunter2"})),
            ("/metadata/generation", json!(1.5)),
            ("/metadata/generation", json!(1_i64 << 60)),
        ] {
            let mut secret = secret();
            secret["stringData"]["ONE"] = json!("hunter2");
            *secret.pointer_mut(at).unwrap() = wrong;
            let error = sealed(&secret, RECIPIENT).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
        // For the last two age panics: the points 0, and p with the bit that is ignored.
        let zero = "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z";
        let prime = "age1ahlllllllllllllllllllllllllllllllllllllllllllllllllllsh3g6la";
        for wrong in ["", IDENTITY, &RECIPIENT.to_uppercase(), zero, prime] {
            assert!(check_recipient(wrong).is_err() && sealed(&secret(), wrong) == Err(Error::Recipient));
        }
        assert_eq!(encrypt(&secret(), &[], "2026-01-31T23:59:59Z"), Err(Error::Recipient));
        assert_eq!(encrypt(&secret(), &[RECIPIENT.to_owned()], "2026-01-31T23:59:59+00:00"), Err(Error::Time));
    }
}
