//! The API over HTTP, and the portal's files. Handlers are thin: read the input strictly, ask the
//! store or the actors, answer.

pub mod accounts;
pub mod audio;
pub mod auth;
pub mod call_plans;
pub mod calls;
pub mod error;
pub mod events;
pub mod files;
pub mod frame;
pub mod idempotency;
pub mod input;
pub mod instances;
pub mod limits;
pub mod numbers;
pub mod openapi;
pub mod page;
pub mod passwords;
pub mod plan_checks;
pub mod portal;
pub mod recordings;
pub mod router;
pub mod routes;
pub mod scheduled_calls;
pub mod services;
pub mod sessions;
pub mod starter;
pub mod system;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod trunks;
pub mod users;

use std::collections::BTreeSet;
use std::net::{IpAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::Server;
pub use actix_web::dev::ServerHandle;
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, HttpServer, web};
use chrono::{DateTime, Utc};
use metrics_exporter_prometheus::PrometheusHandle;
use strowger_domain::e164::{Country, NumberClass};
use strowger_domain::ids::AccountId;

use crate::accounts::messages::Platform;
use crate::events::http_client::HttpClient;
use crate::sound::media_files::MediaFiles;
use crate::store::{Store, Writer};
use limits::Buckets;
use passwords::Passwords;
use router::Router;
use tokens::{KeyError, Keys};

/// What the operator decides about the API.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The country of national numbers.
    pub country: &'static Country,
    /// The classes of service numbers for which calls may be scheduled.
    pub scheduled_classes: BTreeSet<NumberClass>,
    /// Requests of one account in any ten seconds.
    pub requests_per_10_s: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            country: Country::GB,
            scheduled_classes: NumberClass::SCHEDULABLE.into(),
            requests_per_10_s: 2000,
        }
    }
}

/// Wrong passwords of one pair of address and name: so many at once, and then one in each part of
/// this time.
const WRONG_PASSWORDS: (u32, Duration) = (10, Duration::from_mins(5));

/// Everything that the handlers need, shared by all of them.
pub struct Api {
    settings: Settings,
    store: Store,
    writer: Writer,
    platform: Platform,
    http: HttpClient,
    media: MediaFiles,
    metrics: PrometheusHandle,
    keys: Keys,
    passwords: Passwords,
    requests: Buckets<AccountId>,
    attempts: Buckets<(IpAddr, String)>,
}

/// What the API is made of.
pub struct Parts {
    /// What the operator decides.
    pub settings: Settings,
    /// The database.
    pub store: Store,
    /// Takes events.
    pub writer: Writer,
    /// The living platform.
    pub platform: Platform,
    /// Knows which addresses may be reached.
    pub http: HttpClient,
    /// Where audio is.
    pub media: MediaFiles,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
}

impl Api {
    /// Makes the API's state; the first start makes the key that signs access tokens.
    pub async fn new(parts: Parts) -> Result<Self, KeyError> {
        Ok(Self {
            keys: Keys::load(&parts.store, now()).await?,
            passwords: Passwords::default(),
            requests: Buckets::new(parts.settings.requests_per_10_s, Duration::from_secs(10)),
            attempts: Buckets::new(WRONG_PASSWORDS.0, WRONG_PASSWORDS.1),
            settings: parts.settings,
            store: parts.store,
            writer: parts.writer,
            platform: parts.platform,
            http: parts.http,
            media: parts.media,
            metrics: parts.metrics,
        })
    }
}

/// Connections at once, where so many files may be open.
const MAX_CONNECTIONS: usize = 10_000;
/// Threads that serve.
const WORKERS: usize = 2;

/// Serves the API and the portal on a listening socket, to so many connections at once, until the
/// server's handle stops it.
pub fn serve(api: Api, listener: TcpListener, connections: usize) -> std::io::Result<Server> {
    let api = web::Data::new(api);
    let server = HttpServer::new(move || {
        App::new()
            .wrap(Compress::default())
            .wrap(from_fn(frame::frame))
            .app_data(api.clone())
            .configure(|config| routes().register(config))
            .default_service(web::to(portal::file))
    });
    Ok(server
        .workers(WORKERS)
        .max_connections((connections / WORKERS).clamp(1, MAX_CONNECTIONS / WORKERS))
        .client_request_timeout(Duration::from_secs(10))
        .shutdown_timeout(5)
        .disable_signals()
        .listen(listener)?
        .run())
}

/// Every route, a line each.
fn routes() -> Router {
    let mut r = Router::default();
    r.at("/v1/auth/token").post(sessions::token);
    r.at("/v1/auth/refresh").post(sessions::refresh);
    r.at("/v1/auth/logout").post(sessions::logout);
    r.at("/v1/.well-known/jwks.json").get(sessions::keys);
    r.at("/v1/me").get(sessions::me);
    r.at("/v1/openapi.json").get(openapi::document);
    r.at("/v1/accounts").get(accounts::list);
    r.at("/v1/accounts/{account}")
        .get(accounts::read)
        .patch(accounts::change);
    r.at("/v1/accounts/{account}/children")
        .get(accounts::children)
        .post(accounts::create_child);
    r.at("/v1/accounts/{account}/users")
        .get(users::list)
        .post(users::create);
    r.at("/v1/accounts/{account}/users/{user}")
        .get(users::read)
        .patch(users::change);
    r.at("/v1/accounts/{account}/numbers")
        .get(numbers::list)
        .post(numbers::create);
    r.at("/v1/accounts/{account}/numbers/{number}")
        .get(numbers::read)
        .patch(numbers::change);
    r.at("/v1/accounts/{account}/call_plans")
        .get(call_plans::list)
        .post(call_plans::create);
    r.at("/v1/accounts/{account}/call_plans/validate")
        .post(plan_checks::validate);
    r.at("/v1/accounts/{account}/call_plans/simulate")
        .post(plan_checks::simulate);
    r.at("/v1/accounts/{account}/call_plans/{plan}")
        .get(call_plans::read)
        .patch(call_plans::change);
    r.at("/v1/accounts/{account}/call_plans/{plan}/draft")
        .get(call_plans::draft)
        .put(call_plans::save_draft);
    r.at("/v1/accounts/{account}/call_plans/{plan}/validate")
        .post(plan_checks::validate_draft);
    r.at("/v1/accounts/{account}/call_plans/{plan}/simulate")
        .post(plan_checks::simulate_draft);
    r.at("/v1/accounts/{account}/call_plans/{plan}/publish")
        .post(call_plans::publish);
    r.at("/v1/accounts/{account}/call_plans/{plan}/versions")
        .get(call_plans::versions);
    r.at("/v1/accounts/{account}/call_plans/{plan}/versions/{version}")
        .get(call_plans::version);
    r.at("/v1/accounts/{account}/audio")
        .get(audio::list)
        .post(audio::upload);
    r.at("/v1/accounts/{account}/audio/{audio}")
        .get(audio::read)
        .delete(audio::remove);
    r.at("/v1/accounts/{account}/audio/{audio}/content")
        .get(audio::download);
    r.at("/v1/accounts/{account}/trunks")
        .get(trunks::list)
        .post(trunks::create);
    r.at("/v1/accounts/{account}/trunks/{trunk}")
        .get(trunks::read)
        .patch(trunks::change)
        .delete(trunks::remove);
    r.at("/v1/accounts/{account}/routes")
        .get(routes::list)
        .post(routes::create);
    r.at("/v1/accounts/{account}/routes/{route}")
        .get(routes::read)
        .delete(routes::remove);
    r.at("/v1/accounts/{account}/scheduled_calls")
        .get(scheduled_calls::list)
        .post(scheduled_calls::create);
    r.at("/v1/accounts/{account}/scheduled_calls/{scheduled_call}")
        .get(scheduled_calls::read)
        .delete(scheduled_calls::cancel);
    r.at("/v1/accounts/{account}/calls").get(calls::list);
    r.at("/v1/accounts/{account}/calls/{call}").get(calls::read);
    r.at("/v1/accounts/{account}/calls/{call}/actions")
        .post(calls::act);
    r.at("/v1/accounts/{account}/calls/{call}/events")
        .get(calls::events);
    r.at("/v1/accounts/{account}/records").get(calls::records);
    r.at("/v1/accounts/{account}/records/{call}")
        .get(calls::record);
    r.at("/v1/accounts/{account}/recordings")
        .get(recordings::list);
    r.at("/v1/accounts/{account}/recordings/{recording}")
        .get(recordings::read)
        .delete(recordings::remove);
    r.at("/v1/accounts/{account}/recordings/{recording}/audio")
        .get(recordings::audio);
    r.at("/v1/accounts/{account}/services/outbound")
        .get(services::list);
    r.at("/v1/accounts/{account}/services/outbound/{service}")
        .get(services::read)
        .put(services::put)
        .delete(services::remove);
    r.at("/v1/accounts/{account}/services/outbound/{service}/start")
        .post(instances::start);
    r.at("/v1/accounts/{account}/services/outbound/{service}/instances")
        .get(instances::list);
    r.at("/v1/accounts/{account}/services/outbound/{service}/instances/{instance}")
        .get(instances::read);
    r.at("/v1/accounts/{account}/events")
        .get(events::stream_events);
    r.at("/system/health").get(system::health);
    r.at("/system/ready").get(system::ready);
    r.at("/system/metrics").get(system::metrics);
    r
}

/// The time of a request.
fn now() -> DateTime<Utc> {
    crate::net::clock::now().utc
}
