//! Mail: writes what a template says, keeps it in the store's queue, and sends it by the account's
//! mail server until that takes it.

pub mod outbox;
pub mod smtp;

pub use outbox::{Outbox, Postbox};
