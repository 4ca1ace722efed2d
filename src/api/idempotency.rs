//! Requests that dial are carried out once for each `Idempotency-Key`.

use std::future::Future;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Duration;
use serde::Serialize;
use serde_json::Value;

use super::auth::Tenant;
use super::error::{Code, Problem};
use super::{Api, now, tokens};
use crate::store::idempotency::Known;

/// How long a key is known.
const KEPT: Duration = Duration::hours(24);

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What a request came to: a status and a JSON body.
pub type Outcome = Result<(StatusCode, Value), Problem>;

/// Carries out `work`, unless a request with the same key was: then answers what it answered.
pub async fn once<T: Serialize>(
    request: &HttpRequest,
    tenant: &Tenant,
    api: &web::Data<Api>,
    input: &T,
    work: impl Future<Output = Outcome> + 'static,
) -> Result<HttpResponse, Problem> {
    let Some(key) = key(request)? else {
        return work
            .await
            .map(|(status, body)| HttpResponse::build(status).json(body));
    };
    let body = serde_json::to_string(input).unwrap_or_default();
    let hash = tokens::secret_hash(&format!("{} {}\n{body}", request.method(), request.path()));
    let account = tenant.id();
    let time = now();
    api.store.forget_requests(time - KEPT).await?;
    match api
        .store
        .begin_request(&tenant.scope, account, &key, &hash, time)
        .await?
    {
        Known::New => {}
        Known::InProgress => return Err(Code::InProgress.into()),
        Known::Different => return Err(Code::KeyReused.into()),
        Known::Answered { status, body } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            let mut answer = HttpResponse::build(status);
            return Ok(answer
                .insert_header((REPLAYED, HeaderValue::from_static("true")))
                .json(body));
        }
    }
    // A client that goes away drops this handler. The work and the note of its answer go on.
    let api = api.clone();
    let task = actix_web::rt::spawn(async move {
        let outcome = work.await;
        let noted = match &outcome {
            Ok((status, body)) => {
                api.store
                    .finish_request(account, &key, status.as_u16(), body.clone())
                    .await
            }
            Err(_problem) => api.store.drop_request(account, &key).await,
        };
        noted?;
        outcome
    });
    let (status, body) = task
        .await
        .map_err(|_error| Problem::from(Code::Internal))??;
    Ok(HttpResponse::build(status).json(body))
}

fn key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or("").trim_matches('"');
    if text.is_empty() || text.len() > 200 || !text.bytes().all(|b| b.is_ascii_graphic()) {
        let detail = "Idempotency-Key: write 1 to 200 printable characters without spaces";
        return Err(Problem::from(Code::MalformedBody).detail(detail));
    }
    Ok(Some(text.to_owned()))
}
