//! Logs by tracing, metrics for Prometheus, whose names stand here and nowhere else, and words on
//! standard output.

use std::io::IsTerminal;

use std::io::Write as _;

use anyhow::Context as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Calls that were started, by origin.
pub const CALLS_STARTED: &str = "strowger_calls_started_total";
/// Calls that ended, by outcome.
pub const CALLS_ENDED: &str = "strowger_calls_ended_total";
/// Calls refused before they had a driver, by reason.
pub const CALLS_REFUSED: &str = "strowger_calls_refused_total";
/// Calls that live now.
pub const CALLS_LIVE: &str = "strowger_calls_live";
/// RTP port pairs that are open now.
pub const RTP_PORTS_OPEN: &str = "strowger_rtp_port_pairs_open";
/// SIP messages read, by transport.
pub const SIP_RECEIVED: &str = "strowger_sip_messages_received_total";
/// SIP messages sent, by transport.
pub const SIP_SENT: &str = "strowger_sip_messages_sent_total";
/// Actors that panicked, by kind.
pub const ACTOR_PANICS: &str = "strowger_actor_failures_total";
/// How late the media beat was, in seconds.
pub const MEDIA_LATENESS: &str = "strowger_media_beat_lateness_seconds";
/// HTTP requests answered, by status class.
pub const HTTP_REQUESTS: &str = "strowger_http_requests_total";

/// Starts logging. A second start in one process (tests) keeps the first.
pub fn start_logging(format: LogFormat, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging runs already");
    }
}

/// Starts collecting metrics; the handle renders them for `/system/metrics`.
pub fn start_metrics() -> PrometheusHandle {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // A second platform in one process (tests) has its own, which nobody feeds.
    if let Err(error) = metrics::set_global_recorder(recorder) {
        tracing::debug!(%error, "metrics run already");
    }
    handle
}

/// Counts an actor that panicked; its parent has made it again, or ended what it was doing.
pub fn actor_failed(kind: &'static str) {
    metrics::counter!(ACTOR_PANICS, "kind" => kind).increment(1);
    tracing::error!(kind, "an actor panicked");
}

/// Tells whoever started the program, on standard output.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .context("standard output")
}
