//! The cookies of the portal: their names, their attributes, and how one is read.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret as _, SecretString};

use super::AuthError;

/// A cookie of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cookie {
    /// The session of a person.
    Session,
    /// A sign-in with a forge that has begun, sealed. It lives for minutes and goes back to the same paths only.
    SignIn,
}

/// How cookies are set, which depends on how the service is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CookiePolicy {
    https: bool,
}

impl CookiePolicy {
    /// With https, cookies are `Secure` and have the prefix `__Host-`: no other host and no plain connection can set
    /// them. A browser refuses such cookies over http, so on a loopback address, and only there, they have other names.
    #[must_use]
    pub fn new(https: bool) -> Self {
        Self { https }
    }

    /// The cookie's name.
    #[must_use]
    pub fn name(self, cookie: Cookie) -> &'static str {
        match (cookie, self.https) {
            (Cookie::Session, true) => "__Host-wooo",
            (Cookie::Session, false) => "wooo-local",
            (Cookie::SignIn, true) => "__Host-wooo-sign-in",
            (Cookie::SignIn, false) => "wooo-local-sign-in",
        }
    }

    /// The header that sets it.
    ///
    /// # Errors
    /// [`AuthError::Keys`] if the value holds what a cookie cannot, which no token of ours does.
    pub fn set(self, cookie: Cookie, value: &SecretString, life: Duration) -> Result<HeaderValue, AuthError> {
        let value = value.expose_secret();
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\');
        if !value.bytes().all(plain) {
            return Err(AuthError::Keys("a cookie cannot hold this token".to_owned()));
        }
        self.header(cookie, value, life.as_secs())
            .ok_or_else(|| AuthError::Keys("a cookie cannot hold this token".to_owned()))
    }

    /// The header that takes it away.
    #[must_use]
    pub fn clear(self, cookie: Cookie) -> HeaderValue {
        self.header(cookie, "", 0).unwrap_or(HeaderValue::from_static(""))
    }

    fn header(self, cookie: Cookie, value: &str, seconds: u64) -> Option<HeaderValue> {
        let secure = if self.https { "; Secure" } else { "" };
        // Lax also for a sign-in: the way back from the forge is a navigation by GET from another site.
        let text = format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", self.name(cookie));
        let mut header = HeaderValue::from_str(&text).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    /// Reads it from a request. If it is there twice, one of the two was planted, and neither counts.
    #[must_use]
    pub fn read(self, cookie: Cookie, headers: &HeaderMap) -> Option<SecretString> {
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut found = pairs.filter(|(name, _)| *name == self.name(cookie)).map(|(_, value)| value);
        let (value, None) = (found.next()?, found.next()) else { return None };
        (!value.is_empty()).then(|| value.to_owned().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_https_nobody_else_can_set_or_read_it() {
        let policy = CookiePolicy::new(true);
        let header = policy.set(Cookie::Session, &"abc.def".into(), Duration::from_secs(60)).unwrap();
        assert_eq!(header.to_str().unwrap(), "__Host-wooo=abc.def; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
        assert!(header.is_sensitive(), "a log does not show it");
        assert!(policy.clear(Cookie::Session).to_str().unwrap().contains("Max-Age=0"));
        assert!(policy.set(Cookie::Session, &"a; Domain=evil".into(), Duration::ZERO).is_err());
    }

    #[test]
    fn on_loopback_it_has_another_name() {
        let header = CookiePolicy::new(false).set(Cookie::Session, &"abc".into(), Duration::from_secs(60)).unwrap();
        let text = header.to_str().unwrap();
        assert!(!text.contains("__Host-") && !text.contains("Secure") && text.contains("HttpOnly"), "{text}");
    }

    #[test]
    fn a_planted_second_cookie_makes_both_void() {
        let read = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("cookie", line.parse().unwrap());
            }
            let found = CookiePolicy::new(true).read(Cookie::Session, &headers);
            found.map(|value| value.expose_secret().to_owned())
        };
        assert_eq!(read(&["a=b; __Host-wooo=x; c=d"]).as_deref(), Some("x"));
        assert_eq!(read(&["a=b", "__Host-wooo=x"]).as_deref(), Some("x"));
        for none in [
            &["__Host-wooo=x; __Host-wooo=y"][..],
            &["__Host-wooo=x", "__Host-wooo=y"],
            &["wooo-local=x"],
            &["__Host-wooo="],
            &[],
        ] {
            assert_eq!(read(none), None, "{none:?}");
        }
    }
}
