//! Peers that break every rule, and a machine that has run out of something. Whatever they do, calls
//! beside them go on, new ones are refused with 503 at the worst, and everything is as it was when
//! they are gone.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use serde_json::{Value, json};
use strowger::accounts::messages::Observed;
use strowger::store::trunks::TrunkTransport;
use strowger_media::goertzel;
use strowger_sip::flow::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{
    Bare, Beside, Builder, CUSTOMER_NUMBER, Caller, Phone, Platform, audio, bare_invite,
    eventually, in_time, plan, trunk_to,
};

const OFFICE: &str = "+442079460101";

/// Answers, and waits until the caller hangs up.
fn hello() -> Value {
    let waits = json!({ "prompt": [audio(500)], "timeout_s": 60 });
    plan("hello", Some("hello"))
        .node("hello", "ivr_menu", waits, json!({ "1": "bye" }))
        .hang_up("bye", "normal_clearing")
        .build()
}

/// Delivers to an office.
fn office() -> Value {
    plan("office", None)
        .deliver("office", OFFICE, json!({}), json!({}))
        .build()
}

/// Short timers, so that what only time ends is seen to end: 64*T1 is 1.3 s.
fn hurried(builder: Builder) -> Builder {
    builder.set(|settings| settings.sip_t1_ms = Some("20".into()))
}

/// Nothing of SIP is left either, not even what only swallows copies.
async fn is_forgotten(platform: &Platform) -> Observed {
    eventually("signalling has forgotten everything", || async {
        let observed = platform.observed().await;
        let sip = observed.sip.machine;
        let left = sip.invites
            + sip.lingering
            + sip.client_transactions
            + sip.server_transactions
            + sip.unsettled
            + sip.timers
            + sip.flows
            + observed.sip.owners
            + observed.sip.connections;
        (left == 0).then_some(observed)
    })
    .await
}

#[actix::test]
async fn a_stranger_who_speaks_to_the_ports_of_a_call_is_heard_by_nobody() {
    let beside = Beside::start().await;
    let stranger = Phone::a_sound().await;
    let agreed = beside.a.agreed.as_ref().expect("they talk");
    let mut connection = agreed.connection();
    connection.remote = beside.a.sound.remote();
    stranger.connect(connection);
    stranger.say(1700);
    stranger.press("1");
    // Its RTCP says goodbye for everybody, to the odd port and to the even one.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let remote = beside.a.sound.remote().expect("they talk");
    for ssrc in [0_u32, 1, u32::MAX] {
        let mut goodbye = vec![0x80, 201, 0, 1, 0, 0, 0, 1, 0x81, 203, 0, 1];
        goodbye.extend(ssrc.to_be_bytes());
        for port in [remote.port(), remote.port() + 1] {
            socket.send_to(&goodbye, (remote.ip(), port)).unwrap();
        }
    }
    beside.a.sound.forget();
    beside.b.sound.forget();
    beside.goes_on().await;
    beside.b.sound.goes_on(Duration::from_millis(700)).await;
    for heard in [beside.a.sound.heard(), beside.b.sound.heard()] {
        for window in heard.chunks_exact(800) {
            let level = goertzel::level(window, 1700);
            assert!(level < -45.0, "the stranger is heard at {level} dB");
        }
    }
    beside.finish().await;
}

#[actix::test]
async fn without_a_free_rtp_port_calls_get_503_until_there_is_one() {
    let phone = Phone::start().await;
    let platform = Builder::new(hello(), &phone).start().await;
    let ports: Vec<_> = platform.config.rtp.clone().collect();
    let taken: Vec<_> = ports
        .iter()
        .filter_map(|port| UdpSocket::bind(("127.0.0.1", *port)).ok())
        .collect();
    for _ in 0..3 {
        let mut line = platform.called_by(&phone).await;
        assert_eq!(line.is_refused().await, 503);
    }
    drop(taken);
    let mut line = platform.called_by(&phone).await;
    line.is_answered().await;
    line.hang_up();
    line.is_over().await;
    assert_eq!(platform.records().await.len(), 4, "one record each");
    platform.finish().await;
}

#[actix::test]
async fn a_called_party_that_falls_silent_for_ever_holds_nothing() {
    let phone = Phone::start().await;
    let frozen = Bare::start().await;
    let mut builder = hurried(Builder::new(office(), &phone));
    builder.seed.trunk = Some(trunk_to(&frozen.address.to_string(), TrunkTransport::Udp));
    let platform = builder.start().await;
    let mut a = platform.called_by(&phone).await;
    let invite = frozen.hears("INVITE").await;
    frozen.send(&frozen.answer(&invite), platform.sip).await;
    frozen.hears("ACK").await;
    a.is_answered().await;
    a.hang_up();
    a.is_over().await;
    // It has the BYE again and again, and says nothing.
    frozen.hears("BYE").await;
    platform.record().await;
    is_forgotten(&platform).await;
    platform.finish().await;
}

#[actix::test]
async fn a_caller_that_falls_silent_for_ever_holds_nothing() {
    let mut phone = Phone::start().await;
    let frozen = Bare::start().await;
    let platform = hurried(Builder::new(office(), &phone)).start().await;
    frozen
        .send(&frozen.invite(CUSTOMER_NUMBER, "frozen"), platform.sip)
        .await;
    let mut b = phone.rings().await;
    b.answer();
    let ok = frozen.hears("SIP/2.0 200").await;
    frozen.send(&frozen.ack(&ok), platform.sip).await;
    b.is_acknowledged().await;
    platform.has_calls(1).await;
    b.hang_up();
    b.is_over().await;
    frozen.hears("BYE").await;
    platform.record().await;
    is_forgotten(&platform).await;
    platform.finish().await;
}

#[actix::test]
async fn a_caller_that_never_acknowledges_is_hung_up() {
    let phone = Phone::start().await;
    let rude = Bare::start().await;
    let platform = hurried(Builder::new(hello(), &phone)).start().await;
    rude.send(&rude.invite(CUSTOMER_NUMBER, "rude"), platform.sip)
        .await;
    rude.hears("SIP/2.0 200").await;
    rude.hears("BYE").await;
    platform.record().await;
    is_forgotten(&platform).await;
    assert!(rude.has_heard().len() < 40, "it is told with patience");
    platform.finish().await;
}

/// A connection to SIP, and where it comes from.
async fn connect(platform: &Platform) -> (TcpStream, SocketAddr) {
    let stream = in_time("a connection", TcpStream::connect(platform.sip))
        .await
        .unwrap();
    let address = stream.local_addr().unwrap();
    (stream, address)
}

/// Reads until the far end closes; answers what it said.
async fn until_closed(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    // It may also be reset.
    let _ = in_time("it is closed", stream.read_to_end(&mut said)).await;
    String::from_utf8_lossy(&said).into_owned()
}

#[actix::test]
async fn connections_that_stop_in_the_middle_disturb_nobody_and_leave_nothing() {
    let beside = Beside::start().await;
    let platform = &beside.platform;
    let mut held = Vec::new();
    for n in 0..200 {
        let (mut stream, from) = connect(platform).await;
        let message = bare_invite("TCP", from, CUSTOMER_NUMBER, &format!("half-{n}"));
        // Nothing at all, a part of the head, all but the body, one byte after the other.
        let part = message.len() * (n % 4) / 4;
        stream.write_all(&message.as_bytes()[..part]).await.unwrap();
        held.push((stream, message, part));
    }
    for round in 0..5 {
        for (stream, message, part) in held.iter_mut().step_by(5) {
            let byte = &message.as_bytes()[*part + round..=*part + round];
            stream.write_all(byte).await.unwrap();
        }
        beside.goes_on().await;
    }
    // Whoever calls by a connection of its own is served beside them.
    let caller = Caller {
        transport: Transport::Tcp,
        ..Caller::default()
    };
    let mut line = beside
        .phone
        .call("+441632999999", platform.sip, caller)
        .await;
    assert_eq!(line.is_refused().await, 404);
    drop(held);
    eventually("their connections are gone", || async {
        // The phone keeps its own.
        (platform.observed().await.sip.connections <= 1).then_some(())
    })
    .await;
    beside.finish().await;
}

#[actix::test]
async fn a_content_length_that_lies_costs_its_sender_the_connection_at_most() {
    let beside = Beside::start().await;
    let platform = &beside.platform;
    let with_length = |message: &str, length: &str| {
        let start = message.find("Content-Length: ").expect("has one");
        let end = start + message[start..].find("\r\n").expect("ends");
        format!(
            "{}Content-Length: {length}{}",
            &message[..start],
            &message[end..]
        )
    };
    // Too long for any message, no number, and none at all: refused and closed.
    for length in ["4000000000", "99999999999999999999", "-1", "many"] {
        let (mut stream, from) = connect(platform).await;
        let message = bare_invite("TCP", from, "+441632999999", &format!("lie-{length}"));
        let message = with_length(&message, length);
        stream.write_all(message.as_bytes()).await.unwrap();
        let said = until_closed(stream).await;
        assert!(said.starts_with("SIP/2.0 4"), "{length}: {said}");
    }
    // Shorter than the body: what follows is no message, and that is the end of the stream.
    let (mut stream, from) = connect(platform).await;
    let message = bare_invite("TCP", from, "+441632999999", "lie-short");
    let message = with_length(&message, "5") + &"x".repeat(70_000);
    let _ = stream.write_all(message.as_bytes()).await;
    until_closed(stream).await;
    // Longer than the body: it waits for the rest, which never comes.
    let (mut stream, from) = connect(platform).await;
    let message = bare_invite("TCP", from, "+441632999999", "lie-long");
    let message = with_length(&message, "60000");
    stream.write_all(message.as_bytes()).await.unwrap();
    beside.goes_on().await;
    drop(stream);
    eventually("their connections are gone", || async {
        (platform.observed().await.sip.connections == 0).then_some(())
    })
    .await;
    beside.finish().await;
}

#[actix::test]
async fn a_peer_that_reads_nothing_is_given_up() {
    let beside = Beside::start().await;
    let platform = &beside.platform;
    let (mut stream, from) = connect(platform).await;
    let flooding = async {
        for n in 0_u64.. {
            let options = format!(
                "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP {from};branch=z9hG4bK{n}\r\n\
                 From: <sip:{}@h>;tag={n}\r\nTo: <sip:x@h>\r\nCall-ID: {n}\r\nCSeq: 1 OPTIONS\r\n\
                 Content-Length: 0\r\n\r\n",
                "a".repeat(1000)
            );
            if stream.write_all(options.as_bytes()).await.is_err() {
                return;
            }
        }
    };
    in_time("it is given up", flooding).await;
    beside.finish().await;
}
