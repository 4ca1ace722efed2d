//! What surrounds every request: its id, its time limit, its metrics and the security headers.

use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError};
use metrics::counter;
use tracing::Instrument;
use uuid::Uuid;

use super::error::{Code, Problem};
use crate::telemetry::HTTP_REQUESTS;

/// A request that takes longer is given up. Streams and downloads begin within it.
const TIME_LIMIT: Duration = Duration::from_secs(30);

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request's id, kept with the request.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// The outermost layer. Whatever fails below, the client gets a problem that names its request.
pub async fn frame<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = request_id(&request);
    let path = request.path().to_owned();
    let is_api = path.starts_with("/v1/") || path.starts_with("/system/");
    request.extensions_mut().insert(RequestId(id.clone()));
    let span = tracing::info_span!("request", id, path);
    let outcome = tokio::time::timeout(TIME_LIMIT, next.call(request))
        .instrument(span)
        .await;
    let mut response = match outcome {
        Ok(Ok(response)) => match response.response().error().map(as_problem) {
            Some(problem) => response.into_response(problem.answer(&id)),
            None => response.map_into_boxed_body(),
        },
        Ok(Err(error)) => {
            return Err(Refused {
                problem: as_problem(&error),
                id,
            }
            .into());
        }
        Err(_elapsed) => {
            return Err(Refused {
                problem: Code::TimedOut.into(),
                id,
            }
            .into());
        }
    };
    let class = match response.status().as_u16() {
        ..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    };
    counter!(HTTP_REQUESTS, "status" => class).increment(1);
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(X_REQUEST_ID, value);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    if is_api {
        let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        headers.insert(header::CONTENT_SECURITY_POLICY, nothing);
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
    Ok(response)
}

/// A problem that has no response yet to be written into.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
struct Refused {
    problem: Problem,
    id: String,
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        self.problem.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        self.problem.answer(&self.id)
    }
}

/// The client's own id if it is plain, else a new one.
fn request_id(request: &ServiceRequest) -> String {
    let own = request
        .headers()
        .get(X_REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        (8..=64).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    own.filter(plain)
        .map_or_else(|| Uuid::now_v7().simple().to_string(), ToOwned::to_owned)
}

/// Our own problems as they are; what actix-web refused by itself, in our words.
fn as_problem(error: &Error) -> Problem {
    if let Some(problem) = error.as_error::<Problem>() {
        return problem.clone();
    }
    let status = error.as_response_error().status_code().as_u16();
    let code = match status {
        404 => Code::NotFound,
        405 => Code::MethodNotAllowed,
        408 | 504 => Code::TimedOut,
        413 => Code::TooLarge,
        415 => Code::UnsupportedMedia,
        400..500 => Code::MalformedBody,
        _ => {
            tracing::error!(%error, "a request failed");
            return Code::Internal.into();
        }
    };
    Problem::from(code).detail(error.to_string())
}
