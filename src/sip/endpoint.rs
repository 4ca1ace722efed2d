//! The endpoint: messages and commands in, transmits and events out. It owns all transactions,
//! dialogs and INVITE usages of one SIP element.

pub use crate::command::{Command, Credentials, Input, InviteId, OutgoingInvite, Party};
pub use crate::config::{Config, Timers};
pub use crate::event::{Counts, Effect, Event, IncomingInvite, OfferedCredentials};
pub use crate::flow::{Flow, Transport};

use rand::rngs::StdRng;
use std::collections::VecDeque;
use std::time::Instant;

/// A SIP element without sockets: one input, then drain the effects, then the next input; one timer
/// armed for [`Endpoint::deadline`].
#[derive(Debug)]
pub struct Endpoint {
    config: Config,
    rng: StdRng,
    draining: bool,
    effects: VecDeque<Effect>,
}

impl Endpoint {
    /// An endpoint without calls. The random numbers make tags, branches, nonces and Call-IDs: seed
    /// them from the system.
    pub fn new(config: Config, rng: StdRng) -> Self {
        Self {
            config,
            rng,
            draining: false,
            effects: VecDeque::new(),
        }
    }

    /// Takes one input. `now` never goes backwards.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        let _ = (input, now, &self.rng, &self.config, self.draining);
    }

    /// The next thing to do.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`Input::Timeout`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Whether new calls are refused with 503 and Retry-After; those that live are served.
    pub fn set_draining(&mut self, draining: bool) {
        self.draining = draining;
    }

    /// What lives now.
    pub fn live(&self) -> Counts {
        Counts::default()
    }
}
