//! Stub of Prometheus.
use super::cluster::Cluster;
use axum::body::Bytes;
use axum::http::{StatusCode, request::Parts};
use axum::response::{IntoResponse, Response};
pub(super) fn answer(_: &Cluster, _: &str, _: &Parts, _: &Bytes) -> Response {
    StatusCode::NOT_IMPLEMENTED.into_response()
}
