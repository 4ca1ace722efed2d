//! Strowger.

pub mod accounts;
pub mod config;
pub mod events;
pub mod net;
pub mod sound;
pub mod store;
pub mod supervise;
pub mod telemetry;
