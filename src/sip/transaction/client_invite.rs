//! The INVITE client transaction (RFC 3261 §17.1.1, with the Accepted state of RFC 6026 §7.2).

use super::retransmission::Retransmission;
use super::timers::earliest;
use super::{ClientAction, ClientInput};
use crate::config::Timers;
use bytes::Bytes;
use std::time::{Duration, Instant};

/// RFC 3261 §17.1.1.2: timer D is at least 32 seconds over an unreliable transport.
const TIMER_D: Duration = Duration::from_secs(32);

#[derive(Debug)]
pub(crate) struct ClientInvite {
    state: State,
    timers: Timers,
    reliable: bool,
}

#[derive(Debug)]
enum State {
    /// Nothing heard: the request is sent again by A, given up by B.
    Calling {
        request: Bytes,
        again: Option<Retransmission>,
        gives_up: Instant,
    },
    /// A provisional response came: no timer; the usage limits how long it rings.
    Proceeding {
        request: Bytes,
    },
    /// Refused: the ACK is sent for each copy of the response until D.
    Completed {
        ack: Bytes,
        until: Instant,
    },
    /// Accepted: each copy of each 2xx goes to the usage until M.
    Accepted {
        until: Instant,
    },
    Terminated,
}

impl ClientInvite {
    /// Sends the request.
    pub(crate) fn start(
        request: Bytes,
        reliable: bool,
        timers: Timers,
        now: Instant,
    ) -> (Self, Vec<ClientAction>) {
        let again = (!reliable).then(|| Retransmission::start(now, timers.t1, None));
        let gives_up = now + timers.sixty_four_t1();
        let state = State::Calling {
            request: request.clone(),
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

    /// The request, while an ACK or a CANCEL may have to be made from it.
    pub(crate) fn request(&self) -> Option<&Bytes> {
        match &self.state {
            State::Calling { request, .. } | State::Proceeding { request } => Some(request),
            State::Completed { .. } | State::Accepted { .. } | State::Terminated => None,
        }
    }

    /// Whether a provisional response came and no final one: only then may a CANCEL go (§9.1).
    pub(crate) fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// No final response has come.
    pub(crate) fn is_unsettled(&self) -> bool {
        matches!(self.state, State::Calling { .. } | State::Proceeding { .. })
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Calling {
                again, gives_up, ..
            } => earliest(again.map(|again| again.at()), Some(*gives_up)),
            State::Completed { until, .. } | State::Accepted { until } => Some(*until),
            State::Proceeding { .. } | State::Terminated => None,
        }
    }

    pub(crate) fn handle(&mut self, input: ClientInput, now: Instant) -> Vec<ClientAction> {
        match input {
            ClientInput::Provisional => self.provisional(),
            ClientInput::Success => self.success(now),
            ClientInput::Failure { ack } => self.failure(ack, now),
            ClientInput::Timeout => self.timeout(now),
            ClientInput::TransportFailed => self.transport_failed(),
        }
    }

    fn provisional(&mut self) -> Vec<ClientAction> {
        match &self.state {
            State::Calling { request, .. } => {
                self.state = State::Proceeding {
                    request: request.clone(),
                };
                vec![ClientAction::Deliver]
            }
            State::Proceeding { .. } => vec![ClientAction::Deliver],
            State::Completed { .. } | State::Accepted { .. } | State::Terminated => vec![],
        }
    }

    fn success(&mut self, now: Instant) -> Vec<ClientAction> {
        match &self.state {
            State::Calling { .. } | State::Proceeding { .. } => {
                self.state = State::Accepted {
                    until: now + self.timers.sixty_four_t1(),
                };
                vec![ClientAction::Deliver]
            }
            State::Accepted { .. } => vec![ClientAction::Deliver],
            State::Completed { .. } | State::Terminated => vec![],
        }
    }

    fn failure(&mut self, ack: Option<Bytes>, now: Instant) -> Vec<ClientAction> {
        match &self.state {
            State::Calling { .. } | State::Proceeding { .. } => {
                let mut actions: Vec<_> = ack
                    .clone()
                    .map(ClientAction::Transmit)
                    .into_iter()
                    .collect();
                actions.push(ClientAction::Deliver);
                if self.reliable {
                    self.state = State::Terminated;
                    actions.push(ClientAction::Terminated);
                } else {
                    let until = now + TIMER_D.max(self.timers.sixty_four_t1());
                    self.state = State::Completed {
                        ack: ack.unwrap_or_default(),
                        until,
                    };
                }
                actions
            }
            State::Completed { ack, .. } if !ack.is_empty() => {
                vec![ClientAction::Transmit(ack.clone())]
            }
            State::Completed { .. } | State::Accepted { .. } | State::Terminated => vec![],
        }
    }

    fn timeout(&mut self, now: Instant) -> Vec<ClientAction> {
        match &mut self.state {
            State::Calling { gives_up, .. } if *gives_up <= now => {
                self.state = State::Terminated;
                vec![ClientAction::TimedOut, ClientAction::Terminated]
            }
            State::Calling { request, again, .. } => {
                let due = Retransmission::due(again, request, now);
                due.map(ClientAction::Transmit).into_iter().collect()
            }
            State::Completed { until, .. } | State::Accepted { until } if *until <= now => {
                self.state = State::Terminated;
                vec![ClientAction::Terminated]
            }
            State::Proceeding { .. }
            | State::Completed { .. }
            | State::Accepted { .. }
            | State::Terminated => vec![],
        }
    }

    fn transport_failed(&mut self) -> Vec<ClientAction> {
        match std::mem::replace(&mut self.state, State::Terminated) {
            State::Calling { .. } | State::Proceeding { .. } => {
                vec![ClientAction::Failed, ClientAction::Terminated]
            }
            State::Completed { .. } | State::Accepted { .. } => vec![ClientAction::Terminated],
            State::Terminated => vec![],
        }
    }
}
