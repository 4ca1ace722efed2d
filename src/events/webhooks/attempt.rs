//! One attempt: sign, send, and say how it went.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use strowger_domain::ids::{AccountId, EventId};
use strowger_domain::webhook::Answer;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::events::http_client::{HttpClient, HttpError, Request};
use crate::events::signature;
use crate::net::clock;
use crate::store::deliveries::Attempt;
use crate::store::events::Event;
use crate::store::webhooks::Webhook;

/// Requests to one host at a time, of all webhooks of an account together: who is slow there holds
/// up nobody else.
const AT_ONE_HOST: usize = 16;
/// Requests of one account at a time, to all hosts together.
const OF_ONE_ACCOUNT: usize = 64;
/// Requests at a time, to all hosts together.
const AT_ONCE: usize = 512;
/// An endpoint answers within this time.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// So much of an answer is kept, in bytes.
const KEPT_OF_ANSWER: usize = 1024;

/// An account, at one host or at all together.
type Whose = (AccountId, Option<String>);

/// Sends to endpoints; clones share what bounds them.
#[derive(Clone)]
pub struct Sender {
    http: HttpClient,
    turns: Arc<Mutex<HashMap<Whose, Arc<Semaphore>>>>,
    all: Arc<Semaphore>,
}

/// How an attempt went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What is kept of it.
    pub attempt: Attempt,
    /// What follows from it.
    pub answer: Answer,
}

impl Sender {
    pub(super) fn new(http: HttpClient) -> Self {
        Self {
            http,
            turns: Arc::default(),
            all: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// What is sent of an event.
    pub fn body(event: &Event) -> Bytes {
        // Every part of an event has its JSON.
        Bytes::from(serde_json::to_vec(event).unwrap_or_default())
    }

    /// Sends an event once. What is signed is the body as it is sent.
    pub async fn send(&self, webhook: &Webhook, event: EventId, body: Bytes) -> Outcome {
        let host = url::Url::parse(&webhook.url).ok();
        let host = host.and_then(|url| Some(url.host_str()?.to_owned()));
        let account = self.turns((webhook.account, None), OF_ONE_ACCOUNT);
        let host = self.turns(
            (webhook.account, Some(host.unwrap_or_default())),
            AT_ONE_HOST,
        );
        // Semaphores are never closed.
        let _one_of_host = host.acquire().await;
        let _one_of_account = account.acquire().await;
        let _one_of_all = self.all.acquire().await;
        let (began, at) = (Instant::now(), clock::now().utc);
        let (id, timestamp) = (event.to_string(), at.timestamp());
        let signature = signature::sign(webhook.secrets(at), &id, timestamp, &body);
        let mut request = Request::post_json(&webhook.url, body);
        request.headers.extend([
            ("webhook-id".to_owned(), id),
            ("webhook-timestamp".to_owned(), timestamp.to_string()),
            ("webhook-signature".to_owned(), signature),
        ]);
        request.timeout = Some(TIME_LIMIT);
        request.max_body = Some(KEPT_OF_ANSWER);
        request.cuts_body = true;
        let answered = self.http.send(request).await;
        let latency_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
        let mut attempt = Attempt {
            at,
            status: None,
            latency_ms,
            failure: None,
            response: None,
        };
        let answer = match answered {
            Ok(response) => {
                attempt.status = Some(response.status);
                attempt.response = Some(printable(&response.body));
                attempt.failure = failure(response.status);
                match response.status {
                    200..300 => Answer::Taken,
                    410 => Answer::Gone,
                    _ => Answer::Refused {
                        wait: response.retry_after,
                    },
                }
            }
            Err(error) => {
                attempt.failure = Some(explained(&error));
                Answer::Refused { wait: None }
            }
        };
        Outcome { attempt, answer }
    }

    fn turns(&self, whose: Whose, most: usize) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Those by which nothing is being sent need not be known.
        if turns.len() > AT_ONCE {
            turns.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        let turns = turns
            .entry(whose)
            .or_insert_with(|| Arc::new(Semaphore::new(most)));
        Arc::clone(turns)
    }
}

fn failure(status: u16) -> Option<String> {
    match status {
        200..300 => None,
        300..400 => Some(format!(
            "the endpoint answered {status}; redirects are not followed"
        )),
        _ => Some(format!("the endpoint answered {status}")),
    }
}

/// What the tenant may know: which address a name led to stays here.
fn explained(error: &HttpError) -> String {
    match error {
        HttpError::Refused(_) => "the address may not be reached from here".to_owned(),
        other => other.explain(),
    }
}

/// An answer as text: PostgreSQL keeps no zero byte.
fn printable(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.chars().filter(|c| *c != '\0').collect()
}
