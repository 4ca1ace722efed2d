//! The requests for an application's pages, through the guarded client.

use std::time::Duration;

use strowger_domain::application::{Method, PageReply, PageRequest};

use crate::events::http_client::{self, HttpClient, Request};

/// A page must answer within this time, which is the guarded client's own.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest reply.
const MAX_REPLY: usize = 256 * 1024;

/// Asks for a page; the error says in words what went wrong.
pub(super) async fn request(http: HttpClient, page: PageRequest) -> Result<PageReply, String> {
    let request = Request {
        method: match page.method {
            Method::Get => http_client::Method::Get,
            Method::Post => http_client::Method::Post,
        },
        url: page.url,
        headers: vec![
            ("Accept".to_owned(), "application/json".to_owned()),
            (
                "Content-Type".to_owned(),
                "application/json; charset=UTF-8".to_owned(),
            ),
        ],
        body: page.body.unwrap_or_default().into(),
        timeout: Some(TIMEOUT),
        max_body: Some(MAX_REPLY),
        cuts_body: false,
    };
    match http.send(request).await {
        Ok(response) => Ok(PageReply {
            status: response.status,
            body: response.body.to_vec(),
        }),
        Err(error) => Err(error.explain()),
    }
}
