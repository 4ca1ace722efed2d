//! Offers as real phones, gateways and browsers make them, and what we agree on.
#![expect(clippy::expect_used, reason = "a test fails by it")]

use std::path::Path;

use strowger_media::Direction;
use strowger_media::codec::Codec;
use strowger_media::sdp::negotiate::{Agreed, Local, SdpError, answer};

fn negotiated(name: &str) -> Result<Agreed, SdpError> {
    negotiated_with(name, &[Codec::Pcma, Codec::Pcmu])
}

fn negotiated_with(name: &str, codecs: &[Codec]) -> Result<Agreed, SdpError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sdp");
    let offer = std::fs::read(folder.join(name).with_extension("sdp")).expect("fixture is there");
    let local = Local {
        address: "192.0.2.10:20000".parse().expect("address"),
        session_id: 1,
        version: 1,
        codecs: codecs.to_vec(),
        direction: Direction::SendReceive,
        ptime_ms: 20,
    };
    answer(&offer, &local)
}

/// Where to send, codec, telephone keys, direction, media lines of the answer.
fn check(
    name: &str,
    remote: Option<&str>,
    (codec, telephone_event): (Codec, Option<u8>),
    direction: Direction,
    media_lines: &[&str],
) {
    let agreed = negotiated(name).expect("agreed");
    assert_eq!(
        agreed.remote,
        remote.map(|text| text.parse().expect("address")),
        "{name}"
    );
    assert_eq!(
        (
            agreed.codec,
            agreed.telephone_event.map(|keys| keys.payload_type)
        ),
        (codec, telephone_event),
        "{name}"
    );
    assert_eq!(
        (agreed.direction, agreed.ptime_ms),
        (direction, 20),
        "{name}"
    );
    let text = std::str::from_utf8(&agreed.sdp).expect("text");
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(lines, media_lines, "{name}");
}

#[test]
fn linphone_gets_its_keys_at_eight_kilohertz_and_no_video() {
    check(
        "linphone",
        Some("192.0.2.21:7078"),
        (Codec::Pcma, Some(100)),
        Direction::SendReceive,
        &["m=audio 20000 RTP/AVP 8 100", "m=video 0 RTP/AVP 96 97"],
    );
}

#[test]
fn baresip_is_taken() {
    check(
        "baresip",
        Some("192.0.2.22:24032"),
        (Codec::Pcma, Some(101)),
        Direction::SendReceive,
        &["m=audio 20000 RTP/AVP 8 101"],
    );
}

#[test]
fn cisco_gets_sound_without_video_and_floor_control() {
    check(
        "cisco",
        Some("192.0.2.23:16946"),
        (Codec::Pcma, Some(101)),
        Direction::SendReceive,
        &[
            "m=audio 20000 RTP/AVP 8 101",
            "m=video 0 RTP/AVP 126 97",
            "m=application 0 UDP/BFCP *",
        ],
    );
}

#[test]
fn asterisk_is_taken() {
    check(
        "asterisk",
        Some("192.0.2.24:14708"),
        (Codec::Pcma, Some(101)),
        Direction::SendReceive,
        &["m=audio 20000 RTP/AVP 8 101"],
    );
}

#[test]
fn sipp_without_telephone_keys_is_taken() {
    check(
        "sipp",
        Some("192.0.2.25:6000"),
        (Codec::Pcmu, None),
        Direction::SendReceive,
        &["m=audio 20000 RTP/AVP 0"],
    );
}

#[test]
fn polycom_holds_by_direction_and_zero_address_at_once() {
    check(
        "polycom_hold",
        None,
        (Codec::Pcma, Some(127)),
        Direction::ReceiveOnly,
        &["m=audio 20000 RTP/AVP 8 127"],
    );
}

#[test]
fn hold_of_rfc_2543_stops_our_sending() {
    check(
        "rfc2543_hold",
        None,
        (Codec::Pcma, None),
        Direction::ReceiveOnly,
        &["m=audio 20000 RTP/AVP 8"],
    );
}

#[test]
fn the_plain_one_of_two_sounds_is_taken() {
    check(
        "srtp_or_rtp",
        Some("192.0.2.28:8000"),
        (Codec::Pcma, Some(101)),
        Direction::SendReceive,
        &["m=audio 0 RTP/SAVP 8 0 101", "m=audio 20000 RTP/AVP 8 101"],
    );
}

#[test]
fn a_gateway_gets_sound_without_fax() {
    check(
        "audio_and_t38",
        Some("192.0.2.29:4000"),
        (Codec::Pcma, None),
        Direction::SendReceive,
        &["m=audio 20000 RTP/AVP 8 13", "m=image 0 udptl t38"],
    );
}

#[test]
fn phones_that_can_are_wideband_when_that_is_preferred() {
    let order = [Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];
    for (name, codec, keys, line) in [
        ("linphone", Codec::Opus, Some(48_000), "RTP/AVP 96 101"),
        ("cisco", Codec::Opus, Some(8000), "RTP/AVP 114 101"),
        ("polycom_hold", Codec::G722, Some(8000), "RTP/AVP 9 127"),
        ("baresip", Codec::G722, Some(8000), "RTP/AVP 9 101"),
        ("asterisk", Codec::Pcma, Some(8000), "RTP/AVP 8 101"),
        ("audio_and_t38", Codec::Pcma, None, "RTP/AVP 8 13"),
    ] {
        let agreed = negotiated_with(name, &order).expect("agreed");
        assert_eq!(agreed.codec, codec, "{name}");
        let clock_rate = agreed.telephone_event.map(|keys| keys.clock_rate);
        assert_eq!(clock_rate, keys, "{name}");
        let text = std::str::from_utf8(&agreed.sdp).expect("text");
        let ours = format!("m=audio 20000 {line}\r\n");
        assert!(text.contains(&ours), "{name}: {text}");
    }
}

#[test]
fn fax_alone_encryption_alone_and_foreign_codecs_alone_are_refused() {
    assert_eq!(negotiated("t38").err(), Some(SdpError::NoAudio));
    assert_eq!(negotiated("chromium").err(), Some(SdpError::NoPlainRtp));
    assert_eq!(
        negotiated("carrier_g729_only").err(),
        Some(SdpError::NoCommonCodec)
    );
}
