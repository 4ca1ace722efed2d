//! RFC 3261 signalling without sockets.
#![warn(missing_docs)]

pub mod command;
pub mod config;
pub mod endpoint;
pub mod event;
pub mod flow;
