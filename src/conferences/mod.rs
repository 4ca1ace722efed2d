//! Conferences: one actor each, around `strowger_domain::conference`.

pub mod conference;
pub mod messages;
