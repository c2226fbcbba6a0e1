//! An embedded cluster for `wooo demo` and tests: an API server, a controller that syncs a fleet as Flux does, pods
//! that become ready or fail on request, and a Prometheus HTTP API with the series that follow.
//!
//! It is spoken to over its real HTTP APIs, through the same clients as a real cluster. It runs nothing.
