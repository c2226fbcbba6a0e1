//! Being written: forge_login.
