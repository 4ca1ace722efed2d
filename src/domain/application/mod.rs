//! A customer's web application: every step of the call is a page of its web server, which answers
//! with a list of actions.
//!
//! [`Instance`] is the machine that runs it: facts of the call and page replies in, effects out.

mod action;
mod actions;
mod fields;
mod instance;
mod page;

pub use action::{Action, Reply, Token, read_reply};
pub use actions::connect::Connect;
pub use actions::get_number::GetNumber;
pub use actions::play::{Media, Play};
pub use actions::record::Record;
pub use instance::{Effect, Input, Instance, Settings, Summary};
pub use page::{CallCause, Method, Page, PageError, PageKind, PageNumber, PageReply, PageRequest};
