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
