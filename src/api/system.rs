//! For the operator: does it live, does it take work, and how much does it do?

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use crate::telemetry;

/// How the platform does.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`, or what is wrong.
    #[schema(example = "ok")]
    pub status: &'static str,
    /// The program's version.
    pub version: &'static str,
}

/// Whether the platform takes work.
#[derive(Serialize, ToSchema)]
pub struct Readiness {
    /// `ready`, `draining` or `unavailable`.
    #[schema(example = "ready")]
    pub status: &'static str,
    /// The database answers.
    pub database: bool,
    /// The actors answer.
    pub platform: bool,
    /// Calls that live now.
    pub live_calls: u64,
}

/// Says that the program runs.
#[utoipa::path(get, path = "/system/health", tag = "system",
    responses((status = 200, body = Health)))]
pub async fn health() -> HttpResponse {
    HttpResponse::Ok().json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// Says whether the program takes work: its database and its actors answer, and it is not going
/// down.
#[utoipa::path(get, path = "/system/ready", tag = "system",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub async fn ready(api: web::Data<Api>) -> HttpResponse {
    let database = api.store.ping().await.is_ok();
    let observed = api.platform.observe().await.ok();
    let platform = observed.is_some();
    let draining = observed.is_some_and(|observed| observed.draining);
    let (code, status) = match (database && platform, draining) {
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        (true, true) => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        (true, false) => (StatusCode::OK, "ready"),
    };
    let live_calls = observed.map_or(0, |observed| observed.live_calls);
    HttpResponse::build(code).json(Readiness {
        status,
        database,
        platform,
        live_calls,
    })
}

/// Metrics in Prometheus' text format.
#[utoipa::path(get, path = "/system/metrics", tag = "system",
    responses((status = 200, content_type = "text/plain", body = String)))]
pub async fn metrics(api: web::Data<Api>) -> HttpResponse {
    if let Ok(observed) = api.platform.observe().await {
        let sip = observed.sip.machine;
        telemetry::gauge(telemetry::RTP_PORTS_OPEN, observed.media_ports);
        telemetry::gauge(telemetry::TICKETS, observed.tickets);
        telemetry::gauge(telemetry::SIP_INVITES, sip.invites);
        telemetry::gauge(telemetry::SIP_CONNECTIONS, observed.sip.connections);
        let transactions = sip.client_transactions + sip.server_transactions;
        telemetry::gauge(telemetry::SIP_TRANSACTIONS, transactions);
    }
    telemetry::measure_process();
    api.metrics.run_upkeep();
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(api.metrics.render())
}
