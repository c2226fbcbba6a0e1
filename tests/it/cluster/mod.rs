//! Following clusters over HTTP, against a server that also misbehaves.

#![expect(clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod objects;
mod reading;
mod server;
mod trouble;

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wooo::cluster::{ClusterSettings, Clusters, Observation, Report, Target, Timing};
use wooo::domain::ClusterName;
use wooo::domain::fleet::Delivery;

use self::server::Server;

/// Times that let a test see everything within a few seconds.
const FAST: Timing = Timing {
    watch: Duration::from_secs(1),
    grace: Duration::from_millis(500),
    request: Duration::from_secs(1),
    retry_least: Duration::from_millis(20),
    retry_most: Duration::from_millis(200),
    absent: Duration::from_millis(200),
    probe: Duration::from_millis(200),
    stale_after: Duration::from_secs(3),
    debounce: Duration::from_millis(20),
};

fn cluster() -> ClusterName {
    "here".parse().expect("a name")
}

fn target(delivery: Delivery) -> Target {
    let app = "shop".parse().expect("a name");
    Target::new(app, "production".parse().expect("a name"), "app-shop", delivery)
}

fn follow(server: &Server) -> Clusters {
    let settings = ClusterSettings::at(server.url(), Some(server::TOKEN.to_owned().into()));
    Clusters::start([(cluster(), settings)], FAST, &CancellationToken::new())
}

/// What is known once it fulfils a condition.
async fn until(clusters: &Clusters, delivery: Delivery, what: impl Fn(&Observation) -> bool) -> Observation {
    let target = target(delivery);
    let mut last = None;
    for _ in 0..400 {
        let observation = clusters.report(&cluster(), &target);
        if what(&observation) {
            return observation;
        }
        last = Some(observation);
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let status = clusters.status(&cluster());
    panic!("it does not come to that within ten seconds; last: {last:#?}, {status:#?}");
}

/// The report once it fulfils a condition.
async fn seen(clusters: &Clusters, delivery: Delivery, what: impl Fn(&Report) -> bool) -> Report {
    let observation = until(clusters, delivery, |one| one.report().is_some_and(&what)).await;
    observation.report().expect("it was one").clone()
}
