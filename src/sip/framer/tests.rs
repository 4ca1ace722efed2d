use proptest::prelude::*;

use super::*;

const FIRST: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 5\r\n\r\nhello";
const SECOND: &[u8] = b"BYE sip:b SIP/2.0\r\nl :\r\n  3\r\n\r\nbye";

fn frames(framer: &mut Framer) -> Vec<Frame> {
    std::iter::from_fn(|| framer.next_frame()).collect()
}

fn message(bytes: &[u8]) -> Frame {
    Frame::Message(Bytes::copy_from_slice(bytes))
}

#[test]
fn messages_are_cut_where_their_bodies_end() {
    let mut framer = Framer::new();
    framer.push(&[FIRST, SECOND].concat());
    assert_eq!(frames(&mut framer), [message(FIRST), message(SECOND)]);
    assert_eq!(framer.pending(), 0);
}

#[test]
fn a_ping_is_told_and_a_stray_line_end_is_not() {
    let mut framer = Framer::new();
    framer.push(b"\r\n");
    assert_eq!(framer.next_frame(), None);
    framer.push(b"\r\n");
    assert_eq!(frames(&mut framer), [Frame::Ping]);
    framer.push(b"\r\n");
    framer.push(FIRST);
    assert_eq!(frames(&mut framer), [message(FIRST)]);
}

#[test]
fn a_message_without_content_length_has_no_body() {
    let mut framer = Framer::new();
    let head = b"OPTIONS sip:a SIP/2.0\r\nx: y\r\n\r\n";
    framer.push(&[head, SECOND].concat());
    assert_eq!(frames(&mut framer), [message(head), message(SECOND)]);
}

#[test]
fn what_cannot_be_measured_is_the_last() {
    for length in [
        "-1",
        "99999999999999999999",
        "65537",
        "5, 6",
        "",
        "0x5",
        "5\r\nl: 6",
    ] {
        let head = format!("OPTIONS sip:a SIP/2.0\r\nContent-Length: {length}\r\n\r\n");
        let mut framer = Framer::new();
        framer.push(head.as_bytes());
        framer.push(FIRST);
        assert_eq!(
            frames(&mut framer),
            [Frame::Last(head.clone().into())],
            "{length}"
        );
        framer.push(FIRST);
        assert_eq!((framer.next_frame(), framer.pending()), (None, 0));
    }
}

#[test]
fn a_head_that_never_ends_is_the_last() {
    let mut framer = Framer::new();
    let mut received = 0;
    let last = loop {
        framer.push(b"Padding: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
        received += 1;
        if let Some(frame) = framer.next_frame() {
            break frame;
        }
        assert!(framer.pending() <= MAX_HEAD, "after {received} lines");
    };
    assert!(matches!(last, Frame::Last(bytes) if bytes.len() > MAX_HEAD));
}

proptest! {
    #[test]
    fn frames_do_not_depend_on_how_the_stream_is_cut(
        cuts in prop::collection::vec(1usize..40, 1..40),
        pings in 0usize..3,
    ) {
        let pings = b"\r\n\r\n".repeat(pings);
        let stream = [FIRST, &pings, SECOND, &pings, FIRST].concat();
        let mut whole = Framer::new();
        whole.push(&stream);
        let mut pieces = Framer::new();
        let mut found = Vec::new();
        let mut rest = stream.as_slice();
        for cut in cuts.into_iter().cycle() {
            let (piece, behind) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            found.extend(frames(&mut pieces));
            rest = behind;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(found, frames(&mut whole));
    }
}
