//! Which routes answer for an app's health and metrics.
//!
//! Owns the names that people give such routes and their order.

use crate::detect::place::Place;

/// A route in a source file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Route {
    /// The path, starting with a slash.
    pub(crate) path: String,
    /// Where it is defined.
    pub(crate) place: Place,
}

/// Last parts of a health route's path, best first.
const HEALTH: [&str; 15] = [
    "health",
    "healthz",
    "health-check",
    "healthcheck",
    "_health",
    "livez",
    "liveness",
    "live",
    "alive",
    "readyz",
    "readiness",
    "ready",
    "ping",
    "up",
    "status",
];

/// A route for `path`, if it is one that this file ranks.
pub(crate) fn route(prefix: &str, path: &str, place: Place) -> Option<Route> {
    let joined = format!("{}/{}", prefix.trim_end_matches('/'), path.trim_start_matches('/'));
    let path = if joined.starts_with('/') { joined } else { format!("/{joined}") };
    let plain = path.len() <= 100 && path.chars().all(|c| c.is_ascii_alphanumeric() || "/._~-".contains(c));
    (plain && !path.contains("//") && (rank(&path).is_some() || is_metrics(&path))).then_some(Route { path, place })
}

/// How well `path` suits a probe, less is better: the name first, then how short the path is.
fn rank(path: &str) -> Option<(usize, usize)> {
    let path = path.trim_matches('/');
    let last = path.rsplit('/').next()?;
    // Spring's convention, which others copy: /actuator/health, /actuator/health/liveness.
    let name = HEALTH.iter().position(|name| last.eq_ignore_ascii_case(name))?;
    Some((name, path.split('/').count()))
}

fn is_metrics(path: &str) -> bool {
    path.trim_matches('/').rsplit('/').next() == Some("metrics")
}

/// The best route for probes.
pub(crate) fn health(routes: &[Route]) -> Option<&Route> {
    routes
        .iter()
        .filter_map(|route| Some((rank(&route.path)?, route)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, route)| route)
}

/// The route for metrics: the shortest.
pub(crate) fn metrics(routes: &[Route]) -> Option<&Route> {
    routes.iter().filter(|route| is_metrics(&route.path)).min_by_key(|route| route.path.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_route_is_chosen() {
        let place = || Place::new("app.py", 1);
        let routes: Vec<Route> =
            ["/ping", "/api/healthz", "/api/v1/health", "/api/health", "/metrics", "/actuator/health"]
                .into_iter()
                .filter_map(|path| route("", path, place()))
                .collect();
        assert_eq!(health(&routes).unwrap().path, "/api/health");
        assert_eq!(metrics(&routes).unwrap().path, "/metrics");
        assert_eq!(route("/api/", "health/", place()).unwrap().path, "/api/health/");
        assert_eq!(route("", "healthz", place()).unwrap().path, "/healthz");
        for path in ["/orders", "/health/<id>", "/{x}/health", "/health?x", "/a//health", "/hé/health"] {
            assert_eq!(route("", path, place()), None, "{path}");
        }
    }
}
