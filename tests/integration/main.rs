//! The whole platform, tried from outside: by telephone, by its API, and by its web applications.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::similar_names,
    clippy::many_single_char_names,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking; its parties are A and B; its documents are written where they are used"
)]

mod accounts;
mod call_quality;
mod chaos;
mod chaos_process;
mod clock_steps;
mod conference;
mod delivery;
mod harness;
mod inbound_call;
mod limits;
mod malformed;
mod menu;
mod outage;
mod outbound_service;
mod queue;
mod recording;
mod restart;
mod rsipstack_peer;
mod scheduled_call;
mod simulation;
mod storm;
mod supervision;
mod tenancy;
mod trunk;
mod webhooks;
