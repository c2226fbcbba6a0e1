//! Which HTTP status each problem code has: one table for the whole API, and nothing else.

use axum::http::StatusCode;

/// `(code, status)`; `area.*` stands for every code of an area that has no row of its own above it. A test holds the
/// table against docs/codes.md, so that a new code cannot be forgotten here.
const STATUSES: &[(&str, StatusCode)] = &[
    ("addon.volume", StatusCode::UNPROCESSABLE_ENTITY),
    ("app.exists", StatusCode::CONFLICT),
    ("app.*", StatusCode::NOT_FOUND),
    ("auth.busy", StatusCode::SERVICE_UNAVAILABLE),
    ("auth.csrf", StatusCode::FORBIDDEN),
    ("auth.exchange_denied", StatusCode::FORBIDDEN),
    ("auth.flow", StatusCode::BAD_REQUEST),
    ("auth.forbidden", StatusCode::FORBIDDEN),
    ("auth.grant", StatusCode::BAD_REQUEST),
    ("auth.keys", StatusCode::INTERNAL_SERVER_ERROR),
    ("auth.locked", StatusCode::TOO_MANY_REQUESTS),
    ("auth.password", StatusCode::UNPROCESSABLE_ENTITY),
    ("auth.provider", StatusCode::BAD_GATEWAY),
    ("auth.settings", StatusCode::INTERNAL_SERVER_ERROR),
    ("auth.token_value", StatusCode::UNPROCESSABLE_ENTITY),
    ("auth.unknown_provider", StatusCode::NOT_FOUND),
    ("auth.*", StatusCode::UNAUTHORIZED),
    ("body.content_type", StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ("body.too_large", StatusCode::PAYLOAD_TOO_LARGE),
    ("body.*", StatusCode::BAD_REQUEST),
    ("change.conflict", StatusCode::PRECONDITION_FAILED),
    ("change.not_found", StatusCode::NOT_FOUND),
    ("change.*", StatusCode::CONFLICT),
    ("client.*", StatusCode::INTERNAL_SERVER_ERROR),
    ("cluster.*", StatusCode::BAD_GATEWAY),
    ("comment.*", StatusCode::UNPROCESSABLE_ENTITY),
    ("configure.*", StatusCode::UNPROCESSABLE_ENTITY),
    ("demo.*", StatusCode::INTERNAL_SERVER_ERROR),
    ("detect.*", StatusCode::UNPROCESSABLE_ENTITY),
    ("dns.unavailable", StatusCode::SERVICE_UNAVAILABLE),
    ("dns.*", StatusCode::UNPROCESSABLE_ENTITY),
    ("files.*", StatusCode::INTERNAL_SERVER_ERROR),
    ("fleet.ambiguous", StatusCode::UNPROCESSABLE_ENTITY),
    ("fleet.not_found", StatusCode::NOT_FOUND),
    ("fleet.unknown_environment", StatusCode::NOT_FOUND),
    // The fleet repository is broken, not the request: whoever asks can do nothing about it but wait for a repair.
    ("fleet.*", StatusCode::CONFLICT),
    ("forge.busy", StatusCode::SERVICE_UNAVAILABLE),
    ("forge.content_type", StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ("forge.dumb_http", StatusCode::FORBIDDEN),
    ("forge.forbidden", StatusCode::FORBIDDEN),
    ("forge.garbled", StatusCode::BAD_REQUEST),
    ("forge.git_failed", StatusCode::INTERNAL_SERVER_ERROR),
    ("forge.invalid", StatusCode::UNPROCESSABLE_ENTITY),
    ("forge.late", StatusCode::REQUEST_TIMEOUT),
    ("forge.no_git_program", StatusCode::INTERNAL_SERVER_ERROR),
    ("forge.not_found", StatusCode::NOT_FOUND),
    ("forge.rate_limited", StatusCode::SERVICE_UNAVAILABLE),
    ("forge.too_large", StatusCode::PAYLOAD_TOO_LARGE),
    ("forge.unauthenticated", StatusCode::UNAUTHORIZED),
    ("forge.unavailable", StatusCode::BAD_GATEWAY),
    ("forge.*", StatusCode::CONFLICT),
    ("git.auth", StatusCode::BAD_GATEWAY),
    ("git.rejected", StatusCode::BAD_GATEWAY),
    ("git.timeout", StatusCode::GATEWAY_TIMEOUT),
    ("git.unreachable", StatusCode::BAD_GATEWAY),
    ("git.redirect", StatusCode::UNPROCESSABLE_ENTITY),
    ("git.too_large", StatusCode::UNPROCESSABLE_ENTITY),
    ("git.exists", StatusCode::CONFLICT),
    ("git.host_not_allowed", StatusCode::UNPROCESSABLE_ENTITY),
    ("git.no_branch", StatusCode::UNPROCESSABLE_ENTITY),
    ("git.no_object", StatusCode::NOT_FOUND),
    ("git.not_fast_forward", StatusCode::CONFLICT),
    ("git.path", StatusCode::UNPROCESSABLE_ENTITY),
    ("git.port", StatusCode::UNPROCESSABLE_ENTITY),
    ("git.ref", StatusCode::UNPROCESSABLE_ENTITY),
    ("git.ref_blocked", StatusCode::CONFLICT),
    ("git.ref_locked", StatusCode::CONFLICT),
    ("git.ref_moved", StatusCode::CONFLICT),
    ("git.scheme", StatusCode::UNPROCESSABLE_ENTITY),
    ("git.ssh_access", StatusCode::UNPROCESSABLE_ENTITY),
    ("git.unknown_revision", StatusCode::UNPROCESSABLE_ENTITY),
    ("git.url_ambiguous", StatusCode::UNPROCESSABLE_ENTITY),
    ("git.url_chars", StatusCode::UNPROCESSABLE_ENTITY),
    ("git.userinfo", StatusCode::UNPROCESSABLE_ENTITY),
    ("git.*", StatusCode::INTERNAL_SERVER_ERROR),
    ("hold.active", StatusCode::CONFLICT),
    ("hold.*", StatusCode::UNPROCESSABLE_ENTITY),
    ("hook.*", StatusCode::FORBIDDEN),
    ("http.internal", StatusCode::INTERNAL_SERVER_ERROR),
    ("http.method", StatusCode::METHOD_NOT_ALLOWED),
    ("http.no_route", StatusCode::NOT_FOUND),
    ("http.server", StatusCode::INTERNAL_SERVER_ERROR),
    ("id.*", StatusCode::BAD_REQUEST),
    ("idempotency.key", StatusCode::BAD_REQUEST),
    ("idempotency.*", StatusCode::CONFLICT),
    ("init.*", StatusCode::CONFLICT),
    ("intent.*", StatusCode::UNPROCESSABLE_ENTITY),
    ("job.*", StatusCode::INTERNAL_SERVER_ERROR),
    ("monitor.*", StatusCode::BAD_GATEWAY),
    ("overlay.*", StatusCode::UNPROCESSABLE_ENTITY),
    ("page.*", StatusCode::UNPROCESSABLE_ENTITY),
    ("policy.*", StatusCode::FORBIDDEN),
    ("promote.*", StatusCode::CONFLICT),
    ("query.*", StatusCode::BAD_REQUEST),
    ("rate.*", StatusCode::TOO_MANY_REQUESTS),
    ("record.*", StatusCode::INTERNAL_SERVER_ERROR),
    ("render.*", StatusCode::UNPROCESSABLE_ENTITY),
    ("resize.*", StatusCode::UNPROCESSABLE_ENTITY),
    ("rollback.already", StatusCode::CONFLICT),
    ("rollback.*", StatusCode::UNPROCESSABLE_ENTITY),
    ("route.*", StatusCode::CONFLICT),
    ("routing.*", StatusCode::CONFLICT),
    ("rules.promtool", StatusCode::INTERNAL_SERVER_ERROR),
    ("rules.*", StatusCode::UNPROCESSABLE_ENTITY),
    ("sandbox.*", StatusCode::INTERNAL_SERVER_ERROR),
    ("scale.*", StatusCode::CONFLICT),
    ("secret.key", StatusCode::CONFLICT),
    ("secret.no_key", StatusCode::CONFLICT),
    ("secret.missing", StatusCode::CONFLICT),
    ("secret.stale", StatusCode::CONFLICT),
    ("secret.*", StatusCode::UNPROCESSABLE_ENTITY),
    ("service.busy", StatusCode::SERVICE_UNAVAILABLE),
    ("service.timeout", StatusCode::SERVICE_UNAVAILABLE),
    ("service.unready", StatusCode::SERVICE_UNAVAILABLE),
    ("service.*", StatusCode::INTERNAL_SERVER_ERROR),
    ("source.unreachable", StatusCode::UNPROCESSABLE_ENTITY),
    ("spec.missing", StatusCode::NOT_FOUND),
    ("spec.*", StatusCode::UNPROCESSABLE_ENTITY),
    ("store.busy", StatusCode::SERVICE_UNAVAILABLE),
    ("store.conflict", StatusCode::CONFLICT),
    ("store.cursor", StatusCode::UNPROCESSABLE_ENTITY),
    ("store.not_found", StatusCode::NOT_FOUND),
    ("store.stale", StatusCode::CONFLICT),
    ("store.unavailable", StatusCode::SERVICE_UNAVAILABLE),
    ("store.*", StatusCode::INTERNAL_SERVER_ERROR),
    ("template.unknown", StatusCode::NOT_FOUND),
    ("template.*", StatusCode::UNPROCESSABLE_ENTITY),
    ("tenant.*", StatusCode::NOT_FOUND),
    ("user.exists", StatusCode::CONFLICT),
    ("user.in_fleet", StatusCode::CONFLICT),
    ("user.last_admin", StatusCode::CONFLICT),
    ("user.value", StatusCode::UNPROCESSABLE_ENTITY),
    ("user.*", StatusCode::NOT_FOUND),
];

/// The status of a code, or nothing if the table does not know its area.
#[must_use]
pub fn of(code: &str) -> Option<StatusCode> {
    let exact = STATUSES.iter().find(|(row, _)| *row == code);
    let area = || {
        let (area, _) = code.split_once('.')?;
        STATUSES.iter().find(|(row, _)| row.strip_suffix(".*") == Some(area))
    };
    exact.or_else(area).map(|(_, status)| *status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_code_has_a_status() {
        let documented = include_str!("../../docs/codes.md");
        let codes: Vec<&str> = documented
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(code, _)| code))
            .collect();
        assert!(codes.len() > 100, "docs/codes.md lists the codes in rows");
        let without: Vec<&&str> = codes.iter().filter(|code| of(code).is_none()).collect();
        assert!(without.is_empty(), "src/web/status.rs has no row for {without:?}");
        let stale: Vec<&str> = STATUSES
            .iter()
            .map(|(row, _)| *row)
            .filter(|row| row.strip_suffix(".*").is_none_or(|area| area.contains('*')))
            .filter(|row| of(row).is_none())
            .collect();
        assert!(stale.is_empty(), "{stale:?}");
    }

    #[test]
    fn a_row_of_its_own_goes_before_that_of_the_area() {
        assert_eq!(of("app.exists"), Some(StatusCode::CONFLICT));
        assert_eq!(of("app.not_found"), Some(StatusCode::NOT_FOUND));
        assert_eq!(of("app.not_there"), Some(StatusCode::NOT_FOUND));
        assert_eq!(of("auth.token_invalid"), Some(StatusCode::UNAUTHORIZED));
        assert_eq!(of("spec.range"), Some(StatusCode::UNPROCESSABLE_ENTITY));
        assert_eq!(of("nothing.known"), None);
        assert_eq!(of("spec"), None);
    }

    #[test]
    fn no_row_is_there_twice() {
        for (at, (row, _)) in STATUSES.iter().enumerate() {
            assert!(!STATUSES[..at].iter().any(|(earlier, _)| earlier == row), "{row} is there twice");
        }
    }
}
