use proptest::prelude::*;

use super::*;
use crate::reader::read;

fn uri(text: &str) -> Uri {
    Uri::parse(text).expect("readable")
}

fn address(text: &str) -> NameAddr {
    NameAddr::parse(text).expect("readable")
}

fn request(method: Method) -> RequestBuilder {
    RequestBuilder::new(
        method,
        uri("sip:+441632960000@[2001:db8::1]:5070;transport=tcp"),
    )
    .via(&Via::new("TCP", "[2001:db8::2]:5060", "z9hG4bK1").expect("made"))
    .max_forwards(70)
    .from(&address("\"A\" <sip:a@example.com>;tag=1"))
    .to(&address("<sip:b@example.com>"))
    .call_id("c1@example.com")
    .cseq(7)
}

#[test]
fn a_request_is_printed_as_it_was_built() {
    let bytes = request(Method::Invite)
        .contact(&address("<sip:a@192.0.2.1>"))
        .route(&address("<sip:p1;lr>"))
        .header("P-Asserted-Identity", "<sip:+441632960001@example.com>")
        .body("application/sdp", Bytes::from_static(b"v=0\r\n"))
        .build()
        .expect("printable");
    assert_eq!(
        String::from_utf8_lossy(&bytes),
        "INVITE sip:+441632960000@[2001:db8::1]:5070;transport=tcp SIP/2.0\r\n\
         Via: SIP/2.0/TCP [2001:db8::2]:5060;rport;branch=z9hG4bK1\r\n\
         Max-Forwards: 70\r\n\
         From: \"A\" <sip:a@example.com>;tag=1\r\n\
         To: <sip:b@example.com>\r\n\
         Call-ID: c1@example.com\r\n\
         CSeq: 7 INVITE\r\n\
         Contact: <sip:a@192.0.2.1>\r\n\
         Route: <sip:p1;lr>\r\n\
         P-Asserted-Identity: <sip:+441632960001@example.com>\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: 5\r\n\r\n\
         v=0\r\n"
    );
}

#[test]
fn every_method_that_we_send_is_known_by_its_name() {
    for method in Method::all() {
        assert_eq!(known_method(&method.to_string()), Some(method));
    }
    assert_eq!(known_method("invite"), None);
    assert_eq!(known_method("NEWMETHOD"), None);
}

#[test]
fn a_request_without_a_field_that_it_must_have_is_not_sent() {
    let bare = RequestBuilder::new(Method::Bye, uri("sip:a@b"));
    assert_eq!(bare.build(), Err(BuildError::Missing("Via")));
}

#[test]
fn line_breaks_are_refused_wherever_they_are() {
    for text in ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b"] {
        let built = request(Method::Info).header("X-Note", text).build();
        assert_eq!(built, Err(BuildError::LineBreak("X-Note".to_owned())));
        let built = request(Method::Info).call_id(text).build();
        assert_eq!(built, Err(BuildError::LineBreak("Call-ID".to_owned())));
        let built = request(Method::Info).body(text, Bytes::new()).build();
        assert_eq!(built, Err(BuildError::LineBreak("Content-Type".to_owned())));
        let built = request(Method::Info).header(text, "x").build();
        assert_eq!(built, Err(BuildError::HeaderName(text.to_owned())));
    }
    let built = request(Method::Info).header("X: y\r\nZ", "x").build();
    assert!(matches!(built, Err(BuildError::HeaderName(_))));
    let message = read(&request(Method::Info).build().expect("printable")).expect("readable");
    let built = ResponseBuilder::new(&message, 200)
        .reason("OK\r\nX: y")
        .build();
    assert_eq!(
        built,
        Err(BuildError::LineBreak("reason phrase".to_owned()))
    );
    let built = ResponseBuilder::new(&message, 200)
        .to_tag("x\r\nX: y")
        .build();
    assert_eq!(built, Err(BuildError::LineBreak("To".to_owned())));
}

#[test]
fn a_response_repeats_what_it_must_and_adds_our_tag_once() {
    let invite = request(Method::Invite)
        .header("Record-Route", "<sip:p1;lr>, <sip:p2;lr>")
        .header("Timestamp", "54")
        .build()
        .expect("printable");
    let invite = read(&invite).expect("readable");
    let trying = ResponseBuilder::new(&invite, StatusCode::Trying)
        .build()
        .expect("printable");
    let trying = read(&trying).expect("readable");
    assert_eq!(trying.header("Timestamp").as_deref(), Some("54"));
    assert_eq!(trying.to().tag(), None);
    let ok = ResponseBuilder::new(&invite, 200)
        .to_tag("ours")
        .to_tag("other")
        .record_routes_of(&invite)
        .contact(&address("<sip:b@192.0.2.2>"))
        .body("application/sdp", Bytes::from_static(&[0, 255, 13, 10]))
        .build()
        .expect("printable");
    let ok = read(&ok).expect("readable");
    assert_eq!(ok.to().tag(), Some("ours"));
    assert_eq!(ok.header("Timestamp"), None);
    assert_eq!(ok.record_routes(), invite.record_routes());
    assert_eq!(ok.body().as_ref(), [0, 255, 13, 10]);
    assert_eq!(ok.method(), "INVITE");
}

#[test]
fn statuses_have_their_phrases_and_only_statuses_are_sent() {
    let message = read(&request(Method::Bye).build().expect("printable")).expect("readable");
    for (status, line) in [
        (404, "SIP/2.0 404 Not Found\r\n"),
        (481, "SIP/2.0 481 Call/Transaction Does Not Exist\r\n"),
        (499, "SIP/2.0 499 Request Failure\r\n"),
        (699, "SIP/2.0 699 Global Failure\r\n"),
    ] {
        let bytes = ResponseBuilder::new(&message, status)
            .build()
            .expect("printable");
        assert!(bytes.starts_with(line.as_bytes()), "{line}");
    }
    for status in [0, 99, 700, u16::MAX] {
        assert_eq!(
            ResponseBuilder::new(&message, status).build(),
            Err(BuildError::Status(status))
        );
    }
}

#[test]
fn a_body_that_nobody_takes_is_not_sent() {
    let body = Bytes::from(vec![0; MAX_BODY + 1]);
    assert_eq!(
        request(Method::Info).body("a/b", body).build(),
        Err(BuildError::BodyTooLong)
    );
}

/// rsip reads plain messages rightly: it must find in ours what we put there, and so must we in
/// its own.
#[test]
fn another_reader_finds_the_same_in_what_we_build() {
    use rsip::headers::UntypedHeader as _;
    use rsip::message::HeadersExt;

    let built = RequestBuilder::new(Method::Invite, uri("sip:b@example.com"))
        .via(&Via::new("UDP", "192.0.2.1:5060", "z9hG4bK1").expect("made"))
        .max_forwards(70)
        .from(&address("\"A\" <sip:a@example.com>;tag=1"))
        .to(&address("<sip:b@example.com>"))
        .call_id("c1@example.com")
        .cseq(7)
        .header("Subject", "lunch")
        .body("text/plain", Bytes::from_static(b"hello"))
        .build()
        .expect("printable");
    let theirs = rsip::SipMessage::try_from(built.as_ref()).expect("rsip reads it");
    let printed = rsip::Request::try_from(theirs.clone())
        .expect("request")
        .to_string();
    let (ours, again) = (read(&built).expect("readable"), read(printed.as_bytes()));
    let again = again.expect("readable");
    assert_eq!(
        theirs.call_id_header().expect("is there").value(),
        ours.call_id()
    );
    assert_eq!(
        theirs.cseq_header().expect("is there").value(),
        ours.cseq().to_string()
    );
    assert_eq!(
        theirs.from_header().expect("is there").value(),
        ours.from().as_str()
    );
    assert_eq!(
        theirs.to_header().expect("is there").value(),
        ours.to().as_str()
    );
    assert_eq!(
        theirs.via_header().expect("is there").value(),
        ours.via().as_str()
    );
    assert_eq!(theirs.body().as_slice(), ours.body().as_ref());
    assert_eq!(again.request_uri(), ours.request_uri());
    assert_eq!(again.from(), ours.from());
    assert_eq!(again.body(), ours.body());
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(
        display in "[^\r\n\0]{0,30}",
        user in "[^\\p{Cc}]{1,30}",
        subject in "[!-~]([ -~]{0,30}[!-~])?",
        number in 0u32..1 << 31,
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let target = Uri::sip(Some(&user), "example.com", None).expect("made");
        let from = NameAddr::new(Some(&display), target.clone()).expect("made");
        let from = from.with_tag("t1").expect("tagged");
        let bytes = RequestBuilder::new(Method::Invite, target.clone())
            .via(&Via::new("UDP", "192.0.2.1:5060", "z9hG4bKx").expect("made"))
            .max_forwards(70)
            .from(&from)
            .to(&NameAddr::new(None, target.clone()).expect("made"))
            .call_id("c1")
            .cseq(number)
            .header("Subject", &subject)
            .body("application/octet-stream", body.clone().into())
            .build()
            .expect("printable");
        let message = read(&bytes).expect("readable");
        prop_assert_eq!(message.request_uri(), Some(&target));
        prop_assert_eq!(message.from(), &from);
        prop_assert_eq!(message.from().display(), Some(display.as_str()));
        prop_assert_eq!(message.cseq().number, number);
        prop_assert!(message.header("Subject").is_some_and(|value| value == subject));
        prop_assert_eq!(message.body().as_ref(), body.as_slice());
    }
}
