//! Two endpoints back to back in virtual time, over a network that loses, doubles, reorders, storms
//! and breaks, with owners who do anything at any time: CANCEL crosses 200, BYE crosses BYE,
//! re-INVITEs cross each other, ACKs never come.

mod common;

use common::owners::{Moods, Owners};
use common::world::{Faults, World};
use proptest::prelude::*;
use rand::RngExt;
use std::collections::BTreeMap;
use std::time::Duration;
use strowger_sip::endpoint::Transport;

const CONTRARY: Moods = Moods {
    contrary: 50,
    reinvites: 3,
};

const STEADY: Moods = Moods {
    contrary: 8,
    reinvites: 4,
};

fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

/// Calls both ways, some of them at the same moment.
fn calls(world: &mut World, owners: &mut Owners) {
    for _ in 0..4 {
        for end in 0..2 {
            owners.call(world, end);
        }
        let pause = Duration::from_millis(world.rng().random_range(0..4_000));
        owners.run_for(world, pause);
    }
}

/// Now and then a datagram can't be sent, or a connection breaks: first nothing arrives, then one
/// end hears of it, then the other.
fn breaks(world: &mut World, owners: &mut Owners, times: u32) {
    for _ in 0..times {
        let pause = Duration::from_millis(world.rng().random_range(0..30_000));
        owners.run_for(world, pause);
        world.is_cut = world.transport.is_reliable();
        let first = world.rng().random_range(0..2);
        for end in [first, 1 - first] {
            let pause = Duration::from_millis(world.rng().random_range(0..40_000));
            owners.run_for(world, pause);
            world.fail_flow(end);
        }
        world.is_cut = false;
    }
}

/// Ends every call; then nothing is left, and each usage was told its end once.
fn finish(mut world: World, mut owners: Owners) -> World {
    owners.end_all(&mut world);
    owners.run_for(&mut world, minutes(20));
    for end in 0..2 {
        // That nothing is told after an end, the owners see for themselves.
        let open: Vec<_> = owners.of[end]
            .iter()
            .filter(|(_, owner)| owner.terminal.is_none())
            .collect();
        assert!(open.is_empty(), "without end: {open:#?}");
        let live = world.ends[end].live();
        let left = live.invites
            + live.lingering
            + live.client_transactions
            + live.server_transactions
            + live.unsettled
            + live.timers
            + live.flows;
        assert_eq!(left, 0, "something stays: {live:?}");
    }
    world
}

/// Any network, for as long as it takes.
fn check_ends(transport: Transport, faults: Faults, seed: u64) -> World {
    let mut world = World::new(transport, faults, seed);
    let mut owners = Owners::new(CONTRARY);
    calls(&mut world, &mut owners);
    breaks(&mut world, &mut owners, 2);
    owners.run_for(&mut world, minutes(3));
    finish(world, owners)
}

/// A bad network that becomes well again. Whoever then still believes in a call asks the far end;
/// after that both believe the same, of every call and of what was agreed in it. Answers how many
/// calls were left to be compared.
fn check_agreement(transport: Transport, faults: Faults, seed: u64) -> usize {
    let mut world = World::new(transport, faults, seed);
    let mut owners = Owners::new(STEADY);
    calls(&mut world, &mut owners);
    let bad = Duration::from_millis(world.rng().random_range(0..90_000));
    owners.run_for(&mut world, bad);
    world.faults = Faults::NONE;
    // Longer than any re-INVITE may wait for an answer.
    owners.run_for(&mut world, minutes(6));
    owners.ask_all(&mut world);
    owners.run_for(&mut world, minutes(6));
    let sessions = owners.sessions(0);
    let others = owners.sessions(1);
    if let Some(call) = sessions
        .keys()
        .chain(others.keys())
        .find(|call| sessions.get(*call) != others.get(*call))
    {
        panic!(
            "the ends do not agree about {call}: {:?}, {:?}; {:#?}",
            sessions.get(call),
            others.get(call),
            owners.history(call)
        );
    }
    let compared = sessions.values().filter(|agreed| agreed.is_some()).count();
    assert_eq!(compared, sessions.len(), "a session without agreement");
    finish(world, owners);
    compared
}

prop_compose! {
    fn faults()(
        loss in [0u32..60, 0u32..60],
        duplication in 0u32..50,
        storm in 0u32..6,
        delay_ms in 5u64..2_500,
    ) -> Faults {
        let delay = Duration::from_millis(delay_ms);
        Faults { loss, duplication, storm, delay }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn every_call_ends_once_on_both_sides_whatever_the_network_does(seed: u64, faults in faults()) {
        check_ends(Transport::Udp, faults, seed);
    }

    #[test]
    fn every_call_ends_once_on_both_sides_of_a_connection_that_breaks(seed: u64) {
        check_ends(Transport::Tcp, Faults::NONE, seed);
    }

    #[test]
    fn both_sides_agree_once_the_network_is_well_again(seed: u64, faults in faults()) {
        check_agreement(Transport::Udp, faults, seed);
    }

    #[test]
    fn both_sides_of_a_connection_agree(seed: u64) {
        check_agreement(Transport::Tcp, Faults::NONE, seed);
    }
}

/// `PROPTEST_CASES` has it longer.
fn cases() -> u32 {
    let wish = std::env::var("PROPTEST_CASES").ok();
    wish.and_then(|cases| cases.parse().ok()).unwrap_or(60)
}

#[test]
fn every_call_ends_once_when_nothing_arrives_at_all() {
    for loss in [[100, 100], [100, 0], [0, 100]] {
        for seed in 0..20 {
            let faults = Faults {
                loss,
                ..Faults::NONE
            };
            check_ends(Transport::Udp, faults, seed);
        }
    }
}

#[test]
fn the_calls_of_this_test_see_everything_that_can_happen() {
    let faults = Faults {
        loss: [10; 2],
        duplication: 10,
        storm: 2,
        delay: Duration::from_millis(800),
    };
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut glare = 0;
    for seed in 0..40 {
        let world = check_ends(Transport::Udp, faults, seed);
        glare += world.sent(0, "SIP/2.0 491") + world.sent(1, "SIP/2.0 491");
        for event in world.events.concat() {
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
        "Refused 503",
        "Reinvited ",
        "ReinviteRefused 488",
        "Ended None",
        "Ended Some(408)",
        "Ended Some(481)",
        "Ended Some(486)",
        "Ended Some(487)",
        "Ended Some(401)",
    ];
    let missing: Vec<_> = kinds
        .iter()
        .filter(|kind| !seen.contains_key(**kind))
        .collect();
    assert!(missing.is_empty(), "never seen: {missing:?} in {seen:#?}");
    assert!(glare > 0, "no re-INVITEs crossed");
    let compared: usize = (0..40)
        .map(|seed| check_agreement(Transport::Udp, faults, seed))
        .sum();
    assert!(compared > 40, "{compared} calls were compared");
}
