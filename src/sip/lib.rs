//! RFC 3261 signalling without sockets.
#![warn(missing_docs)]

pub mod address;
pub mod command;
pub mod config;
mod dialog;
pub mod digest;
pub mod endpoint;
pub mod event;
pub mod flow;
mod framer;
mod grammar;
mod head;
pub mod inspection;
mod invite;
pub mod message;
pub mod overload;
pub mod params;
pub mod reader;
mod requests;
mod text;
mod transaction;
mod unreadable;
pub mod uri;
pub mod via;
