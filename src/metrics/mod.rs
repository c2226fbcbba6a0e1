//! The Prometheus HTTP API, as a client.
