//! Who is told what happens to an INVITE usage, and how long new calls wait for somebody.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use actix::prelude::*;
use strowger_sip::command::InviteId;
use strowger_sip::event::Event;

use super::sip_endpoint::SipFact;

/// Tells an owner that the endpoint was lost, if it is dropped before a terminal event.
pub(super) struct Owner {
    invite: InviteId,
    recipient: Option<Recipient<SipFact>>,
    waiting: Vec<Event>,
    over: bool,
    forgotten: bool,
}

impl Owner {
    pub(super) fn new(invite: InviteId) -> Self {
        Self {
            invite,
            recipient: None,
            waiting: Vec::new(),
            over: false,
            forgotten: false,
        }
    }

    /// From now on events go to `recipient`; those that came before come first.
    pub(super) fn adopt(&mut self, recipient: Recipient<SipFact>) {
        self.recipient = Some(recipient);
        for event in std::mem::take(&mut self.waiting) {
            self.tell(event);
        }
    }

    /// Nobody holds the leg any more: its events need not be kept for an owner to come.
    pub(super) fn forget(&mut self) {
        self.forgotten = true;
    }

    /// Nothing more is to be told.
    pub(super) fn is_done(&self) -> bool {
        self.over && (self.recipient.is_some() || self.forgotten)
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.over |= event.is_terminal();
        match &self.recipient {
            Some(recipient) => recipient.do_send(SipFact {
                invite: self.invite,
                event,
            }),
            None if self.forgotten => {}
            None => self.waiting.push(event),
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if !self.over {
            self.tell(Event::Ended {
                invite: self.invite,
                status: Some(503),
                q850: Some(41),
                by_us: true,
            });
        }
    }
}

/// Fewer calls than this on their way to an owner are no queue: one of them may wait for a reason
/// of its own.
const QUEUE: usize = 16;

/// Calls that came in and have no owner yet: they wait for the platform and the call threads.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// In the order in which they came. Those that have an owner are taken off when they are first.
    waiting: VecDeque<(InviteId, Instant)>,
    /// How long the call waited that was taken last, and when that was.
    last: Option<(Duration, Instant)>,
}

impl Arrivals {
    pub(super) fn came(&mut self, invite: InviteId, now: Instant) {
        self.waiting.push_back((invite, now));
    }

    /// A call has found its owner, or will have none.
    pub(super) fn left(&mut self, invite: InviteId, now: Instant) {
        // They leave about as they came: it is one of the first.
        if let Some(at) = self.waiting.iter().position(|(other, _)| *other == invite)
            && let Some((_, came)) = self.waiting.remove(at)
        {
            self.last = Some((now.saturating_duration_since(came), now));
        }
    }

    /// How long a call waits at present: as long as the last one that was taken did; when none is
    /// taken any more, as long as that has lasted.
    pub(super) fn age(&self, now: Instant) -> Duration {
        let Some((_, first)) = self.waiting.front().filter(|_| self.waiting.len() >= QUEUE) else {
            return Duration::ZERO;
        };
        let waited = now.saturating_duration_since(*first);
        match self.last {
            Some((last, at)) => waited.min(last.max(now.saturating_duration_since(at))),
            None => waited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_wait_are_as_old_as_the_last_that_was_taken_or_as_the_standstill() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut arrivals = Arrivals::default();
        for number in 0..QUEUE as u64 {
            arrivals.came(InviteId(number), at(number));
        }
        assert_eq!(arrivals.age(at(100)), Duration::from_millis(100));
        arrivals.left(InviteId(5), at(105));
        assert_eq!(arrivals.age(at(105)), Duration::ZERO, "no queue any more");
        for number in 100..104 {
            arrivals.came(InviteId(number), at(105));
        }
        assert_eq!(arrivals.age(at(106)), Duration::from_millis(100));
        assert_eq!(
            arrivals.age(at(305)),
            Duration::from_millis(200),
            "standstill"
        );
        arrivals.left(InviteId(100), at(306));
        assert_eq!(arrivals.age(at(306)), Duration::from_millis(201));
        arrivals.left(InviteId(103), at(307));
        arrivals.came(InviteId(104), at(307));
        assert_eq!(arrivals.age(at(307)), Duration::from_millis(202));
    }

    #[test]
    fn one_call_that_waits_for_long_is_no_queue() {
        let start = Instant::now();
        let mut arrivals = Arrivals::default();
        arrivals.came(InviteId(2), start);
        assert_eq!(arrivals.age(start + Duration::from_secs(9)), Duration::ZERO);
    }
}
