//! Accounts, one actor type for every level of the tree, and what may be asked of them.

pub mod account;
pub mod admit;
pub mod messages;
mod news;
pub mod platform;
pub mod root;
pub mod snapshot;
mod starts;
