//! Service numbers: one actor each.

pub mod messages;
pub mod service_number;
