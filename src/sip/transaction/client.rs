//! The non-INVITE client transaction (RFC 3261 §17.1.2).

use super::retransmission::Retransmission;
use super::timers::earliest;
use super::{ClientAction, ClientInput};
use crate::config::Timers;
use bytes::Bytes;
use std::time::Instant;

#[derive(Debug)]
pub(crate) struct Client {
    state: State,
    timers: Timers,
    reliable: bool,
}

#[derive(Debug)]
enum State {
    /// Trying and Proceeding: sent again by E, given up by F.
    Waiting {
        request: Bytes,
        proceeding: bool,
        again: Option<Retransmission>,
        gives_up: Instant,
    },
    /// Copies of the final response are swallowed until K.
    Completed {
        until: Instant,
    },
    Terminated,
}

impl Client {
    /// Sends the request.
    pub(crate) fn start(
        request: Bytes,
        reliable: bool,
        timers: Timers,
        now: Instant,
    ) -> (Self, Vec<ClientAction>) {
        let again = (!reliable).then(|| Retransmission::start(now, timers.t1, Some(timers.t2)));
        let gives_up = now + timers.sixty_four_t1();
        let state = State::Waiting {
            request: request.clone(),
            proceeding: false,
            again,
            gives_up,
        };
        (
            Self {
                state,
                timers,
                reliable,
            },
            vec![ClientAction::Transmit(request)],
        )
    }

    /// No final response has come.
    pub(crate) fn is_unsettled(&self) -> bool {
        matches!(self.state, State::Waiting { .. })
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting {
                again, gives_up, ..
            } => earliest(again.map(|again| again.at()), Some(*gives_up)),
            State::Completed { until } => Some(*until),
            State::Terminated => None,
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "the four machines are fed alike"
    )]
    pub(crate) fn handle(&mut self, input: ClientInput, now: Instant) -> Vec<ClientAction> {
        match input {
            ClientInput::Provisional => self.provisional(now),
            ClientInput::Success | ClientInput::Failure { .. } => self.final_response(now),
            ClientInput::Timeout => self.timeout(now),
            ClientInput::TransportFailed => self.transport_failed(),
        }
    }

    fn provisional(&mut self, now: Instant) -> Vec<ClientAction> {
        match &mut self.state {
            State::Waiting {
                proceeding, again, ..
            } => {
                if !*proceeding {
                    *proceeding = true;
                    // §17.1.2.2: in Proceeding timer E is always T2.
                    if let Some(again) = again {
                        let t2 = self.timers.t2;
                        *again = Retransmission::start(now, t2, Some(t2));
                    }
                }
                vec![ClientAction::Deliver]
            }
            State::Completed { .. } | State::Terminated => vec![],
        }
    }

    fn final_response(&mut self, now: Instant) -> Vec<ClientAction> {
        match &self.state {
            State::Waiting { .. } if self.reliable => {
                self.state = State::Terminated;
                vec![ClientAction::Deliver, ClientAction::Terminated]
            }
            State::Waiting { .. } => {
                self.state = State::Completed {
                    until: now + self.timers.t4,
                };
                vec![ClientAction::Deliver]
            }
            State::Completed { .. } | State::Terminated => vec![],
        }
    }

    fn timeout(&mut self, now: Instant) -> Vec<ClientAction> {
        match &mut self.state {
            State::Waiting { gives_up, .. } if *gives_up <= now => {
                self.state = State::Terminated;
                vec![ClientAction::TimedOut, ClientAction::Terminated]
            }
            State::Waiting { request, again, .. } => {
                let due = Retransmission::due(again, request, now);
                due.map(ClientAction::Transmit).into_iter().collect()
            }
            State::Completed { until } if *until <= now => {
                self.state = State::Terminated;
                vec![ClientAction::Terminated]
            }
            State::Completed { .. } | State::Terminated => vec![],
        }
    }

    fn transport_failed(&mut self) -> Vec<ClientAction> {
        match std::mem::replace(&mut self.state, State::Terminated) {
            State::Waiting { .. } => vec![ClientAction::Failed, ClientAction::Terminated],
            State::Completed { .. } => vec![ClientAction::Terminated],
            State::Terminated => vec![],
        }
    }
}
