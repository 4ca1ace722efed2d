//! Each machine as a table: at a time, an input, and the actions that must come of it.

use super::client::Client;
use super::client_invite::ClientInvite;
use super::server::Server;
use super::server_invite::ServerInvite;
use super::{ClientAction, ClientInput, ServerAction, ServerInput};
use crate::config::Timers;
use bytes::Bytes;
use std::fmt::Debug;
use std::time::{Duration, Instant};

const REQUEST: Bytes = Bytes::from_static(b"request");
const RESPONSE: Bytes = Bytes::from_static(b"response");
const ACK: Bytes = Bytes::from_static(b"ack");

fn start() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "an arbitrary start of virtual time"
    )]
    Instant::now()
}

/// A machine under test: the four differ in their types only.
struct UnderTest<M, I, A> {
    machine: M,
    handle: fn(&mut M, I, Instant) -> Vec<A>,
    deadline: fn(&M) -> Option<Instant>,
    timeout: I,
}

/// Feeds inputs at their times (ms), fires all timers between, and compares everything that came,
/// with its time.
fn check<M, I, A>(
    mut test: UnderTest<M, I, A>,
    inputs: &[(u64, I)],
    expected: &[(u64, A)],
    start: Instant,
) where
    I: Clone + Debug,
    A: Debug + PartialEq,
{
    let mut seen = vec![];
    let ms = |at: Instant| u64::try_from(at.duration_since(start).as_millis()).expect("short");
    let fire = |test: &mut UnderTest<M, I, A>, until: Option<u64>, seen: &mut Vec<_>| {
        while let Some(at) =
            (test.deadline)(&test.machine).filter(|at| until.is_none_or(|t| ms(*at) < t))
        {
            let actions = (test.handle)(&mut test.machine, test.timeout.clone(), at);
            seen.extend(actions.into_iter().map(|action| (ms(at), action)));
        }
    };
    for (at, input) in inputs {
        fire(&mut test, Some(*at), &mut seen);
        let now = start + Duration::from_millis(*at);
        let actions = (test.handle)(&mut test.machine, input.clone(), now);
        seen.extend(actions.into_iter().map(|action| (*at, action)));
    }
    fire(&mut test, None, &mut seen);
    assert_eq!(seen, expected, "after {inputs:?}");
}

fn client_invite(reliable: bool, inputs: &[(u64, ClientInput)], expected: &[(u64, ClientAction)]) {
    let now = start();
    let (machine, sent) = ClientInvite::start(REQUEST, reliable, Timers::default(), now);
    assert_eq!(sent, [ClientAction::Transmit(REQUEST)]);
    let test = UnderTest {
        machine,
        handle: ClientInvite::handle,
        deadline: ClientInvite::deadline,
        timeout: ClientInput::Timeout,
    };
    check(test, inputs, expected, now);
}

fn client(reliable: bool, inputs: &[(u64, ClientInput)], expected: &[(u64, ClientAction)]) {
    let now = start();
    let (machine, sent) = Client::start(REQUEST, reliable, Timers::default(), now);
    assert_eq!(sent, [ClientAction::Transmit(REQUEST)]);
    let test = UnderTest {
        machine,
        handle: Client::handle,
        deadline: Client::deadline,
        timeout: ClientInput::Timeout,
    };
    check(test, inputs, expected, now);
}

fn server_invite(reliable: bool, inputs: &[(u64, ServerInput)], expected: &[(u64, ServerAction)]) {
    let machine = ServerInvite::new(reliable, Timers::default());
    let test = UnderTest {
        machine,
        handle: ServerInvite::handle,
        deadline: ServerInvite::deadline,
        timeout: ServerInput::Timeout,
    };
    check(test, inputs, expected, start());
}

fn server(reliable: bool, inputs: &[(u64, ServerInput)], expected: &[(u64, ServerAction)]) {
    let machine = Server::new(reliable, Timers::default());
    let test = UnderTest {
        machine,
        handle: Server::handle,
        deadline: Server::deadline,
        timeout: ServerInput::Timeout,
    };
    check(test, inputs, expected, start());
}

fn again(times: &[u64]) -> Vec<(u64, ClientAction)> {
    times
        .iter()
        .map(|at| (*at, ClientAction::Transmit(REQUEST)))
        .collect()
}

fn refused() -> ClientInput {
    ClientInput::Failure { ack: Some(ACK) }
}

#[test]
fn an_invite_is_repeated_by_timer_a_and_given_up_by_timer_b() {
    use ClientAction::{Terminated, TimedOut};
    let mut expected = again(&[500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    expected.extend([(32_000, TimedOut), (32_000, Terminated)]);
    client_invite(false, &[], &expected);
    client_invite(true, &[], &[(32_000, TimedOut), (32_000, Terminated)]);
}

#[test]
fn a_provisional_response_stops_timers_a_and_b() {
    use ClientAction::Deliver;
    let inputs = [
        (600, ClientInput::Provisional),
        (90_000, ClientInput::Provisional),
    ];
    let expected = [again(&[500]), vec![(600, Deliver), (90_000, Deliver)]].concat();
    client_invite(false, &inputs, &expected);
}

#[test]
fn a_refused_invite_is_acknowledged_until_timer_d() {
    use ClientAction::{Deliver, Terminated, Transmit};
    let inputs = [
        (100, refused()),
        (200, refused()),
        (300, ClientInput::Success),
    ];
    let first = [(100, Transmit(ACK)), (100, Deliver)];
    let expected = [
        first.to_vec(),
        vec![(200, Transmit(ACK)), (32_100, Terminated)],
    ]
    .concat();
    client_invite(false, &inputs, &expected);
    let expected = [first.to_vec(), vec![(100, Terminated)]].concat();
    client_invite(true, &inputs, &expected);
}

#[test]
fn every_2xx_of_an_invite_is_delivered_until_timer_m() {
    use ClientAction::{Deliver, Terminated};
    for reliable in [false, true] {
        let inputs = [
            (100, ClientInput::Success),
            (200, ClientInput::Provisional),
            (300, refused()),
            (20_000, ClientInput::Success),
        ];
        let expected = [(100, Deliver), (20_000, Deliver), (32_100, Terminated)];
        client_invite(reliable, &inputs, &expected);
    }
}

#[test]
fn a_failed_transport_ends_an_invite() {
    use ClientAction::{Deliver, Failed, Terminated};
    let failed = [
        (10, ClientInput::TransportFailed),
        (20, ClientInput::TransportFailed),
    ];
    client_invite(true, &failed, &[(10, Failed), (10, Terminated)]);
    let inputs = [
        (5, ClientInput::Success),
        (10, ClientInput::TransportFailed),
    ];
    client_invite(true, &inputs, &[(5, Deliver), (10, Terminated)]);
}

#[test]
fn a_request_is_repeated_by_timer_e_and_given_up_by_timer_f() {
    use ClientAction::{Terminated, TimedOut};
    let times = [
        500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
    ];
    let end = vec![(32_000, TimedOut), (32_000, Terminated)];
    client(false, &[], &[again(&times), end.clone()].concat());
    client(true, &[], &end);
}

#[test]
fn after_a_provisional_response_timer_e_is_t2() {
    use ClientAction::{Deliver, Terminated};
    let inputs = [
        (600, ClientInput::Provisional),
        (9_000, ClientInput::Success),
    ];
    let expected = [
        again(&[500]),
        vec![(600, Deliver)],
        again(&[4_600, 8_600]),
        vec![(9_000, Deliver), (14_000, Terminated)],
    ];
    client(false, &inputs, &expected.concat());
}

#[test]
fn copies_of_the_final_response_are_swallowed_until_timer_k() {
    use ClientAction::{Deliver, Terminated};
    let inputs = [
        (100, refused()),
        (200, refused()),
        (300, ClientInput::Success),
    ];
    client(false, &inputs, &[(100, Deliver), (5_100, Terminated)]);
    client(true, &inputs, &[(100, Deliver), (100, Terminated)]);
}

#[test]
fn a_failed_transport_ends_a_request() {
    use ClientAction::{Failed, Terminated};
    client(
        false,
        &[(10, ClientInput::TransportFailed)],
        &[(10, Failed), (10, Terminated)],
    );
}

#[test]
fn copies_of_an_invite_get_the_last_provisional_response() {
    use ServerAction::Transmit;
    let inputs = [
        (0, ServerInput::Request),
        (1, ServerInput::Provisional(RESPONSE)),
        (500, ServerInput::Request),
    ];
    server_invite(
        false,
        &inputs,
        &[(1, Transmit(RESPONSE)), (500, Transmit(RESPONSE))],
    );
}

#[test]
fn a_refusal_is_repeated_by_timer_g_and_given_up_by_timer_h() {
    use ServerAction::{Terminated, Transmit};
    let times = [
        0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
    ];
    let mut expected: Vec<_> = times.iter().map(|at| (*at, Transmit(RESPONSE))).collect();
    expected.push((32_000, Terminated));
    server_invite(false, &[(0, ServerInput::Failure(RESPONSE))], &expected);
    let expected = [(0, Transmit(RESPONSE)), (32_000, Terminated)];
    server_invite(true, &[(0, ServerInput::Failure(RESPONSE))], &expected);
}

#[test]
fn an_acknowledged_refusal_is_forgotten_after_timer_i() {
    use ServerAction::{Terminated, Transmit};
    let inputs = [
        (0, ServerInput::Failure(RESPONSE)),
        (100, ServerInput::Request),
        (200, ServerInput::Ack),
        (300, ServerInput::Ack),
        (400, ServerInput::Request),
    ];
    let sent = vec![(0, Transmit(RESPONSE)), (100, Transmit(RESPONSE))];
    server_invite(
        false,
        &inputs,
        &[sent.clone(), vec![(5_200, Terminated)]].concat(),
    );
    server_invite(true, &inputs, &[sent, vec![(200, Terminated)]].concat());
}

#[test]
fn an_accepted_invite_swallows_copies_until_timer_l() {
    use ServerAction::{DeliverAck, Terminated, Transmit};
    for reliable in [false, true] {
        let inputs = [
            (0, ServerInput::Success(RESPONSE)),
            (500, ServerInput::Request),
            (600, ServerInput::Ack),
            (700, ServerInput::Failure(RESPONSE)),
        ];
        let expected = [
            (0, Transmit(RESPONSE)),
            (600, DeliverAck),
            (32_000, Terminated),
        ];
        server_invite(reliable, &inputs, &expected);
    }
}

#[test]
fn a_failed_connection_is_told_only_before_the_final_response() {
    use ServerAction::{Failed, Terminated, Transmit};
    let failed = (10, ServerInput::TransportFailed);
    let answered = (5, ServerInput::Success(RESPONSE));
    let sent = (5, Transmit(RESPONSE));
    server_invite(
        true,
        std::slice::from_ref(&failed),
        &[(10, Failed), (10, Terminated)],
    );
    server_invite(
        true,
        &[answered.clone(), failed.clone()],
        &[sent.clone(), (10, Terminated)],
    );
    server(
        true,
        std::slice::from_ref(&failed),
        &[(10, Failed), (10, Terminated)],
    );
    server(false, &[answered, failed], &[sent, (10, Terminated)]);
}

#[test]
fn copies_of_a_request_get_its_final_response_until_timer_j() {
    use ServerAction::{Terminated, Transmit};
    let inputs = [
        (0, ServerInput::Request),
        (10, ServerInput::Success(RESPONSE)),
        (20, ServerInput::Request),
        (30, ServerInput::Failure(REQUEST)),
        (31_000, ServerInput::Request),
    ];
    let expected = [
        (10, Transmit(RESPONSE)),
        (20, Transmit(RESPONSE)),
        (31_000, Transmit(RESPONSE)),
        (32_010, Terminated),
    ];
    server(false, &inputs, &expected);
    server(true, &inputs, &[(10, Transmit(RESPONSE)), (10, Terminated)]);
}
