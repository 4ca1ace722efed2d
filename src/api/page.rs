//! Lists by pages: opaque cursors, a limit, and a `Link` to the next page.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
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
