//! The corners of RFC 3261: what crosses, gets lost, comes twice, or never comes.

mod common;

use bytes::Bytes;
use common::calls::{OURS, accept, accepted, body, caller, calling, end, ended, seconds, talking};
use common::flow;
use common::lone::{Lone, answer, first_line, header, invite, tag_of, within};
use strowger_sip::endpoint::{Command, Credentials, Event, Input, Transport};

#[test]
fn a_2xx_is_repeated_until_its_ack_comes() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (mut world, theirs) = calling(transport);
        world.lose.push((0, "ACK", 3));
        world.command(1, accept(theirs));
        world.until(1, |event| matches!(event, Event::Acknowledged { .. }));
        assert_eq!(world.sent(1, "SIP/2.0 200"), 4);
        assert_eq!(world.sent(0, "ACK"), 4);
        assert_eq!(world.events[0].len(), 1, "told once: {:?}", world.events[0]);
    }
}

#[test]
fn a_2xx_without_ack_is_ended_by_bye_after_64_t1() {
    let (mut world, theirs) = calling(Transport::Udp);
    world.lose.push((0, "ACK", 100));
    world.command(1, accept(theirs));
    world.settle(&mut |_, _, _| {});
    assert_eq!(
        world.events[1].last(),
        Some(&ended(theirs, Some(408), Some(102), true))
    );
    assert_eq!(
        world.events[0].last(),
        Some(&ended(OURS, None, Some(102), false))
    );
    assert_eq!(
        world.sent(1, "SIP/2.0 200"),
        11,
        "at 0, 0.5, 1.5, 3.5, 7.5 and each 4 s"
    );
}

#[test]
fn an_answerer_says_no_bye_before_the_ack() {
    let (mut world, theirs) = calling(Transport::Udp);
    world.lose.push((0, "ACK", 1));
    world.command(1, accept(theirs));
    world.command(1, end(theirs));
    assert_eq!(
        world.events[1].last(),
        Some(&ended(theirs, None, None, true))
    );
    assert_eq!(world.sent(1, "BYE"), 0);
    world.settle(&mut |_, _, _| {});
    assert_eq!(world.sent(1, "BYE"), 1);
    assert_eq!(
        world.events[0].last(),
        Some(&ended(OURS, None, None, false))
    );
}

#[test]
fn an_accepted_call_that_crosses_cancel_is_acknowledged_and_ended() {
    let (mut lone, invite) = caller(|_| {});
    lone.receive(&answer(&invite, "180 Ringing", "t1", "", ""));
    lone.command(end(OURS));
    let cancel = lone.last("CANCEL");
    assert_eq!(header(&cancel, "Via"), header(&invite, "Via"));
    assert_eq!(header(&cancel, "CSeq"), Some("1 CANCEL"));
    lone.receive(&answer(&cancel, "200 OK", "t1", "", ""));
    let contact = "Contact: <sip:bob@192.0.2.9:5062>\n";
    lone.receive(&answer(&invite, "200 OK", "t1", contact, "sdp"));
    let lines = lone.lines();
    assert_eq!(
        lines,
        [
            "ACK sip:bob@192.0.2.9:5062 SIP/2.0",
            "BYE sip:bob@192.0.2.9:5062 SIP/2.0"
        ]
    );
    assert_eq!(
        lone.events.last(),
        Some(&ended(OURS, Some(487), None, true))
    );
    lone.pass(seconds(33));
    lone.sent.clear();
    assert!(lone.is_at_rest());
}

#[test]
fn cancel_waits_for_a_provisional_response() {
    let (mut lone, invite) = caller(|_| {});
    lone.command(Command::End {
        invite: OURS,
        status: 0,
        q850: Some(16),
    });
    assert_eq!(lone.event(), ended(OURS, Some(487), Some(16), true));
    assert!(lone.sent.is_empty());
    lone.receive(&answer(&invite, "100 Trying", "", "", ""));
    let cancel = lone.one();
    assert_eq!(
        first_line(&cancel),
        first_line(&invite).replace("INVITE", "CANCEL")
    );
    assert_eq!(header(&cancel, "Reason"), Some("Q.850;cause=16"));
    lone.pass(seconds(33));
    assert!(
        lone.is_at_rest(),
        "a silent far end is forgotten: {:?}",
        lone.endpoint.live()
    );
}

#[test]
fn a_cancel_that_comes_after_the_2xx_changes_nothing() {
    let mut lone = Lone::new();
    let text = invite("c1", "", "sdp");
    let theirs = lone.invited(&text);
    lone.command(accept(theirs));
    let ok = lone.last("SIP/2.0 200");
    lone.receive(&text.replace("INVITE", "CANCEL"));
    assert_eq!(lone.lines(), ["SIP/2.0 200 OK"]);
    assert!(lone.events.is_empty());
    lone.receive(&within("ACK", 1, &ok, "", ""));
    assert_eq!(
        lone.event(),
        Event::Acknowledged {
            invite: theirs,
            body: None
        }
    );
}

#[test]
fn a_cancel_of_nothing_gets_481() {
    let mut lone = Lone::new();
    lone.receive(&invite("c1", "", "").replace("INVITE", "CANCEL"));
    assert_eq!(
        lone.lines(),
        ["SIP/2.0 481 Call/Transaction Does Not Exist"]
    );
}

#[test]
fn an_end_before_a_challenge_is_answered_sends_no_second_invite() {
    let (mut lone, invite) = caller(|invite| {
        invite.credentials = Some(Credentials {
            username: "u".into(),
            password: "p".into(),
        });
    });
    lone.command(end(OURS));
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\n";
    lone.receive(&answer(&invite, "401 Unauthorized", "t", challenge, ""));
    assert_eq!(lone.lines().len(), 1, "nothing but the ACK");
}

#[test]
fn further_branches_of_a_fork_are_acknowledged_and_ended() {
    let (mut lone, invite, ack) = accepted();
    let other = answer(
        &invite,
        "200 OK",
        "t2",
        "Contact: <sip:bob@192.0.2.9:5070>\n",
        "sdp",
    );
    lone.receive(&other);
    assert_eq!(
        lone.lines(),
        [
            "ACK sip:bob@192.0.2.9:5070 SIP/2.0",
            "BYE sip:bob@192.0.2.9:5070 SIP/2.0"
        ]
    );
    lone.receive(&other);
    assert_eq!(
        lone.lines(),
        ["ACK sip:bob@192.0.2.9:5070 SIP/2.0"],
        "no second BYE"
    );
    lone.receive(&answer(
        &invite,
        "200 OK",
        "t1",
        "Contact: <sip:bob@192.0.2.9:5062>\n",
        "sdp",
    ));
    assert_eq!(lone.one(), ack, "the call's own ACK, byte for byte");
    assert!(lone.events.is_empty());
    assert_eq!(lone.endpoint.live().invites, 1);
}

#[test]
fn a_late_offer_is_answered_in_the_ack() {
    let (mut lone, invite) = caller(|invite| invite.offer = Bytes::new());
    assert_eq!(header(&invite, "Content-Length"), Some("0"));
    let ok = answer(
        &invite,
        "200 OK",
        "t1",
        "Contact: <sip:bob@192.0.2.9:5062>\n",
        "offer",
    );
    lone.receive(&ok);
    assert_eq!(
        lone.event(),
        Event::Accepted {
            invite: OURS,
            body: Some(body("offer"))
        }
    );
    lone.receive(&ok);
    assert!(
        lone.sent.is_empty() && lone.events.is_empty(),
        "it waits for the answer"
    );
    lone.command(Command::Acknowledge {
        invite: OURS,
        body: body("answer"),
    });
    let ack = lone.one();
    assert!(ack.ends_with("\r\n\r\nanswer"), "{ack}");
    lone.receive(&ok);
    assert_eq!(lone.one(), ack);
}

#[test]
fn the_answer_to_a_late_offer_of_ours_is_told_with_the_ack() {
    let mut lone = Lone::new();
    let theirs = lone.invited(&invite("c1", "", ""));
    lone.command(Command::Accept {
        invite: theirs,
        body: Some(body("offer")),
    });
    let ok = lone.last("SIP/2.0 200");
    lone.receive(&within("ACK", 1, &ok, "", "answer"));
    assert_eq!(
        lone.event(),
        Event::Acknowledged {
            invite: theirs,
            body: Some(body("answer"))
        }
    );
}

#[test]
fn re_invites_that_cross_are_tried_again_after_491() {
    let (mut world, theirs) = talking(Transport::Udp);
    world.command(
        0,
        Command::Reinvite {
            invite: OURS,
            offer: body("a"),
        },
    );
    world.command(
        1,
        Command::Reinvite {
            invite: theirs,
            offer: body("b"),
        },
    );
    world.settle(&mut |world, end, event| {
        if let Event::Reinvited { invite, .. } = event {
            world.command(
                end,
                Command::Accept {
                    invite: *invite,
                    body: Some(body("ok")),
                },
            );
        }
    });
    assert_eq!(
        world.sent(0, "SIP/2.0 491") + world.sent(1, "SIP/2.0 491"),
        2
    );
    for end in 0..2 {
        let reinvited = world.events[end]
            .iter()
            .filter(|e| matches!(e, Event::Reinvited { .. }))
            .count();
        assert_eq!(reinvited, 1, "{:?}", world.events[end]);
    }
}

#[test]
fn a_second_re_invite_before_the_first_is_answered_gets_500_and_a_time() {
    let mut lone = Lone::new();
    let theirs = lone.invited(&invite("c1", "", "sdp"));
    lone.command(accept(theirs));
    let ok = lone.last("SIP/2.0 200");
    lone.receive(&within("ACK", 1, &ok, "", ""));
    let contact = "Contact: <sip:bob@192.0.2.9:5064>\n";
    lone.receive(&within("INVITE", 2, &ok, contact, "offer"));
    lone.receive(&within("INVITE", 3, &ok, contact, "offer"));
    let refusal = lone.last("SIP/2.0 500");
    let wait: u64 = header(&refusal, "Retry-After")
        .and_then(|v| v.parse().ok())
        .expect("a time");
    assert!(wait <= 10);
    lone.events.clear();
    let cancel = within("CANCEL", 2, &ok, "", "").replace("CANCEL2", "INVITE2");
    lone.receive(&cancel);
    assert_eq!(
        lone.lines(),
        ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]
    );
    assert_eq!(lone.event(), Event::ReinviteCancelled { invite: theirs });
    lone.command(end(theirs));
    assert_eq!(
        first_line(&lone.last("BYE")),
        "BYE sip:bob@192.0.2.9:5062 SIP/2.0"
    );
}

#[test]
fn a_copy_of_a_re_invite_that_comes_after_its_transaction_is_refused() {
    let mut lone = Lone::new();
    let theirs = lone.invited(&invite("c1", "", "sdp"));
    lone.command(accept(theirs));
    let ok = lone.last("SIP/2.0 200");
    lone.receive(&within("ACK", 1, &ok, "", ""));
    let contact = "Contact: <sip:bob@192.0.2.9:5064>\n";
    let reinvite = within("INVITE", 2, &ok, contact, "offer");
    lone.receive(&reinvite);
    lone.command(accept(theirs));
    lone.receive(&within("ACK", 2, &ok, "", ""));
    lone.pass(seconds(33));
    lone.sent.clear();
    lone.events.clear();
    lone.receive(&reinvite);
    assert_eq!(lone.lines(), ["SIP/2.0 500 Server Internal Error"]);
    assert!(lone.events.is_empty(), "{:?}", lone.events);
}

#[test]
fn an_accepted_re_invite_moves_the_remote_target() {
    let mut lone = Lone::new();
    let theirs = lone.invited(&invite("c1", "", "sdp"));
    lone.command(accept(theirs));
    let ok = lone.last("SIP/2.0 200");
    lone.receive(&within("ACK", 1, &ok, "", ""));
    lone.receive(&within(
        "INVITE",
        2,
        &ok,
        "Contact: <sip:bob@192.0.2.9:5064>\n",
        "offer",
    ));
    lone.command(accept(theirs));
    lone.receive(&within("ACK", 2, &ok, "", ""));
    lone.sent.clear();
    lone.command(end(theirs));
    let (flow, bye) = lone.sent.remove(0);
    assert_eq!(first_line(&bye), "BYE sip:bob@192.0.2.9:5064 SIP/2.0");
    assert_eq!(flow.remote.to_string(), "192.0.2.9:5064");
}

#[test]
fn a_re_invite_waits_for_the_ack_of_the_answer() {
    let mut lone = Lone::new();
    let theirs = lone.invited(&invite("c1", "", "sdp"));
    lone.command(accept(theirs));
    let ok = lone.last("SIP/2.0 200");
    lone.command(Command::Reinvite {
        invite: theirs,
        offer: body("hold"),
    });
    assert!(lone.sent.is_empty());
    lone.receive(&within("ACK", 1, &ok, "", ""));
    let reinvite = lone.one();
    assert!(first_line(&reinvite).starts_with("INVITE sip:bob@192.0.2.9:5062"));
    assert_eq!(header(&reinvite, "To").map(tag_of), Some("theirs"));
    lone.events.clear();
    lone.receive(&answer(&reinvite, "488 Not Acceptable Here", "", "", ""));
    assert_eq!(
        lone.event(),
        Event::ReinviteRefused {
            invite: theirs,
            status: 488
        }
    );
    assert_eq!(lone.endpoint.live().invites, 1, "the call goes on");
}

#[test]
fn a_re_invite_into_a_forgotten_dialog_ends_the_call() {
    let (mut lone, _, _) = accepted();
    lone.command(Command::Reinvite {
        invite: OURS,
        offer: body("hold"),
    });
    let reinvite = lone.one();
    lone.receive(&answer(&reinvite, "481 Unknown dialog", "", "", ""));
    assert_eq!(lone.event(), ended(OURS, Some(481), None, false));
    assert_eq!(lone.lines().len(), 2, "ACK and BYE");
}

#[test]
fn a_bye_is_tried_again_with_credentials() {
    let (mut lone, invite) = caller(|invite| {
        invite.credentials = Some(Credentials {
            username: "u".into(),
            password: "p".into(),
        });
    });
    lone.receive(&answer(
        &invite,
        "200 OK",
        "t1",
        "Contact: <sip:bob@192.0.2.9:5062>\n",
        "sdp",
    ));
    lone.sent.clear();
    lone.command(end(OURS));
    let bye = lone.one();
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\n";
    lone.receive(&answer(&bye, "401 Unauthorized", "", challenge, ""));
    let again = lone.one();
    assert!(header(&again, "Authorization").is_some());
    assert_eq!(header(&again, "CSeq"), Some("3 BYE"));
    lone.receive(&answer(&again, "200 OK", "", "", ""));
    lone.pass(seconds(33));
    assert!(lone.is_at_rest());
}

#[test]
fn a_failed_connection_ends_its_calls() {
    let (mut world, theirs) = talking(Transport::Tcp);
    world.fail_flow(0);
    world.fail_flow(1);
    assert_eq!(
        world.events[0].last(),
        Some(&ended(OURS, Some(503), None, false))
    );
    assert_eq!(
        world.events[1].last(),
        Some(&ended(theirs, Some(503), None, false))
    );
    assert_eq!(world.ends[0].live().invites, 0);

    let (mut world, theirs) = calling(Transport::Tcp);
    world.fail_flow(0);
    world.fail_flow(1);
    assert!(matches!(
        world.events[0].last(),
        Some(Event::Refused { status: 503, .. })
    ));
    assert_eq!(
        world.events[1].last(),
        Some(&ended(theirs, Some(503), None, false))
    );
}

#[test]
fn a_peer_that_comes_by_a_new_connection_is_reached_by_it() {
    let mut lone = Lone::new();
    lone.flow = flow(Transport::Tcp, "192.0.2.1:5060", "192.0.2.9:1024");
    let old = lone.flow;
    let theirs = lone.invited(&invite("c1", "", "sdp"));
    lone.command(accept(theirs));
    let ok = lone.last("SIP/2.0 200");
    lone.receive(&within("ACK", 1, &ok, "", ""));
    lone.events.clear();
    lone.flow = flow(Transport::Tcp, "192.0.2.1:5060", "192.0.2.9:1025");
    lone.receive(&within("OPTIONS", 2, &ok, "", ""));
    lone.input(Input::FlowFailed { flow: old });
    assert!(
        lone.events.is_empty(),
        "the call goes on: {:?}",
        lone.events
    );
    lone.sent.clear();
    lone.command(end(theirs));
    assert_eq!(lone.sent.remove(0).0, lone.flow);
}

#[test]
fn a_failed_datagram_refuses_a_call_that_nobody_answered() {
    let (mut lone, _) = caller(|_| {});
    let flow = lone.flow;
    lone.input(Input::FlowFailed { flow });
    assert!(matches!(lone.event(), Event::Refused { status: 503, .. }));
    assert!(lone.is_at_rest());
}

#[test]
fn a_call_that_rings_for_ever_is_given_up() {
    let (mut lone, invite) = caller(|_| {});
    lone.receive(&answer(&invite, "180 Ringing", "t1", "", ""));
    lone.events.clear();
    lone.pass(seconds(201));
    assert!(matches!(lone.event(), Event::Refused { status: 408, .. }));
    assert!(lone.sent.iter().any(|(_, text)| text.starts_with("CANCEL")));
    lone.pass(seconds(65));
    assert!(lone.is_at_rest());
}

#[test]
fn ringing_is_repeated_each_minute() {
    let mut lone = Lone::new();
    let theirs = lone.invited(&invite("c1", "", "sdp"));
    lone.command(Command::Provisional {
        invite: theirs,
        status: 180,
        body: None,
    });
    assert_eq!(lone.lines(), ["SIP/2.0 180 Ringing"]);
    lone.pass(seconds(121));
    assert_eq!(lone.lines(), ["SIP/2.0 180 Ringing"; 2]);
}
