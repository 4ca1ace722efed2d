use super::*;
use crate::message::ResponseBuilder;

/// An INVITE with further header lines and a body; every line ends in CR LF.
fn invite(further: &str, body: &str) -> Vec<u8> {
    format!(
        "INVITE sip:+441632960000@example.com SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;rport\r\n\
         From: \"A\" <sip:a@example.com>;tag=1\r\n\
         To: <sip:+441632960000@example.com>\r\n\
         Call-ID: c1@192.0.2.1\r\n\
         CSeq: 1 INVITE\r\n\
         Max-Forwards: 70\r\n\
         {further}\r\n\
         {body}"
    )
    .into_bytes()
}

fn good(bytes: &[u8]) -> Message {
    read(bytes).expect("readable")
}

fn bad(bytes: &[u8]) -> (u16, Problem) {
    let unreadable = read(bytes).expect_err("unreadable");
    (unreadable.status, unreadable.problem)
}

#[test]
fn compact_names_and_any_case_are_the_same_fields() {
    let message = good(
        b"INVITE sip:b@h SIP/2.0\r\n\
          v: SIP/2.0/TCP h;branch=z9hG4bK1\r\n\
          F: sip:a@h;tag=1\r\n\
          t: sip:b@h\r\n\
          i: c1\r\n\
          CSEQ: 1 INVITE\r\n\
          M: <sip:a@h>\r\n\
          c: Application / SDP;charset=utf-8\r\n\
          x: 1800;refresher=uac\r\n\
          l: 1\r\n\r\nx",
    );
    assert_eq!(message.contacts().len(), 1);
    assert_eq!(message.content_type().as_deref(), Some("application/sdp"));
    assert_eq!(
        message.header("Session-Expires").as_deref(),
        Some("1800;refresher=uac")
    );
    assert_eq!(
        message.header("session-expires").as_deref(),
        Some("1800;refresher=uac")
    );
    assert_eq!(message.body().as_ref(), b"x");
}

#[test]
fn lists_over_commas_and_lines_are_one_list() {
    let message = good(&invite(
        "Via: SIP/2.0/UDP p1;branch=z9hG4bK2, SIP/2.0/TCP p2;branch=z9hG4bK3\r\n\
         Route: <sip:p1;lr>, \"x, y\" <sip:p2;lr>\r\n\
         Route: <sip:p3;lr>\r\n\
         Record-Route: <sip:p4;lr>,<sip:p5;lr>\r\n\
         Contact: <sip:a@192.0.2.1>;+sip.instance=\"<urn:uuid:0,0>\"\r\n\
         Require: 100rel, timer\r\n\
         Require: path\r\n",
        "",
    ));
    assert_eq!(
        message.vias().map(Via::host).collect::<Vec<_>>(),
        ["192.0.2.1", "p1", "p2"]
    );
    let hosts = |list: &[NameAddr]| {
        list.iter()
            .map(|one| one.uri().host().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(hosts(message.routes()), ["p1", "p2", "p3"]);
    assert_eq!(hosts(message.record_routes()), ["p4", "p5"]);
    assert_eq!(message.header_list("Require"), ["100rel", "timer", "path"]);
    assert_eq!(message.contacts().len(), 1);
}

#[test]
fn line_ends_before_the_message_and_line_feeds_alone_are_taken() {
    let message = good(&[b"\r\n\r\n", invite("", "").as_slice()].concat());
    assert_eq!(message.method(), "INVITE");
    let text = String::from_utf8(invite("Content-Length: 2\r\n", "ab")).expect("text");
    let message = good(text.replace("\r\n", "\n").as_bytes());
    assert_eq!(message.body().as_ref(), b"ab");
}

#[test]
fn surplus_behind_the_body_is_ignored() {
    assert_eq!(
        good(&invite("Content-Length: 2\r\n", "abc"))
            .body()
            .as_ref(),
        b"ab"
    );
    assert_eq!(good(&invite("", "abc")).body().as_ref(), b"abc");
    let twice = invite("Content-Length: 2\r\nl: 2\r\n", "abc");
    assert_eq!(good(&twice).body().as_ref(), b"ab");
}

#[test]
fn lengths_that_lie_are_refused() {
    assert_eq!(
        bad(&invite("Content-Length: 4\r\n", "abc")),
        (400, Problem::Length)
    );
    for length in ["-1", "+1", "1e0", "", "0000000001", "18446744073709551617"] {
        let (status, problem) = bad(&invite(&format!("Content-Length: {length}\r\n"), "abc"));
        assert_eq!(
            (status, problem),
            (400, field("Content-Length")),
            "{length}"
        );
    }
    let doubled = invite("Content-Length: 1\r\nl: 2\r\n", "abc");
    assert_eq!(bad(&doubled), (400, field("Content-Length")));
    let long = invite("Content-Length: 65537\r\n", "");
    assert_eq!(bad(&long), (413, Problem::BodyTooLong));
}

#[test]
fn limits_come_first() {
    let many = invite(&"X: y\r\n".repeat(MAX_HEADERS), "");
    assert_eq!(bad(&many), (513, Problem::Head(HeadError::TooManyFields)));
    let just = invite(&"X: y\r\n".repeat(MAX_HEADERS - 6), "");
    assert_eq!(good(&just).headers().count(), MAX_HEADERS);
    let long = invite(&format!("X: {}\r\n", "y".repeat(MAX_HEAD)), "");
    assert_eq!(bad(&long), (513, Problem::Head(HeadError::TooLong)));
    let endless = "x".repeat(MAX_HEAD * 3);
    assert_eq!(
        bad(endless.as_bytes()),
        (513, Problem::Head(HeadError::TooLong))
    );
}

#[test]
fn broken_lines_are_refused() {
    for (further, error) in [
        ("no colon\r\n", HeadError::Field),
        (": no name\r\n", HeadError::Field),
        ("two words: x\r\n", HeadError::Field),
        ("X: a\rb\r\n", HeadError::BareCr),
    ] {
        assert_eq!(
            bad(&invite(further, "")),
            (400, Problem::Head(error)),
            "{further:?}"
        );
    }
    let cut = invite("", "");
    let cut = cut.get(..cut.len() - 2).expect("longer");
    assert_eq!(bad(cut), (400, Problem::Head(HeadError::Endless)));
}

#[test]
fn start_lines_are_taken_to_the_letter() {
    let with = |line: &str| {
        let text = String::from_utf8(invite("", "")).expect("text");
        text.replacen("INVITE sip:+441632960000@example.com SIP/2.0", line, 1)
            .into_bytes()
    };
    assert!(read(&with("INVITE sip:a@b sip/2.0")).is_ok());
    for (line, status) in [
        ("INVITE sip:a@b SIP/3.0", 505),
        ("INVITE sip:a@b SIP/2.00", 505),
        ("INVITE sip:a@b SIP/x", 400),
        ("INVITE sip:a@b HTTP/1.1", 400),
        ("INVITE sip:a@b", 400),
        ("INVITE", 400),
        ("IN(ITE sip:a@b SIP/2.0", 400),
        (" INVITE sip:a@b SIP/2.0", 400),
        ("INVITE sip:a@b:x SIP/2.0", 400),
    ] {
        assert_eq!(bad(&with(line)).0, status, "{line}");
    }
    for line in [
        "SIP/2.0 99 x",
        "SIP/2.0 700 x",
        "SIP/2.0 0200 x",
        "SIP/2.0",
        "SIP/3.0 200 OK",
    ] {
        assert_eq!(
            read(&with(line)).expect_err("unreadable").request,
            None,
            "{line}"
        );
    }
    for line in ["SIP/2.0 200 OK", "SIP/2.0 200 ", "SIP/2.0 200"] {
        assert_eq!(good(&with(line)).status(), Some(200), "{line}");
    }
}

#[test]
fn unknown_methods_are_kept() {
    let text = String::from_utf8(invite("", ""))
        .expect("text")
        .replace("INVITE", "invite");
    let message = good(text.as_bytes());
    assert_eq!(
        (message.method(), &*message.cseq().method),
        ("invite", "invite")
    );
}

#[test]
fn each_field_that_must_be_there_once_is_missed_and_not_taken_twice() {
    for name in ["From", "To", "Call-ID", "CSeq", "Via"] {
        let text = String::from_utf8(invite("", "")).expect("text");
        let line = text
            .split_inclusive("\r\n")
            .find(|line| line.starts_with(&format!("{name}:")))
            .expect("is there");
        assert_eq!(
            bad(text.replace(line, "").as_bytes()),
            (400, field(name)),
            "no {name}"
        );
        if name != "Via" {
            assert_eq!(bad(&invite(line, "")), (400, field(name)), "two {name}");
        }
    }
    assert_eq!(
        bad(&invite("Max-Forwards: 1\r\n", "")),
        (400, field("Max-Forwards"))
    );
}

#[test]
fn a_response_is_not_lost_for_a_contact_that_nobody_can_read() {
    let text = String::from_utf8(invite("Contact: <sip:\r\n", "")).expect("text");
    let answer = text.replacen(
        "INVITE sip:+441632960000@example.com SIP/2.0",
        "SIP/2.0 180",
        1,
    );
    assert!(good(answer.as_bytes()).contacts().is_empty());
    assert_eq!(bad(text.as_bytes()).0, 400);
}

#[test]
fn acks_responses_and_what_has_no_via_are_never_answered() {
    let broken = String::from_utf8(invite("Contact: <sip:\r\n", "")).expect("text");
    assert!(
        read(broken.as_bytes())
            .expect_err("unreadable")
            .request
            .is_some()
    );
    let ack = broken.replace("INVITE", "ACK");
    let response = broken.replacen(
        "INVITE sip:+441632960000@example.com SIP/2.0",
        "SIP/2.0 x",
        1,
    );
    let without = broken.replace("Via:", "X:");
    for text in [
        ack,
        response,
        without,
        "\r\n\r\n".to_owned(),
        "nonsense".to_owned(),
    ] {
        let unreadable = read(text.as_bytes()).expect_err("unreadable");
        assert_eq!(unreadable.request, None, "{text}");
        assert!(ResponseBuilder::to_unreadable(&unreadable).is_none());
    }
}

#[test]
fn bytes_that_are_not_text_go_back_as_they_came() {
    let mut bytes = invite("", "");
    let at = bytes
        .windows(3)
        .position(|three| three == b"\"A\"")
        .expect("is there")
        + 1;
    bytes.splice(at..=at, [0xC4, b'B', 0xFC]);
    let message = good(&bytes);
    assert_eq!(message.from().display(), Some("\u{fffd}B\u{fffd}"));
    let answer = ResponseBuilder::new(&message, 486)
        .build()
        .expect("printable");
    assert!(
        answer
            .windows(5)
            .any(|five| five == [b'"', 0xC4, b'B', 0xFC, b'"'])
    );
}

#[test]
fn where_a_request_came_from_is_in_the_answer() {
    let mut message = good(&invite("Via: SIP/2.0/UDP p1;branch=z9hG4bK2\r\n", ""));
    message.received_from("198.51.100.1:1234".parse().expect("address"));
    let answer = ResponseBuilder::new(&message, 100)
        .build()
        .expect("printable");
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.starts_with(
            "SIP/2.0 100 Trying\r\n\
             Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;received=198.51.100.1;rport=1234\r\n\
             Via: SIP/2.0/UDP p1;branch=z9hG4bK2\r\n"
        ),
        "{answer}"
    );
}
