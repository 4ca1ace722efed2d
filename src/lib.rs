//! Strowger.

pub mod events;
