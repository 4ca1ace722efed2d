//! The INVITE server transaction (RFC 3261 §17.2.1, with the Accepted state of RFC 6026 §7.1).

use super::retransmission::Retransmission;
use super::timers::earliest;
use super::{ServerAction, ServerInput};
use crate::config::Timers;
use bytes::Bytes;
use std::time::Instant;

#[derive(Debug)]
pub(crate) struct ServerInvite {
    state: State,
    timers: Timers,
    reliable: bool,
}

#[derive(Debug)]
enum State {
    /// The last provisional response answers each copy of the request.
    Proceeding {
        last: Option<Bytes>,
    },
    /// Refused: the response is sent again by G until the ACK comes, or H gives up.
    Completed {
        response: Bytes,
        again: Option<Retransmission>,
        gives_up: Instant,
    },
    /// Acknowledged: further copies of the ACK are swallowed until I.
    Confirmed {
        until: Instant,
    },
    /// Accepted: copies of the request are swallowed until L; the usage repeats its 2xx itself.
    Accepted {
        until: Instant,
    },
    Terminated,
}

impl ServerInvite {
    pub(crate) fn new(reliable: bool, timers: Timers) -> Self {
        Self {
            state: State::Proceeding { last: None },
            timers,
            reliable,
        }
    }

    /// The refusal has not been acknowledged.
    pub(crate) fn is_unsettled(&self) -> bool {
        matches!(self.state, State::Completed { .. })
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Completed {
                again, gives_up, ..
            } => earliest(again.map(|again| again.at()), Some(*gives_up)),
            State::Confirmed { until } | State::Accepted { until } => Some(*until),
            State::Proceeding { .. } | State::Terminated => None,
        }
    }

    pub(crate) fn handle(&mut self, input: ServerInput, now: Instant) -> Vec<ServerAction> {
        match input {
            ServerInput::Request => self.request(),
            ServerInput::Ack => self.ack(now),
            ServerInput::Provisional(bytes) => self.provisional(bytes),
            ServerInput::Success(bytes) => self.success(bytes, now),
            ServerInput::Failure(bytes) => self.failure(bytes, now),
            ServerInput::Timeout => self.timeout(now),
            ServerInput::TransportFailed => self.transport_failed(),
        }
    }

    fn request(&mut self) -> Vec<ServerAction> {
        match &self.state {
            State::Proceeding {
                last: Some(response),
            }
            | State::Completed { response, .. } => {
                vec![ServerAction::Transmit(response.clone())]
            }
            State::Proceeding { last: None }
            | State::Confirmed { .. }
            | State::Accepted { .. }
            | State::Terminated => vec![],
        }
    }

    fn ack(&mut self, now: Instant) -> Vec<ServerAction> {
        match &self.state {
            State::Completed { .. } if self.reliable => {
                self.state = State::Terminated;
                vec![ServerAction::Terminated]
            }
            State::Completed { .. } => {
                self.state = State::Confirmed {
                    until: now + self.timers.t4,
                };
                vec![]
            }
            State::Accepted { .. } => vec![ServerAction::DeliverAck],
            State::Proceeding { .. } | State::Confirmed { .. } | State::Terminated => vec![],
        }
    }

    fn provisional(&mut self, bytes: Bytes) -> Vec<ServerAction> {
        match &mut self.state {
            State::Proceeding { last } => {
                *last = Some(bytes.clone());
                vec![ServerAction::Transmit(bytes)]
            }
            State::Completed { .. }
            | State::Confirmed { .. }
            | State::Accepted { .. }
            | State::Terminated => vec![],
        }
    }

    fn success(&mut self, bytes: Bytes, now: Instant) -> Vec<ServerAction> {
        match &self.state {
            State::Proceeding { .. } => {
                self.state = State::Accepted {
                    until: now + self.timers.sixty_four_t1(),
                };
                vec![ServerAction::Transmit(bytes)]
            }
            State::Accepted { .. } => vec![ServerAction::Transmit(bytes)],
            State::Completed { .. } | State::Confirmed { .. } | State::Terminated => vec![],
        }
    }

    fn failure(&mut self, bytes: Bytes, now: Instant) -> Vec<ServerAction> {
        match &self.state {
            State::Proceeding { .. } => {
                let again = (!self.reliable)
                    .then(|| Retransmission::start(now, self.timers.t1, Some(self.timers.t2)));
                let gives_up = now + self.timers.sixty_four_t1();
                self.state = State::Completed {
                    response: bytes.clone(),
                    again,
                    gives_up,
                };
                vec![ServerAction::Transmit(bytes)]
            }
            State::Completed { .. }
            | State::Confirmed { .. }
            | State::Accepted { .. }
            | State::Terminated => vec![],
        }
    }

    fn timeout(&mut self, now: Instant) -> Vec<ServerAction> {
        match &mut self.state {
            State::Completed { gives_up, .. } if *gives_up <= now => {
                self.state = State::Terminated;
                vec![ServerAction::Terminated]
            }
            State::Completed {
                response, again, ..
            } => {
                let due = Retransmission::due(again, response, now);
                due.map(ServerAction::Transmit).into_iter().collect()
            }
            State::Confirmed { until } | State::Accepted { until } if *until <= now => {
                self.state = State::Terminated;
                vec![ServerAction::Terminated]
            }
            State::Proceeding { .. }
            | State::Confirmed { .. }
            | State::Accepted { .. }
            | State::Terminated => vec![],
        }
    }

    fn transport_failed(&mut self) -> Vec<ServerAction> {
        match std::mem::replace(&mut self.state, State::Terminated) {
            State::Proceeding { .. } => vec![ServerAction::Failed, ServerAction::Terminated],
            State::Completed { .. } | State::Confirmed { .. } | State::Accepted { .. } => {
                vec![ServerAction::Terminated]
            }
            State::Terminated => vec![],
        }
    }
}
