//! The one HTTP client that calls out: pages of applications, webhooks, remote audio.
//!
//! Where it may go is decided on the address, after the name was resolved, and the connection is
//! made to that very address: a name that resolves to something else a moment later gains nothing.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Once};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Url, header, redirect};

use strowger_domain::route::Network;

use super::network::is_public;

/// What the client may do.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Networks that may be reached although they are not public.
    pub allowed: Vec<Network>,
    /// A request and its answer take no longer than this.
    pub timeout: Duration,
    /// The answer's body is no larger than this, in bytes.
    pub max_body: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            allowed: Vec::new(),
            timeout: Duration::from_secs(10),
            max_body: 10 * 1024 * 1024,
        }
    }
}

/// How a page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// One request. `timeout` and `max_body` can only narrow the client's own.
#[derive(Clone, Debug)]
pub struct Request {
    /// GET or POST.
    pub method: Method,
    /// Absolute `http` or `https` URL without user information.
    pub url: String,
    /// Header fields, `Content-Type` included.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Bytes,
    /// Shorter than the client's.
    pub timeout: Option<Duration>,
    /// Smaller than the client's, in bytes.
    pub max_body: Option<usize>,
    /// Of a larger body the beginning will do; otherwise it is an error.
    pub cuts_body: bool,
}

impl Request {
    /// A GET without further headers.
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: Method::Get,
            url: url.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            timeout: None,
            max_body: None,
            cuts_body: false,
        }
    }

    /// A POST of a JSON text.
    pub fn post_json(url: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            method: Method::Post,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.into(),
            ..Self::get(url)
        }
    }
}

/// What came back. A redirect is an answer like any other and is not followed.
#[derive(Clone, Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`, where it was sent.
    pub content_type: Option<String>,
    /// `Cache-Control`, where it was sent.
    pub cache_control: Option<String>,
    /// `Retry-After`, where it was sent as seconds.
    pub retry_after: Option<Duration>,
    /// The whole body, or as much of it as was wanted.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The URL cannot be asked.
    #[error("the address must be an absolute http or https URL without user information")]
    BadUrl,
    /// A header's name or value cannot be sent.
    #[error("a header field cannot be sent")]
    BadHeader,
    /// The host is, or resolves to nothing but, addresses that this client does not reach.
    #[error("the address {0} is not reachable from here by rule")]
    Refused(String),
    /// No answer in time.
    #[error("no answer within the time limit")]
    TimedOut,
    /// The body is too large.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit that it exceeded.
        limit: usize,
    },
    /// The host's name has no address.
    #[error("the name of the host cannot be resolved")]
    Unresolved(#[source] std::io::Error),
    /// Anything else: no such host, connection refused, broken TLS or HTTP.
    #[error("the request failed")]
    Failed(#[source] reqwest::Error),
    /// The client could not be made (no trusted certificates on this machine).
    #[error("no HTTP client can be made")]
    NoClient(#[source] reqwest::Error),
}

impl HttpError {
    /// The whole chain of reasons in one line, for the customer's log.
    pub fn explain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}

/// The guarded client; clones share connections.
#[derive(Clone, Debug)]
pub struct HttpClient {
    inner: reqwest::Client,
    policy: Arc<Policy>,
}

impl HttpClient {
    /// Makes the client, and installs the process's TLS provider (ring) if none is there.
    pub fn new(policy: Policy) -> Result<Self, HttpError> {
        Self::with_lookup(policy, Arc::new(|name| Box::pin(by_system(name))))
    }

    fn with_lookup(policy: Policy, lookup: Lookup) -> Result<Self, HttpError> {
        install_tls_provider();
        let policy = Arc::new(policy);
        let inner = reqwest::Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .user_agent(concat!("strowger/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(policy.timeout)
            .timeout(policy.timeout)
            .pool_idle_timeout(Duration::from_secs(30))
            .dns_resolver(Arc::new(GuardedResolver {
                policy: Arc::clone(&policy),
                lookup,
            }))
            .build()
            .map_err(HttpError::NoClient)?;
        Ok(Self { inner, policy })
    }

    /// Sends one request and reads the whole answer.
    pub async fn send(&self, request: Request) -> Result<Response, HttpError> {
        let url = self.check(&request.url)?;
        let limit = request
            .max_body
            .unwrap_or(usize::MAX)
            .min(self.policy.max_body);
        let mut builder = match request.method {
            Method::Get => self.inner.get(url),
            Method::Post => self.inner.post(url).body(request.body),
        };
        if let Some(timeout) = request.timeout {
            builder = builder.timeout(timeout.min(self.policy.timeout));
        }
        for (name, value) in &request.headers {
            let name: header::HeaderName = name.parse().map_err(|_error| HttpError::BadHeader)?;
            let value: header::HeaderValue =
                value.parse().map_err(|_error| HttpError::BadHeader)?;
            builder = builder.header(name, value);
        }
        let mut response = builder.send().await.map_err(failure)?;
        let text = |name: header::HeaderName| {
            response
                .headers()
                .get(name)
                .and_then(|v| v.to_str().ok())
                .map(ToOwned::to_owned)
        };
        let (content_type, cache_control) =
            (text(header::CONTENT_TYPE), text(header::CACHE_CONTROL));
        let retry_after = text(header::RETRY_AFTER).and_then(|value| value.trim().parse().ok());
        let status = response.status().as_u16();
        let announced = response.content_length().unwrap_or(0);
        let is_large = usize::try_from(announced).map_or(true, |length| length > limit);
        if is_large && !request.cuts_body {
            return Err(HttpError::TooLarge { limit });
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            let room = limit - body.len();
            if chunk.len() > room && !request.cuts_body {
                return Err(HttpError::TooLarge { limit });
            }
            body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if chunk.len() > room {
                break;
            }
        }
        Ok(Response {
            status,
            content_type,
            cache_control,
            retry_after: retry_after.map(Duration::from_secs),
            body: body.freeze(),
        })
    }

    /// Says whether a URL could be asked at all, without asking: for addresses that are stored.
    /// A name is resolved only when it is used.
    pub fn check(&self, url: &str) -> Result<Url, HttpError> {
        let url = Url::parse(url).map_err(|_error| HttpError::BadUrl)?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none();
        if !plain {
            return Err(HttpError::BadUrl);
        }
        let literal = match url.host() {
            Some(url::Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(url::Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(url::Host::Domain(_)) => None,
            None => return Err(HttpError::BadUrl),
        };
        match literal {
            Some(address) if !self.policy.may_reach(address) => {
                Err(HttpError::Refused(address.to_string()))
            }
            Some(_) | None => Ok(url),
        }
    }
}

impl HttpClient {
    /// The address of a host that may be connected to, for protocols other than HTTP: whoever asks
    /// connects to that very one.
    pub async fn reachable(&self, host: &str, port: u16) -> Result<SocketAddr, HttpError> {
        let found =
            tokio::time::timeout(self.policy.timeout, tokio::net::lookup_host((host, port)));
        let found = found.await.map_err(|_elapsed| HttpError::TimedOut)?;
        found
            .map_err(HttpError::Unresolved)?
            .find(|address| self.policy.may_reach(address.ip()))
            .ok_or_else(|| HttpError::Refused(host.to_owned()))
    }
}

impl Policy {
    fn may_reach(&self, address: IpAddr) -> bool {
        is_public(address) || self.allowed.iter().any(|network| network.contains(address))
    }
}

/// Finds the addresses of a name.
type Lookup =
    Arc<dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> + Send + Sync>;

async fn by_system(name: String) -> std::io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.collect())
}

/// Lets only permitted addresses through. A connection is made to what was let through, and to
/// nothing else: no name is resolved twice for it.
struct GuardedResolver {
    policy: Arc<Policy>,
    lookup: Lookup,
}

/// Every address of the name is out of bounds. Carried through reqwest as a cause.
#[derive(Debug, thiserror::Error)]
#[error("{0} has no address that may be reached")]
struct OutOfBounds(String);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.policy);
        let found = (self.lookup)(name.as_str().to_owned());
        Box::pin(async move {
            let found = found.await?;
            let any = !found.is_empty();
            let permitted: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| policy.may_reach(address.ip()))
                .collect();
            if any && permitted.is_empty() {
                return Err(OutOfBounds(name.as_str().to_owned()).into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

fn failure(error: reqwest::Error) -> HttpError {
    if error.is_timeout() {
        return HttpError::TimedOut;
    }
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        if let Some(OutOfBounds(host)) = cause.downcast_ref() {
            return HttpError::Refused(host.clone());
        }
        source = cause.source();
    }
    // Its query may hold a whole `instance_info`, and with it keyed digits.
    HttpError::Failed(error.without_url())
}

/// Two TLS providers can come into one program by its dependencies; this picks one for all.
fn install_tls_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error says that somebody was earlier: then there is a provider, which is all we want.
        let _already = rustls::crypto::ring::default_provider().install_default();
    });
}

#[cfg(test)]
mod tests;
