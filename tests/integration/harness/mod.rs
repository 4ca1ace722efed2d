//! What every test needs: a whole platform in this process, phones that call it, and waiting for
//! facts.

mod api;
mod bare;
mod beside;
mod facts;
mod gauges;
mod line;
mod pages;
mod panics;
mod phone;
mod plans;
mod platform;
mod process;
mod seed;
mod sound;
mod stranger;

pub(crate) use bare::{Bare, invite as bare_invite};
pub(crate) use beside::Beside;
pub(crate) use facts::{eventually, in_time};
pub(crate) use line::Line;
pub(crate) use pages::{PageServer, Reply};
pub(crate) use phone::{Caller, Phone};
pub(crate) use plans::{audio, plan, text};
pub(crate) use platform::{Builder, Platform};
pub(crate) use process::Process;
pub(crate) use seed::{CUSTOMER_NUMBER, Owner, SECOND_NUMBER, trunk_to};
pub(crate) use stranger::Stranger;
