//! Strowger.

pub mod accounts;
pub mod events;
