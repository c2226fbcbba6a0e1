//! How one forge is called: what is tried again and for how long, how far apart writes are, and what is kept of the
//! forge's budget for what must not wait.
//!
//! Does not make requests: whoever does hands them over as closures, and says what the answers told about the budget.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::Error;

tokio::task_local! {
    static IS_URGENT: bool;
}

/// Runs `work` so that its calls may use what is kept of a forge's budget: for merges and for what undoes harm.
pub async fn urgently<F: Future>(work: F) -> F::Output {
    IS_URGENT.scope(true, work).await
}

fn is_urgent() -> bool {
    IS_URGENT.try_with(|urgent| *urgent).unwrap_or(false)
}

/// What happens if a call is made twice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Effect {
    /// It only looks.
    Read,
    /// It writes, and twice is the same as once: a title, a status, a merge of one head.
    Same,
    /// It writes, and twice is two. Where no answer comes, whoever asked has to look before it is tried again.
    Twice,
}

/// How patient and how modest a client of one forge is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// At least between the ends of two writes. GitHub asks for a second and for one write at a time; a forge that asks
    /// for nothing gets zero, and its writes run side by side.
    pub(super) gap: Duration,
    /// The first pause before another attempt; each further one is twice as long.
    pub(super) first: Duration,
    /// All pauses of one call together.
    pub(super) total: Duration,
    /// How much of the budget is kept for urgent calls, in percent.
    pub(super) kept: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { gap: Duration::ZERO, first: Duration::from_millis(500), total: Duration::from_secs(20), kept: 10 }
    }
}

/// What an answer says about the budget.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Budget {
    /// Calls in one period.
    pub(super) limit: u64,
    /// Calls that are left of it.
    pub(super) remaining: u64,
    /// When the next period begins.
    pub(super) reset: Timestamp,
}

/// The calls to one forge with one credential, whichever repository they are about: the forge counts them together.
#[derive(Debug)]
pub(super) struct Calls {
    pace: Pace,
    /// When the last write ended. Held while one runs.
    write: tokio::sync::Mutex<Option<Instant>>,
    seen: Mutex<Seen>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    budget: Option<Budget>,
    /// The forge does not want to hear anything before.
    until: Option<Timestamp>,
}

impl Calls {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, write: tokio::sync::Mutex::default(), seen: Mutex::default() }
    }

    /// Notes what an answer said about the budget.
    pub(super) fn note(&self, budget: Budget) {
        self.seen().budget = Some(budget);
    }

    /// Makes a call, and makes it again after a pause if it failed in a way that may pass and `effect` allows it.
    ///
    /// # Errors
    /// Those of the call; [`Error::RateLimited`] without a call while the forge wants to be left alone or what remains of
    /// the budget is kept.
    pub(super) async fn make<T, F: Future<Output = Result<T, Error>>>(
        &self,
        effect: Effect,
        call: impl Fn() -> F,
    ) -> Result<T, Error> {
        let attempt = || async {
            self.admit(Timestamp::now())?;
            let answer = if effect == Effect::Read { call().await } else { self.in_turn(&call).await };
            if let Err(Error::RateLimited { until }) = &answer {
                let mut seen = self.seen();
                seen.until = seen.until.max(Some(*until));
            }
            answer
        };
        let pauses = ExponentialBuilder::default()
            .with_min_delay(self.pace.first)
            .with_max_delay(self.pace.total)
            .with_total_delay(Some(self.pace.total))
            .with_max_times(6)
            .with_jitter();
        attempt
            .retry(pauses)
            .when(|error| match error {
                Error::RateLimited { .. } => true,
                error => error.is_temporary() && effect != Effect::Twice,
            })
            .adjust(|error, pause| match error {
                Error::RateLimited { until } => {
                    let wait = Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or(Duration::ZERO);
                    // A job that waits for an hour would hold its worker: it is told until when, and comes back.
                    let wait = wait + pause?.min(self.pace.first);
                    (wait <= self.pace.total).then_some(wait)
                }
                _ => pause,
            })
            .await
    }

    /// One write after the other, where the forge wants that.
    async fn in_turn<T, F: Future<Output = Result<T, Error>>>(&self, call: impl Fn() -> F) -> Result<T, Error> {
        if self.pace.gap.is_zero() {
            return call().await;
        }
        let mut last = self.write.lock().await;
        if let Some(last) = *last {
            tokio::time::sleep_until(last + self.pace.gap).await;
        }
        let answer = call().await;
        *last = Some(Instant::now());
        answer
    }

    fn admit(&self, now: Timestamp) -> Result<(), Error> {
        let seen = *self.seen();
        if let Some(until) = seen.until.filter(|until| *until > now) {
            return Err(Error::RateLimited { until });
        }
        let Some(budget) = seen.budget.filter(|budget| budget.reset > now) else { return Ok(()) };
        let kept = if is_urgent() { 0 } else { budget.limit * self.pace.kept / 100 };
        if budget.remaining > kept { Ok(()) } else { Err(Error::RateLimited { until: budget.reset }) }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The moment that many seconds from now, at most a day: what a forge asks for beyond that is a mistake.
pub(super) fn in_seconds(seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds.min(86_400)).unwrap_or(86_400);
    Timestamp::now().saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn quick() -> Calls {
        Calls::new(Pace { first: Duration::from_millis(1), total: Duration::from_millis(50), ..Pace::default() })
    }

    async fn failing(calls: &Calls, effect: Effect, times: u32, error: Error) -> (u32, Result<u32, Error>) {
        let made = AtomicU32::new(0);
        let call = || async {
            let number = made.fetch_add(1, Ordering::Relaxed);
            if number < times { Err(error.clone()) } else { Ok(number) }
        };
        let answer = calls.make(effect, call).await;
        (made.load(Ordering::Relaxed), answer)
    }

    #[tokio::test]
    async fn what_may_pass_is_tried_again_unless_that_would_do_it_twice() {
        let down = || Error::unavailable("it is down");
        assert_eq!(failing(&quick(), Effect::Read, 2, down()).await, (3, Ok(2)));
        assert_eq!(failing(&quick(), Effect::Same, 2, down()).await, (3, Ok(2)));
        assert_eq!(failing(&quick(), Effect::Twice, 2, down()).await, (1, Err(down())));
        assert_eq!(failing(&quick(), Effect::Read, 2, Error::Conflict).await, (1, Err(Error::Conflict)));
        assert_eq!(failing(&quick(), Effect::Read, 100, down()).await.1, Err(down()));
    }

    #[tokio::test]
    async fn a_short_limit_is_waited_for_and_a_long_one_told() {
        let soon = Error::RateLimited { until: Timestamp::now() + SignedDuration::from_millis(10) };
        assert_eq!(failing(&quick(), Effect::Twice, 1, soon).await, (2, Ok(1)));
        let late = Error::RateLimited { until: in_seconds(60) };
        let calls = quick();
        assert_eq!(failing(&calls, Effect::Read, 1, late.clone()).await, (1, Err(late.clone())));
        // Nothing is sent until then.
        assert_eq!(failing(&calls, Effect::Read, 0, Error::Conflict).await, (0, Err(late)));
    }

    #[tokio::test]
    async fn some_of_the_budget_is_kept_for_what_is_urgent() {
        let calls = quick();
        let reset = in_seconds(600);
        let call = || async { Ok(()) };
        calls.note(Budget { limit: 5000, remaining: 501, reset });
        assert_eq!(calls.make(Effect::Read, call).await, Ok(()));
        calls.note(Budget { limit: 5000, remaining: 500, reset });
        assert_eq!(calls.make(Effect::Read, call).await, Err(Error::RateLimited { until: reset }));
        assert_eq!(urgently(calls.make(Effect::Same, call)).await, Ok(()));
        calls.note(Budget { limit: 5000, remaining: 0, reset });
        assert_eq!(urgently(calls.make(Effect::Same, call)).await, Err(Error::RateLimited { until: reset }));
        calls.note(Budget { limit: 5000, remaining: 0, reset: Timestamp::now() });
        assert_eq!(calls.make(Effect::Read, call).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn writes_keep_their_distance() {
        let calls = Calls::new(Pace { gap: Duration::from_secs(1), ..Pace::default() });
        let began = Instant::now();
        let write = || calls.make(Effect::Twice, || async { Ok(()) });
        let (one, two, three) = tokio::join!(write(), write(), write());
        assert_eq!((one, two, three), (Ok(()), Ok(()), Ok(())));
        assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    }
}
