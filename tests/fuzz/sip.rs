//! SIP: messages in datagrams, and streams of them.

use std::hint::black_box;

use rand::RngExt;
use rand::rngs::StdRng;
use strowger_sip::address::NameAddr;
use strowger_sip::digest::{Challenge, Credentials};
use strowger_sip::message::ResponseBuilder;
use strowger_sip::reader::{Frame, Framer, MAX_BODY, MAX_HEAD, Message, read};
use strowger_sip::uri::Uri;
use strowger_sip::via::Via;

use crate::fuzzer::{Target, outcome};

/// The messages of RFC 4475, which other tests read too.
const TORTURE: &str = "src/sip/tests/fixtures";

/// Words that mean something to a reader of SIP.
pub(crate) const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b"\r\n ",
    b":",
    b";",
    b";;",
    b",",
    b"=",
    b"\"",
    b"\\",
    b"\\\"",
    b"<",
    b">",
    b"@",
    b"?",
    b"&",
    b"%",
    b"%00",
    b"%zz",
    b"[",
    b"]",
    b"[::1]",
    b"/",
    b"*",
    b"sip:",
    b"sips:",
    b"tel:",
    b"SIP/2.0",
    b"SIP/2.0/UDP ",
    b"\xff",
    b"\xc3\xa9",
    b"0",
    b"-1",
    b"4294967296",
    b"99999999999999999999",
    b"Content-Length: 5\r\n",
    b"l:0\r\n",
    b"v: SIP/2.0/UDP h;branch=z9hG4bK\r\n",
    b"Contact: *\r\n",
    b"Route: <sip:h;lr>,\r\n",
    b"Authorization: Digest username=\"a\", nc=00000001, qop=auth\r\n",
    b";rport",
    b";received=::1",
    b"CSeq: 1 ACK\r\n",
    b"Date: x GMT\r\n",
    b";tag=",
    b"INVITE",
    b"ACK",
    b"GMT",
];

/// Looks at everything that a message has.
fn touch(message: &Message) {
    black_box((
        message.method(),
        message.status(),
        message.reason(),
        message.call_id(),
    ));
    black_box((
        message.max_forwards(),
        message.content_type(),
        message.body(),
    ));
    black_box(message.has_wildcard_contact());
    for uri in message
        .request_uri()
        .into_iter()
        .chain([message.from().uri(), message.to().uri()])
    {
        touch_uri(uri);
    }
    let addresses = message
        .contacts()
        .iter()
        .chain(message.routes())
        .chain(message.record_routes());
    for address in addresses {
        touch_uri(address.uri());
        black_box((
            address.display(),
            address.tag(),
            address.params().to_string(),
        ));
        let tagged = address.with_tag("t");
        assert!(
            tagged.is_ok() || address.params().has("tag"),
            "{address}: {tagged:?}"
        );
    }
    for via in message.vias() {
        black_box((
            via.host_ip(),
            via.rport(),
            via.received(),
            via.has_rfc3261_branch(),
        ));
        let again = Via::parse(
            &via.stamped("192.0.2.9:9".parse().expect("address"))
                .to_string(),
        );
        assert!(
            again.is_some_and(|again| again.branch() == via.branch()),
            "{via}"
        );
    }
    for (name, value) in message.headers() {
        black_box(message.header(&name));
        black_box(message.header_list(&name));
        touch_text(&String::from_utf8_lossy(value));
    }
}

fn touch_uri(uri: &Uri) {
    black_box((
        uri.user(),
        uri.unescaped_user(),
        uri.password(),
        uri.host_ip(),
        uri.port(),
    ));
    black_box((
        uri.params().count(),
        uri.headers().count(),
        uri.is_loose_router(),
    ));
    assert_eq!(Uri::parse(uri.as_str()).as_ref(), Ok(uri));
}

/// Reads a text as everything that may stand in a header field.
fn touch_text(text: &str) {
    black_box(Uri::parse(text).is_ok());
    black_box(Via::parse_list(text).is_some());
    if let Ok(list) = NameAddr::parse_list(text) {
        for address in list {
            assert_eq!(NameAddr::parse(address.as_str()).as_ref(), Ok(&address));
        }
    }
    if let Ok(credentials) = Credentials::parse(text) {
        assert_eq!(
            Credentials::parse(&credentials.to_string()).as_ref(),
            Ok(&credentials)
        );
    }
    if let Ok(challenge) = Challenge::parse(text) {
        assert_eq!(
            Challenge::parse(&challenge.to_string()).as_ref(),
            Ok(&challenge)
        );
    }
}

/// How a datagram was taken: its kind and status.
fn check_datagram(bytes: &[u8]) -> (String, u16) {
    let answer = match read(bytes) {
        Ok(message) => {
            touch(&message);
            if !message.is_request() {
                return (message.method().to_owned(), message.status().unwrap_or(0));
            }
            let answer = ResponseBuilder::new(&message, 400).to_tag("ours").build();
            let answer = read(&answer.expect("printable")).expect("our answer is readable");
            assert_eq!(answer.call_id(), message.call_id());
            assert_eq!(answer.cseq(), message.cseq());
            assert!(answer.vias().eq(message.vias()));
            let headers = u16::try_from(message.headers().count()).unwrap_or(0);
            return (message.method().to_owned(), headers);
        }
        Err(unreadable) => ResponseBuilder::to_unreadable(&unreadable),
    };
    let Some(answer) = answer else {
        return ("nothing".into(), 0);
    };
    let answer = answer.to_tag("ours").build().expect("printable");
    let line = String::from_utf8_lossy(answer.get(..40.min(answer.len())).unwrap_or_default());
    (line.into_owned(), 0)
}

/// How a stream was cut: messages, pings, whether it broke.
fn check_stream(bytes: &[u8], rng: &mut StdRng) -> [u16; 3] {
    let mut seen = [0_u16; 3];
    let mut framer = Framer::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rng.random_range(1..=rest.len()));
        framer.push(piece);
        while let Some(frame) = framer.next_frame() {
            match frame {
                Frame::Message(message) => {
                    seen[0] += 1;
                    // Both cut at the same place: the body is all that is left of the frame.
                    if let Ok(read) = read(&message) {
                        assert!(message.ends_with(read.body()));
                    }
                }
                Frame::Last(last) => {
                    seen[2] += 1;
                    check_datagram(&last);
                }
                Frame::Ping => seen[1] += 1,
            }
        }
        assert!(framer.pending() <= MAX_HEAD + MAX_BODY);
        rest = behind;
    }
    seen
}

const DATAGRAMS: Target = Target {
    name: "sip",
    seeds: &[TORTURE],
    words: WORDS,
    check: |bytes, _| outcome(check_datagram(bytes)),
};

#[test]
fn any_datagram_is_read_or_refused() {
    DATAGRAMS.run();
}

#[test]
fn any_stream_is_cut_into_messages_or_ends() {
    Target {
        name: "sip_stream",
        seeds: &[TORTURE],
        words: WORDS,
        check: |bytes, rng| outcome(check_stream(bytes, rng)),
    }
    .run();
}

#[test]
fn no_long_message_takes_long() {
    let line = |text: &str| text.repeat(MAX_HEAD / text.len());
    for piece in [
        ";", ",", "<", "\"", "%", "@", "a;", "\\\"", ";a=b", "<sip:a>,", "&a=", "\r\n ", "x:",
    ] {
        let long = line(piece);
        let message = format!(
            "INVITE sip:a@b;{long} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1{long}\r\n\
             From: {long}\r\nTo: <sip:a@b>{long}\r\n\r\n"
        );
        for name in [
            "Via",
            "From",
            "Contact",
            "Route",
            "Authorization",
            "Content-Length",
        ] {
            let text = format!("INVITE sip:a@b SIP/2.0\r\n{name}: sip:a@b{long}");
            DATAGRAMS.read(text.get(..MAX_HEAD - 4).expect("long").as_bytes());
        }
        touch_text(&long);
        DATAGRAMS.read(message.as_bytes());
    }
}
