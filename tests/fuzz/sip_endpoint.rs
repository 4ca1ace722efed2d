//! A whole SIP endpoint, its owner and a peer that says anything.
//!
//! A seed is a conversation: parts with a line of `---` between them. A part that begins with `!` is
//! what the owner does (`!call`, `!ring`, `!accept`, `!refuse`, `!reinvite`, `!acknowledge`,
//! `!challenge`, `!end`) or what time does (`!wait` and milliseconds); every other one is a message
//! of the peer. In a message, `{tag}`, `{branch}`, `{call-id}` and `{cseq}` are those that the
//! endpoint named last.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use strowger_sip::endpoint::{
    Command, Config, Credentials, Effect, Endpoint, Event, Flow, Input, InviteId, OutgoingInvite,
    Party, Transport,
};
use strowger_sip::reader::read;

use crate::fuzzer::{Target, outcome};
use crate::sip;

/// Most parts of a conversation.
const PARTS: usize = 200;

struct Conversation {
    endpoint: Endpoint,
    flow: Flow,
    now: Instant,
    /// Each usage, and whether it has ended.
    usages: BTreeMap<InviteId, bool>,
    last: InviteId,
    next: u64,
    tag: String,
    branch: String,
    call_id: String,
    cseq: String,
    seen: Vec<String>,
}

impl Conversation {
    fn new(transport: Transport) -> Self {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        Self {
            endpoint: Endpoint::new(Config::default(), StdRng::seed_from_u64(7)),
            flow: Flow {
                transport,
                local: address("192.0.2.1:5060"),
                remote: address("192.0.2.9:5060"),
            },
            now: Instant::now(),
            usages: BTreeMap::new(),
            last: InviteId(0),
            next: 1,
            tag: String::new(),
            branch: String::new(),
            call_id: String::new(),
            cseq: String::new(),
            seen: Vec::new(),
        }
    }

    fn input(&mut self, input: Input<'_>) {
        self.endpoint.handle(input, self.now);
        while let Some(effect) = self.endpoint.next_effect() {
            match effect {
                Effect::Event(event) => self.told(&event),
                Effect::Transmit { bytes, .. } => self.sent(&bytes),
            }
        }
    }

    fn told(&mut self, event: &Event) {
        let invite = event.invite();
        if matches!(event, Event::Invited { .. }) {
            let before = self.usages.insert(invite, false);
            assert!(before.is_none(), "an identifier comes once: {event:?}");
            self.last = invite;
        }
        let over = self.usages.get_mut(&invite).expect("it is known");
        assert!(!*over, "told after its end: {event:?}");
        *over = event.is_terminal();
        let text = format!("{event:?}");
        let kind = text.split(' ').next().unwrap_or_default();
        self.seen.push(kind.to_owned());
    }

    fn sent(&mut self, bytes: &[u8]) {
        let Ok(message) = read(bytes) else {
            // What lacked a core header is refused with those that it had.
            let is_refusal = bytes.starts_with(b"SIP/2.0 4") || bytes.starts_with(b"SIP/2.0 5");
            assert!(is_refusal, "it can't be read: {}", bytes.escape_ascii());
            return;
        };
        let ours = if message.is_request() {
            message
                .vias()
                .next()
                .and_then(|via| via.branch())
                .unwrap_or_default()
                .clone_into(&mut self.branch);
            message.from()
        } else {
            self.seen.push(format!("{:?}", message.status()));
            message.to()
        };
        ours.tag().unwrap_or_default().clone_into(&mut self.tag);
        message.call_id().clone_into(&mut self.call_id);
        self.cseq = message.cseq().number.to_string();
    }

    fn part(&mut self, part: &[u8]) {
        if let Some(deed) = part.strip_prefix(b"!") {
            return self.deed(&String::from_utf8_lossy(deed));
        }
        let mut message = Vec::with_capacity(part.len() + 64);
        for line in part.split(|byte| *byte == b'\n') {
            message.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
            message.extend_from_slice(b"\r\n");
        }
        let said = [
            ("{tag}", &self.tag),
            ("{branch}", &self.branch),
            ("{call-id}", &self.call_id),
            ("{cseq}", &self.cseq),
        ];
        for (name, value) in said {
            message = replaced(&message, name.as_bytes(), value.as_bytes());
        }
        let flow = self.flow;
        self.input(Input::Message {
            flow,
            bytes: &message,
        });
    }

    fn deed(&mut self, deed: &str) {
        let invite = self.last;
        let body = Bytes::from_static(b"v=0\r\n");
        let (deed, rest) = deed.split_once(' ').unwrap_or((deed.trim(), ""));
        let command = match deed {
            "call" => {
                self.last = InviteId(self.next);
                self.next += 2;
                self.usages.insert(self.last, false);
                Command::Invite(Box::new(self.call()))
            }
            "ring" => Command::Provisional {
                invite,
                status: 180,
                body: None,
            },
            "accept" => Command::Accept {
                invite,
                body: Some(body),
            },
            "refuse" => Command::Refuse {
                invite,
                status: 486,
                headers: vec![("Warning".into(), "399 h \"w\"".into())],
            },
            "reinvite" => Command::Reinvite {
                invite,
                offer: body,
            },
            "acknowledge" => Command::Acknowledge { invite, body },
            "challenge" => Command::Challenge {
                invite,
                realm: "strowger".into(),
            },
            "end" => Command::End {
                invite,
                status: 480,
                q850: Some(16),
            },
            "fail" => {
                let flow = self.flow;
                return self.input(Input::FlowFailed { flow });
            }
            _ => {
                let time = rest.trim().parse().unwrap_or(0).min(600_000);
                return self.pass(Duration::from_millis(time));
            }
        };
        self.input(Input::Command(command));
    }

    fn call(&self) -> OutgoingInvite {
        OutgoingInvite {
            invite: self.last,
            flow: self.flow,
            request_uri: "sip:bob@192.0.2.9".into(),
            from: Party::new("sip:alice@192.0.2.1"),
            to: Party::new("sip:bob@192.0.2.9"),
            p_asserted_identity: None,
            credentials: Some(Credentials {
                username: "u".into(),
                password: "p".into(),
            }),
            headers: vec![],
            offer: Bytes::from_static(b"v=0\r\n"),
            route: vec![],
            call_id: None,
        }
    }

    /// Lets time pass, with every timer at its time.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.endpoint.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.input(Input::Timeout);
        }
        self.now = until;
    }

    /// The owner ends everything; then nothing is left.
    fn finish(mut self) -> Vec<String> {
        let open: Vec<_> = self.usages.iter().filter(|(_, over)| !**over).collect();
        for invite in open
            .into_iter()
            .map(|(invite, _)| *invite)
            .collect::<Vec<_>>()
        {
            self.input(Input::Command(Command::End {
                invite,
                status: 480,
                q850: None,
            }));
        }
        self.pass(Duration::from_mins(10));
        let open: Vec<_> = self.usages.iter().filter(|(_, over)| !**over).collect();
        assert!(open.is_empty(), "no end was told of {open:?}");
        let live = self.endpoint.live();
        let left = live.invites
            + live.lingering
            + live.client_transactions
            + live.server_transactions
            + live.unsettled
            + live.timers
            + live.flows;
        assert_eq!(left, 0, "something stays: {live:?}");
        self.seen.sort();
        self.seen.dedup();
        self.seen
    }
}

fn replaced(text: &[u8], name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(name.len()).position(|found| found == name) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(value);
        rest = &rest[at + name.len()..];
    }
    out.extend_from_slice(rest);
    out
}

fn parts(bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = vec![];
    let mut start = 0;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"\n---\n") {
            parts.push(&bytes[start..at]);
            at += 5;
            start = at;
        } else {
            at += 1;
        }
    }
    parts.push(&bytes[start..]);
    parts.truncate(PARTS);
    parts
}

fn check(bytes: &[u8], rng: &mut StdRng) -> Vec<String> {
    let transport = [Transport::Udp, Transport::Tcp][usize::from(rng.random_ratio(1, 4))];
    let mut conversation = Conversation::new(transport);
    for part in parts(bytes) {
        conversation.part(part);
        if rng.random_ratio(1, 16) {
            let more = [
                "!ring",
                "!accept",
                "!refuse",
                "!end",
                "!reinvite",
                "!fail",
                "!wait 40000",
            ];
            conversation.part(more[rng.random_range(0..more.len())].as_bytes());
        }
    }
    conversation.finish()
}

#[test]
fn any_conversation_ends_once_and_leaves_nothing() {
    Target {
        name: "sip_endpoint",
        seeds: &[],
        words: sip::WORDS,
        check: |bytes, rng| outcome(check(bytes, rng)),
    }
    .run();
}
