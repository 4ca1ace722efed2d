//! Two endpoints and the network between them.

use super::{address, start};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use strowger_sip::endpoint::{
    Command, Config, Effect, Endpoint, Event, Flow, Input, InviteId, Transport,
};

const ADDRESSES: [&str; 2] = ["192.0.2.1:5060", "192.0.2.2:5060"];

/// What the network does to datagrams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    /// Of 100 datagrams of each end, how many are lost.
    pub(crate) loss: [u32; 2],
    /// Of 100 datagrams, how many arrive twice.
    pub(crate) duplication: u32,
    /// Of 100 datagrams, how many come again and again for a minute.
    pub(crate) storm: u32,
    /// Latest arrival; the earliest is after 5 ms. What is sent later may arrive earlier.
    pub(crate) delay: Duration,
}

impl Faults {
    pub(crate) const NONE: Self = Self {
        loss: [0; 2],
        duplication: 0,
        storm: 0,
        delay: Duration::from_millis(5),
    };
}

/// What is to happen at a time.
#[derive(Debug)]
enum Due {
    Arrival(Bytes),
    Command(Command),
}

pub(crate) struct World {
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    pub(crate) ends: [Endpoint; 2],
    /// What each end was told, in order.
    pub(crate) events: [Vec<Event>; 2],
    /// The first line of each message sent, with the sender.
    pub(crate) lines: Vec<(usize, String)>,
    /// Messages to be lost: how many more of each sender's first lines that start so.
    pub(crate) lose: Vec<(usize, &'static str, usize)>,
    pub(crate) transport: Transport,
    pub(crate) faults: Faults,
    /// Nothing arrives, whatever the transport: the wire is cut.
    pub(crate) is_cut: bool,
    rng: StdRng,
    due: BTreeMap<(Instant, u64), (usize, Due)>,
    number: u64,
}

impl World {
    pub(crate) fn new(transport: Transport, faults: Faults, seed: u64) -> Self {
        Self::with_config(transport, faults, seed, &Config::default())
    }

    pub(crate) fn with_config(
        transport: Transport,
        faults: Faults,
        seed: u64,
        config: &Config,
    ) -> Self {
        let endpoint = |salt| {
            Endpoint::new(
                config.clone(),
                StdRng::seed_from_u64(seed.wrapping_add(salt)),
            )
        };
        let start = start();
        Self {
            start,
            now: start,
            ends: [endpoint(1), endpoint(2)],
            events: [vec![], vec![]],
            lines: vec![],
            lose: vec![],
            transport,
            faults,
            is_cut: false,
            rng: StdRng::seed_from_u64(seed),
            due: BTreeMap::new(),
            number: 0,
        }
    }

    /// The way from one end to the other.
    pub(crate) fn flow(&self, end: usize) -> Flow {
        super::flow(self.transport, ADDRESSES[end], ADDRESSES[1 - end])
    }

    pub(crate) fn rng(&mut self) -> &mut StdRng {
        &mut self.rng
    }

    pub(crate) fn command(&mut self, end: usize, command: Command) {
        self.input(end, Input::Command(command));
    }

    /// A command that comes later.
    pub(crate) fn later(&mut self, end: usize, after: Duration, command: Command) {
        self.schedule(end, self.now + after, Due::Command(command));
    }

    pub(crate) fn fail_flow(&mut self, end: usize) {
        let flow = self.flow(end);
        self.input(end, Input::FlowFailed { flow });
    }

    /// Goes on until `time` has passed.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until, &mut |_, _, _| {}) {}
        self.now = until;
    }

    /// Goes on until nothing is due any more, telling `react` of each event.
    pub(crate) fn settle(&mut self, react: &mut impl FnMut(&mut Self, usize, &Event)) {
        let until = self.now + Duration::from_hours(1);
        while self.step(until, react) {}
        assert!(
            self.now < until,
            "the endpoints never come to rest: {:?}",
            self.ends[0].live()
        );
    }

    /// Goes on until the end was told something that `is` likes.
    pub(crate) fn until(&mut self, end: usize, is: impl Fn(&Event) -> bool) -> Event {
        let until = self.now + Duration::from_mins(10);
        loop {
            if let Some(event) = self.events[end].iter().find(|event| is(event)) {
                return event.clone();
            }
            assert!(
                self.step(until, &mut |_, _, _| {}),
                "it never came: {:?}",
                self.events[end]
            );
        }
    }

    /// The usage that the other end made of the only call.
    pub(crate) fn invited(&mut self, end: usize) -> InviteId {
        self.until(end, |event| matches!(event, Event::Invited { .. }))
            .invite()
    }

    /// Whether an end sent a message that starts so, and how often.
    pub(crate) fn sent(&self, end: usize, start: &str) -> usize {
        self.lines
            .iter()
            .filter(|(from, line)| *from == end && line.starts_with(start))
            .count()
    }

    /// Takes what is due next, before `until`.
    pub(crate) fn step(
        &mut self,
        until: Instant,
        react: &mut impl FnMut(&mut Self, usize, &Event),
    ) -> bool {
        let arrival = self.due.first_key_value().map(|((at, _), _)| *at);
        let timers = self
            .ends
            .iter()
            .enumerate()
            .filter_map(|(i, end)| Some((end.deadline()?, i)));
        let timer = timers.min();
        let told = [self.events[0].len(), self.events[1].len()];
        match (arrival, timer) {
            (Some(at), timer) if at <= until && timer.is_none_or(|(due, _)| at <= due) => {
                self.now = self.now.max(at);
                let ((_, _), (end, due)) = self.due.pop_first().expect("there is one");
                match due {
                    Due::Command(command) => self.command(end, command),
                    Due::Arrival(_) if self.is_cut => {}
                    Due::Arrival(bytes) => {
                        let flow = self.flow(end);
                        self.input(
                            end,
                            Input::Message {
                                flow,
                                bytes: &bytes,
                            },
                        );
                    }
                }
            }
            (_, Some((due, end))) if due <= until => {
                self.now = self.now.max(due);
                self.input(end, Input::Timeout);
            }
            _ => return false,
        }
        for (end, told) in told.into_iter().enumerate() {
            let new: Vec<_> = self.events[end].iter().skip(told).cloned().collect();
            for event in &new {
                react(self, end, event);
            }
        }
        true
    }

    fn input(&mut self, end: usize, input: Input<'_>) {
        self.ends[end].handle(input, self.now);
        while let Some(effect) = self.ends[end].next_effect() {
            match effect {
                Effect::Event(event) => self.events[end].push(event),
                Effect::Transmit { flow, bytes } => self.transmit(end, flow, bytes),
            }
        }
    }

    fn transmit(&mut self, end: usize, flow: Flow, bytes: Bytes) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let line = text.lines().next().unwrap_or_default().to_owned();
        let is_lost = self.lose.iter_mut().any(|(from, start, left)| {
            let hit = *from == end && *left > 0 && line.starts_with(*start);
            *left -= usize::from(hit);
            hit
        });
        self.lines.push((end, line));
        assert_eq!(
            flow.remote,
            address(ADDRESSES[1 - end]),
            "sent astray: {text}"
        );
        if is_lost {
            return;
        }
        if self.transport.is_reliable() {
            self.schedule(1 - end, self.now + Faults::NONE.delay, Due::Arrival(bytes));
            return;
        }
        let copies = if self.chance(self.faults.loss[end]) {
            0
        } else {
            1 + usize::from(self.chance(self.faults.duplication))
        };
        let most = u64::try_from(self.faults.delay.as_millis()).expect("short");
        for _ in 0..copies {
            let delay = Duration::from_millis(self.rng.random_range(5..=most));
            self.schedule(1 - end, self.now + delay, Due::Arrival(bytes.clone()));
        }
        if self.chance(self.faults.storm) {
            for _ in 0..20 {
                let delay = Duration::from_millis(self.rng.random_range(5..60_000));
                self.schedule(1 - end, self.now + delay, Due::Arrival(bytes.clone()));
            }
        }
    }

    fn chance(&mut self, of_100: u32) -> bool {
        self.rng.random_range(0..100) < of_100
    }

    fn schedule(&mut self, end: usize, at: Instant, due: Due) {
        self.number += 1;
        self.due.insert((at, self.number), (end, due));
    }
}
