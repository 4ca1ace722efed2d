//! The rules of the business: accounts, numbers, call plans, applications, calls and records,
//! without input or output.
//!
//! Nothing here knows a socket, a clock, a thread, an actor or a database. Time and randomness are
//! arguments, so that every rule is tested in virtual time.

#![warn(missing_docs)]

pub mod account;
pub mod application;
pub mod audit;
pub mod calendar;
pub mod call;
pub mod call_plan;
pub mod cause;
pub mod cdr;
pub mod conference;
pub mod destination;
pub mod directory;
pub mod e164;
pub mod fault;
pub mod ids;
pub mod limits;
pub mod mail;
pub mod pin;
pub mod queue;
pub mod route;
pub mod schedule;
pub mod timestamp;
pub mod totp;
pub mod webhook;
