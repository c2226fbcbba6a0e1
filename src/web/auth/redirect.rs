//! Where a browser may be sent after a sign-in: to a page of the portal and nowhere else.

use url::Url;

/// The longest path that is kept over a sign-in.
const MAX: usize = 1024;

/// The page that `next=` names, or the start page if it names anything but a path on this host.
#[must_use]
pub fn local(next: Option<&str>) -> String {
    next.and_then(path).unwrap_or_else(|| "/".to_owned())
}

fn path(text: &str) -> Option<String> {
    // Browsers read `\` as `/` and skip tabs and line breaks, so that `/\evil` and `/<tab>/evil` are other hosts.
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    if text.len() > MAX || !text.starts_with('/') || text.starts_with("//") || !text.bytes().all(plain) {
        return None;
    }
    let base = Url::parse("https://portal.invalid").ok()?;
    let url = base.join(text).ok()?;
    if url.origin() != base.origin() {
        return None;
    }
    // Rebuilt from what was parsed, so that nothing is sent on that was not looked at.
    let mut path = url.path().to_owned();
    if let Some(query) = url.query() {
        path.push('?');
        path.push_str(query);
    }
    if let Some(fragment) = url.fragment() {
        path.push('#');
        path.push_str(fragment);
    }
    (!path.starts_with("//")).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_the_portal() {
        for (next, expected) in [
            ("/apps", "/apps"),
            ("/apps?env=staging&q=a%20b#top", "/apps?env=staging&q=a%20b#top"),
            ("/a/../b", "/b"),
            ("/apps?next=//evil.example", "/apps?next=//evil.example"),
            ("/@evil.example", "/@evil.example"),
        ] {
            assert_eq!(local(Some(next)), expected);
        }
        let long = format!("/{}", "a".repeat(2000));
        for evil in [
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/%0d%0a\r\nSet-Cookie: a=b",
            "https://evil.example",
            "https:/evil.example",
            "javascript:alert(1)",
            "evil.example",
            "",
            " /apps",
            "/./\\/evil.example",
            "/..//evil.example",
            "/.//evil.example",
            "/應用",
            long.as_str(),
        ] {
            assert_eq!(local(Some(evil)), "/", "{evil:?}");
        }
        assert_eq!(local(None), "/");
    }
}
