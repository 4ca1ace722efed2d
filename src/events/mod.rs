//! Facts that leave the platform: the log of events, and the one client that calls out.

pub mod http_client;
pub mod log;
pub mod network;
