//! Writing deliveries down, many in one transaction.
//!
//! Each is answered only when its own transaction has been committed. While one is being committed the next deliveries
//! gather, so that a database which commits slowly commits more of them at once, and nobody waits on a timer.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use tokio::sync::{mpsc, oneshot};

use crate::domain::Problem;
use crate::operations::lifecycle::hear_soon;
use crate::store::{self, NewDelivery, Store};

/// The most deliveries of one transaction.
const BATCH: usize = 100;
/// The most deliveries that wait to be written. At a thousand a second that is two seconds' worth.
const WAITING: usize = 2048;

/// A delivery that is to be written down.
pub(super) struct Arrival {
    pub(super) delivery: NewDelivery,
    pub(super) what: What,
}

/// What follows from a delivery.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum What {
    /// A job reads it.
    Heard,
    /// Nothing, perhaps because something is wrong with it.
    Ended(Option<String>),
}

/// Whoever waits for a delivery to be written. `true` if it did not come before.
type Waiting = (Arrival, oneshot::Sender<Result<bool, Problem>>);

/// What writes, in a task of its own that ends with the last handle.
#[derive(Debug)]
pub(in crate::web) struct Writer {
    store: Store,
    queue: OnceLock<mpsc::Sender<Waiting>>,
}

impl Writer {
    pub(in crate::web) fn new(store: Store) -> Self {
        Self { store, queue: OnceLock::new() }
    }

    /// Writes a delivery down, and says whether it is new.
    ///
    /// # Errors
    /// `service.busy` if too many wait; what the database says.
    pub(super) async fn write(&self, arrival: Arrival) -> Result<bool, Problem> {
        // It begins with the first delivery: not every service has hooks, and not every state is made in a runtime.
        let queue = self.queue.get_or_init(|| {
            let (sender, receiver) = mpsc::channel(WAITING);
            tokio::spawn(run(self.store.clone(), receiver));
            sender
        });
        let (answer, written) = oneshot::channel();
        let busy = || Problem::new("service.busy", "too many deliveries are coming in");
        queue.try_send((arrival, answer)).map_err(|_| busy())?;
        written.await.unwrap_or_else(|_| Err(Problem::new("service.busy", "the service is ending")))
    }
}

async fn run(store: Store, mut queue: mpsc::Receiver<Waiting>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut waiting, BATCH).await > 0 {
        // All who write these rows take them in one order, or two processes would wait for each other in a circle.
        waiting.sort_by(|(one, _): &Waiting, (other, _): &Waiting| {
            let key = |arrival: &Arrival| (arrival.delivery.source.clone(), arrival.delivery.delivery.clone());
            key(one).cmp(&key(other))
        });
        let (arrivals, answers): (Vec<Arrival>, Vec<_>) = waiting.drain(..).unzip();
        let mut written = write(&store, &arrivals).await;
        if matches!(written, Err(store::Error::Busy(_))) {
            written = write(&store, &arrivals).await;
        }
        match written {
            Ok(news) => {
                for (answer, is_new) in answers.into_iter().zip(news) {
                    // Who has gone away finds it when it sends it again.
                    let _gone = answer.send(Ok(is_new));
                }
            }
            Err(error) => {
                tracing::warn!(%error, deliveries = arrivals.len(), "deliveries could not be written down");
                let problem = error.problem();
                for answer in answers {
                    let _gone = answer.send(Err(problem.clone()));
                }
            }
        }
    }
}

/// Writes the deliveries and queues the jobs that read them, in one transaction. Says of each whether it is new.
async fn write(store: &Store, arrivals: &[Arrival]) -> Result<Vec<bool>, store::Error> {
    let mut tx = store.begin().await?;
    let deliveries: Vec<NewDelivery> = arrivals.iter().map(|arrival| arrival.delivery.clone()).collect();
    let ids = tx.insert_deliveries(&deliveries).await?;
    let mut sources = BTreeSet::new();
    for (arrival, id) in arrivals.iter().zip(&ids) {
        let Some(id) = id else { continue };
        match &arrival.what {
            What::Heard => {
                sources.insert(arrival.delivery.source.as_str());
            }
            What::Ended(error) => tx.finish_delivery(id, error.as_deref()).await?,
        }
    }
    for source in sources {
        hear_soon(&mut tx, source).await?;
    }
    tx.commit().await?;
    Ok(ids.iter().map(Option::is_some).collect())
}
