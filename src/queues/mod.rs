//! Queues: one actor each, around `strowger_domain::queue`.

pub mod messages;
pub mod queue;
