//! Requests that another site's page makes a browser send. Two independent checks guard what a cookie authenticates: what
//! the browser says of where the request comes from, and a code that only the portal's own pages can read.

use axum::http::{HeaderMap, Method, header};

use super::AuthError;
use super::keys::Keys;

/// The header with the code.
pub const HEADER: &str = "x-wooo-csrf";

/// Whether a method changes nothing.
#[must_use]
pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The code of a session. It is no secret from the person, only from other sites, and says nothing about the session.
#[must_use]
pub fn code(keys: &Keys, session: &str) -> Option<String> {
    keys.code(session)
}

/// Checks a request that a cookie authenticates: its origin, and the code of the session.
///
/// # Errors
/// [`AuthError::CrossSite`]
pub fn check(keys: &Keys, session: &str, method: &Method, headers: &HeaderMap) -> Result<(), AuthError> {
    if is_safe(method) {
        return Ok(());
    }
    let shown = headers.get(HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let from_here = origin(headers) == Origin::Here;
    if from_here && keys.is_code(session, shown) { Ok(()) } else { Err(AuthError::CrossSite) }
}

/// Checks a request that nothing authenticates yet, such as a sign-in: another site must not sign a person in as somebody
/// else. A program that is no browser says nothing of its origin, and may.
///
/// # Errors
/// [`AuthError::CrossSite`]
pub fn check_anonymous(method: &Method, headers: &HeaderMap) -> Result<(), AuthError> {
    if is_safe(method) || origin(headers) != Origin::Elsewhere { Ok(()) } else { Err(AuthError::CrossSite) }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Origin {
    Here,
    Elsewhere,
    Unknown,
}

/// Where a browser says that a request comes from. `Sec-Fetch-Site` is set by the browser and by nobody else; older ones
/// have only `Origin`, which has to be the host that the request was sent to.
fn origin(headers: &HeaderMap) -> Origin {
    let text = |name: header::HeaderName| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
            _ => Err(()),
        }
    };
    let site = text(header::HeaderName::from_static("sec-fetch-site"));
    match (site, text(header::ORIGIN), text(header::HOST)) {
        (Ok(Some("same-origin" | "none")), Ok(_), _) => Origin::Here,
        (Ok(Some(_)), ..) => Origin::Elsewhere,
        (Ok(None), Ok(Some(origin)), Ok(Some(host))) => {
            let same = origin.split_once("://").is_some_and(|(_, of)| of.eq_ignore_ascii_case(host));
            if same { Origin::Here } else { Origin::Elsewhere }
        }
        (Ok(None), Ok(None), Ok(_)) => Origin::Unknown,
        _ => Origin::Elsewhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "wooo.example:8443".parse().unwrap());
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_cookie_needs_both_the_origin_and_the_code() {
        let keys = Keys::parse(&Keys::generate().unwrap()).unwrap();
        let code = code(&keys, "session-1").unwrap();
        let other = super::code(&keys, "session-2").unwrap();
        let here = ("sec-fetch-site", "same-origin");
        for (what, pairs, passes) in [
            ("both", vec![here, ("x-wooo-csrf", code.as_str())], true),
            ("typed into the address bar", vec![("sec-fetch-site", "none"), ("x-wooo-csrf", &code)], true),
            ("an older browser", vec![("origin", "https://wooo.example:8443"), ("x-wooo-csrf", &code)], true),
            ("no code", vec![here], false),
            ("an empty code", vec![here, ("x-wooo-csrf", "")], false),
            ("another session's code", vec![here, ("x-wooo-csrf", &other)], false),
            ("cross-site", vec![("sec-fetch-site", "cross-site"), ("x-wooo-csrf", &code)], false),
            ("a sister host", vec![("sec-fetch-site", "same-site"), ("x-wooo-csrf", &code)], false),
            ("said twice", vec![here, ("sec-fetch-site", "cross-site"), ("x-wooo-csrf", &code)], false),
            ("no origin at all", vec![("x-wooo-csrf", &code)], false),
            ("another origin", vec![("origin", "https://evil.example"), ("x-wooo-csrf", &code)], false),
            ("another port", vec![("origin", "https://wooo.example"), ("x-wooo-csrf", &code)], false),
            ("a sandboxed frame", vec![("origin", "null"), ("x-wooo-csrf", &code)], false),
            (
                "a longer host",
                vec![("origin", "https://wooo.example:8443.evil.example"), ("x-wooo-csrf", &code)],
                false,
            ),
        ] {
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let checked = check(&keys, "session-1", &method, &headers(&pairs));
                assert_eq!(checked.is_ok(), passes, "{method}: {what}");
            }
            assert!(check(&keys, "session-1", &Method::GET, &headers(&pairs)).is_ok(), "{what}");
        }
    }

    #[test]
    fn another_site_cannot_sign_a_person_in() {
        let anonymous = |pairs: &[(&'static str, &str)]| check_anonymous(&Method::POST, &headers(pairs)).is_ok();
        assert!(anonymous(&[]), "a program");
        assert!(anonymous(&[("sec-fetch-site", "same-origin")]));
        assert!(!anonymous(&[("sec-fetch-site", "cross-site")]));
        assert!(!anonymous(&[("origin", "https://evil.example")]));
    }
}
