//! A client of the API that is signed in.

use std::net::SocketAddr;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use super::facts::eventually;

/// A client.
#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
    address: SocketAddr,
    token: String,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// It has this status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.bytes);
        assert_eq!(self.status, status, "{text}");
        self.body
    }

    /// `pointer code` of every fault, in order.
    pub(crate) fn faults(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let faults = self.body["errors"].as_array().cloned().unwrap_or_default();
        let mut faults: Vec<_> = faults
            .iter()
            .map(|fault| format!("{} {}", text(&fault["pointer"]), text(&fault["code"])))
            .collect();
        faults.sort();
        faults
    }
}

impl Api {
    /// Signs in.
    pub(crate) async fn sign_in(address: SocketAddr, email: &str, password: &str) -> Self {
        // Refused when there is one already, which does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().build().unwrap();
        let api = Self {
            client,
            address,
            token: String::new(),
        };
        let body = json!({ "grant_type": "password", "email": email, "password": password });
        let answer = api.post("/v1/auth/token", &body).await.is(200);
        let token = answer["access_token"].as_str().expect("a token").to_owned();
        Self { token, ..api }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        read(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        read(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        read(self.request(Method::PUT, path).json(body)).await
    }

    /// Puts a document of which the state before is known.
    pub(crate) async fn put_if(&self, path: &str, etag: &str, body: &Value) -> Answer {
        let etag = format!("\"{etag}\"");
        read(
            self.request(Method::PUT, path)
                .header("If-Match", etag)
                .json(body),
        )
        .await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        read(self.request(Method::PATCH, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        read(self.request(Method::DELETE, path)).await
    }

    /// A request with bytes of any kind.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Answer {
        read(
            self.request(method, path)
                .header("Content-Type", kind)
                .body(body),
        )
        .await
    }

    /// Asks for a resource until it is as it should be.
    #[track_caller]
    pub(crate) fn until(
        &self,
        path: impl Into<String>,
        what: impl Into<String>,
        is_so: impl Fn(&Value) -> bool,
    ) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        let (what, path) = (format!("{place}: {}", what.into()), path.into());
        async move {
            let last = std::cell::RefCell::new(Value::Null);
            let look = eventually(&what, || async {
                let answer = self.get(&path).await;
                *last.borrow_mut() = answer.body.clone();
                (answer.status == 200 && is_so(&answer.body)).then_some(answer.body)
            });
            let outcome = tokio::time::timeout(super::facts::PATIENCE / 2, look).await;
            outcome.unwrap_or_else(|_| panic!("{what}: {:#}", last.borrow()))
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self
            .client
            .request(method, format!("http://{}{path}", self.address));
        if self.token.is_empty() {
            request
        } else {
            request.bearer_auth(&self.token)
        }
    }
}

async fn read(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("the API answers");
    let status = response.status().as_u16();
    let bytes = response.bytes().await.expect("the API answers").to_vec();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer {
        status,
        body,
        bytes,
    }
}
