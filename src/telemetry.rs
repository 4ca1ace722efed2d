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
/// Calls refused before they had a driver, by reason; `overload` are those that were shed.
pub const CALLS_REFUSED: &str = "strowger_calls_refused_total";
/// Calls that live now.
pub const CALLS_LIVE: &str = "strowger_calls_live";
/// RTP port pairs that are open now.
pub const RTP_PORTS_OPEN: &str = "strowger_rtp_port_pairs_open";
/// Calls that count for the limits of accounts.
pub const TICKETS: &str = "strowger_tickets";
/// INVITE usages of the SIP endpoint that have not ended.
pub const SIP_INVITES: &str = "strowger_sip_invites";
/// SIP transactions of both sides; finished ones stay for up to 32 s to swallow copies.
pub const SIP_TRANSACTIONS: &str = "strowger_sip_transactions";
/// SIP connections.
pub const SIP_CONNECTIONS: &str = "strowger_sip_connections";
/// Actors under supervision that live now; calls are counted as such.
pub const ACTORS_LIVE: &str = "strowger_actors_live";
/// Tasks of the main thread's runtime.
pub const TASKS_LIVE: &str = "strowger_tasks_live";
/// Threads of the process.
pub const PROCESS_THREADS: &str = "process_threads";
/// Open file descriptors of the process.
pub const PROCESS_FDS: &str = "process_open_fds";
/// Resident memory of the process, in bytes.
pub const PROCESS_RESIDENT: &str = "process_resident_memory_bytes";
/// SIP messages read, by transport.
pub const SIP_RECEIVED: &str = "strowger_sip_messages_received_total";
/// SIP messages sent, by transport.
pub const SIP_SENT: &str = "strowger_sip_messages_sent_total";
/// How long the oldest SIP datagram or new call waited, in seconds, by queue: `socket`, `platform`.
pub const SIP_QUEUE_AGE: &str = "strowger_sip_queue_age_seconds";
/// Actors that panicked, by kind.
pub const ACTOR_PANICS: &str = "strowger_actor_failures_total";
/// How late the media beat was, in seconds.
pub const MEDIA_LATENESS: &str = "strowger_media_beat_lateness_seconds";
/// What calls left behind and could not be kept, by kind.
pub const RECORDS_LOST: &str = "strowger_records_lost_total";
/// HTTP requests answered, by status class.
pub const HTTP_REQUESTS: &str = "strowger_http_requests_total";
/// Attempts to deliver events to webhooks, by outcome (taken, refused).
pub const WEBHOOK_ATTEMPTS: &str = "strowger_webhook_attempts_total";

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

/// Measures the process itself: memory, threads, descriptors, tasks, actors. Only Linux says the
/// first three; it is asked when somebody looks.
pub fn measure_process() {
    gauge(ACTORS_LIVE, crate::supervise::living());
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        gauge(TASKS_LIVE, runtime.metrics().num_alive_tasks());
    }
    if let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") {
        // The folder that is being read is one of them.
        gauge(PROCESS_FDS, descriptors.count().saturating_sub(1));
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    if let Some(kibibytes) = field("VmRSS:") {
        metrics::gauge!(PROCESS_RESIDENT).set(kibibytes * 1024.0);
    }
    if let Some(threads) = field("Threads:") {
        metrics::gauge!(PROCESS_THREADS).set(threads);
    }
}

/// Sets a gauge to a count.
pub fn gauge(name: &'static str, count: impl TryInto<u32>) {
    metrics::gauge!(name).set(count.try_into().unwrap_or(u32::MAX));
}
