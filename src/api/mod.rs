//! The API over HTTP, and the portal's files. Handlers are thin: read the input strictly, ask the
//! store or the actors, answer.

pub mod accounts;
pub mod api_keys;
pub mod audio;
pub mod audit;
pub mod audit_log;
pub mod auth;
pub mod branding;
pub mod call_plans;
pub mod calls;
pub mod deliveries;
pub mod document;
pub mod error;
pub mod event_stream;
pub mod events;
pub mod files;
pub mod frame;
pub mod idempotency;
pub mod input;
pub mod instances;
pub mod invitations;
pub mod lifecycle;
pub mod limits;
pub mod mail;
pub mod mail_templates;
pub mod mfa;
pub mod number_lists;
pub mod number_plans;
pub mod numbers;
pub mod openapi;
pub mod page;
pub mod password_resets;
pub mod passwords;
pub mod plan_checks;
pub mod portal;
pub mod profile;
pub mod recordings;
pub mod router;
pub mod routes;
pub mod scheduled_calls;
pub mod services;
pub mod sessions;
pub mod sign_in_rules;
pub mod signing_keys;
pub mod starter;
pub mod system;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod trunks;
pub mod usage;
pub mod user_sessions;
pub mod users;
pub mod webhooks;

use std::collections::BTreeSet;
use std::net::{IpAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::Server;
pub use actix_web::dev::ServerHandle;
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, HttpServer, web};
use chrono::{DateTime, Utc};
use metrics_exporter_prometheus::PrometheusHandle;
use strowger_domain::account::Scope;
use strowger_domain::e164::{Country, NumberClass};
use strowger_domain::ids::AccountId;

use crate::accounts::messages::Platform;
use crate::events::http_client::HttpClient;
use crate::events::webhooks::Webhooks;
use crate::mail::Postbox;
use crate::sound::media_files::MediaFiles;
use crate::sound::storage::Storage;
use crate::store::{Store, Writer};
use event_stream::{StreamSettings, Streams};
use limits::Buckets;
use passwords::Passwords;
use passwords::breached::BreachedList;
use router::{Access, Router};
use signing_keys::{KeyError, Keys};

/// What the operator decides about the API.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The country of national numbers.
    pub country: &'static Country,
    /// The classes of service numbers for which calls may be scheduled.
    pub scheduled_classes: BTreeSet<NumberClass>,
    /// Requests of one account in any ten seconds.
    pub requests_per_10_s: u32,
    /// Passwords that nobody may choose.
    pub breached_passwords: Option<BreachedList>,
    /// How streams of events are kept.
    pub streams: StreamSettings,
    /// Where people find the portal, without a slash at the end: links in mails lead there.
    pub portal_url: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            country: Country::GB,
            scheduled_classes: NumberClass::SCHEDULABLE.into(),
            requests_per_10_s: 2000,
            breached_passwords: None,
            streams: StreamSettings::default(),
            portal_url: "http://127.0.0.1:8080".to_owned(),
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
    webhooks: Webhooks,
    streams: Streams,
    postbox: Postbox,
    media: MediaFiles,
    storage: Storage,
    metrics: PrometheusHandle,
    keys: Keys,
    passwords: Passwords,
    requests: Buckets<AccountId>,
    /// Those of accounts with a limit of their own, each of its size.
    own_requests: Buckets<AccountId>,
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
    /// Sends events to webhooks.
    pub webhooks: Webhooks,
    /// Takes mails.
    pub postbox: Postbox,
    /// Where audio is.
    pub media: MediaFiles,
    /// How much each account has stored.
    pub storage: Storage,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
}

impl Api {
    /// Makes the API's state; the first start makes the key that signs access tokens.
    pub async fn new(parts: Parts) -> Result<Self, KeyError> {
        Ok(Self {
            keys: Keys::load(&parts.store, now()).await?,
            passwords: Passwords::new(parts.settings.breached_passwords.clone()),
            requests: Buckets::new(parts.settings.requests_per_10_s, Duration::from_secs(10)),
            own_requests: Buckets::new(0, Duration::from_mins(1)),
            attempts: Buckets::new(WRONG_PASSWORDS.0, WRONG_PASSWORDS.1),
            settings: parts.settings,
            store: parts.store,
            writer: parts.writer,
            platform: parts.platform,
            http: parts.http,
            webhooks: parts.webhooks,
            streams: Streams::default(),
            postbox: parts.postbox,
            media: parts.media,
            storage: parts.storage,
            metrics: parts.metrics,
        })
    }
}

impl Api {
    /// A link to a page of the portal that takes a token. The token stands behind `#`, so that it
    /// is in no server's log.
    fn link(&self, page: &str, token: &str) -> String {
        format!("{}/{page}#token={token}", self.settings.portal_url)
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

/// Every route, a line each, with the scope that it needs.
fn routes() -> Router {
    let mut r = Router::default();
    r.at("/v1/auth/token").post(Access::Public, sessions::token);
    r.at("/v1/auth/refresh")
        .post(Access::Public, sessions::refresh);
    r.at("/v1/auth/logout")
        .post(Access::Public, sessions::logout);
    r.at("/v1/auth/sessions")
        .get(Access::SignedIn, user_sessions::own)
        .delete(Access::SignedIn, user_sessions::revoke_others);
    r.at("/v1/auth/sessions/{session}")
        .delete(Access::SignedIn, user_sessions::revoke_own);
    r.at("/v1/auth/mfa")
        .get(Access::SignedIn, mfa::read)
        .post(Access::SignedIn, mfa::enrol);
    r.at("/v1/auth/mfa/confirm")
        .post(Access::SignedIn, mfa::confirm);
    r.at("/v1/auth/mfa/recovery_codes")
        .post(Access::SignedIn, mfa::renew_codes);
    r.at("/v1/auth/mfa/remove")
        .post(Access::SignedIn, mfa::remove);
    r.at("/v1/auth/password")
        .post(Access::SignedIn, profile::change_password);
    r.at("/v1/.well-known/jwks.json")
        .get(Access::Public, signing_keys::published);
    r.at("/v1/me").get(Access::SignedIn, sessions::me);
    r.at("/v1/openapi.json")
        .get(Access::Public, openapi::document);
    r.at("/v1/accounts")
        .get(Scope::AccountsRead, accounts::list);
    r.at("/v1/accounts/{account}")
        .get(Scope::AccountsRead, accounts::read)
        .patch(Scope::AccountsWrite, accounts::change)
        .delete(Scope::AccountsWrite, lifecycle::erase);
    r.at("/v1/accounts/{account}/move")
        .post(Scope::AccountsWrite, lifecycle::move_to);
    r.at("/v1/accounts/{account}/close")
        .post(Scope::AccountsWrite, lifecycle::close);
    r.at("/v1/accounts/{account}/export")
        .get(Scope::ExportWrite, lifecycle::export);
    r.at("/v1/accounts/{account}/children")
        .get(Scope::AccountsRead, accounts::children)
        .post(Scope::AccountsWrite, accounts::create_child);
    r.at("/v1/accounts/{account}/limits")
        .get(Scope::AccountsRead, usage::read);
    r.at("/v1/branding").get(Access::Public, branding::of_host);
    r.at("/v1/branding/logo")
        .get(Access::Public, branding::logo_of_host);
    r.at("/v1/accounts/{account}/branding")
        .get(Scope::AccountsRead, branding::read)
        .put(Scope::AccountsWrite, branding::put);
    r.at("/v1/accounts/{account}/branding/logo")
        .get(Scope::AccountsRead, branding::logo)
        .put(Scope::AccountsWrite, branding::put_logo)
        .delete(Scope::AccountsWrite, branding::remove_logo);
    r.at("/v1/accounts/{account}/users")
        .get(Scope::UsersRead, users::list)
        .post(Scope::UsersWrite, users::create);
    r.at("/v1/accounts/{account}/users/{user}")
        .get(Scope::UsersRead, users::read)
        .patch(Scope::UsersWrite, users::change)
        .delete(Scope::UsersWrite, users::remove);
    r.at("/v1/accounts/{account}/users/{user}/sessions")
        .get(Scope::UsersRead, user_sessions::list);
    r.at("/v1/accounts/{account}/users/{user}/sessions/{session}")
        .delete(Scope::UsersWrite, user_sessions::revoke);
    r.at("/v1/accounts/{account}/users/{user}/mfa")
        .delete(Scope::UsersWrite, mfa::reset);
    r.at("/v1/accounts/{account}/sign_in_rules")
        .get(Scope::AccountsRead, sign_in_rules::read)
        .put(Scope::AccountsWrite, sign_in_rules::put);
    r.at("/v1/accounts/{account}/api_keys")
        .get(Scope::ApiKeysRead, api_keys::list)
        .post(Scope::ApiKeysWrite, api_keys::create);
    r.at("/v1/accounts/{account}/api_keys/{api_key}")
        .get(Scope::ApiKeysRead, api_keys::read)
        .delete(Scope::ApiKeysWrite, api_keys::revoke);
    r.at("/v1/auth/invitation")
        .post(Access::Public, invitations::accept);
    r.at("/v1/auth/password_reset")
        .post(Access::Public, password_resets::ask);
    r.at("/v1/auth/password_reset/confirm")
        .post(Access::Public, password_resets::confirm);
    r.at("/v1/accounts/{account}/invitations")
        .get(Scope::UsersRead, invitations::list)
        .post(Scope::UsersWrite, invitations::create);
    r.at("/v1/accounts/{account}/invitations/{invitation}")
        .get(Scope::UsersRead, invitations::read)
        .delete(Scope::UsersWrite, invitations::remove);
    r.at("/v1/accounts/{account}/mail_settings")
        .get(Scope::MailRead, mail::read_settings)
        .put(Scope::MailWrite, mail::put_settings)
        .delete(Scope::MailWrite, mail::remove_settings);
    r.at("/v1/accounts/{account}/mail_templates")
        .get(Scope::MailRead, mail_templates::list);
    r.at("/v1/accounts/{account}/mail_templates/{mail_kind}")
        .get(Scope::MailRead, mail_templates::read)
        .put(Scope::MailWrite, mail_templates::put)
        .delete(Scope::MailWrite, mail_templates::remove);
    r.at("/v1/accounts/{account}/mail_templates/{mail_kind}/preview")
        .post(Scope::MailRead, mail_templates::preview);
    r.at("/v1/accounts/{account}/mail_templates/{mail_kind}/test")
        .post(Scope::MailWrite, mail_templates::test);
    r.at("/v1/accounts/{account}/mails")
        .get(Scope::MailRead, mail::list);
    r.at("/v1/accounts/{account}/audit_log")
        .get(Scope::AuditLogRead, audit_log::list);
    r.at("/v1/accounts/{account}/audit_log/export")
        .get(Scope::AuditLogRead, audit_log::export);
    r.at("/v1/accounts/{account}/numbers")
        .get(Scope::NumbersRead, numbers::list)
        .post(Scope::PoolWrite, numbers::create);
    r.at("/v1/accounts/{account}/numbers/allocations")
        .post(Scope::PoolWrite, number_lists::allocate);
    r.at("/v1/accounts/{account}/numbers/import")
        .post(Scope::PoolWrite, number_lists::import);
    r.at("/v1/accounts/{account}/numbers/export")
        .get(Scope::NumbersRead, number_lists::export);
    r.at("/v1/accounts/{account}/numbers/{number}")
        .get(Scope::NumbersRead, numbers::read)
        .patch(Scope::NumbersWrite, numbers::change)
        .delete(Scope::PoolWrite, numbers::remove);
    r.at("/v1/accounts/{account}/numbers/{number}/assignments")
        .get(Scope::NumbersRead, number_plans::assignments);
    r.at("/v1/accounts/{account}/numbers/{number}/switches")
        .get(Scope::NumbersRead, number_plans::switches)
        .post(Scope::NumbersWrite, number_plans::order);
    r.at("/v1/accounts/{account}/numbers/{number}/switches/{switch}")
        .delete(Scope::NumbersWrite, number_plans::take_back);
    r.at("/v1/accounts/{account}/call_plans")
        .get(Scope::CallPlansRead, call_plans::list)
        .post(Scope::CallPlansWrite, call_plans::create);
    r.at("/v1/accounts/{account}/call_plans/validate")
        .post(Scope::CallPlansRead, plan_checks::validate);
    r.at("/v1/accounts/{account}/call_plans/simulate")
        .post(Scope::CallPlansRead, plan_checks::simulate);
    r.at("/v1/accounts/{account}/call_plans/{plan}")
        .get(Scope::CallPlansRead, call_plans::read)
        .patch(Scope::CallPlansWrite, call_plans::change)
        .delete(Scope::CallPlansWrite, call_plans::remove);
    r.at("/v1/accounts/{account}/call_plans/{plan}/draft")
        .get(Scope::CallPlansRead, call_plans::draft)
        .put(Scope::CallPlansWrite, call_plans::save_draft);
    r.at("/v1/accounts/{account}/call_plans/{plan}/validate")
        .post(Scope::CallPlansRead, plan_checks::validate_draft);
    r.at("/v1/accounts/{account}/call_plans/{plan}/simulate")
        .post(Scope::CallPlansRead, plan_checks::simulate_draft);
    r.at("/v1/accounts/{account}/call_plans/{plan}/publish")
        .post(Scope::CallPlansWrite, call_plans::publish);
    r.at("/v1/accounts/{account}/call_plans/{plan}/versions")
        .get(Scope::CallPlansRead, call_plans::versions);
    r.at("/v1/accounts/{account}/call_plans/{plan}/versions/{version}")
        .get(Scope::CallPlansRead, call_plans::version);
    r.at("/v1/accounts/{account}/audio")
        .get(Scope::AudioRead, audio::list)
        .post(Scope::AudioWrite, audio::upload);
    r.at("/v1/accounts/{account}/audio/{audio}")
        .get(Scope::AudioRead, audio::read)
        .delete(Scope::AudioWrite, audio::remove);
    r.at("/v1/accounts/{account}/audio/{audio}/content")
        .get(Scope::AudioRead, audio::download);
    r.at("/v1/accounts/{account}/trunks")
        .get(Scope::TrunksRead, trunks::list)
        .post(Scope::TrunksWrite, trunks::create);
    r.at("/v1/accounts/{account}/trunks/{trunk}")
        .get(Scope::TrunksRead, trunks::read)
        .patch(Scope::TrunksWrite, trunks::change)
        .delete(Scope::TrunksWrite, trunks::remove);
    r.at("/v1/accounts/{account}/routes")
        .get(Scope::RoutesRead, routes::list)
        .post(Scope::RoutesWrite, routes::create);
    r.at("/v1/accounts/{account}/routes/{route}")
        .get(Scope::RoutesRead, routes::read)
        .delete(Scope::RoutesWrite, routes::remove);
    r.at("/v1/accounts/{account}/scheduled_calls")
        .get(Scope::ScheduledCallsRead, scheduled_calls::list)
        .post(Scope::ScheduledCallsWrite, scheduled_calls::create);
    r.at("/v1/accounts/{account}/scheduled_calls/{scheduled_call}")
        .get(Scope::ScheduledCallsRead, scheduled_calls::read)
        .delete(Scope::ScheduledCallsWrite, scheduled_calls::cancel);
    r.at("/v1/accounts/{account}/calls")
        .get(Scope::CallsRead, calls::list);
    r.at("/v1/accounts/{account}/calls/{call}")
        .get(Scope::CallsRead, calls::read);
    r.at("/v1/accounts/{account}/calls/{call}/actions")
        .post(Scope::CallsWrite, calls::act);
    r.at("/v1/accounts/{account}/calls/{call}/events")
        .get(Scope::CallsRead, calls::events);
    r.at("/v1/accounts/{account}/records")
        .get(Scope::CallsRead, calls::records);
    r.at("/v1/accounts/{account}/records/{call}")
        .get(Scope::CallsRead, calls::record);
    r.at("/v1/accounts/{account}/recordings")
        .get(Scope::RecordingsRead, recordings::list);
    r.at("/v1/accounts/{account}/recordings/{recording}")
        .get(Scope::RecordingsRead, recordings::read)
        .delete(Scope::RecordingsWrite, recordings::remove);
    r.at("/v1/accounts/{account}/recordings/{recording}/audio")
        .get(Scope::RecordingsRead, recordings::audio);
    r.at("/v1/accounts/{account}/services/outbound")
        .get(Scope::ServicesRead, services::list);
    r.at("/v1/accounts/{account}/services/outbound/{service}")
        .get(Scope::ServicesRead, services::read)
        .put(Scope::ServicesWrite, services::put)
        .delete(Scope::ServicesWrite, services::remove);
    r.at("/v1/accounts/{account}/services/outbound/{service}/start")
        .post(Access::ServiceOr(Scope::InstancesWrite), instances::start);
    r.at("/v1/accounts/{account}/services/outbound/{service}/instances")
        .get(Scope::ServicesRead, instances::list);
    r.at("/v1/accounts/{account}/services/outbound/{service}/instances/{instance}")
        .get(Scope::ServicesRead, instances::read);
    r.at("/v1/accounts/{account}/events")
        .get(Scope::EventsRead, events::stream_events);
    r.at("/v1/system/signing_keys")
        .post(Scope::SystemWrite, signing_keys::rotate);
    r.at("/v1/event_types")
        .get(Access::Public, events::event_types);
    r.at("/v1/accounts/{account}/webhooks")
        .get(Scope::WebhooksRead, webhooks::list)
        .post(Scope::WebhooksWrite, webhooks::create);
    r.at("/v1/accounts/{account}/webhooks/enable")
        .post(Scope::WebhooksWrite, webhooks::enable);
    r.at("/v1/accounts/{account}/webhooks/{webhook}")
        .get(Scope::WebhooksRead, webhooks::read)
        .patch(Scope::WebhooksWrite, webhooks::change)
        .delete(Scope::WebhooksWrite, webhooks::remove);
    r.at("/v1/accounts/{account}/webhooks/{webhook}/rotate_secret")
        .post(Scope::WebhooksWrite, webhooks::rotate_secret);
    r.at("/v1/accounts/{account}/webhooks/{webhook}/test")
        .post(Scope::WebhooksWrite, webhooks::test);
    r.at("/v1/accounts/{account}/webhooks/{webhook}/replay")
        .post(Scope::WebhooksWrite, webhooks::replay);
    r.at("/v1/accounts/{account}/webhooks/{webhook}/deliveries")
        .get(Scope::WebhooksRead, deliveries::list);
    r.at("/v1/accounts/{account}/webhooks/{webhook}/deliveries/{delivery}")
        .get(Scope::WebhooksRead, deliveries::read);
    r.at("/v1/accounts/{account}/webhooks/{webhook}/deliveries/{delivery}/replay")
        .post(Scope::WebhooksWrite, deliveries::replay);
    r.at("/system/health").get(Access::Public, system::health);
    r.at("/system/ready").get(Access::Public, system::ready);
    r.at("/system/metrics").get(Access::Public, system::metrics);
    r
}

/// The time of a request.
fn now() -> DateTime<Utc> {
    crate::net::clock::now().utc
}
