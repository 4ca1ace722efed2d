//! SDP: sessions, offers and answers.

use std::hint::black_box;

use strowger_media::Direction;
use strowger_media::codec::Codec;
use strowger_media::sdp::negotiate::{Local, accept, answer, answer_again, offer, offer_again};
use strowger_media::sdp::session::Session;

use crate::fuzzer::{Target, outcome};

/// Words that mean something to a reader of SDP.
const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"/",
    b":",
    b"=",
    b"-1",
    b"0",
    b"65536",
    b"99999999999999999999",
    b"128",
    b"m=audio 1 RTP/AVP 0\r\n",
    b"m=audio 0 RTP/AVP 8\r\n",
    b"m=",
    b"c=IN IP4 0.0.0.0\r\n",
    b"c=IN IP6 ::1\r\n",
    b"c=IN IP4 224.0.0.1/127/3\r\n",
    b"v=0\r\n",
    b"a=rtpmap:8 PCMU/8000\r\n",
    b"a=rtpmap:0 telephone-event/8000\r\n",
    b"a=ptime:0\r\n",
    b"a=rtcp:1 IN IP4 x\r\n",
    b"a=sendonly\r\n",
    b"a=inactive\r\n",
    b"RTP/AVP",
    b"RTP/SAVP",
    b"\xff",
    b"\xc3\xa9",
    b"\xef\xbb\xbf",
    b"8000/2",
    b"audio",
    b"t=",
];

fn local() -> Local {
    Local {
        address: "192.0.2.10:20000".parse().expect("address"),
        session_id: 1,
        version: 1,
        codecs: Codec::ALL.to_vec(),
        direction: Direction::SendReceive,
        ptime_ms: 20,
    }
}

/// How a description was taken: as a session, as an offer, as an answer to ours.
fn check(bytes: &[u8]) -> [String; 3] {
    let mut seen = [const { String::new() }; 3];
    match Session::parse(bytes) {
        Err(error) => seen[0] = error.to_string(),
        Ok(session) => {
            for media in &session.media {
                seen[0].push(if media.is_plain_audio() { 'a' } else { 'o' });
                black_box((
                    media.rtp_address(),
                    media.rtcp_address(),
                    Codec::ALL.map(|codec| media.telephone_event(codec)),
                ));
            }
        }
    }
    match answer(bytes, &local()) {
        Err(error) => seen[1] = error.to_string(),
        Ok(agreed) => {
            seen[1] = format!("{:?} {:?}", agreed.codec, agreed.connection().direction);
            let offered = Session::parse(bytes).expect("was read");
            let answered = Session::parse(&agreed.sdp).expect("ours is readable");
            assert_eq!(offered.media.len(), answered.media.len());
            assert_eq!(
                answered
                    .media
                    .iter()
                    .filter(|media| media.port != 0)
                    .count(),
                1
            );
            for (theirs, ours) in offered.media.iter().zip(&answered.media) {
                assert!(theirs.kind.eq_ignore_ascii_case(&ours.kind));
                assert!(
                    ours.port == 0 || ours.encodings.iter().all(|e| theirs.encodings.contains(e))
                );
            }
            let again = answer_again(&agreed.sdp, bytes, &local()).expect("as before");
            assert_eq!(again.sdp, agreed.sdp);
            let further = offer_again(&agreed.sdp, &local()).expect("ours is readable");
            let further = Session::parse(&further).expect("ours is readable");
            assert_eq!(further.media.len(), answered.media.len());
        }
    }
    match accept(&offer(&local()), bytes) {
        Err(error) => seen[2] = error.to_string(),
        Ok(agreed) => {
            assert!(local().codecs.contains(&agreed.codec));
            seen[2] = format!("{:?}", agreed.codec);
        }
    }
    seen
}

#[test]
fn any_session_description_is_taken_or_refused() {
    Target {
        name: "sdp",
        seeds: &["src/media/tests/fixtures/sdp"],
        words: WORDS,
        check: |bytes, _| outcome(check(bytes)),
    }
    .run();
}
