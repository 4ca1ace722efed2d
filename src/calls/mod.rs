//! One actor for each call, from its first INVITE to its one record.

pub mod call;
mod dialling;
mod effects;
pub(crate) mod legs;
pub mod messages;
mod notes;
mod places;
mod signalling;
pub mod start;
pub mod threads;
pub mod ticket;
pub mod tools;

pub(crate) use notes::write_cut;
