//! One endpoint, and messages written by hand.

use super::{flow, start};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::time::{Duration, Instant};
use strowger_sip::endpoint::{
    Command, Config, Effect, Endpoint, Event, Flow, Input, InviteId, Transport,
};

pub(crate) struct Lone {
    pub(crate) endpoint: Endpoint,
    pub(crate) flow: Flow,
    pub(crate) now: Instant,
    /// What it sent and was not looked at yet.
    pub(crate) sent: Vec<(Flow, String)>,
    pub(crate) events: Vec<Event>,
}

impl Lone {
    pub(crate) fn new() -> Self {
        Self::with_config(Config::default())
    }

    pub(crate) fn with_config(config: Config) -> Self {
        Self {
            endpoint: Endpoint::new(config, StdRng::seed_from_u64(7)),
            flow: flow(Transport::Udp, "192.0.2.1:5060", "192.0.2.9:5060"),
            now: start(),
            sent: vec![],
            events: vec![],
        }
    }

    pub(crate) fn receive(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
        self.receive_raw(text.as_bytes());
    }

    pub(crate) fn receive_raw(&mut self, bytes: &[u8]) {
        let flow = self.flow;
        self.input(Input::Message { flow, bytes });
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    pub(crate) fn input(&mut self, input: Input<'_>) {
        self.endpoint.handle(input, self.now);
        while let Some(effect) = self.endpoint.next_effect() {
            match effect {
                Effect::Event(event) => self.events.push(event),
                Effect::Transmit { flow, bytes } => {
                    self.sent
                        .push((flow, String::from_utf8_lossy(&bytes).into_owned()));
                }
            }
        }
    }

    /// Lets time pass, with all timers at their time.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.endpoint.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.input(Input::Timeout);
        }
        self.now = until;
    }

    /// Takes the only message that was sent since.
    pub(crate) fn one(&mut self) -> String {
        assert_eq!(self.sent.len(), 1, "not one message: {:#?}", self.sent);
        self.sent.remove(0).1
    }

    /// Takes the first lines of what was sent since.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        let lines = self.sent.iter().map(|(_, text)| first_line(text)).collect();
        self.sent.clear();
        lines
    }

    /// Takes the last message sent that starts so, and forgets all others.
    pub(crate) fn last(&mut self, start: &str) -> String {
        let found = self
            .sent
            .iter()
            .rev()
            .find(|(_, text)| text.starts_with(start));
        let found = found
            .unwrap_or_else(|| panic!("no {start} in {:#?}", self.sent))
            .1
            .clone();
        self.sent.clear();
        found
    }

    /// Takes the only event since.
    pub(crate) fn event(&mut self) -> Event {
        assert_eq!(self.events.len(), 1, "not one event: {:#?}", self.events);
        self.events.remove(0)
    }

    /// Takes in a call; gives its usage.
    pub(crate) fn invited(&mut self, text: &str) -> InviteId {
        self.receive(text);
        self.sent.clear();
        match self.event() {
            Event::Invited { invite, .. } => invite,
            other => panic!("not invited: {other:?}"),
        }
    }

    /// Whether nothing is left of any call.
    pub(crate) fn is_at_rest(&self) -> bool {
        let live = self.endpoint.live();
        live.invites + live.lingering + live.client_transactions + live.server_transactions == 0
            && live.timers + live.flows == 0
    }
}

pub(crate) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The value of a header of a message of ours.
pub(crate) fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .take_while(|line| !line.is_empty())
        .find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
}

/// All values of a header.
pub(crate) fn headers(text: &str, name: &str) -> Vec<String> {
    text.lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().to_owned())
        .collect()
}

pub(crate) fn tag_of(value: &str) -> &str {
    value.split(";tag=").nth(1).unwrap_or_default()
}

/// An INVITE of a peer at 192.0.2.9.
pub(crate) fn invite(call: &str, extra: &str, body: &str) -> String {
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\n"
    };
    format!(
        "INVITE sip:+441632960001@192.0.2.1 SIP/2.0\n\
         Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{call}\n\
         Max-Forwards: 70\n\
         From: <sip:bob@192.0.2.9>;tag=theirs\n\
         To: <sip:+441632960001@192.0.2.1>\n\
         Call-ID: {call}\n\
         CSeq: 1 INVITE\n\
         Contact: <sip:bob@192.0.2.9:5062>\n\
         {extra}{kind}Content-Length: {}\n\n{body}",
        body.len()
    )
}

/// A request of that peer in the dialog of `response`, or outside when it has no To tag.
pub(crate) fn within(method: &str, cseq: u32, response: &str, extra: &str, body: &str) -> String {
    let value = |name| header(response, name).unwrap_or_default().to_owned();
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\n"
    };
    format!(
        "{method} sip:192.0.2.1:5060 SIP/2.0\n\
         Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK{}{method}{cseq}\n\
         Max-Forwards: 70\n\
         From: {}\n\
         To: {}\n\
         Call-ID: {}\n\
         CSeq: {cseq} {method}\n\
         {extra}{kind}Content-Length: {}\n\n{body}",
        value("Call-ID"),
        value("From"),
        value("To"),
        value("Call-ID"),
        body.len()
    )
}

/// The answer of a peer to a request of ours.
pub(crate) fn answer(request: &str, status: &str, tag: &str, extra: &str, body: &str) -> String {
    let value = |name| header(request, name).unwrap_or_default().to_owned();
    let to = value("To");
    let to = if tag.is_empty() || to.contains("tag=") {
        to
    } else {
        format!("{to};tag={tag}")
    };
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\n"
    };
    format!(
        "SIP/2.0 {status}\nVia: {}\nFrom: {}\nTo: {to}\nCall-ID: {}\nCSeq: {}\n\
         {extra}{kind}Content-Length: {}\n\n{body}",
        value("Via"),
        value("From"),
        value("Call-ID"),
        value("CSeq"),
        body.len()
    )
}
