//! A peer that says in SIP what a test writes, and nothing by itself: no ACK, no BYE, no answer.

use std::net::SocketAddr;

use tokio::net::UdpSocket;

use super::facts::in_time;

/// The peer.
pub(crate) struct Bare {
    pub(crate) address: SocketAddr,
    socket: UdpSocket,
}

impl Bare {
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        Self {
            address: socket.local_addr().unwrap(),
            socket,
        }
    }

    pub(crate) async fn send(&self, text: &str, to: SocketAddr) {
        self.socket.send_to(text.as_bytes(), to).await.unwrap();
    }

    /// Waits for a message that begins so. Others are passed over.
    pub(crate) async fn hears(&self, start: &str) -> String {
        let listening = async {
            loop {
                let text = self.hears_any().await;
                if text.starts_with(start) {
                    return text;
                }
            }
        };
        in_time(start, listening).await
    }

    /// The next message, whatever it is.
    pub(crate) async fn hears_any(&self) -> String {
        let mut buffer = [0; 4096];
        let (length, _) = self.socket.recv_from(&mut buffer).await.unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    /// What has come already.
    pub(crate) fn has_heard(&self) -> Vec<String> {
        let mut buffer = [0; 4096];
        let mut heard = Vec::new();
        while let Ok((length, _)) = self.socket.try_recv_from(&mut buffer) {
            heard.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        heard
    }

    /// An INVITE with an offer, over UDP.
    pub(crate) fn invite(&self, number: &str, call: &str) -> String {
        invite("UDP", self.address, number, call)
    }

    /// An answer with a session.
    pub(crate) fn answer(&self, request: &str) -> String {
        let body = session(self.address);
        let copied = ["Via", "From", "Call-ID", "CSeq"].map(|name| {
            let value = header(request, name).unwrap_or_default();
            format!("{name}: {value}\r\n")
        });
        format!(
            "SIP/2.0 200 OK\r\n{}To: {};tag=bare\r\nContact: <sip:bare@{}>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            copied.concat(),
            header(request, "To").unwrap_or_default(),
            self.address,
            body.len()
        )
    }

    /// The ACK of a 2xx to an INVITE of its own.
    pub(crate) fn ack(&self, ok: &str) -> String {
        let value = |name| header(ok, name).unwrap_or_default();
        format!(
            "ACK sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKack{}\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
            self.address,
            value("Call-ID"),
            value("From"),
            value("To"),
            value("Call-ID"),
        )
    }
}

/// An INVITE with an offer.
pub(crate) fn invite(transport: &str, from: SocketAddr, number: &str, call: &str) -> String {
    let body = session(from);
    format!(
        "INVITE sip:{number}@127.0.0.1 SIP/2.0\r\n\
         Via: SIP/2.0/{transport} {from};branch=z9hG4bK{call};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:+447700900001@{from}>;tag={call}\r\nTo: <sip:{number}@127.0.0.1>\r\n\
         Call-ID: {call}\r\nCSeq: 1 INVITE\r\nContact: <sip:bare@{from}>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A session at the discard port: nothing is ever said there.
fn session(at: SocketAddr) -> String {
    let ip = at.ip();
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio 9 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    )
}

fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
