//! How long nobody may sign in after wrong passwords. Only the arithmetic and the keys: the counts are in the database,
//! so that a restart forgets none.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::SignedDuration;

use crate::web::limits::ClientAddress;

/// So many wrong passwords for one account from one address are free.
const FREE_AT_ADDRESS: u32 = 5;
/// So many for one account from anywhere. It is larger, because anybody can use it up for somebody else.
const FREE_AT_ACCOUNT: u32 = 25;
/// The first wait; each further failure doubles it.
const FIRST: Duration = Duration::from_secs(30);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Failures are forgotten when the first of them is so old and no wait is running.
pub const FORGET_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// What failures are counted by.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct LockoutKey {
    text: String,
    free: u32,
}

impl LockoutKey {
    /// The two keys of an attempt. They are made of what was typed, so that an account that is not there is locked just
    /// like one that is; and of its hash, because people type passwords into the wrong field.
    #[must_use]
    pub fn of(email: &str, address: ClientAddress) -> [Self; 2] {
        let normal = normal_email(email);
        let hash = digest(&SHA256, format!("wooo sign-in {normal}").as_bytes());
        let account: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        [
            Self { text: format!("account:{account}:{}", address.key()), free: FREE_AT_ADDRESS },
            Self { text: format!("account:{account}"), free: FREE_AT_ACCOUNT },
        ]
    }

    /// The key as it stands in the database.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How long to wait after so many failures in a row, of which the last is new.
    #[must_use]
    pub fn wait(&self, failures: u32) -> Option<Duration> {
        let over = failures.checked_sub(self.free)?;
        let doubled = FIRST.saturating_mul(1u32.checked_shl(over).unwrap_or(u32::MAX));
        Some(doubled.min(LONGEST))
    }
}

/// The e-mail address as it is kept and compared.
#[must_use]
pub fn normal_email(email: &str) -> String {
    email.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_are_free_and_then_the_wait_doubles_to_a_quarter_of_an_hour() {
        let [at_address, at_account] = LockoutKey::of("a@example.com", ClientAddress("192.0.2.1".parse().unwrap()));
        let waits: Vec<Option<u64>> = (3..=12).map(|n| at_address.wait(n).map(|wait| wait.as_secs())).collect();
        let expected =
            [None, None, Some(30), Some(60), Some(120), Some(240), Some(480), Some(900), Some(900), Some(900)];
        assert_eq!(waits, expected);
        assert_eq!(at_address.wait(u32::MAX), Some(LONGEST));
        assert_eq!((at_account.wait(24), at_account.wait(25)), (None, Some(FIRST)));
    }

    #[test]
    fn an_account_is_one_however_it_is_typed_and_not_readable() {
        let key = |email: &str, address: &str| {
            let [at_address, at_account] = LockoutKey::of(email, ClientAddress(address.parse().unwrap()));
            (at_address.as_str().to_owned(), at_account.as_str().to_owned())
        };
        assert_eq!(key("A@Example.com ", "192.0.2.1"), key("a@example.com", "192.0.2.1"));
        assert_eq!(key("a@example.com", "2001:db8::1"), key("a@example.com", "2001:db8::2"));
        let (first, second) = (key("a@example.com", "192.0.2.1"), key("a@example.com", "192.0.2.2"));
        assert_ne!(first.0, second.0);
        assert_eq!(first.1, second.1);
        assert!(!first.0.contains("example"));
    }
}
