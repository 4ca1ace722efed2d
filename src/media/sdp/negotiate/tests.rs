use proptest::prelude::*;

use super::*;

fn local() -> Local {
    Local {
        address: "192.0.2.10:20000".parse().expect("address"),
        session_id: 77,
        version: 1,
        codecs: vec![Codec::Pcma, Codec::Pcmu],
        direction: Direction::SendReceive,
        ptime_ms: 20,
    }
}

fn keys(payload_type: u8) -> TelephoneEvent {
    TelephoneEvent {
        payload_type,
        clock_rate: 8000,
    }
}

/// A session description with these media lines.
fn described(media: &str) -> String {
    format!("v=0\r\no=x 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{media}")
}

fn answered(media: &str) -> Agreed {
    answer(described(media).as_bytes(), &local()).expect("agreed")
}

fn refused(media: &str) -> SdpError {
    answer(described(media).as_bytes(), &local()).expect_err("refused")
}

fn text(agreed: &Agreed) -> String {
    String::from_utf8(agreed.sdp.to_vec()).expect("text")
}

#[test]
fn an_offer_names_every_codec_and_telephone_keys() {
    assert_eq!(
        offer(&local()),
        "v=0\r\n\
         o=- 77 1 IN IP4 192.0.2.10\r\n\
         s=-\r\n\
         c=IN IP4 192.0.2.10\r\n\
         t=0 0\r\n\
         m=audio 20000 RTP/AVP 8 0 101\r\n\
         a=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\n\
         a=fmtp:101 0-15\r\n\
         a=ptime:20\r\n\
         a=sendrecv\r\n"
    );
}

#[test]
fn an_answer_names_one_codec_and_the_offered_telephone_keys() {
    let agreed = answered(
        "m=audio 4000 RTP/AVP 0 8 96\r\na=rtpmap:96 telephone-event/8000\r\na=ptime:30\r\n",
    );
    assert_eq!(
        text(&agreed),
        "v=0\r\n\
         o=- 77 1 IN IP4 192.0.2.10\r\n\
         s=-\r\n\
         c=IN IP4 192.0.2.10\r\n\
         t=0 0\r\n\
         m=audio 20000 RTP/AVP 8 96\r\n\
         a=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:96 telephone-event/8000\r\n\
         a=fmtp:96 0-15\r\n\
         a=ptime:20\r\n\
         a=sendrecv\r\n"
    );
    assert_eq!(
        Agreed {
            sdp: Bytes::new(),
            ..agreed
        },
        Agreed {
            remote: "192.0.2.1:4000".parse().ok(),
            remote_rtcp: "192.0.2.1:4001".parse().ok(),
            codec: Codec::Pcma,
            payload_type: 8,
            telephone_event: Some(keys(96)),
            comfort_noise: false,
            opus: Wishes::default(),
            direction: Direction::SendReceive,
            ptime_ms: 30,
            sdp: Bytes::new(),
        }
    );
}

#[test]
fn our_order_of_codecs_decides() {
    let mu_law_first = Local {
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        ..local()
    };
    let offer = described("m=audio 4000 RTP/AVP 8 0\r\n");
    let agreed = answer(offer.as_bytes(), &mu_law_first).expect("agreed");
    assert_eq!((agreed.codec, agreed.payload_type), (Codec::Pcmu, 0));
}

#[test]
fn payload_types_are_those_of_the_offer() {
    let agreed = answered(
        "m=audio 4000 RTP/AVP 0 97\r\na=rtpmap:97 pcma/8000/1\r\na=rtpmap:0 SPEEX/8000\r\n",
    );
    assert_eq!((agreed.codec, agreed.payload_type), (Codec::Pcma, 97));
    let foreign = "m=audio 4000 RTP/AVP 0 97 98\r\na=rtpmap:0 SPEEX/8000\r\n\
                   a=rtpmap:97 PCMA/16000\r\na=rtpmap:98 PCMU/8000/2\r\n";
    assert_eq!(refused(foreign), SdpError::NoCommonCodec);
}

#[test]
fn telephone_keys_at_another_clock_are_not_taken() {
    let agreed = answered("m=audio 4000 RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/48000\r\n");
    assert_eq!(agreed.telephone_event, None);
    assert!(!text(&agreed).contains("96"));
}

fn wideband(order: [Codec; 4]) -> Local {
    Local {
        codecs: order.to_vec(),
        ..local()
    }
}

/// The audio of Chrome's offer, without encryption.
const BROWSER: &str = "m=audio 4000 RTP/AVP 111 63 9 0 8 13 110 126\r\n\
    a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
    a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:9 G722/8000\r\n\
    a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\n\
    a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n";

#[test]
fn wideband_codecs_are_agreed_with_keys_by_their_own_clock() {
    use Codec::{G722, Opus, Pcma, Pcmu};
    for (order, codec, lines) in [
        (
            [Opus, G722, Pcma, Pcmu],
            Opus,
            "m=audio 20000 RTP/AVP 111 110",
        ),
        (
            [G722, Opus, Pcma, Pcmu],
            G722,
            "m=audio 20000 RTP/AVP 9 13 126",
        ),
        (
            [Pcma, Pcmu, G722, Opus],
            Pcma,
            "m=audio 20000 RTP/AVP 8 13 126",
        ),
    ] {
        let agreed = answer(described(BROWSER).as_bytes(), &wideband(order)).expect("agreed");
        assert_eq!(agreed.codec, codec);
        assert!(text(&agreed).contains(lines), "{}", text(&agreed));
        let clock_rate = agreed.telephone_event.map(|keys| keys.clock_rate);
        assert_eq!(clock_rate, Some(codec.clock_rate()));
        assert_eq!(agreed.comfort_noise, codec != Opus);
        assert!(agreed.opus.in_band_fec);
    }
}

#[test]
fn opus_is_offered_and_answered_as_two_channels_of_which_one_is_used() {
    let ours = wideband([Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu]);
    let offered = offer(&ours);
    let shown = std::str::from_utf8(&offered).expect("text");
    for line in [
        "m=audio 20000 RTP/AVP 111 9 8 0 101 110\r\n",
        "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 maxplaybackrate=16000;",
        "stereo=0;sprop-stereo=0;useinbandfec=1\r\n",
        "a=rtpmap:9 G722/8000\r\n",
        "a=rtpmap:110 telephone-event/48000\r\n",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    let theirs = described(
        "m=audio 4000 RTP/AVP 96 97\r\na=rtpmap:96 OPUS/48000/2\r\n\
         a=fmtp:96 maxplaybackrate=8000; maxaveragebitrate=12000\r\n\
         a=rtpmap:97 telephone-event/8000\r\n",
    );
    let agreed = accept(&offered, theirs.as_bytes()).expect("agreed");
    assert_eq!((agreed.codec, agreed.payload_type), (Codec::Opus, 96));
    assert_eq!(agreed.telephone_event, Some(keys(97)));
    let wishes = agreed.opus;
    assert_eq!(wishes.max_playback_rate, 8000);
    assert_eq!(wishes.max_average_bitrate, Some(12_000));
    for wrong in ["opus/48000", "opus/16000/2", "opus/48000/1", "G722/16000"] {
        let wrong = format!("m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 {wrong}\r\n");
        let refusal = answer(described(&wrong).as_bytes(), &ours).expect_err("refused");
        assert_eq!(refusal, SdpError::NoCommonCodec);
    }
}

#[test]
fn a_further_offer_keeps_payload_types_and_never_uses_one_twice() {
    let ours = wideband([Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu]);
    let theirs = "m=audio 4000 RTP/AVP 101 111\r\na=rtpmap:101 opus/48000/2\r\n\
                  a=rtpmap:111 telephone-event/48000\r\n";
    let first = answer(described(theirs).as_bytes(), &ours).expect("agreed");
    let again = offer_again(&first.sdp, &ours).expect("ours");
    let again = Session::parse(&again).expect("readable");
    let media = &again.media[0];
    assert_eq!(media.formats, "101 9 8 0 96 111");
    assert_eq!(media.payload_type_of(Codec::Opus), Some(101));
}

#[test]
fn comfort_noise_is_agreed_when_it_is_offered_and_never_offered() {
    let agreed = answered("m=audio 4000 RTP/AVP 8 13\r\n");
    assert!(agreed.comfort_noise);
    assert!(text(&agreed).contains("m=audio 20000 RTP/AVP 8 13\r\n"));
    assert!(text(&agreed).contains("a=rtpmap:13 CN/8000\r\n"));
    assert!(!answered("m=audio 4000 RTP/AVP 8\r\n").comfort_noise);
    let ours = offer(&local());
    let theirs = described("m=audio 4000 RTP/AVP 8 13\r\n");
    let agreed = accept(&ours, theirs.as_bytes()).expect("agreed");
    assert!(!agreed.comfort_noise, "it was not offered");
}

#[test]
fn directions_are_mirrored() {
    let cases = [
        ("sendrecv", Direction::SendReceive),
        ("sendonly", Direction::ReceiveOnly),
        ("recvonly", Direction::SendOnly),
        ("inactive", Direction::Inactive),
    ];
    for (theirs, ours) in cases {
        let agreed = answered(&format!("m=audio 4000 RTP/AVP 8\r\na={theirs}\r\n"));
        assert_eq!(agreed.direction, ours, "{theirs}");
        assert!(
            text(&agreed).ends_with(&format!("a={}\r\n", ours.name())),
            "{theirs}"
        );
        let of_session = answered(&format!("a={theirs}\r\nm=audio 4000 RTP/AVP 8\r\n"));
        assert_eq!(of_session.direction, ours, "{theirs} for the session");
    }
}

#[test]
fn what_we_do_not_want_is_not_agreed() {
    let holding = Local {
        direction: Direction::SendOnly,
        ..local()
    };
    for (theirs, ours) in [
        ("sendrecv", Direction::SendOnly),
        ("recvonly", Direction::SendOnly),
        ("sendonly", Direction::Inactive),
    ] {
        let offer = described(&format!("m=audio 4000 RTP/AVP 8\r\na={theirs}\r\n"));
        let agreed = answer(offer.as_bytes(), &holding).expect("agreed");
        assert_eq!(agreed.direction, ours, "{theirs}");
    }
}

#[test]
fn a_zero_address_is_hold() {
    let agreed = answered("m=audio 4000 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\na=sendrecv\r\n");
    assert_eq!((agreed.remote, agreed.remote_rtcp), (None, None));
    assert_eq!(agreed.direction, Direction::ReceiveOnly);
}

#[test]
fn the_address_of_the_media_line_goes_before_that_of_the_session() {
    let agreed = answered("m=audio 4000 RTP/AVP 8\r\nc=IN IP4 198.51.100.1\r\na=rtcp:5005\r\n");
    assert_eq!(agreed.remote, "198.51.100.1:4000".parse().ok());
    assert_eq!(agreed.remote_rtcp, "198.51.100.1:5005".parse().ok());
    let agreed = answered("m=audio 4000 RTP/AVP 8\r\na=rtcp:5005 IN IP4 203.0.113.5\r\n");
    assert_eq!(agreed.remote_rtcp, "203.0.113.5:5005".parse().ok());
}

#[test]
fn other_media_lines_are_refused_in_their_place() {
    let agreed = answered(
        "m=video 5000 RTP/AVP 31 34\r\na=rtpmap:34 H263/90000\r\n\
         m=audio 6000 RTP/SAVP 8\r\n\
         m=audio 4000 RTP/AVP 8\r\n\
         m=audio 7000 RTP/AVP 8\r\n\
         m=image 4002 udptl t38\r\n\
         m=message 2855 TCP/MSRP *\r\n",
    );
    let lines: Vec<_> = text(&agreed)
        .lines()
        .filter(|line| line.starts_with("m="))
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(
        lines,
        [
            "m=video 0 RTP/AVP 31 34",
            "m=audio 0 RTP/SAVP 8",
            "m=audio 20000 RTP/AVP 8",
            "m=audio 0 RTP/AVP 8",
            "m=image 0 udptl t38",
            "m=message 0 TCP/MSRP *",
        ]
    );
}

#[test]
fn what_cannot_be_agreed_is_refused_for_its_reason() {
    let cases = [
        ("", SdpError::NoAudio, 488, Some(304)),
        (
            "m=video 4000 RTP/AVP 31\r\n",
            SdpError::NoAudio,
            488,
            Some(304),
        ),
        ("m=audio 0 RTP/AVP 8\r\n", SdpError::NoAudio, 488, Some(304)),
        (
            "m=audio 4000 RTP/SAVP 8\r\n",
            SdpError::NoPlainRtp,
            488,
            Some(302),
        ),
        (
            "m=audio 4000 RTP/AVP 18 9\r\n",
            SdpError::NoCommonCodec,
            488,
            Some(305),
        ),
        (
            "m=audio 4000 RTP/AVP 8\r\nc=IN IP6 2001:db8::1\r\n",
            SdpError::Address,
            488,
            Some(301),
        ),
        (
            "m=audio 4000 RTP/AVP 8\r\nc=IN IP4 h.example\r\n",
            SdpError::Address,
            488,
            Some(301),
        ),
        (
            "m=audio 4000 RTP/AVP 8\r\nc=IN IP4 224.2.1.1/127\r\n",
            SdpError::Address,
            488,
            Some(301),
        ),
        (
            "m=audio 99999 RTP/AVP 8\r\n",
            SessionError::Malformed.into(),
            400,
            None,
        ),
        ("m=audio\r\n", SessionError::Malformed.into(), 400, None),
    ];
    for (media, error, status, warning) in cases {
        assert_eq!(refused(media), error, "{media}");
        assert_eq!(
            (error.sip_status(), error.warning()),
            (status, warning),
            "{media}"
        );
    }
    let unaddressed = "v=0\r\nm=audio 4000 RTP/AVP 8\r\n";
    assert_eq!(
        answer(unaddressed.as_bytes(), &local()).err(),
        Some(SdpError::Address)
    );
    for empty in ["", "\r\n", "hello", "v=1\r\nm=audio 4000 RTP/AVP 8\r\n"] {
        let error = answer(empty.as_bytes(), &local()).expect_err("refused");
        assert_eq!(error, SessionError::Malformed.into(), "{empty}");
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let too_large = SdpError::from(SessionError::TooLarge);
    assert_eq!(refused(&"m=audio 4000 RTP/AVP 8\r\n".repeat(17)), too_large);
    assert_eq!(refused(&"a=x\r\n".repeat(1000)), too_large);
    assert_eq!(refused(&"x".repeat(65536)), too_large);
    let word = "x".repeat(65);
    for line in [
        format!("m={word} 4000 RTP/AVP 8"),
        format!("m=audio 4000 {word} 8"),
    ] {
        assert_eq!(
            refused(&format!("{line}\r\nm=audio 4000 RTP/AVP 8\r\n")),
            too_large
        );
    }
}

#[test]
fn an_answer_is_readable_however_long_the_refused_lines_are() {
    // What is not UTF-8 grows threefold when it is read.
    let mut offer = described("m=audio 4000 RTP/AVP 8\r\nm=video 4000 RTP/AVP 8").into_bytes();
    offer.truncate(offer.len() - 1);
    offer.resize(60_000, 0xff);
    let agreed = answer(&offer, &local()).expect("the sound is in order");
    let answered = Session::parse(&agreed.sdp).expect("ours is readable");
    assert_eq!(answered.media.len(), 2);
    assert_eq!(
        (answered.media[1].port, &*answered.media[1].formats),
        (0, "0")
    );
}

#[test]
fn odd_lines_that_matter_to_nobody_refuse_nothing() {
    let offer = "v=0\n\
                 o=- 99999999999999999999999 1 IN IP4 192.0.2.1\n\
                 s=\n\
                 i=\u{e9}\n\
                 b=X-\n\
                 t=now then\n\
                 z=x\n\
                 c=IN IP4 192.0.2.1\n\
                 m=audio 4000 RTP/AVP 8 \n\
                 a=rtpmap:8\n\
                 a=ptime:soon\n\
                 a=\n";
    let mut bytes = offer.as_bytes().to_vec();
    bytes.extend_from_slice(b"a=note:\xff\xfe\n");
    let agreed = answer(&bytes, &local()).expect("agreed");
    assert_eq!((agreed.codec, agreed.ptime_ms), (Codec::Pcma, 20));
}

#[test]
fn an_answer_is_taken_as_it_fits_our_offer() {
    let ours = offer(&local());
    let theirs = described(
        "m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=recvonly\r\n",
    );
    let agreed = accept(&ours, theirs.as_bytes()).expect("agreed");
    assert_eq!(
        agreed,
        Agreed {
            remote: "192.0.2.1:4000".parse().ok(),
            remote_rtcp: "192.0.2.1:4001".parse().ok(),
            codec: Codec::Pcmu,
            payload_type: 0,
            telephone_event: Some(keys(101)),
            comfort_noise: false,
            opus: Wishes::default(),
            direction: Direction::SendOnly,
            ptime_ms: 20,
            sdp: ours,
        }
    );
    assert_eq!(agreed.connection().direction, Direction::SendOnly);
}

#[test]
fn an_answer_may_not_add_what_was_not_offered() {
    let a_law_only = offer(&Local {
        codecs: vec![Codec::Pcma],
        ..local()
    });
    let theirs = described("m=audio 4000 RTP/AVP 0\r\n");
    assert_eq!(
        accept(&a_law_only, theirs.as_bytes()).err(),
        Some(SdpError::NoCommonCodec)
    );
    let both = described("m=audio 4000 RTP/AVP 0 8\r\n");
    let agreed = accept(&a_law_only, both.as_bytes()).expect("agreed");
    assert_eq!(agreed.codec, Codec::Pcma);
}

#[test]
fn an_answer_that_does_not_fit_is_refused_for_its_reason() {
    let ours = offer(&local());
    for (media, error) in [
        ("m=audio 0 RTP/AVP 8\r\n", SdpError::NoAudio),
        ("m=video 4000 RTP/AVP 8\r\n", SdpError::Misfit),
        (
            "m=audio 4000 RTP/AVP 8\r\nm=video 0 RTP/AVP 31\r\n",
            SdpError::Misfit,
        ),
        ("", SdpError::Misfit),
        ("m=audio 4000 RTP/SAVP 8\r\n", SdpError::NoPlainRtp),
        (
            "m=audio 4000 RTP/AVP 8\r\nc=IN IP6 ::1\r\n",
            SdpError::Address,
        ),
        ("m=audio 4000 RTP/AVP 18\r\n", SdpError::NoCommonCodec),
    ] {
        assert_eq!(
            accept(&ours, described(media).as_bytes()).err(),
            Some(error),
            "{media}"
        );
    }
}

#[test]
fn versions_count_changes_and_nothing_else() {
    let first = offer(&local());
    assert_eq!(offer_again(&first, &local()), Ok(first.clone()));
    let hold = Local {
        direction: Direction::SendOnly,
        ..local()
    };
    let second = offer_again(&first, &hold).expect("ours");
    assert!(second.starts_with(b"v=0\r\no=- 77 2 IN IP4 "), "{second:?}");
    let third = offer_again(&second, &local()).expect("ours");
    assert!(third.starts_with(b"v=0\r\no=- 77 3 IN IP4 "), "{third:?}");
    let again = described("m=audio 4000 RTP/AVP 8\r\n");
    let agreed = answer_again(&third, again.as_bytes(), &local()).expect("agreed");
    assert!(
        agreed.sdp.starts_with(b"v=0\r\no=- 77 4 IN IP4 "),
        "{:?}",
        agreed.sdp
    );
    let repeated = answer_again(&agreed.sdp, again.as_bytes(), &local()).expect("agreed");
    assert_eq!(repeated.sdp, agreed.sdp);
}

#[test]
fn a_further_offer_keeps_media_lines_and_payload_types() {
    let agreed = answered(
        "m=video 5000 RTP/AVP 31\r\n\
         m=audio 4000 RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/8000\r\n",
    );
    let hold = Local {
        direction: Direction::SendOnly,
        ..local()
    };
    let again = offer_again(&agreed.sdp, &hold).expect("ours");
    let again = String::from_utf8(again.to_vec()).expect("text");
    let lines: Vec<_> = again
        .lines()
        .filter(|line| line.starts_with("m="))
        .collect();
    assert_eq!(
        lines,
        ["m=video 0 RTP/AVP 31", "m=audio 20000 RTP/AVP 8 0 96"]
    );
    assert_eq!(offer_again(b"v=0\r\n", &local()), Err(SdpError::NoAudio));
}

#[test]
fn ipv6_is_named_as_such() {
    let local = Local {
        address: "[2001:db8::a]:20000".parse().expect("address"),
        ..local()
    };
    let ours = offer(&local);
    assert!(
        ours.windows(24)
            .any(|part| part == b"\r\nc=IN IP6 2001:db8::a\r\n"),
        "{ours:?}"
    );
    let far = Local {
        address: "[2001:db8::b]:30000".parse().expect("address"),
        ..local
    };
    let theirs = answer(&ours, &far).expect("agreed");
    let agreed = accept(&ours, &theirs.sdp).expect("agreed");
    assert_eq!(agreed.remote, Some(far.address));
}

fn any_local() -> impl Strategy<Value = Local> {
    let codecs = prop::sample::subsequence(Codec::ALL.to_vec(), 1..=4).prop_shuffle();
    let directions = prop::sample::select(vec![
        Direction::SendReceive,
        Direction::SendOnly,
        Direction::ReceiveOnly,
        Direction::Inactive,
    ]);
    (
        codecs,
        directions,
        1024u16..65534,
        any::<u64>(),
        0u64..1 << 40,
    )
        .prop_map(|(codecs, direction, port, session_id, version)| Local {
            address: ([192, 0, 2, 10], port).into(),
            session_id,
            version,
            codecs,
            direction,
            ptime_ms: 20,
        })
}

/// A media line as a phone might offer it.
fn any_media() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(vec!["audio", "audio", "audio", "video", "image", "text"]);
    let transport =
        prop::sample::select(vec!["RTP/AVP", "RTP/AVP", "RTP/AVPF", "RTP/SAVP", "udptl"]);
    let port = prop::sample::select(vec![0u16, 4000, 4002, 65535]);
    let format = prop::sample::select(vec![0u8, 3, 8, 9, 18, 96, 101, 127]);
    let direction = prop::sample::select(vec![
        "",
        "a=sendonly\r\n",
        "a=recvonly\r\n",
        "a=inactive\r\n",
    ]);
    (
        kind,
        transport,
        port,
        prop::collection::vec(format, 1..6),
        direction,
    )
        .prop_map(|(kind, transport, port, formats, direction)| {
            let formats: Vec<_> = formats.iter().map(ToString::to_string).collect();
            format!(
                "m={kind} {port} {transport} {}\r\na=rtpmap:96 telephone-event/8000\r\n\
                 a=rtpmap:101 PCMU/8000\r\n{direction}",
                formats.join(" ")
            )
        })
}

proptest! {
    #[test]
    fn an_answer_is_part_of_its_offer(
        media in prop::collection::vec(any_media(), 0..6),
        local in any_local(),
    ) {
        let offer = described(&media.concat());
        let Ok(agreed) = answer(offer.as_bytes(), &local) else { return Ok(()) };
        let offered = Session::parse(offer.as_bytes()).expect("readable");
        let answered = Session::parse(&agreed.sdp).expect("readable");
        prop_assert_eq!(answered.media.len(), offered.media.len());
        let mut live = 0;
        for (theirs, ours) in offered.media.iter().zip(&answered.media) {
            prop_assert_eq!(&theirs.kind, &ours.kind);
            prop_assert_eq!(&theirs.transport, &ours.transport);
            for format in ours.formats.split(' ') {
                prop_assert!(theirs.formats.split(' ').any(|offered| offered == format));
            }
            if ours.port != 0 {
                live += 1;
                prop_assert!(theirs.port != 0);
                for encoding in &ours.encodings {
                    prop_assert!(theirs.encodings.contains(encoding));
                }
                prop_assert!(!ours.direction.sends() || theirs.direction.receives());
                prop_assert!(!ours.direction.receives() || theirs.direction.sends());
                prop_assert!(local.codecs.contains(&agreed.codec));
            }
        }
        prop_assert_eq!(live, 1);
    }

    #[test]
    fn both_sides_agree_on_the_same(caller in any_local(), callee in any_local()) {
        let offer = offer(&caller);
        match answer(&offer, &callee) {
            Ok(theirs) => {
                let ours = accept(&offer, &theirs.sdp).expect("our own answer fits");
                prop_assert_eq!(ours.codec, theirs.codec);
                prop_assert_eq!(ours.payload_type, theirs.payload_type);
                prop_assert_eq!(ours.telephone_event, theirs.telephone_event);
                prop_assert_eq!(ours.direction, theirs.direction.reversed());
                prop_assert_eq!(ours.remote, Some(callee.address));
                prop_assert_eq!(theirs.remote, Some(caller.address));
            }
            Err(error) => {
                prop_assert_eq!(error, SdpError::NoCommonCodec);
                prop_assert!(!caller.codecs.iter().any(|codec| callee.codecs.contains(codec)));
            }
        }
    }

    #[test]
    fn a_further_offer_has_the_next_version(first in any_local(), second in any_local()) {
        let second = Local { session_id: first.session_id, ..second };
        let sent = offer(&first);
        let again = offer_again(&sent, &second).expect("ours");
        let version = |text: &[u8]| Session::parse(text).expect("readable").version;
        let is_same = sent == again;
        prop_assert_eq!(version(&again), Some(first.version + u64::from(!is_same)));
    }
}
