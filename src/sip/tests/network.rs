//! Two endpoints back to back in virtual time over a network that loses, doubles and reorders.

mod common;

use bytes::Bytes;
use common::call;
use common::world::{Faults, World};
use proptest::prelude::*;
use rand::RngExt;
use std::collections::HashMap;
use std::time::Duration;
use strowger_sip::endpoint::{Command, Credentials, Event, InviteId, Transport};

fn end_of(invite: InviteId) -> Command {
    Command::End {
        invite,
        status: 486,
        q850: Some(17),
    }
}

fn body(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// What an owner with moods does about an event.
fn react(world: &mut World, end: usize, event: &Event) {
    let invite = event.invite();
    let time = Duration::from_millis(world.rng().random_range(0..40_000));
    let soon = Duration::from_millis(world.rng().random_range(0..3_000));
    match event {
        Event::Invited { request, .. } => {
            if world.rng().random_ratio(1, 5) && request.credentials.is_none() {
                world.later(
                    end,
                    soon,
                    Command::Challenge {
                        invite,
                        realm: "strowger".into(),
                    },
                );
                return;
            }
            if world.rng().random_ratio(1, 2) {
                let ring = Command::Provisional {
                    invite,
                    status: 183,
                    body: Some(body("early")),
                };
                world.later(end, soon / 2, ring);
            }
            match world.rng().random_range(0..6) {
                0 => {
                    let refuse = Command::Refuse {
                        invite,
                        status: 486,
                        headers: vec![],
                    };
                    world.later(end, soon, refuse);
                }
                1 => world.later(end, soon, end_of(invite)),
                _ => {
                    world.later(
                        end,
                        soon,
                        Command::Accept {
                            invite,
                            body: Some(body("answer")),
                        },
                    );
                    world.later(end, soon + time, end_of(invite));
                }
            }
        }
        Event::Accepted { .. } | Event::Acknowledged { .. } => {
            world.later(
                end,
                soon,
                Command::Acknowledge {
                    invite,
                    body: body("answer"),
                },
            );
            if world.rng().random_ratio(1, 2) {
                world.later(
                    end,
                    soon,
                    Command::Reinvite {
                        invite,
                        offer: body("again"),
                    },
                );
            }
            if world.rng().random_ratio(1, 4) {
                world.later(end, soon, end_of(invite));
            }
        }
        Event::Reinvited { .. } => match world.rng().random_range(0..8) {
            0 => {
                let refuse = Command::Refuse {
                    invite,
                    status: 488,
                    headers: vec![],
                };
                world.later(end, soon, refuse);
            }
            1 => {}
            _ => world.later(
                end,
                soon,
                Command::Accept {
                    invite,
                    body: Some(body("answer")),
                },
            ),
        },
        Event::Provisional { .. }
        | Event::Refused { .. }
        | Event::ReinviteRefused { .. }
        | Event::ReinviteCancelled { .. }
        | Event::Ended { .. } => {}
    }
}

/// Lets calls go both ways over a bad network, and looks whether each ends once everywhere.
fn check(transport: Transport, faults: Faults, seed: u64) -> Vec<Event> {
    let mut world = World::new(transport, faults, seed);
    for number in 0..4 {
        for end in 0..2 {
            let invite = 2 * number + 1;
            let mut outgoing = call(invite, world.flow(end));
            if world.rng().random_ratio(1, 4) {
                outgoing.offer = Bytes::new();
            }
            if world.rng().random_ratio(1, 2) {
                outgoing.credentials = Some(Credentials {
                    username: "u".into(),
                    password: "p".into(),
                });
            }
            world.command(end, Command::Invite(Box::new(outgoing)));
            let patience = Duration::from_millis(world.rng().random_range(0..90_000));
            world.later(end, patience, end_of(InviteId(invite)));
        }
    }
    world.settle(&mut react);
    for end in 0..2 {
        let mut terminal: HashMap<InviteId, usize> = HashMap::new();
        for event in &world.events[end] {
            let count = terminal.entry(event.invite()).or_default();
            assert_eq!(*count, 0, "told after its end: {:#?}", world.events[end]);
            *count += usize::from(event.is_terminal());
        }
        let open: Vec<_> = terminal.iter().filter(|(_, count)| **count != 1).collect();
        assert!(
            open.is_empty(),
            "without end: {open:?} in {:#?}",
            world.events[end]
        );
        for number in 0..4 {
            assert!(terminal.contains_key(&InviteId(2 * number + 1)));
        }
        let live = world.ends[end].live();
        let left = live.invites
            + live.lingering
            + live.client_transactions
            + live.server_transactions
            + live.timers
            + live.flows;
        assert_eq!(left, 0, "something stays: {live:?}");
    }
    world.events.concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_call_ends_once_on_both_sides_whatever_the_network_does(
        seed: u64,
        loss in 0u32..60,
        duplication in 0u32..50,
        delay_ms in 5u64..2_000,
    ) {
        let delay = Duration::from_millis(delay_ms);
        check(Transport::Udp, Faults { loss, duplication, delay }, seed);
    }

    #[test]
    fn every_call_ends_once_on_both_sides_of_a_connection(seed: u64) {
        check(Transport::Tcp, Faults::NONE, seed);
    }
}

#[test]
fn every_call_ends_once_when_nothing_arrives_at_all() {
    for seed in 0..20 {
        check(
            Transport::Udp,
            Faults {
                loss: 100,
                duplication: 0,
                ..Faults::NONE
            },
            seed,
        );
    }
}

#[test]
fn the_calls_of_this_test_see_everything_that_can_happen() {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for seed in 0..40 {
        let faults = Faults {
            loss: 10,
            duplication: 10,
            delay: Duration::from_millis(800),
        };
        for event in check(Transport::Udp, faults, seed) {
            let text = format!("{event:?}");
            let kind = text.split([' ', '(']).next().unwrap_or_default().to_owned();
            let status = text
                .split("status: ")
                .nth(1)
                .and_then(|rest| rest.split([',', ' ']).next());
            *seen
                .entry(format!("{kind} {}", status.unwrap_or_default()))
                .or_default() += 1;
        }
    }
    let kinds = [
        "Invited ",
        "Provisional 183",
        "Accepted ",
        "Acknowledged ",
        "Refused 486",
        "Refused 401",
        "Reinvited ",
        "ReinviteRefused 488",
        "ReinviteRefused 491",
        "Ended None",
        "Ended Some(487)",
        "Ended Some(486)",
        "Ended Some(401)",
    ];
    let missing: Vec<_> = kinds
        .iter()
        .filter(|kind| !seen.contains_key(**kind))
        .collect();
    assert!(missing.is_empty(), "never seen: {missing:?} in {seen:#?}");
}
