//! Where a GitHub is: its API's address, and the parts of one.
//!
//! Makes no requests.

use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::domain::host::is_this_machine;
use crate::forge::Error;

/// The address of the API behind what people write: the web address (`https://github.com`, `https://ghe.example`), or the
/// API's own. https, or http on this machine, and without a user, a password, a query or a fragment.
///
/// # Errors
/// [`Error::Invalid`] for any other.
pub(super) fn api(text: &str) -> Result<Url, Error> {
    let invalid = || Error::invalid(format!("`{}` is no https address of a GitHub", text.escape_debug()));
    let mut url = Url::parse(text).map_err(|_| invalid())?;
    let is_near = is_this_machine(&url).ok_or_else(invalid)?;
    let is_private = url.scheme() == "https" || (url.scheme() == "http" && is_near);
    let is_plain = url.username().is_empty() && url.password().is_none();
    if !is_private || !is_plain || url.query().is_some() || url.fragment().is_some() {
        return Err(invalid());
    }
    if url.path() != "/" {
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        return Ok(url);
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    if host == "github.com" || host.ends_with(".ghe.com") && !host.starts_with("api.") {
        url.set_host(Some(&format!("api.{host}"))).map_err(|_| invalid())?;
    } else if host != "api.github.com" && !host.ends_with(".ghe.com") {
        url.set_path("/api/v3");
    }
    Ok(url)
}

/// A text as one part of a path or of a query, whatever it holds.
pub(super) fn segment(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// Where an answer leads, as a path below `base`; `None` if that is another place, to which no token goes.
pub(super) fn beneath(base: &Url, location: &str) -> Option<String> {
    let target = base.join(location).ok()?;
    if target.origin() != base.origin() || !target.username().is_empty() || target.password().is_some() {
        return None;
    }
    let root = base.path().trim_end_matches('/');
    let rest = target.path().strip_prefix(root).filter(|rest| rest.starts_with('/'))?;
    Some(target.query().map_or_else(|| rest.to_owned(), |query| format!("{rest}?{query}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_found_from_what_people_write() {
        for (written, found) in [
            ("https://github.com", "https://api.github.com/"),
            ("https://api.github.com/", "https://api.github.com/"),
            ("https://acme.ghe.com", "https://api.acme.ghe.com/"),
            ("https://api.acme.ghe.com", "https://api.acme.ghe.com/"),
            ("https://ghe.example:8443", "https://ghe.example:8443/api/v3"),
            ("https://ghe.example/api/v3/", "https://ghe.example/api/v3"),
            ("http://127.0.0.1:9", "http://127.0.0.1:9/api/v3"),
        ] {
            assert_eq!(api(written).unwrap().as_str(), found, "{written}");
        }
        for bad in ["http://github.com", "https://a:b@github.com", "https://github.com/?x", "https://x/#y", "x", ""] {
            assert!(matches!(api(bad), Err(Error::Invalid { .. })), "{bad}");
        }
    }

    #[test]
    fn no_answer_leads_to_another_host() {
        let base = api("https://ghe.example").unwrap();
        let beneath = |location| beneath(&base, location);
        assert_eq!(beneath("https://ghe.example/api/v3/repositories/7?a=b").as_deref(), Some("/repositories/7?a=b"));
        assert_eq!(beneath("/api/v3/repositories/7").as_deref(), Some("/repositories/7"));
        for elsewhere in [
            "https://evil.example/api/v3/repositories/7",
            "http://ghe.example/api/v3/repositories/7",
            "https://ghe.example:444/api/v3/x",
            "//evil.example/api/v3/x",
            "https://x:y@ghe.example/api/v3/x",
            "https://ghe.example/login",
            "https://ghe.example/api/v3x",
        ] {
            assert_eq!(beneath(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn a_text_stays_one_part_of_a_path() {
        assert_eq!(segment("wooo/a b?#%+ü"), "wooo%2Fa%20b%3F%23%25%2B%C3%BC");
    }
}
