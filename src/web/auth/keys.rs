//! The keys of the service: what sessions, pipelines' tokens and sign-ins in progress are signed or sealed with.
//!
//! One 256-bit secret (or several, of which the first is used for new tokens and all for checking, which is how one is
//! replaced), from which each purpose gets a key of its own. Tokens are checked by nobody but the service that made
//! them, so they are signed with HMAC-SHA-256: there is no public key that a forger could present as an HMAC secret, and
//! one fewer kind of key to keep.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use secrecy::{ExposeSecret as _, SecretString};

use super::AuthError;

/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// What a key is for. A token made for one purpose means nothing for another, whatever its claims say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// The session of a person.
    Session,
    /// The short-lived token of a pipeline.
    Pipeline,
}

impl Purpose {
    /// The audience of its tokens.
    #[must_use]
    pub fn audience(self) -> &'static str {
        match self {
            Self::Session => "wooo-session",
            Self::Pipeline => "wooo-pipeline",
        }
    }
}

/// The keys of the service. Cheap to clone; shows nothing.
#[derive(Clone)]
pub struct Keys(Arc<Vec<Key>>);

struct Key {
    id: String,
    session: (EncodingKey, DecodingKey),
    pipeline: (EncodingKey, DecodingKey),
    csrf: hmac::Key,
    seal: LessSafeKey,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

impl Keys {
    /// Reads keys, each 32 bytes in URL-safe base64, separated by commas or white space; the first one signs.
    ///
    /// # Errors
    /// [`AuthError::Keys`] if there is none, or one has another form. The text is not repeated.
    pub fn parse(text: &SecretString) -> Result<Self, AuthError> {
        let words = text.expose_secret().split([',', ' ', '\n', '\r', '\t']).filter(|word| !word.is_empty());
        let keys = words.map(Key::parse).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(AuthError::Keys("there is no session key".to_owned()));
        }
        Ok(Self(Arc::new(keys)))
    }

    /// A new key as text.
    ///
    /// # Errors
    /// [`AuthError::Keys`] if the operating system gives no random numbers.
    pub fn generate() -> Result<SecretString, AuthError> {
        Ok(URL_SAFE_NO_PAD.encode(random::<KEY_BYTES>()?).into())
    }

    /// Reads the keys from a file, or makes the file with a new key if it is not there. Of several processes that start
    /// at once one makes it, and all read the same.
    ///
    /// # Errors
    /// [`AuthError::Keys`] if it cannot be read or made, or if others than its owner may read it.
    pub fn load_or_create(path: &Path) -> Result<Self, AuthError> {
        let failed = |what: &str, error: &std::io::Error| {
            AuthError::Keys(format!("the session key in {} cannot be {what}: {error}", path.display()))
        };
        match fs::symlink_metadata(path) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create(path, &Self::generate()?).map_err(|error| failed("made", &error))?;
            }
            Err(error) => return Err(failed("read", &error)),
        }
        let mode = fs::metadata(path).map_err(|error| failed("read", &error))?.permissions().mode();
        if mode & 0o077 != 0 {
            let message = format!("others may read the session key in {}: make its mode 0600", path.display());
            return Err(AuthError::Keys(message));
        }
        Self::parse(&fs::read_to_string(path).map_err(|error| failed("read", &error))?.into())
    }

    /// The id and key that sign new tokens.
    pub(super) fn signing(&self, purpose: Purpose) -> Option<(&str, &EncodingKey)> {
        self.0.first().map(|key| (key.id.as_str(), &key.pair(purpose).0))
    }

    /// The key of an id, looked up by comparing: an id is never a path, a query or a URL.
    pub(super) fn verifying(&self, purpose: Purpose, id: &str) -> Option<&DecodingKey> {
        self.0.iter().find(|key| key.id == id).map(|key| &key.pair(purpose).1)
    }

    /// A code that only the service can make for this text.
    pub(super) fn code(&self, text: &str) -> Option<String> {
        self.0.first().map(|key| URL_SAFE_NO_PAD.encode(hmac::sign(&key.csrf, text.as_bytes())))
    }

    /// Whether one of the keys made the code for this text, in constant time.
    pub(super) fn is_code(&self, text: &str, code: &str) -> bool {
        let Ok(code) = URL_SAFE_NO_PAD.decode(code) else { return false };
        self.0.iter().any(|key| hmac::verify(&key.csrf, text.as_bytes(), &code).is_ok())
    }

    /// Encrypts something that a browser keeps for us and must neither read nor change. `context` says what it is.
    pub(super) fn seal(&self, context: &str, plain: &[u8]) -> Result<String, AuthError> {
        let failed = || AuthError::Keys("a value cannot be sealed".to_owned());
        let key = self.0.first().ok_or_else(failed)?;
        let nonce = random::<NONCE_LEN>()?;
        let mut text = plain.to_vec();
        key.seal
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut text)
            .map_err(|_| failed())?;
        let mut sealed = nonce.to_vec();
        sealed.append(&mut text);
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// What [`Keys::seal`] encrypted in the same context.
    pub(super) fn open(&self, context: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, text) = bytes.split_first_chunk::<NONCE_LEN>()?;
        self.0.iter().find_map(|key| {
            let mut text = text.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            key.seal.open_in_place(nonce, Aad::from(context), &mut text).ok().map(|plain| plain.to_vec())
        })
    }
}

impl Key {
    fn parse(text: &str) -> Result<Self, AuthError> {
        let invalid = || AuthError::Keys("a session key is 32 bytes in URL-safe base64".to_owned());
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| invalid())?;
        if bytes.len() != KEY_BYTES {
            return Err(invalid());
        }
        let root = hmac::Key::new(HMAC_SHA256, &bytes);
        let derive = |what: &str| hmac::sign(&root, format!("wooo {what} 1").as_bytes());
        let pair = |what: &str| {
            let secret = derive(what);
            (EncodingKey::from_secret(secret.as_ref()), DecodingKey::from_secret(secret.as_ref()))
        };
        let id: String = derive("key id").as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let seal = UnboundKey::new(&AES_256_GCM, derive("seal").as_ref()).map_err(|_| invalid())?;
        Ok(Self {
            id,
            session: pair("session"),
            pipeline: pair("pipeline"),
            csrf: hmac::Key::new(HMAC_SHA256, derive("csrf").as_ref()),
            seal: LessSafeKey::new(seal),
        })
    }

    fn pair(&self, purpose: Purpose) -> &(EncodingKey, DecodingKey) {
        match purpose {
            Purpose::Session => &self.session,
            Purpose::Pipeline => &self.pipeline,
        }
    }
}

/// Random bytes that are fit for keys.
pub(in crate::web) fn random<const N: usize>() -> Result<[u8; N], AuthError> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| AuthError::Keys("the operating system gives no random numbers".to_owned()))?;
    Ok(bytes)
}

/// Writes the whole file beside its place and links it there, so that nobody ever reads half a key and an existing file
/// is never replaced.
pub(in crate::web) fn create(path: &Path, key: &SecretString) -> std::io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", uuid::Uuid::new_v4().simple()));
    let beside = Path::new(&name);
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
    let written = writeln!(file, "{}", key.expose_secret()).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| fs::hard_link(beside, path));
    fs::remove_file(beside)?;
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(texts: &[&SecretString]) -> Keys {
        let text: Vec<&str> = texts.iter().map(|text| text.expose_secret()).collect();
        Keys::parse(&text.join("\n").into()).unwrap()
    }

    #[test]
    fn the_file_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.key");
        let ids = |keys: &Keys| format!("{keys:?}");
        let first = Keys::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(ids(&Keys::load_or_create(&path).unwrap()), ids(&first));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = Keys::load_or_create(&path).unwrap_err();
        assert!(refused.to_string().contains("0600"), "{refused}");
    }

    #[test]
    fn many_starts_at_once_agree_on_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.key");
        let found: Vec<String> = std::thread::scope(|scope| {
            let start = || format!("{:?}", Keys::load_or_create(&path).unwrap());
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(found.iter().all(|keys| *keys == found[0]), "{found:?}");
    }

    #[test]
    fn keys_of_another_form_are_refused_and_not_repeated() {
        for bad in ["", "hunter2hunter2", "aGVsbG8", "*"] {
            let refused = Keys::parse(&bad.to_owned().into()).unwrap_err();
            assert!(bad.is_empty() || !refused.to_string().contains(bad), "{refused}");
        }
    }

    #[test]
    fn a_replaced_key_still_checks_and_does_not_sign() {
        let (old, new) = (Keys::generate().unwrap(), Keys::generate().unwrap());
        let (before, during, after) = (keys(&[&old]), keys(&[&new, &old]), keys(&[&new]));
        let code = before.code("session-1").unwrap();
        assert!(during.is_code("session-1", &code) && !after.is_code("session-1", &code));
        assert!(!during.is_code("session-2", &code) && !during.is_code("session-1", "") && !during.is_code("", ""));
        let sealed = before.seal("sign-in", b"state").unwrap();
        assert_eq!(during.open("sign-in", &sealed).as_deref(), Some(&b"state"[..]));
        assert_eq!(during.open("something else", &sealed), None);
        assert_eq!(after.open("sign-in", &sealed), None);
        assert_eq!(after.open("sign-in", "AAAA"), None);
        assert_eq!(
            during.signing(Purpose::Session).map(|(id, _)| id),
            after.signing(Purpose::Session).map(|(id, _)| id)
        );
    }

    #[test]
    fn nothing_secret_is_shown() {
        let text = Keys::generate().unwrap();
        let shown = format!("{:?} {text:?}", keys(&[&text]));
        assert!(!shown.contains(text.expose_secret()), "{shown}");
    }
}
