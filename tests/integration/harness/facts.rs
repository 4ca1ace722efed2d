//! Waiting for facts: a test goes on as soon as something is so, and fails when it is not in time.

use std::future::Future;
use std::time::Duration;

/// The longest that a test waits for one fact.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// How often a fact that nobody tells is looked for.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// Asks until there is an answer.
#[track_caller]
pub(crate) fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F) -> impl Future<Output = T>
where
    F: Future<Output = Option<T>>,
{
    let place = std::panic::Location::caller();
    async move {
        let look = async {
            loop {
                if let Some(answer) = ask().await {
                    return answer;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        match tokio::time::timeout(PATIENCE, look).await {
            Ok(answer) => answer,
            Err(tokio::time::error::Elapsed { .. }) => {
                panic!("{place}: it did not come to that in time: {what}")
            }
        }
    }
}

/// Waits for something that is told.
#[track_caller]
pub(crate) fn in_time<T>(what: &str, fact: impl Future<Output = T>) -> impl Future<Output = T> {
    let place = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, fact).await {
            Ok(fact) => fact,
            Err(tokio::time::error::Elapsed { .. }) => {
                panic!("{place}: it did not come to that in time: {what}")
            }
        }
    }
}
