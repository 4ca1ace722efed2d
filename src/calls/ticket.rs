//! A call's share of the limits along its account path.

use actix::{Message, Recipient};
use strowger_domain::limits::Ticket;

/// A call is over: its ticket comes back.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct GiveBack {
    /// The ticket.
    pub ticket: Ticket,
    /// The life of the platform that gave it out.
    pub life: u64,
}

/// A ticket in its holder's hands; dropping it gives it back, also when the holder panicked.
#[derive(Debug)]
pub struct CallTicket {
    ticket: Option<Ticket>,
    life: u64,
    platform: Recipient<GiveBack>,
}

impl CallTicket {
    /// Wraps a ticket that `platform` gave out in its present `life`.
    pub fn new(ticket: Ticket, life: u64, platform: Recipient<GiveBack>) -> Self {
        Self {
            ticket: Some(ticket),
            life,
            platform,
        }
    }
}

impl Drop for CallTicket {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.platform.do_send(GiveBack {
                ticket,
                life: self.life,
            });
        }
    }
}
