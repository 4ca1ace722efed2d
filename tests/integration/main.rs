//! The whole platform, tried from outside: by telephone, by its API, and by its web applications.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::similar_names,
    reason = "a test fails by panicking"
)]

mod harness;
mod inbound_call;
mod outbound_service;
mod restart;
mod scheduled_call;
mod supervision;
