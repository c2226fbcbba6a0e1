//! Passwords: which are good enough, how they are kept, and a check that takes as long for an account that is not there.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::AuthError;

/// OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const OUTPUT_BYTES: usize = 32;
/// In characters. There is no rule about digits and signs: length is what counts, and such rules lead to worse ones.
const MIN_CHARACTERS: usize = 12;
/// In bytes. Hashing time does not depend on it, but reading it does.
const MAX_BYTES: usize = 1024;
/// How long a check waits for its turn.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// What a check found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Not the password, or no such account.
    Wrong,
    /// The password.
    Right,
    /// The password, kept with other parameters than today's: hash it anew while it is at hand.
    RightAndOutdated,
}

/// Hashes and checks passwords, a bounded number at once: each takes 19 MiB and tens of milliseconds of one core, so an
/// unbounded number would be a way to stop the service. Cheap to clone.
#[derive(Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    /// The hash of a password that nobody knows, checked where there is no account.
    nobody: Arc<str>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

impl Passwords {
    /// Checks at most `at_once` passwords at a time.
    ///
    /// # Errors
    /// [`AuthError::Settings`] if the operating system gives no random numbers.
    pub fn new(at_once: usize) -> Result<Self, AuthError> {
        let mut nobody = [0u8; 32];
        aws_lc_rs::rand::fill(&mut nobody).map_err(|_| no_randomness())?;
        let nobody = hashed(&nobody)?.into();
        Ok(Self { turns: Arc::new(Semaphore::new(at_once.max(1))), nobody })
    }

    /// Refuses a password that is too short or too long.
    ///
    /// # Errors
    /// [`AuthError::Password`] with the rule.
    pub fn acceptable(password: &SecretString) -> Result<(), AuthError> {
        let text = password.expose_secret();
        if text.chars().count() < MIN_CHARACTERS {
            return Err(AuthError::Password(format!("a password has at least {MIN_CHARACTERS} characters")));
        }
        if text.len() > MAX_BYTES {
            return Err(AuthError::Password(format!("a password has at most {MAX_BYTES} bytes")));
        }
        Ok(())
    }

    /// A hash to keep, in PHC form (`$argon2id$v=19$m=...`).
    ///
    /// # Errors
    /// [`AuthError::Password`] if it is not acceptable, [`AuthError::Busy`].
    pub async fn hash(&self, password: &SecretString) -> Result<String, AuthError> {
        Self::acceptable(password)?;
        let turn = self.turn().await?;
        let password = password.clone();
        let task = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            hashed(password.expose_secret().as_bytes())
        });
        task.await.map_err(|_| AuthError::Busy)?
    }

    /// Checks a password against what is kept of an account; `None` is an account that is not there, or one without a
    /// password, and takes just as long.
    ///
    /// # Errors
    /// [`AuthError::Busy`].
    pub async fn verify(&self, password: &SecretString, kept: Option<&str>) -> Result<Verdict, AuthError> {
        let turn = self.turn().await?;
        let password = password.clone();
        let known = kept.is_some();
        let kept: Arc<str> = kept.map_or_else(|| Arc::clone(&self.nobody), Arc::from);
        let task = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            checked(password.expose_secret(), &kept)
        });
        let verdict = task.await.map_err(|_| AuthError::Busy)?;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, AuthError> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        match tokio::time::timeout(MAX_WAIT, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(AuthError::Busy),
        }
    }
}

fn no_randomness() -> AuthError {
    AuthError::Settings("the operating system gives no random numbers".to_owned())
}

fn argon2() -> Result<Argon2<'static>, AuthError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(OUTPUT_BYTES))
        .map_err(|error| AuthError::Settings(format!("argon2 refuses its parameters: {error}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hashed(password: &[u8]) -> Result<String, AuthError> {
    let hash: PasswordHash = argon2()?.hash_password(password).map_err(|_| no_randomness())?;
    Ok(hash.to_string())
}

fn checked(password: &str, kept: &str) -> Verdict {
    // A longer one was never accepted. It is cut and still hashed, so that its length does not show in the time.
    let bytes = &password.as_bytes()[..password.len().min(MAX_BYTES)];
    let (Ok(hash), Ok(argon2)) = (PasswordHash::new(kept), argon2()) else {
        tracing::error!("a password hash in the database cannot be read");
        return Verdict::Wrong;
    };
    if argon2.verify_password(bytes, &hash).is_err() || password.len() > MAX_BYTES {
        return Verdict::Wrong;
    }
    let current = hash.algorithm.as_str() == Algorithm::Argon2id.as_str()
        && hash.version == Some(Version::V0x13.into())
        && Params::try_from(&hash)
            .is_ok_and(|params| (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES));
    if current { Verdict::Right } else { Verdict::RightAndOutdated }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn secret(text: &str) -> SecretString {
        text.to_owned().into()
    }

    #[tokio::test]
    async fn a_password_is_kept_as_argon2id_with_todays_parameters() {
        let passwords = Passwords::new(2).unwrap();
        let kept = passwords.hash(&secret("correct horse battery")).await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert_ne!(kept, passwords.hash(&secret("correct horse battery")).await.unwrap(), "the salt is another one");
        let (good, bad) = (secret("correct horse battery"), secret("correct horse battery "));
        let (right, wrong) = tokio::join!(passwords.verify(&good, Some(&kept)), passwords.verify(&bad, Some(&kept)));
        assert_eq!((right, wrong), (Ok(Verdict::Right), Ok(Verdict::Wrong)));
        assert_eq!(passwords.verify(&secret("correct horse battery"), None).await, Ok(Verdict::Wrong));
        assert_eq!(passwords.verify(&secret("x"), Some("not a hash")).await, Ok(Verdict::Wrong));
    }

    #[tokio::test]
    async fn weaker_parameters_are_noticed() {
        let old = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8192, 1, 1, Some(32)).unwrap());
        let kept: PasswordHash = old.hash_password(b"correct horse battery").unwrap();
        let passwords = Passwords::new(1).unwrap();
        let verdict = passwords.verify(&secret("correct horse battery"), Some(&kept.to_string())).await;
        assert_eq!(verdict, Ok(Verdict::RightAndOutdated));
    }

    #[test]
    fn length_is_the_only_rule() {
        for (password, good) in [
            ("12345678901".to_owned(), false),
            ("123456789012".to_owned(), true),
            ("密碼密碼密碼密碼密碼密碼".to_owned(), true),
            ("x".repeat(1024), true),
            ("x".repeat(1025), false),
        ] {
            assert_eq!(Passwords::acceptable(&secret(&password)).is_ok(), good, "{password}");
        }
    }

    #[tokio::test]
    async fn an_account_that_is_not_there_takes_as_long() {
        let passwords = Passwords::new(1).unwrap();
        let kept = passwords.hash(&secret("correct horse battery")).await.unwrap();
        let mut least = [Duration::MAX; 2];
        // The shortest of several: what else runs on the machine only ever makes it longer.
        for _ in 0..7 {
            for (slot, kept) in least.iter_mut().zip([Some(kept.as_str()), None]) {
                let start = Instant::now();
                assert_eq!(passwords.verify(&secret("wrong horse battery"), kept).await, Ok(Verdict::Wrong));
                *slot = start.elapsed().min(*slot);
            }
        }
        let [known, unknown] = least.map(|time| time.as_secs_f64());
        // Without the work on a password that is not there it would be a hundredth; what else runs here is no third.
        assert!((0.33..3.0).contains(&(known / unknown)), "{known} s with an account, {unknown} s without");
    }
}
