//! Being written: oidc.
