//! The scheduler: sleeps until the next scheduled call is due, claims it, and has it started.

pub mod keeper;
pub mod retention;
#[expect(clippy::module_inception, reason = "the actor is the room's one noun")]
pub mod scheduler;
pub mod switches;
