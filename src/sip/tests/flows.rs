//! Call flows: those of RFC 3665 that a user agent takes part in, and what an owner sees of a call.

mod common;

use common::call;
use common::calls::{OURS, accept, body, caller, calling, end, ended, seconds, talking};
use common::lone::{Lone, answer, first_line, header, headers, invite};
use common::world::{Faults, World};
use std::time::Duration;
use strowger_sip::endpoint::{
    Command, Config, Credentials, Event, InviteId, OutgoingInvite, Transport,
};

#[test]
fn rfc_3665_3_1_successful_session_establishment() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (mut world, theirs) = calling(transport);
        world.command(
            1,
            Command::Provisional {
                invite: theirs,
                status: 180,
                body: None,
            },
        );
        world.until(0, |event| {
            matches!(event, Event::Provisional { status: 180, .. })
        });
        world.command(1, accept(theirs));
        let accepted = world.until(0, |event| matches!(event, Event::Accepted { .. }));
        assert_eq!(
            accepted,
            Event::Accepted {
                invite: OURS,
                body: Some(body("answer"))
            }
        );
        world.until(1, |event| matches!(event, Event::Acknowledged { .. }));
        world.command(
            1,
            Command::End {
                invite: theirs,
                status: 0,
                q850: Some(16),
            },
        );
        world.settle(&mut |_, _, _| {});
        assert_eq!(
            world.events[0].last(),
            Some(&ended(OURS, None, Some(16), false))
        );
        assert_eq!(
            world.events[1].last(),
            Some(&ended(theirs, None, Some(16), true))
        );
        let lines: Vec<_> = world.lines.iter().map(|(_, line)| line.as_str()).collect();
        assert_eq!(
            lines,
            [
                "INVITE sip:+441632960001@192.0.2.2:5060 SIP/2.0",
                "SIP/2.0 100 Trying",
                "SIP/2.0 180 Ringing",
                "SIP/2.0 200 OK",
                if transport == Transport::Udp {
                    "ACK sip:192.0.2.2:5060 SIP/2.0"
                } else {
                    "ACK sip:192.0.2.2:5060;transport=tcp SIP/2.0"
                },
                if transport == Transport::Udp {
                    "BYE sip:192.0.2.1:5060 SIP/2.0"
                } else {
                    "BYE sip:192.0.2.1:5060;transport=tcp SIP/2.0"
                },
                "SIP/2.0 200 OK",
            ]
        );
    }
}

#[test]
fn rfc_3665_3_2_session_through_two_proxies_keeps_its_route_set() {
    let (mut lone, invite) = caller(|_| {});
    let routes = "Record-Route: <sip:192.0.2.22;lr>, <sip:192.0.2.33:5070;lr>\n\
                  Contact: <sip:bob@10.1.1.1:5062>\n";
    lone.receive(&answer(&invite, "200 OK", "t1", routes, "sdp"));
    let (flow, ack) = lone.sent.remove(0);
    assert_eq!(flow.remote.to_string(), "192.0.2.33:5070");
    assert_eq!(first_line(&ack), "ACK sip:bob@10.1.1.1:5062 SIP/2.0");
    assert_eq!(
        headers(&ack, "Route"),
        ["<sip:192.0.2.33:5070;lr>", "<sip:192.0.2.22;lr>"]
    );
    lone.command(end(OURS));
    let bye = lone.one();
    assert_eq!(first_line(&bye), "BYE sip:bob@10.1.1.1:5062 SIP/2.0");
    assert_eq!(
        headers(&bye, "Route"),
        ["<sip:192.0.2.33:5070;lr>", "<sip:192.0.2.22;lr>"]
    );
    assert_eq!(header(&bye, "CSeq"), Some("2 BYE"));
}

#[test]
fn rfc_3665_3_3_proxy_authentication_is_answered_once() {
    let (mut lone, invite) = caller(|invite| {
        invite.credentials = Some(Credentials {
            username: "alice".into(),
            password: "secret".into(),
        });
    });
    let challenge =
        "Proxy-Authenticate: Digest realm=\"example.com\", nonce=\"abc\", algorithm=MD5\n";
    lone.receive(&answer(
        &invite,
        "407 Proxy Authentication Required",
        "p",
        challenge,
        "",
    ));
    assert_eq!(
        first_line(&lone.sent.remove(0).1),
        first_line(&invite).replace("INVITE", "ACK")
    );
    let again = lone.one();
    assert_eq!(header(&again, "CSeq"), Some("2 INVITE"));
    assert_eq!(header(&again, "Call-ID"), header(&invite, "Call-ID"));
    assert_eq!(header(&again, "From"), header(&invite, "From"));
    assert_ne!(header(&again, "Via"), header(&invite, "Via"));
    let authorization = header(&again, "Proxy-Authorization").expect("it has credentials");
    assert!(
        authorization.contains("username=\"alice\""),
        "{authorization}"
    );
    lone.receive(&answer(
        &again,
        "407 Proxy Authentication Required",
        "p",
        challenge,
        "",
    ));
    assert!(matches!(lone.event(), Event::Refused { status: 407, .. }));
}

#[test]
fn rfc_3665_3_7_session_is_changed_by_a_re_invite() {
    let (mut world, theirs) = talking(Transport::Udp);
    world.command(
        0,
        Command::Reinvite {
            invite: OURS,
            offer: body("hold"),
        },
    );
    let reinvited = world.until(1, |event| matches!(event, Event::Reinvited { .. }));
    assert_eq!(
        reinvited,
        Event::Reinvited {
            invite: theirs,
            offer: Some(body("hold"))
        }
    );
    world.events[1].clear();
    world.events[0].clear();
    world.command(
        1,
        Command::Accept {
            invite: theirs,
            body: Some(body("held")),
        },
    );
    let acknowledged = world.until(1, |event| matches!(event, Event::Acknowledged { .. }));
    assert_eq!(
        acknowledged,
        Event::Acknowledged {
            invite: theirs,
            body: None
        }
    );
    assert_eq!(
        world.events[0],
        [Event::Accepted {
            invite: OURS,
            body: Some(body("held"))
        }]
    );
}

#[test]
fn rfc_3665_3_8_no_answer_is_cancelled() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (mut world, theirs) = calling(transport);
        world.command(
            1,
            Command::Provisional {
                invite: theirs,
                status: 180,
                body: None,
            },
        );
        world.until(0, |event| matches!(event, Event::Provisional { .. }));
        world.command(
            0,
            Command::End {
                invite: OURS,
                status: 0,
                q850: Some(16),
            },
        );
        world.settle(&mut |_, _, _| {});
        assert_eq!(
            world.events[0].last(),
            Some(&ended(OURS, Some(487), Some(16), true))
        );
        assert_eq!(
            world.events[1].last(),
            Some(&ended(theirs, Some(487), Some(16), false))
        );
        assert_eq!(world.sent(0, "CANCEL"), 1);
        assert_eq!(world.sent(1, "SIP/2.0 487"), 1);
        assert_eq!(world.sent(0, "ACK"), 1);
    }
}

#[test]
fn rfc_3665_3_9_busy_is_told_with_its_cause() {
    let (mut world, theirs) = calling(Transport::Udp);
    world.command(
        1,
        Command::End {
            invite: theirs,
            status: 486,
            q850: Some(17),
        },
    );
    world.settle(&mut |_, _, _| {});
    assert_eq!(
        world.events[0],
        [Event::Refused {
            invite: OURS,
            status: 486,
            q850: Some(17),
            reason: "Busy Here".into(),
            retry_after: None
        }]
    );
    assert_eq!(
        world.events[1].last(),
        Some(&ended(theirs, Some(486), Some(17), true))
    );
}

#[test]
fn rfc_3665_3_10_no_response_ends_after_64_t1() {
    let (mut lone, invite) = caller(|_| {});
    lone.pass(Duration::from_millis(31_900));
    let copies = std::mem::take(&mut lone.sent);
    assert_eq!(copies.len(), 6);
    assert!(copies.iter().all(|(_, copy)| *copy == invite));
    assert!(lone.events.is_empty());
    lone.pass(Duration::from_millis(100));
    assert!(matches!(lone.event(), Event::Refused { status: 408, .. }));
    assert!(lone.is_at_rest());
}

#[test]
fn rfc_3665_3_11_temporarily_unavailable_comes_with_retry_after() {
    let (mut lone, invite) = caller(|_| {});
    let retry = "Retry-After: 30 (later);duration=60\n";
    lone.receive(&answer(&invite, "480 Nobody home", "t", retry, ""));
    assert_eq!(
        lone.event(),
        Event::Refused {
            invite: OURS,
            status: 480,
            q850: None,
            reason: "Nobody home".into(),
            retry_after: Some(seconds(30)),
        }
    );
    assert!(first_line(&lone.one()).starts_with("ACK"));
    lone.receive(&answer(&invite, "480 Nobody home", "t", retry, ""));
    assert!(
        first_line(&lone.one()).starts_with("ACK"),
        "a copy is acknowledged again"
    );
    assert!(lone.events.is_empty());
    lone.pass(seconds(33));
    assert!(lone.is_at_rest());
}

#[test]
fn early_media_reaches_the_caller_with_its_body() {
    let (mut world, theirs) = calling(Transport::Udp);
    let early = Some(body("early"));
    world.command(
        1,
        Command::Provisional {
            invite: theirs,
            status: 183,
            body: early.clone(),
        },
    );
    let event = world.until(0, |event| matches!(event, Event::Provisional { .. }));
    assert_eq!(
        event,
        Event::Provisional {
            invite: OURS,
            status: 183,
            body: early
        }
    );
}

#[test]
fn an_invite_gets_100_at_once() {
    let mut lone = Lone::new();
    lone.receive(&invite("c1", "", "sdp"));
    assert_eq!(lone.lines(), ["SIP/2.0 100 Trying"]);
    lone.receive(&invite("c1", "", "sdp"));
    assert_eq!(
        lone.lines(),
        ["SIP/2.0 100 Trying"],
        "a copy is answered and not told again"
    );
    assert!(matches!(lone.event(), Event::Invited { .. }));
}

#[test]
fn what_an_invite_says_is_told() {
    let mut lone = Lone::new();
    let extra = "P-Asserted-Identity: \"A, B\" <sip:+441632960002@x>, <tel:+441632960002>\n\
                 X-Trace: 42\n";
    let text = invite("c1", extra, "sdp").replace(
        "INVITE sip:+441632960001@",
        "INVITE sip:%2B441632960001;x=y@",
    );
    lone.receive(&text);
    let Event::Invited { invite, request } = lone.event() else {
        panic!("not invited")
    };
    assert!(!invite.is_ours());
    assert_eq!(request.user, "+441632960001");
    assert_eq!(request.request_uri, "sip:%2B441632960001;x=y@192.0.2.1");
    assert_eq!(request.from.uri, "sip:bob@192.0.2.9");
    let identities: Vec<_> = request
        .p_asserted_identity
        .iter()
        .map(|party| party.uri.as_str())
        .collect();
    assert_eq!(identities, ["sip:+441632960002@x", "tel:+441632960002"]);
    assert_eq!(
        request.p_asserted_identity[0].display.as_deref(),
        Some("A, B")
    );
    assert_eq!(request.header("x-trace").as_deref(), Some("42"));
    assert_eq!(request.offer, Some(body("sdp")));
    assert_eq!(request.credentials, None);
}

#[test]
fn a_challenged_caller_comes_again_with_credentials_that_can_be_checked() {
    let mut world = World::new(Transport::Udp, Faults::NONE, 3);
    let mut invite = call(1, world.flow(0));
    invite.credentials = Some(Credentials {
        username: "u".into(),
        password: "right".into(),
    });
    world.command(0, Command::Invite(Box::new(invite)));
    let first = world.invited(1);
    world.command(
        1,
        Command::Challenge {
            invite: first,
            realm: "strowger".into(),
        },
    );
    world.events[1].clear();
    let event = world.until(1, |event| matches!(event, Event::Invited { .. }));
    let Event::Invited { request, .. } = event else {
        panic!("not invited")
    };
    let credentials = request.credentials.expect("it has some");
    assert_eq!(
        (credentials.username.as_str(), credentials.realm.as_str()),
        ("u", "strowger")
    );
    assert!(credentials.has_password("right"));
    assert!(!credentials.has_password("wrong"));
}

#[test]
fn credentials_that_were_used_before_are_not_offered_again() {
    let mut lone = Lone::new();
    let theirs = lone.invited(&invite("c1", "", "sdp"));
    lone.command(Command::Challenge {
        invite: theirs,
        realm: "r".into(),
    });
    let challenge = lone.last("SIP/2.0 401");
    assert_eq!(lone.event(), ended(theirs, Some(401), None, true));
    let value = header(&challenge, "WWW-Authenticate").expect("a challenge");
    let nonce = value
        .split("nonce=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let authorization = format!(
        "Authorization: Digest username=\"u\", realm=\"r\", nonce=\"{}\", uri=\"sip:x\", \
         response=\"0123\", qop=auth, nc=00000001, cnonce=\"c\"\n",
        nonce.expect("a nonce")
    );
    for (call, is_good) in [("c2", true), ("c3", false)] {
        lone.receive(&invite(call, &authorization, "sdp"));
        let Event::Invited { invite, request } = lone.event() else {
            panic!("not invited")
        };
        assert_eq!(request.credentials.is_some(), is_good, "{call}");
        lone.sent.clear();
        lone.command(Command::Challenge {
            invite,
            realm: "r".into(),
        });
        lone.events.clear();
        let challenge = lone.last("SIP/2.0 401");
        assert_eq!(challenge.contains("stale=true"), !is_good, "{challenge}");
    }
}

#[test]
fn a_draining_endpoint_takes_no_new_call_and_serves_the_old() {
    let (mut world, theirs) = talking(Transport::Udp);
    world.ends[1].set_draining(true);
    world.command(0, Command::Invite(Box::new(call(3, world.flow(0)))));
    let refused = world.until(0, |event| event.invite() == InviteId(3));
    assert_eq!(
        refused,
        Event::Refused {
            invite: InviteId(3),
            status: 503,
            q850: None,
            reason: "Service Unavailable".into(),
            retry_after: Some(seconds(5)),
        }
    );
    world.command(
        0,
        Command::Reinvite {
            invite: OURS,
            offer: body("hold"),
        },
    );
    world.until(1, |event| matches!(event, Event::Reinvited { .. }));
    world.command(1, accept(theirs));
    world.until(1, |event| matches!(event, Event::Acknowledged { .. }));
}

#[test]
fn an_endpoint_takes_no_more_calls_than_it_may() {
    let mut lone = Lone::with_config(Config {
        capacity: 1,
        ..Config::default()
    });
    let theirs = lone.invited(&invite("c1", "", "sdp"));
    lone.receive(&invite("c2", "", "sdp"));
    let refusal = lone.one();
    assert_eq!(first_line(&refusal), "SIP/2.0 503 Service Unavailable");
    assert_eq!(header(&refusal, "Retry-After"), Some("5"));
    lone.command(end(theirs));
    lone.events.clear();
    lone.invited(&invite("c3", "", "sdp"));
}

#[test]
fn reasons_and_headers_of_refusals_go_out_and_line_breaks_do_not() {
    let mut lone = Lone::new();
    let theirs = lone.invited(&invite("c1", "", "sdp"));
    let headers = vec![
        ("Retry-After".to_owned(), "7".to_owned()),
        ("X-Bad".to_owned(), "1\r\nX-Evil: 2".to_owned()),
        ("Bad Name".to_owned(), "1".to_owned()),
        ("Contact".to_owned(), "<sip:evil@x>".to_owned()),
    ];
    lone.command(Command::Refuse {
        invite: theirs,
        status: 503,
        headers,
    });
    let refusal = lone.one();
    assert_eq!(header(&refusal, "Retry-After"), Some("7"));
    for name in ["X-Bad", "X-Evil", "Bad Name", "Contact"] {
        assert_eq!(header(&refusal, name), None, "{refusal}");
    }
    assert_eq!(lone.event(), ended(theirs, Some(503), None, true));
}

#[test]
fn a_call_that_cannot_be_written_is_refused_at_once() {
    let changes: [fn(&mut OutgoingInvite); 4] = [
        |invite| invite.request_uri = "sip:a@b\r\nX-Evil: 1".into(),
        |invite| invite.from.display = Some("x\r\nX-Evil: 1".into()),
        |invite| invite.call_id = Some("a b".into()),
        |invite| invite.route = vec!["<sip:x".into()],
    ];
    for change in changes {
        let mut lone = Lone::new();
        let mut invite = call(1, lone.flow);
        change(&mut invite);
        lone.command(Command::Invite(Box::new(invite)));
        assert!(lone.sent.is_empty(), "{:?}", lone.sent);
        assert!(matches!(lone.event(), Event::Refused { status: 400, .. }));
        assert!(lone.is_at_rest());
    }
}

#[test]
fn a_preloaded_route_and_an_identity_stand_in_the_invite() {
    let (_, invite) = caller(|invite| {
        invite.route = vec!["sip:proxy.example;lr".into(), "<sip:192.0.2.7;lr>".into()];
        invite.headers = vec![("X-Account".into(), "7".into())];
        invite.call_id = Some("our-own@id".into());
    });
    assert_eq!(
        headers(&invite, "Route"),
        ["<sip:proxy.example;lr>", "<sip:192.0.2.7;lr>"]
    );
    assert_eq!(
        header(&invite, "P-Asserted-Identity"),
        Some("<sip:+441632960000@example.com>")
    );
    assert_eq!(header(&invite, "X-Account"), Some("7"));
    assert_eq!(header(&invite, "Call-ID"), Some("our-own@id"));
    assert_eq!(header(&invite, "Contact"), Some("<sip:192.0.2.1:5060>"));
    assert!(header(&invite, "Via").is_some_and(|via| via.contains(";rport;branch=z9hG4bK")));
    let from = header(&invite, "From").expect("it is there");
    assert!(
        from.starts_with(r#""Alice \"A\"" <sip:alice@example.com>;tag="#),
        "{from}"
    );
}
