//! The non-INVITE server transaction (RFC 3261 §17.2.2).

use super::{ServerAction, ServerInput};
use crate::config::Timers;
use bytes::Bytes;
use std::time::Instant;

#[derive(Debug)]
pub(crate) struct Server {
    state: State,
    timers: Timers,
    reliable: bool,
}

#[derive(Debug)]
enum State {
    /// Trying and Proceeding: a provisional response, if there is one, answers each copy.
    Waiting {
        last: Option<Bytes>,
    },
    /// The final response answers each copy of the request until J.
    Completed {
        response: Bytes,
        until: Instant,
    },
    Terminated,
}

impl Server {
    pub(crate) fn new(reliable: bool, timers: Timers) -> Self {
        Self {
            state: State::Waiting { last: None },
            timers,
            reliable,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Completed { until, .. } => Some(*until),
            State::Waiting { .. } | State::Terminated => None,
        }
    }

    pub(crate) fn handle(&mut self, input: ServerInput, now: Instant) -> Vec<ServerAction> {
        match input {
            ServerInput::Request => match &self.state {
                State::Waiting {
                    last: Some(response),
                }
                | State::Completed { response, .. } => {
                    vec![ServerAction::Transmit(response.clone())]
                }
                State::Waiting { last: None } | State::Terminated => vec![],
            },
            ServerInput::Ack => vec![],
            ServerInput::Provisional(bytes) => match &mut self.state {
                State::Waiting { last } => {
                    *last = Some(bytes.clone());
                    vec![ServerAction::Transmit(bytes)]
                }
                State::Completed { .. } | State::Terminated => vec![],
            },
            ServerInput::Success(bytes) | ServerInput::Failure(bytes) => {
                self.final_response(bytes, now)
            }
            ServerInput::Timeout => match &self.state {
                State::Completed { until, .. } if *until <= now => {
                    self.state = State::Terminated;
                    vec![ServerAction::Terminated]
                }
                State::Completed { .. } | State::Waiting { .. } | State::Terminated => vec![],
            },
            ServerInput::TransportFailed => {
                match std::mem::replace(&mut self.state, State::Terminated) {
                    State::Waiting { .. } => vec![ServerAction::Failed, ServerAction::Terminated],
                    State::Completed { .. } => vec![ServerAction::Terminated],
                    State::Terminated => vec![],
                }
            }
        }
    }

    fn final_response(&mut self, bytes: Bytes, now: Instant) -> Vec<ServerAction> {
        match &self.state {
            State::Waiting { .. } if self.reliable => {
                self.state = State::Terminated;
                vec![ServerAction::Transmit(bytes), ServerAction::Terminated]
            }
            State::Waiting { .. } => {
                let until = now + self.timers.sixty_four_t1();
                self.state = State::Completed {
                    response: bytes.clone(),
                    until,
                };
                vec![ServerAction::Transmit(bytes)]
            }
            State::Completed { .. } | State::Terminated => vec![],
        }
    }
}
