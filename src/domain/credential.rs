//! Texts that give themselves away as credentials: they are refused where anyone can read, and never repeated.
//!
//! Only forms that are unmistakable: a guess by how random a text looks would refuse digests and identifiers.

use std::sync::LazyLock;

use regex::Regex;

/// The forms, each with the name that a message calls it by.
static FORMS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let forms = [
        (r"-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----", "a private key"),
        // A token has a header that is JSON, so it begins with the Base64 of `{"`.
        (r"(?:^|[^A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}", "a signed token"),
        (r"(?:^|[^A-Za-z0-9])A(?:KIA|SIA)[A-Z0-9]{16}(?:$|[^A-Za-z0-9])", "an AWS access key"),
        (
            r"(?:^|[^A-Za-z0-9])(?:gh[opsur]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{14,})",
            "a forge's access token",
        ),
        (
            r"(?:^|[^A-Za-z0-9])(?:xox[abeoprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/[A-Za-z0-9]+/[A-Za-z0-9]+/[A-Za-z0-9]{8,})",
            "a Slack token",
        ),
        (r"(?:^|[^A-Za-z0-9])AIza[A-Za-z0-9_-]{35}", "a Google API key"),
        (r"AGE-SECRET-KEY-1[A-Z0-9]{20,}", "a private key"),
        // `$(NAME)` and `${NAME}` stand for a value that is elsewhere.
        (r#"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/?#@:"']*:[^\s/?#@"'$][^\s/?#@"']*@"#, "an address with a password"),
    ];
    // Each is a constant that a test compiles; one that did not would only fail to be recognised.
    forms.into_iter().filter_map(|(pattern, name)| Some((Regex::new(pattern).ok()?, name))).collect()
});

/// What each form has in it, as plain words: nearly every text has none of them, which is found at the speed of a search.
static HINT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        "-----BEGIN |eyJ|AKIA|ASIA|gh[opsur]_|github_pat_|glpat-|xox[abeoprs]-|hooks\\.slack|AIza|AGE-SECRET-KEY|://",
    )
    .ok()
});

/// What `text` is or contains, if it gives itself away.
#[must_use]
pub fn kind_of(text: &str) -> Option<&'static str> {
    let may_be = HINT.as_ref().is_none_or(|hint| hint.is_match(text));
    may_be.then(|| FORMS.iter().find(|(form, _)| form.is_match(text)).map(|(_, name)| *name)).flatten()
}

/// Whether a line of a file had better not be shown: it has a credential in it, or is part of one that has several lines.
#[must_use]
pub fn is_in(line: &str) -> bool {
    let trimmed = line.trim();
    let is_encoded = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/' | b'=');
    kind_of(line).is_some() || trimmed.starts_with("-----") || (trimmed.len() >= 40 && trimmed.bytes().all(is_encoded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_a_pattern() {
        assert_eq!(FORMS.len(), 8);
    }

    #[test]
    fn credentials_give_themselves_away() {
        for (text, kind) in [
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n", "a private key"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "a private key"),
            ("Bearer eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "a signed token"),
            ("AKIAABCDEFGHIJKLMNOP", "an AWS access key"),
            ("key=ASIAABCDEFGHIJKLMNOP;", "an AWS access key"),
            ("ghp_0123456789abcdefghij", "a forge's access token"),
            ("glpat-0123456789abcdefghij", "a forge's access token"),
            ("xoxb-1234567890-abc", "a Slack token"),
            ("postgres://shop:hunter2@db:5432/shop", "an address with a password"),
            ("redis://:hunter2@cache:6379/0", "an address with a password"),
            ("amqps://u:p%40ss@mq", "an address with a password"),
        ] {
            assert_eq!(kind_of(text), Some(kind), "{text}");
        }
    }

    #[test]
    fn what_only_looks_busy_is_left_alone() {
        for text in [
            "https://example.com/a:b@c",
            "postgres://shop@db:5432/shop",
            "postgresql://app:$(POSTGRESQL_PASSWORD)@shop-postgresql:5432/app",
            "redis://:${REDIS_PASSWORD}@cache",
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "0c9a7f6e-6f0e-4b7e-9a7f-6e6f0e4b7e9a",
            "user@example.com:8080",
            "eyJub3QgYSB0b2tlbg",
            "https://[::1]:8080/@x",
        ] {
            assert_eq!(kind_of(text), None, "{text}");
        }
    }

    #[test]
    fn lines_of_a_credential_are_not_shown() {
        assert!(is_in("  MIIEowIBAAKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt"));
        assert!(is_in("  -----END PRIVATE KEY-----"));
        assert!(!is_in("  plan: standard"));
    }
}
