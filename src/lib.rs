//! Strowger.

pub mod accounts;
pub mod config;
pub mod events;
pub mod net;
pub mod supervise;
pub mod telemetry;
