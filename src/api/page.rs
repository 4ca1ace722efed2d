//! Lists by pages: opaque cursors, a limit, and a `Link` to the next page.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use strowger_domain::ids::AccountId;
use utoipa::{IntoParams, ToSchema};

use super::error::{Code, Problem};
use crate::store::page::MAX_LIMIT;
use crate::store::{Cursor, Page, Paging, Within};

/// Which page of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Most items of the page (1 to 500; 50 when absent).
    pub limit: Option<u64>,
    /// Where the page begins: `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Whether the account's descendants' items are listed too.
    pub descendants: Option<bool>,
}

/// Which page of a list that is about one thing.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Most items of the page (1 to 500; 50 when absent).
    pub limit: Option<u64>,
    /// Where the page begins: `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl PageQuery {
    /// The page that is wanted.
    pub fn paging(&self) -> Result<Paging, Problem> {
        paging(self.limit, self.cursor.as_deref())
    }
}

/// One page of a list, the newest first.
#[derive(Serialize, ToSchema)]
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; null: this is the last.
    pub next_cursor: Option<String>,
}

impl ListQuery {
    /// The page that is wanted.
    pub fn paging(&self) -> Result<Paging, Problem> {
        paging(self.limit, self.cursor.as_deref())
    }

    /// The part of the tree that is wanted.
    pub fn within(&self, account: AccountId) -> Within {
        within(self.descendants, account)
    }
}

/// The page that is wanted.
pub fn paging(limit: Option<u64>, cursor: Option<&str>) -> Result<Paging, Problem> {
    let bad = |detail: String| Problem::from(Code::MalformedQuery).detail(detail);
    let limit = limit.unwrap_or(Paging::default().limit);
    if limit == 0 || limit > MAX_LIMIT {
        return Err(bad(format!("limit: choose 1 to {MAX_LIMIT}")));
    }
    let after = match cursor {
        None => None,
        Some(text) => Some(
            text.parse::<Cursor>()
                .map_err(|error| bad(format!("cursor: {error}")))?,
        ),
    };
    Ok(Paging { limit, after })
}

/// The part of the tree that is wanted.
pub fn within(descendants: Option<bool>, account: AccountId) -> Within {
    if descendants == Some(true) {
        Within::Tree(account)
    } else {
        Within::Account(account)
    }
}

/// The strong tag of a thing as it is shown (RFC 9110 §8.8.3).
fn tag<V: Serialize>(view: &V) -> String {
    let text = serde_json::to_vec(view).unwrap_or_default();
    let hash = Sha256::digest(&text);
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash[..16]))
}

/// The answer: one thing with its `ETag`; 304 to whoever has it already.
pub fn one<V: Serialize>(request: &HttpRequest, view: &V) -> HttpResponse {
    let tag = tag(view);
    let is_get = request.method() == Method::GET || request.method() == Method::HEAD;
    let known = is_get && names(request, header::IF_NONE_MATCH, &tag) == Some(true);
    let mut answer = if known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    answer.insert_header((header::ETAG, tag));
    if known {
        answer.finish()
    } else {
        answer.json(view)
    }
}

/// Refuses a change of something that is not as the client has read it, where the client says so by
/// `If-Match`.
pub fn check_match<V: Serialize>(request: &HttpRequest, view: &V) -> Result<(), Problem> {
    match names(request, header::IF_MATCH, &tag(view)) {
        Some(false) => Err(Code::PreconditionFailed.into()),
        Some(true) | None => Ok(()),
    }
}

/// Whether a header names this tag, or any; `None`: there is no such header.
fn names(request: &HttpRequest, header: HeaderName, tag: &str) -> Option<bool> {
    let value = request.headers().get(header)?.to_str().unwrap_or("");
    let mut tags = value.split(',').map(str::trim);
    Some(tags.any(|one| one == "*" || one == tag))
}

/// The answer: the page as JSON, and a `Link` to the next one.
pub fn answer<R, V>(request: &HttpRequest, page: Page<R>, view: impl Fn(R) -> V) -> HttpResponse
where
    V: Serialize,
{
    let next_cursor = page.next.map(|cursor| cursor.to_string());
    let mut answer = HttpResponse::Ok();
    if let Some(cursor) = &next_cursor {
        let query = request.query_string();
        let kept = query
            .split('&')
            .filter(|part| !part.is_empty() && !part.starts_with("cursor="));
        let mut query: Vec<String> = kept.map(ToOwned::to_owned).collect();
        query.push(format!("cursor={cursor}"));
        let link = format!("<{}?{}>; rel=\"next\"", request.path(), query.join("&"));
        answer.insert_header((header::LINK, link));
    }
    answer.json(Listed {
        items: page.items.into_iter().map(view).collect(),
        next_cursor,
    })
}
