//! The limits along account paths, and the tickets of those who use them.

use actix::{Message, Recipient};
use strowger_domain::limits::Ticket;

/// A call is over: its ticket comes back.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct GiveBack(pub Ticket);

/// A call's share of its accounts' limits; dropping it gives it back, also when its holder
/// panicked.
#[derive(Debug)]
pub struct CallTicket {
    ticket: Option<Ticket>,
    platform: Recipient<GiveBack>,
}

impl CallTicket {
    /// Wraps a ticket that `platform` gave out.
    pub fn new(ticket: Ticket, platform: Recipient<GiveBack>) -> Self {
        Self {
            ticket: Some(ticket),
            platform,
        }
    }
}

impl Drop for CallTicket {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.platform.do_send(GiveBack(ticket));
        }
    }
}
