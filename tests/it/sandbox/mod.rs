//! The sandbox, reached through the clients that reach real clusters.

#![expect(clippy::panic, reason = "a test fails by panicking, in its helpers too")]
#![expect(clippy::unwrap_used, reason = "clippy knows a test by its attribute, and the helpers here have none")]

mod api;
mod delivery;
mod prometheus;

use std::future::Future;
use std::time::Duration;

use kube::{Client, Config};
use wooo::sandbox::{Sandbox, SandboxOptions};

/// A client of the cluster at `url`.
fn client(url: &str) -> Client {
    Client::try_from(Config::new(url.parse().unwrap())).unwrap()
}

/// A sandbox of one cluster that syncs nothing, and its client.
async fn empty() -> (Sandbox, Client) {
    let sandbox = Sandbox::start(SandboxOptions::default()).await.unwrap();
    let client = client(&sandbox.url());
    (sandbox, client)
}

/// Asks again until there is an answer.
#[track_caller]
fn eventually<T, F: Future<Output = Option<T>>>(ask: impl Fn() -> F) -> impl Future<Output = T> {
    let place = std::panic::Location::caller();
    async move {
        for _ in 0..1000 {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nothing came of {place}");
    }
}
