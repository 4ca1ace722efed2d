//! Facts that leave the platform: the log of events, webhooks, and the one client that calls out.

pub mod catalogue;
pub mod http_client;
pub mod log;
pub mod network;
pub mod signature;
pub mod webhooks;
