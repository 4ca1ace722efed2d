//! Requests that are answered without asking anybody, and messages that nobody should send.

mod common;

use common::lone::{Lone, answer, first_line, header, headers, invite, tag_of, within};
use common::{call, flow};
use proptest::prelude::*;
use std::time::Duration;
use strowger_sip::endpoint::{Command, Config, Event, Input, InviteId, Transport};

/// What an endpoint without calls says to a request.
fn check(text: &str, status: &str) -> String {
    let mut lone = Lone::new();
    lone.receive(text);
    assert!(lone.events.is_empty(), "{:?}", lone.events);
    let response = lone.one();
    assert_eq!(first_line(&response), format!("SIP/2.0 {status}"), "{text}");
    assert!(
        header(&response, "To").is_some_and(|to| !tag_of(to).is_empty()),
        "{response}"
    );
    response
}

/// The INVITE as another method, outside of any dialog.
fn outside(method: &str) -> String {
    invite("c1", "", "").replace("INVITE", method)
}

#[test]
fn methods_that_we_do_not_serve_are_refused_with_what_is_allowed() {
    let known = ["REGISTER", "SUBSCRIBE", "UPDATE", "PRACK"].map(|m| (m, "405 Method Not Allowed"));
    let unknown = ["NEWMETHOD", "invite"].map(|method| (method, "501 Not Implemented"));
    for (method, status) in known.into_iter().chain(unknown) {
        let response = check(&outside(method), status);
        assert_eq!(
            header(&response, "Allow"),
            Some("INVITE, ACK, CANCEL, BYE, OPTIONS, INFO")
        );
    }
}

#[test]
fn options_are_answered_with_what_we_can() {
    for text in [
        outside("OPTIONS"),
        outside("OPTIONS").replace("Forwards: 70", "Forwards: 0"),
    ] {
        let response = check(&text, "200 OK");
        assert_eq!(header(&response, "Accept"), Some("application/sdp"));
        assert!(header(&response, "Allow").is_some());
    }
}

#[test]
fn what_belongs_to_no_dialog_gets_481() {
    for method in ["BYE", "INFO"] {
        check(&outside(method), "481 Call/Transaction Does Not Exist");
    }
    for method in ["BYE", "INFO", "OPTIONS", "INVITE"] {
        let text =
            outside(method).replace("To: <sip:+441632960001@192.0.2.1>", "To: <sip:x@y>;tag=t");
        check(&text, "481 Call/Transaction Does Not Exist");
    }
    let mut lone = Lone::new();
    lone.receive(&outside("ACK"));
    assert!(
        lone.sent.is_empty() && lone.events.is_empty(),
        "an ACK is never answered"
    );
}

#[test]
fn a_hop_too_many_gets_483() {
    check(
        &invite("c1", "", "").replace("Forwards: 70", "Forwards: 0"),
        "483 Too Many Hops",
    );
}

#[test]
fn required_extensions_that_we_do_not_know_get_420() {
    let response = check(
        &invite("c1", "Require: 100rel, foo\nRequire: bar\n", ""),
        "420 Bad Extension",
    );
    assert_eq!(header(&response, "Unsupported"), Some("100rel, foo, bar"));
}

#[test]
fn schemes_that_we_do_not_know_get_416() {
    let text =
        invite("c1", "", "").replace("INVITE sip:+441632960001@192.0.2.1", "INVITE nobody:x");
    check(&text, "416 Unsupported URI Scheme");
}

#[test]
fn bodies_that_we_cannot_read_get_415() {
    let text = invite("c1", "", "sdp").replace("application/sdp", "text/plain");
    let response = check(&text, "415 Unsupported Media Type");
    assert_eq!(header(&response, "Accept"), Some("application/sdp"));
    let text = invite("c1", "Content-Encoding: gzip\n", "sdp");
    let response = check(&text, "415 Unsupported Media Type");
    assert_eq!(header(&response, "Accept-Encoding"), Some("identity"));
    let text = invite(
        "c1",
        "Content-Disposition: session;handling=optional\n",
        "sdp",
    )
    .replace("application/sdp", "text/plain");
    let mut lone = Lone::new();
    lone.receive(&text);
    let Event::Invited { request, .. } = lone.event() else {
        panic!("not invited")
    };
    assert_eq!(request.offer, None, "a body that may be ignored is");
}

#[test]
fn a_bye_is_heard_whatever_its_body_says() {
    let mut lone = Lone::new();
    let theirs = lone.invited(&invite("c1", "", "sdp"));
    lone.command(Command::Accept {
        invite: theirs,
        body: None,
    });
    let ok = lone.last("SIP/2.0 200");
    let bye = within("BYE", 2, &ok, "Require: nothing\n", "x").replace("application/sdp", "x/y");
    lone.receive(&bye);
    assert_eq!(lone.lines(), ["SIP/2.0 200 OK"]);
    assert!(matches!(lone.event(), Event::Ended { by_us: false, .. }));
}

#[test]
fn every_message_of_rfc_4475_gets_one_answer_or_none() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut answers = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the fixtures are there") {
        let path = entry.expect("readable").path();
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("a name")
            .to_owned();
        let mut lone = Lone::new();
        lone.receive_raw(&std::fs::read(&path).expect("readable"));
        let lines = lone.lines();
        assert!(lines.len() <= 1, "{name}: {lines:?}");
        let is_invited = matches!(lone.events.as_slice(), [Event::Invited { .. }]);
        assert_eq!(
            is_invited,
            lines == ["SIP/2.0 100 Trying"],
            "{name}: {:?}",
            lone.events
        );
        let status = lines
            .first()
            .and_then(|line| line.split(' ').nth(1))
            .map(str::to_owned);
        answers.insert(name, status.unwrap_or_default());
    }
    let expected = [
        ("badbranch", "200"),
        ("bcast", ""),
        ("bext01", "420"),
        ("insuf", "400"),
        ("inv2543", "100"),
        ("invut", "415"),
        ("longreq", "100"),
        ("mpart01", "405"),
        ("novelsc", "416"),
        ("intmeth", "501"),
        ("regbadct", "400"),
        ("sdp01", "406"),
        ("unkscm", "416"),
        ("unksm2", "405"),
        ("wsinv", "481"),
        ("zeromf", "200"),
    ];
    for (name, status) in expected {
        assert_eq!(
            answers.get(name).map(String::as_str),
            Some(status),
            "{name} in {answers:#?}"
        );
    }
}

#[test]
fn an_invite_without_contact_gets_400() {
    let text = invite("c1", "", "").replace("Contact: <sip:bob@192.0.2.9:5062>\n", "");
    check(&text, "400 Bad Request");
}

#[test]
fn a_request_that_came_by_two_ways_gets_482_once() {
    let mut lone = Lone::new();
    lone.invited(&invite("c1", "", "sdp"));
    lone.receive(&invite("c1", "", "sdp").replace("z9hG4bKc1", "z9hG4bKother"));
    assert_eq!(lone.lines(), ["SIP/2.0 482 Loop Detected"]);
    assert!(lone.events.is_empty());
}

#[test]
fn requests_in_a_dialog_are_told_apart_by_tags_and_numbers() {
    let mut lone = Lone::new();
    let theirs = lone.invited(&invite("c1", "", "sdp"));
    lone.command(Command::Accept {
        invite: theirs,
        body: None,
    });
    let ok = lone.last("SIP/2.0 200");
    lone.receive(&within("ACK", 1, &ok, "", ""));
    lone.events.clear();
    let cases = [
        (within("OPTIONS", 5, &ok, "", ""), "200 OK"),
        (within("INFO", 6, &ok, "", ""), "200 OK"),
        (
            within("INFO", 7, &ok, "", "Signal=1"),
            "415 Unsupported Media Type",
        ),
        (within("UPDATE", 8, &ok, "", ""), "405 Method Not Allowed"),
        (within("INFO", 4, &ok, "", ""), "500 Server Internal Error"),
        (within("BYE", 3, &ok, "", ""), "500 Server Internal Error"),
        (
            within("BYE", 9, &ok, "", "").replace("tag=theirs", "tag=forged"),
            "481 Call/Transaction Does Not Exist",
        ),
    ];
    for (text, status) in cases {
        lone.receive(&text);
        assert_eq!(lone.lines(), [format!("SIP/2.0 {status}")], "{text}");
    }
    assert!(lone.events.is_empty());
    let bye = within(
        "BYE",
        10,
        &ok,
        "Reason: SIP;cause=200, Q.850 ; cause=16\n",
        "",
    );
    lone.receive(&bye);
    lone.receive(&bye);
    assert_eq!(lone.lines(), ["SIP/2.0 200 OK"; 2]);
    assert_eq!(
        lone.event(),
        Event::Ended {
            invite: theirs,
            status: None,
            q850: Some(16),
            by_us: false
        }
    );
    lone.pass(Duration::from_secs(65));
    assert!(lone.is_at_rest());
}

#[test]
fn byes_that_cross_are_both_answered() {
    let mut lone = Lone::new();
    let theirs = lone.invited(&invite("c1", "", "sdp"));
    lone.command(Command::Accept {
        invite: theirs,
        body: None,
    });
    let ok = lone.last("SIP/2.0 200");
    lone.receive(&within("ACK", 1, &ok, "", ""));
    lone.command(Command::End {
        invite: theirs,
        status: 0,
        q850: None,
    });
    let ours = lone.one();
    lone.receive(&within("BYE", 2, &ok, "", ""));
    assert_eq!(lone.lines(), ["SIP/2.0 200 OK"]);
    lone.receive(&answer(&ours, "200 OK", "", "", ""));
    assert_eq!(
        lone.events
            .iter()
            .filter(|event| event.is_terminal())
            .count(),
        1
    );
    lone.pass(Duration::from_secs(65));
    assert!(lone.is_at_rest());
}

#[test]
fn a_bye_while_it_rings_ends_the_invite_too() {
    let mut lone = Lone::new();
    let theirs = lone.invited(&invite("c1", "", "sdp"));
    lone.command(Command::Provisional {
        invite: theirs,
        status: 180,
        body: None,
    });
    let ringing = lone.one();
    lone.receive(&within("BYE", 2, &ringing, "", ""));
    assert_eq!(
        lone.lines(),
        ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]
    );
    assert!(matches!(lone.event(), Event::Ended { by_us: false, .. }));
}

#[test]
fn a_peer_that_hangs_up_before_its_2xx_arrives_is_heard() {
    let mut lone = Lone::new();
    lone.command(Command::Invite(Box::new(call(1, lone.flow))));
    let invite = lone.one();
    let ok = answer(
        &invite,
        "200 OK",
        "t1",
        "Contact: <sip:bob@192.0.2.9:5062>\n",
        "sdp",
    );
    let bye = format!(
        "BYE sip:192.0.2.1:5060 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx\n\
         Max-Forwards: 70\nFrom: {}\nTo: {}\nCall-ID: {}\nCSeq: 1 BYE\nContent-Length: 0\n\n",
        header(&ok, "To").expect("it is there"),
        header(&ok, "From").expect("it is there"),
        header(&ok, "Call-ID").expect("it is there"),
    );
    lone.receive(&bye);
    assert_eq!(lone.lines(), ["SIP/2.0 200 OK"]);
    let ended = Event::Ended {
        invite: InviteId(1),
        status: None,
        q850: None,
        by_us: false,
    };
    assert_eq!(lone.event(), ended);
    lone.receive(&ok);
    assert_eq!(lone.lines().len(), 2, "ACK and BYE");
    assert!(lone.events.is_empty());
}

#[test]
fn responses_go_to_where_the_request_came_from() {
    let via = "Via: SIP/2.0/UDP 192.0.2.9:5060";
    let cases = [
        (via.to_owned(), "203.0.113.5:1024", "203.0.113.5:5060"),
        (
            via.replace(":5060", ""),
            "203.0.113.5:1024",
            "203.0.113.5:5060",
        ),
        (
            format!("{via};rport"),
            "203.0.113.5:1024",
            "203.0.113.5:1024",
        ),
        (
            format!("{via};maddr=198.51.100.1"),
            "192.0.2.9:5060",
            "192.0.2.9:5060",
        ),
    ];
    for (sent_via, source, target) in cases {
        let mut lone = Lone::new();
        lone.flow = flow(Transport::Udp, "192.0.2.1:5060", source);
        lone.receive(&outside("OPTIONS").replace(via, &sent_via));
        let (flow, response) = lone.sent.remove(0);
        assert_eq!(flow.remote.to_string(), target, "{sent_via}");
        let via = header(&response, "Via").expect("it is there");
        assert_eq!(
            via.contains("received=203.0.113.5"),
            source.starts_with("203"),
            "{via}"
        );
        assert_eq!(
            via.contains("rport=1024"),
            sent_via.ends_with("rport"),
            "{via}"
        );
    }
    let mut lone = Lone::new();
    lone.flow = flow(Transport::Tcp, "192.0.2.1:5060", "203.0.113.5:1024");
    lone.receive(&outside("OPTIONS"));
    assert_eq!(lone.sent.remove(0).0, lone.flow);
}

#[test]
fn peers_of_rfc_2543_are_known_by_their_headers() {
    let mut lone = Lone::new();
    let old = |text: &str| {
        let branch = text.find(";branch=").expect("a branch");
        let end = branch + text[branch..].find('\n').expect("a line end");
        format!("{}{}", &text[..branch], &text[end..])
    };
    let text = old(&invite("c1", "", "sdp"));
    let theirs = lone.invited(&text);
    lone.receive(&text);
    assert_eq!(lone.lines(), ["SIP/2.0 100 Trying"]);
    lone.command(Command::Refuse {
        invite: theirs,
        status: 486,
        headers: vec![],
    });
    let busy = lone.last("SIP/2.0 486");
    let ack = old(&within("ACK", 1, &busy, "", ""))
        .replace("ACK sip:192.0.2.1:5060", "ACK sip:+441632960001@192.0.2.1");
    lone.receive(&ack);
    lone.sent.clear();
    lone.pass(Duration::from_secs(4));
    assert!(lone.sent.is_empty(), "acknowledged: {:?}", lone.sent);

    lone.events.clear();
    let theirs = lone.invited(&old(&invite("c2", "", "sdp")));
    lone.receive(
        &old(&invite("c2", "", ""))
            .replace("INVITE sip", "CANCEL sip")
            .replace("1 INVITE", "1 CANCEL"),
    );
    assert_eq!(
        lone.lines(),
        ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]
    );
    assert_eq!(lone.event().invite(), theirs);
}

#[test]
fn requests_without_room_get_503_and_calls_that_live_are_served() {
    let config = Config {
        max_transactions: 1,
        ..Config::default()
    };
    let mut lone = Lone::with_config(config);
    let theirs = lone.invited(&invite("c1", "", "sdp"));
    lone.receive(&invite("c2", "", "sdp"));
    let refusal = lone.one();
    assert_eq!(first_line(&refusal), "SIP/2.0 503 Service Unavailable");
    assert_eq!(header(&refusal, "Retry-After"), Some("5"));
    lone.command(Command::Provisional {
        invite: theirs,
        status: 180,
        body: None,
    });
    let ringing = lone.one();
    lone.receive(&within("OPTIONS", 2, &ringing, "", ""));
    assert_eq!(lone.lines(), ["SIP/2.0 200 OK"]);
    lone.command(Command::Invite(Box::new(call(1, lone.flow))));
    assert!(matches!(lone.event(), Event::Refused { status: 503, .. }));
}

#[test]
fn requests_that_were_answered_make_room_for_new_ones_the_oldest_first() {
    let config = Config {
        max_transactions: 4,
        ..Config::default()
    };
    let mut lone = Lone::with_config(config);
    for n in 1..=20 {
        let invite_id = lone.invited(&invite(&format!("c{n}"), "", ""));
        lone.command(Command::Accept {
            invite: invite_id,
            body: None,
        });
        let ok = lone.one();
        lone.receive(&within("ACK", 1, &ok, "", ""));
        assert!(matches!(lone.event(), Event::Acknowledged { .. }));
        lone.receive(&within("BYE", 2, &ok, "", ""));
        assert_eq!(lone.lines(), ["SIP/2.0 200 OK"]);
        assert!(matches!(lone.event(), Event::Ended { .. }));
        assert!(lone.endpoint.live().server_transactions <= 4);
        // What is remembered still knows its copies.
        lone.receive(&within("BYE", 2, &ok, "", ""));
        assert_eq!(lone.lines(), ["SIP/2.0 200 OK"]);
    }
    assert_eq!(lone.endpoint.shed(), 0);
    // Calls that wait for their answer are not forgotten for others.
    for n in 21..=24 {
        lone.invited(&invite(&format!("c{n}"), "", ""));
    }
    lone.receive(&invite("c25", "", ""));
    assert_eq!(first_line(&lone.one()), "SIP/2.0 503 Service Unavailable");
    assert_eq!(lone.endpoint.shed(), 1);
}

#[test]
fn unreadable_requests_get_their_status_and_all_else_is_dropped() {
    check(
        &invite("c1", "", "").replace("SIP/2.0\nVia", "SIP/7.0\nVia"),
        "505 Version Not Supported",
    );
    let response = check(
        &invite("c1", "", "").replace("CSeq: 1 ", "CSeq: x "),
        "400 Bad Request",
    );
    assert_eq!(headers(&response, "Via").len(), 1);
    let silent = [
        "\n\n".to_owned(),
        "hello".to_owned(),
        outside("ACK").replace("CSeq: 1 ", "CSeq: x "),
        "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKnone\n\n".to_owned(),
        answer(&invite("c1", "", ""), "200 OK", "t", "", ""),
    ];
    for text in silent {
        let mut lone = Lone::new();
        lone.receive(&text);
        assert!(
            lone.sent.is_empty() && lone.events.is_empty(),
            "{text}: {:?}",
            lone.sent
        );
        assert!(lone.is_at_rest());
    }
}

#[test]
fn commands_for_calls_that_are_not_there_do_nothing() {
    let mut lone = Lone::new();
    let invite = InviteId(9);
    let commands = [
        Command::Provisional {
            invite,
            status: 180,
            body: None,
        },
        Command::Accept { invite, body: None },
        Command::Refuse {
            invite,
            status: 486,
            headers: vec![],
        },
        Command::Reinvite {
            invite,
            offer: bytes::Bytes::new(),
        },
        Command::Acknowledge {
            invite,
            body: bytes::Bytes::new(),
        },
        Command::Challenge {
            invite,
            realm: "r".into(),
        },
        Command::End {
            invite,
            status: 486,
            q850: None,
        },
    ];
    for command in commands {
        lone.command(command);
    }
    assert!(lone.sent.is_empty() && lone.events.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn mutilated_messages_stop_nothing(
        which in 0usize..6,
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        end in any::<prop::sample::Index>(),
    ) {
        let mut lone = Lone::new();
        let theirs = lone.invited(&invite("c0", "", "sdp"));
        lone.command(Command::Accept { invite: theirs, body: None });
        let ok = lone.last("SIP/2.0 200");
        lone.command(Command::Invite(Box::new(call(1, lone.flow))));
        let ours = lone.one();
        let text = match which {
            0 => invite("c1", "Record-Route: <sip:p;lr>\nRequire: x\n", "sdp"),
            1 => within("ACK", 1, &ok, "", "sdp"),
            2 => within("BYE", 2, &ok, "Reason: Q.850;cause=16\n", ""),
            3 => within("INVITE", 2, &ok, "Contact: <sip:b@192.0.2.9>\n", "sdp"),
            4 => answer(&ours, "200 OK", "t", "Contact: <sip:b@192.0.2.9>\n", "sdp"),
            _ => answer(&ours, "407 No", "t", "Proxy-Authenticate: Digest realm=\"x\"\n", ""),
        };
        let mut bytes = text.replace('\n', "\r\n").into_bytes();
        for (at, byte) in cuts {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if which % 2 == 0 {
            bytes.truncate(end.index(bytes.len()) + 1);
        }
        let flow = lone.flow;
        lone.input(Input::Message { flow, bytes: &bytes });
        let others: Vec<_> = lone
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Invited { invite, .. } => Some(*invite),
                _ => None,
            })
            .collect();
        for invite in others.into_iter().chain([theirs, InviteId(1)]) {
            lone.command(Command::End { invite, status: 486, q850: None });
        }
        lone.pass(Duration::from_secs(200));
        prop_assert!(lone.is_at_rest(), "{:?}", lone.endpoint.live());
    }
}

#[test]
fn new_calls_are_shed_when_work_waits_too_long_and_nothing_is_kept_of_them() {
    let mut lone = Lone::new();
    let invite_id = lone.invited(&invite("c1", "", ""));
    for waited in [0, 1] {
        let now = lone.now + Duration::from_secs(waited);
        lone.endpoint.note_age(Duration::from_secs(1), now);
    }
    let kept = lone.endpoint.live();
    let shed = invite("c2", "", "");
    lone.receive(&shed);
    let refusal = lone.one();
    assert_eq!(first_line(&refusal), "SIP/2.0 503 Service Unavailable");
    assert_eq!(header(&refusal, "Retry-After"), Some("5"));
    lone.receive(&shed);
    assert_eq!(lone.one(), refusal, "a copy gets the same tag");
    lone.receive(&within("ACK", 1, &refusal, "", ""));
    assert!(lone.sent.is_empty() && lone.events.is_empty());
    assert_eq!((lone.endpoint.live(), lone.endpoint.shed()), (kept, 2));

    // The call that lives is served as ever: a copy of its INVITE, its answer, its ACK, its BYE.
    lone.receive(&invite("c1", "", ""));
    assert_eq!(lone.lines(), ["SIP/2.0 100 Trying"]);
    lone.command(Command::Accept {
        invite: invite_id,
        body: None,
    });
    let ok = lone.one();
    lone.receive(&within("ACK", 1, &ok, "", ""));
    assert!(matches!(lone.event(), Event::Acknowledged { .. }));
    lone.receive(&within("BYE", 2, &ok, "", ""));
    assert_eq!(lone.lines(), ["SIP/2.0 200 OK"]);
    assert!(matches!(lone.event(), Event::Ended { .. }));

    lone.endpoint.note_age(Duration::ZERO, lone.now);
    lone.receive(&shed);
    assert!(matches!(lone.event(), Event::Invited { .. }));
}
