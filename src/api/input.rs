//! What comes in: JSON bodies, query strings and path segments, read strictly.

use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::error::QueryPayloadError;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use strowger_domain::audit;

use super::audit::Sent;
use super::document::{self, Document, in_plain_words};
use super::error::{Code, Faults, Problem};

/// The largest JSON body, in bytes. A call plan of a thousand nodes is a third of it.
pub const MAX_JSON: usize = 1024 * 1024;

type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

/// A JSON body. Unknown fields and wrong types are told by the place where they stand.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = Boxed<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_json(request);
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            if !is_json {
                return Err(Problem::from(Code::UnsupportedMedia).detail("Send application/json."));
            }
            let body = body(payload, MAX_JSON).await?;
            keep_for_audit(&request, &body);
            read_json(&body).map(Self)
        })
    }
}

/// A JSON body, and the faults of its shape: to them come those of its rules, and all are told at
/// once. What is read of a body with faults is never carried out: the faults refuse it.
#[derive(Debug)]
pub struct Body<T>(pub T, pub Faults);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Boxed<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_json(request);
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            if !is_json {
                return Err(Problem::from(Code::UnsupportedMedia).detail("Send application/json."));
            }
            let body = body(payload, MAX_JSON).await?;
            keep_for_audit(&request, &body);
            let Document { value, faults } = document::read(&body)?;
            Ok(Self(value, Faults::of_shape(faults)))
        })
    }
}

/// A JSON body that may be left out: an empty one, or null, is what is said by default.
#[derive(Debug)]
pub struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalJson<T> {
    type Error = Problem;
    type Future = Boxed<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_json(request);
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let body = body(payload, MAX_JSON).await?;
            keep_for_audit(&request, &body);
            if matches!(body.trim_ascii(), b"" | b"null") {
                return Ok(Self(T::default()));
            }
            if !is_json {
                return Err(Problem::from(Code::UnsupportedMedia).detail("Send application/json."));
            }
            read_json(&body).map(Self)
        })
    }
}

/// Keeps what was sent with the request, for the audit log; of what is longer than an entry may be,
/// such as a call plan, only that there were secrets in it.
fn keep_for_audit(request: &HttpRequest, body: &[u8]) {
    let Ok(value) = serde_json::from_slice(body) else {
        return;
    };
    let value = audit::without_secrets(value);
    let kept = if body.len() > audit::MAX_DOCUMENT {
        audit::only_secrets(&value)
    } else {
        Some(value)
    };
    if let Some(kept) = kept {
        request.extensions_mut().insert(Sent(kept));
    }
}

fn is_json(request: &HttpRequest) -> bool {
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else {
        return true;
    };
    let kind = value.to_str().unwrap_or("").split(';').next().unwrap_or("");
    let kind = kind.trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Reads the whole body, up to a limit.
pub async fn body(mut payload: Payload, limit: usize) -> Result<Bytes, Problem> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk =
            chunk.map_err(|error| Problem::from(Code::MalformedBody).detail(error.to_string()))?;
        if body.len() + chunk.len() > limit {
            let detail = format!("It may have {limit} bytes.");
            return Err(Problem::from(Code::TooLarge).detail(detail));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Reads a JSON text, which must be an object.
pub fn read_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    let Document { value, faults } = document::read(text)?;
    if faults.is_empty() {
        Ok(value)
    } else {
        Err(Problem::invalid(faults))
    }
}

/// A query string; an unknown parameter is an error.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let read = web::Query::<T>::from_query(request.query_string());
        std::future::ready(match read {
            Ok(query) => Ok(Self(query.into_inner())),
            Err(_error) => {
                let detail = query_fault::<T>(request.query_string());
                Err(Problem::from(Code::MalformedQuery).detail(detail))
            }
        })
    }
}

/// The parameters that can't be read, and what each wants.
fn query_fault<T: DeserializeOwned>(query: &str) -> String {
    let read = |part: &str| web::Query::<T>::from_query(part).err();
    let told = |error: QueryPayloadError| match error {
        QueryPayloadError::Deserialize(error) => error.to_string(),
        other => other.to_string(),
    };
    let mut faults = Vec::new();
    for part in query.split('&') {
        let Some(fault) = read(part).map(told) else {
            continue;
        };
        let name = web::Query::<Vec<(String, String)>>::from_query(part)
            .ok()
            .and_then(|pairs| Some(pairs.first()?.0.clone()));
        let (Some(name), false) = (name, fault.starts_with("missing field")) else {
            continue;
        };
        faults.push(if fault.starts_with("unknown field") {
            in_plain_words(&fault)
        } else {
            format!("{name}: {}", wanted(&name, &fault))
        });
    }
    if faults.is_empty() {
        return read(query).map_or_else(String::new, |error| in_plain_words(&told(error)));
    }
    faults.join("; ")
}

fn wanted(name: &str, fault: &str) -> String {
    if name.starts_with("created_at[") {
        "write a time, such as 2026-07-01T08:00:00Z".to_owned()
    } else if fault.contains("digit") || fault.starts_with("number too") {
        "write a whole number".to_owned()
    } else if fault.contains("`true` or `false`") {
        "write true or false".to_owned()
    } else {
        in_plain_words(fault)
    }
}

/// A path segment. What is no identifier names nothing: not found.
pub fn segment<T: FromStr>(request: &HttpRequest, name: &str) -> Result<T, Problem> {
    let text = request.match_info().get(name).unwrap_or("");
    text.parse().map_err(|_error| Code::NotFound.into())
}

/// Tells an absent field from null, for merge patches (RFC 7396): absent stays, null is removed.
pub fn present<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Reads a member of a merge patch (RFC 7396) that may be absent, but not null: what it patches
/// can't be removed.
pub fn given<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// The value with a merge patch (RFC 7396) laid over it; faults stand below `pointer`.
pub fn merged<T: Serialize + DeserializeOwned>(
    faults: &mut Faults,
    pointer: &str,
    current: &T,
    patch: Value,
) -> Option<T> {
    let mut value = serde_json::to_value(current).unwrap_or_default();
    lay_over(&mut value, patch);
    match read_json(value.to_string().as_bytes()) {
        Ok(value) => Some(value),
        Err(problem) => {
            faults.extend(pointer, problem.errors);
            None
        }
    }
}

fn lay_over(value: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *value = patch;
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Value::Object(members) = value else {
        return;
    };
    for (name, patch) in patch {
        if patch.is_null() {
            members.remove(&name);
        } else {
            lay_over(members.entry(name).or_insert(Value::Null), patch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_patch_replaces_adds_and_removes() {
        let mut value = serde_json::json!({"a": {"b": 1, "c": 2}, "d": [1]});
        lay_over(
            &mut value,
            serde_json::json!({"a": {"b": 3, "c": null}, "d": [2], "e": {}}),
        );
        assert_eq!(value, serde_json::json!({"a": {"b": 3}, "d": [2], "e": {}}));
    }
}
