//! What is malformed gets a clear refusal, and the calls beside it go on undisturbed.

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::harness::{Beside, CUSTOMER_NUMBER, Caller, in_time, plan};

/// Sends a datagram to the SIP port; answers the first line of the response.
async fn asks(beside: &Beside, message: &str) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    let message = message.replace('\n', "\r\n").replace("PORT", &port);
    socket
        .send_to(message.as_bytes(), beside.platform.sip)
        .await
        .unwrap();
    let mut buffer = [0; 2048];
    let answered = in_time("an answer", socket.recv_from(&mut buffer)).await;
    let text = String::from_utf8_lossy(&buffer[..answered.unwrap().0]).into_owned();
    text.lines().next().unwrap_or_default().to_owned()
}

fn request(method: &str, more: &str) -> String {
    format!(
        "{method} sip:{CUSTOMER_NUMBER}@127.0.0.1 SIP/2.0\n\
         Via: SIP/2.0/UDP 127.0.0.1:PORT;branch=z9hG4bKbad{}\n\
         From: <sip:x@127.0.0.1>;tag=1\nTo: <sip:y@127.0.0.1>\nCall-ID: bad-{}\n{more}\n",
        rand::random::<u64>(),
        rand::random::<u64>(),
    )
}

#[actix::test]
async fn sip_that_cannot_be_read_is_refused_with_its_status() {
    let beside = Beside::start().await;
    let contact = "Contact: <sip:x@127.0.0.1:PORT>\n";
    for (message, status) in [
        (request("INVITE", &format!("CSeq: 1 BYE\n{contact}")), "400"),
        (
            request("INVITE", &format!("CSeq: one INVITE\n{contact}")),
            "400",
        ),
        (
            request(
                "INVITE",
                &format!("CSeq: 1 INVITE\nContent-Length: 99\n{contact}"),
            ),
            "400",
        ),
        (request("DANCE", "CSeq: 1 DANCE\n"), "501"),
        (request("BYE", "CSeq: 1 BYE\n"), "481"),
        (
            request(
                "INVITE",
                &format!("CSeq: 1 INVITE\nRequire: dancing\n{contact}"),
            ),
            "420",
        ),
        (
            request(
                "INVITE",
                &format!("CSeq: 1 INVITE\nMax-Forwards: 0\n{contact}"),
            ),
            "483",
        ),
    ] {
        let line = asks(&beside, &message).await;
        assert!(
            line.starts_with(&format!("SIP/2.0 {status}")),
            "{line} to {message}"
        );
    }
    beside.finish().await;
}

#[actix::test]
async fn sip_that_is_rubbish_disturbs_nobody() {
    let beside = Beside::start().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    let invite = request("INVITE", "CSeq: 1 INVITE\n").replace('\n', "\r\n");
    for n in 0..500_usize {
        let mut bytes = vec![0; rng.random_range(0..1500)];
        rng.fill_bytes(&mut bytes);
        if n % 2 == 0 {
            bytes = invite.clone().into_bytes();
            bytes.truncate(rng.random_range(0..bytes.len()));
            if let Some(byte) = bytes.get_mut(n / 4) {
                *byte = rng.random();
            }
        }
        socket.send_to(&bytes, beside.platform.sip).await.unwrap();
    }
    let mut stream = TcpStream::connect(beside.platform.sip).await.unwrap();
    stream.write_all(&vec![b'x'; 200_000]).await.ok();
    // A stream that can't be cut into messages is closed.
    let mut answer = Vec::new();
    in_time("it is closed", stream.read_to_end(&mut answer))
        .await
        .ok();
    let mut slow = TcpStream::connect(beside.platform.sip).await.unwrap();
    slow.write_all(b"INVITE sip:x@127.0.0.1 SIP/2.0\r\nContent-Length: 4000000000\r\n\r\n")
        .await
        .ok();
    in_time("it is closed", slow.read_to_end(&mut answer))
        .await
        .ok();
    beside.finish().await;
}

#[actix::test]
async fn an_offer_that_cannot_be_read_or_taken_is_refused() {
    let beside = Beside::start().await;
    let head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
    for (offer, status) in [
        ("this is no session".to_owned(), 400),
        (format!("{head}m=audio 4000 RTP/AVP 8\r\n"), 488),
        (
            format!("{head}c=IN IP4 127.0.0.1\r\nm=video 4000 RTP/AVP 31\r\n"),
            488,
        ),
        (
            format!("{head}c=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/SAVP 8\r\n"),
            488,
        ),
        (
            format!("{head}c=IN IP6 ::1\r\nm=audio 4000 RTP/AVP 8\r\n"),
            488,
        ),
        (
            format!("{head}c=IN IP4 127.0.0.1\r\nm=audio 0 RTP/AVP 8\r\n"),
            488,
        ),
    ] {
        let caller = Caller {
            offer: Some(offer.clone().into()),
            ..Caller::default()
        };
        let mut line = beside
            .phone
            .call(CUSTOMER_NUMBER, beside.platform.sip, caller)
            .await;
        assert_eq!(line.is_refused().await, status, "{offer}");
    }
    beside.finish().await;
}

#[actix::test]
async fn rtp_that_is_rubbish_is_not_passed_on_and_the_sound_goes_on() {
    let beside = Beside::start().await;
    let mut rng = StdRng::seed_from_u64(2);
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = beside.a.sound.remote().expect("is connected");
    for n in 0..1000 {
        let mut bytes = vec![0; rng.random_range(0..400)];
        rng.fill_bytes(&mut bytes);
        if n % 2 == 0 && bytes.len() > 12 {
            // The version and an unknown payload type.
            bytes[0] = 0x80;
            bytes[1] = 77;
        }
        beside.a.sound.send_raw(&bytes);
        stranger.send_to(&bytes, to).await.unwrap();
        stranger
            .send_to(&bytes, (to.ip(), to.port() + 1))
            .await
            .unwrap();
    }
    beside.finish().await;
}

#[actix::test]
async fn json_plans_and_wav_files_that_are_wrong_are_refused_with_every_fault() {
    let beside = Beside::start().await;
    let api = &beside.platform.api;
    let scheduled = "/v1/accounts/me/scheduled_calls";
    let json = "application/json";
    for body in ["", "{", "[]", "{\"service_number\": 1}", "{\"a\": \u{0}}"] {
        let answer = api
            .send(Method::POST, scheduled, json, body.as_bytes().to_vec())
            .await;
        assert!(
            matches!(answer.status, 400 | 422),
            "{body}: {}",
            answer.status
        );
        assert!(answer.body["code"].is_string(), "{body}: {}", answer.body);
    }
    let deep = "[".repeat(100_000);
    let answer = api
        .send(Method::POST, scheduled, json, deep.into_bytes())
        .await;
    assert!(
        matches!(answer.status, 400 | 413 | 422),
        "{}",
        answer.status
    );
    let unknown = json!({ "service_number": CUSTOMER_NUMBER, "colour": "red" });
    api.post(scheduled, &unknown).await.is(422);

    let id = beside.platform.seeded.plans[CUSTOMER_NUMBER];
    let path = format!("/v1/accounts/me/call_plans/{id}");
    let etag = api.get(&path).await.is(200)["draft_etag"]
        .as_str()
        .unwrap()
        .to_owned();
    let broken = plan("nowhere", Some("missing"))
        .hang_up("lost", "user_busy")
        .build();
    api.put_if(&format!("{path}/draft"), &etag, &broken)
        .await
        .is(200);
    let problems = api
        .post(&format!("{path}/validate"), &Value::Null)
        .await
        .is(200);
    assert!(
        problems["problems"].as_array().unwrap().len() >= 2,
        "{problems}"
    );
    let refused = api
        .post(&format!("{path}/publish"), &json!({ "note": "" }))
        .await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert!(refused.faults().len() >= 2, "{}", refused.body);

    for file in [&b""[..], b"RIFF", b"not a file", &[0; 5000]] {
        let answer = api
            .send(
                Method::POST,
                "/v1/accounts/me/audio",
                "audio/wav",
                file.to_vec(),
            )
            .await;
        assert!(matches!(answer.status, 400 | 422), "{}", answer.status);
    }
    beside.finish().await;
}
