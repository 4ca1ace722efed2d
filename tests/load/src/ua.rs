//! Both ends of many calls at one SIP address: callers, and whoever the server calls through its
//! trunk. As much of RFC 3261 as a peer that never fails needs.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::rtp::address;

/// RFC 3261 §17.1.1.1: T1.
const T1: Duration = Duration::from_millis(500);
/// RFC 3261 §17.1.1.2: 64 times T1 is 6 retransmissions that double.
const MOST_SENDS: u32 = 7;

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// INVITE was sent, or answered and not yet acknowledged.
    Beginning,
    /// Both ends talk.
    Established,
    /// Our BYE was not answered yet.
    Ending,
    /// It is over, as it should.
    Ended,
    /// It was refused, or nobody answered.
    Failed,
}

/// One end of a call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) state: State,
    /// The server calls us.
    pub(crate) is_called: bool,
    /// Its place among the RTP addresses.
    pub(crate) leg: u32,
    /// Where the server hears.
    pub(crate) remote: Option<SocketAddrV4>,
    /// When its INVITE was sent or came.
    pub(crate) invited: Instant,
    /// When it was answered.
    pub(crate) answered: Option<Instant>,
    /// The status that it failed with.
    pub(crate) status: u16,
    branch: u64,
    id: String,
    local: String,
    peer: String,
    target: String,
    /// The answer to its INVITE, for whoever asks again.
    answer: String,
    unanswered: Option<Unanswered>,
}

#[derive(Debug)]
struct Unanswered {
    message: String,
    next: Instant,
    sends: u32,
}

/// Many calls.
pub(crate) struct Ua {
    socket: UdpSocket,
    address: SocketAddrV4,
    server: SocketAddrV4,
    ports: Vec<u16>,
    /// In the order in which they began.
    pub(crate) calls: Vec<Call>,
    known: HashMap<String, usize>,
    next_caller: u32,
    next_called: u32,
    branches: u64,
    pub(crate) retransmissions: u64,
    swept: Instant,
    /// All calls before this one are over.
    first_live: usize,
}

impl Ua {
    /// Speaks SIP from a port of its own; RTP is heard at the addresses of `ports`.
    pub(crate) fn new(ports: &[u16]) -> anyhow::Result<Self> {
        let socket = crate::rtp::socket(0)?;
        let SocketAddr::V4(bound) = socket.local_addr()? else {
            bail!("IPv4 is needed");
        };
        let address = SocketAddrV4::new([127, 0, 0, 1].into(), bound.port());
        Ok(Self {
            socket,
            address,
            server: address,
            ports: ports.to_vec(),
            calls: Vec::new(),
            known: HashMap::new(),
            next_caller: 0,
            next_called: 1,
            branches: 0,
            retransmissions: 0,
            swept: Instant::now(),
            first_live: 0,
        })
    }

    /// Where the server's trunk leads.
    pub(crate) fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Who is called from now on; the calls so far are forgotten.
    pub(crate) fn serve(&mut self, server: SocketAddrV4) {
        self.server = server;
        self.calls.clear();
        self.known.clear();
        (self.next_caller, self.next_called) = (0, 1);
        self.first_live = 0;
    }

    /// Calls a number.
    pub(crate) fn call(&mut self, number: &str) -> anyhow::Result<usize> {
        let at = self.calls.len();
        let leg = self.next_caller;
        self.next_caller += 2;
        let (us, server) = (self.address, self.server);
        self.branches += 1;
        let call_id = format!("{}@{us}", self.branches);
        let mut call = Call {
            state: State::Beginning,
            is_called: false,
            leg,
            remote: None,
            invited: Instant::now(),
            answered: None,
            status: 0,
            branch: self.branches,
            id: call_id,
            local: format!("<sip:+447700900001@{us}>;tag=a{at}"),
            peer: format!("<sip:{number}@{server}>"),
            target: format!("sip:{number}@{server}"),
            answer: String::new(),
            unanswered: None,
        };
        let sdp = self.sdp(leg);
        let message = self.request(&call, "INVITE", 1, &sdp);
        self.send(&message)?;
        call.unanswered = Some(Unanswered::new(message));
        self.known.insert(call.id.clone(), at);
        self.calls.push(call);
        Ok(at)
    }

    /// Hangs up.
    pub(crate) fn hang_up(&mut self, at: usize) -> anyhow::Result<()> {
        if self.calls[at].state != State::Established {
            return Ok(());
        }
        let message = self.request(&self.calls[at], "BYE", 2, "");
        self.send(&message)?;
        let call = &mut self.calls[at];
        call.state = State::Ending;
        call.unanswered = Some(Unanswered::new(message));
        Ok(())
    }

    /// How many calls are in this state.
    pub(crate) fn count(&self, state: State) -> usize {
        self.calls.iter().filter(|call| call.state == state).count()
    }

    /// Reads all that has come, and repeats what was not answered in time.
    pub(crate) fn turn(&mut self) -> anyhow::Result<()> {
        let mut buffer = [0; 4096];
        while let Ok((length, _)) = self.socket.recv_from(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            self.receive(&text)?;
        }
        let now = Instant::now();
        if now - self.swept < Duration::from_millis(50) {
            return Ok(());
        }
        self.swept = now;
        let mut again = Vec::new();
        self.forget();
        for call in &mut self.calls[self.first_live..] {
            let Some(unanswered) = &mut call.unanswered else {
                continue;
            };
            if unanswered.next > now {
                continue;
            }
            if unanswered.sends >= MOST_SENDS {
                call.unanswered = None;
                call.state = State::Failed;
                continue;
            }
            unanswered.next = now + T1 * 2_u32.pow(unanswered.sends);
            unanswered.sends += 1;
            again.push(unanswered.message.clone());
        }
        self.retransmissions += again.len() as u64;
        for message in again {
            self.send(&message)?;
        }
        Ok(())
    }

    /// Lets go of the texts of calls that are over, so that hours of calls fit into memory.
    fn forget(&mut self) {
        while let Some(call) = self.calls.get_mut(self.first_live) {
            if !matches!(call.state, State::Ended | State::Failed) {
                break;
            }
            self.known.remove(&call.id);
            for text in [&mut call.id, &mut call.local, &mut call.peer] {
                *text = String::new();
            }
            (call.target, call.answer) = (String::new(), String::new());
            self.first_live += 1;
        }
    }

    fn receive(&mut self, text: &str) -> anyhow::Result<()> {
        let call_id = header(text, "Call-ID").context("a message without Call-ID")?;
        let at = self.known.get(call_id).copied();
        match text.strip_prefix("SIP/2.0 ") {
            Some(rest) => {
                let status = rest.get(..3).and_then(|status| status.parse().ok());
                let status = status.context("a response without status")?;
                match at {
                    Some(at) => self.response(at, status, text),
                    None => Ok(()),
                }
            }
            None => self.request_came(at, text),
        }
    }

    fn response(&mut self, at: usize, status: u16, text: &str) -> anyhow::Result<()> {
        let cseq = header(text, "CSeq").unwrap_or_default();
        let call = &mut self.calls[at];
        if cseq.ends_with("BYE") {
            call.unanswered = None;
            call.state = if status < 300 {
                State::Ended
            } else {
                State::Failed
            };
            return Ok(());
        }
        if status < 200 {
            // The server has the INVITE: it is not sent again.
            call.unanswered = None;
            return Ok(());
        }
        header(text, "To")
            .unwrap_or_default()
            .clone_into(&mut call.peer);
        if status < 300 {
            if call.state == State::Beginning {
                call.state = State::Established;
                call.answered = Some(Instant::now());
                call.remote = media(text);
                let contact = header(text, "Contact").unwrap_or_default();
                uri(contact).clone_into(&mut call.target);
                call.unanswered = None;
            }
        } else {
            call.state = State::Failed;
            call.status = status;
            call.unanswered = None;
        }
        let message = self.request(&self.calls[at], "ACK", 1, "");
        self.send(&message)
    }

    fn request_came(&mut self, at: Option<usize>, text: &str) -> anyhow::Result<()> {
        let method = text.split(' ').next().unwrap_or_default();
        match (method, at) {
            ("INVITE", None) => {
                let at = self.calls.len();
                let leg = self.next_called;
                self.next_called += 2;
                let to = header(text, "To").unwrap_or_default();
                let local = format!("{to};tag=b{at}");
                let sdp = self.sdp(leg);
                let answer = self.reply(text, &local, &sdp);
                let now = Instant::now();
                let call = Call {
                    state: State::Beginning,
                    is_called: true,
                    leg,
                    remote: media(text),
                    invited: now,
                    answered: Some(now),
                    status: 0,
                    branch: self.branches,
                    id: header(text, "Call-ID").unwrap_or_default().to_owned(),
                    local,
                    peer: header(text, "From").unwrap_or_default().to_owned(),
                    target: uri(header(text, "Contact").unwrap_or_default()).to_owned(),
                    answer: answer.clone(),
                    unanswered: Some(Unanswered::new(answer.clone())),
                };
                self.known.insert(call.id.clone(), at);
                self.calls.push(call);
                self.send(&answer)
            }
            ("INVITE", Some(at)) => {
                let call = &self.calls[at];
                if call.state == State::Beginning {
                    let answer = call.answer.clone();
                    return self.send(&answer);
                }
                // A session that is refreshed (RFC 4028), or the same INVITE once more.
                let sdp = self.sdp(call.leg);
                let answer = self.reply(text, &call.local, &sdp);
                self.send(&answer)
            }
            ("ACK", Some(at)) => {
                let call = &mut self.calls[at];
                if call.state == State::Beginning {
                    call.state = State::Established;
                }
                call.unanswered = None;
                Ok(())
            }
            ("ACK", None) => Ok(()),
            (_, at) => {
                if let Some(at) = at.filter(|_| method == "BYE") {
                    let call = &mut self.calls[at];
                    call.state = State::Ended;
                    call.unanswered = None;
                }
                let to = header(text, "To").unwrap_or_default();
                let answer = self.reply(text, to, "");
                self.send(&answer)
            }
        }
    }

    fn request(&self, call: &Call, method: &str, cseq: u32, sdp: &str) -> String {
        let Call {
            target,
            local,
            peer,
            id: call_id,
            leg,
            ..
        } = call;
        let us = self.address;
        // The ACK of a refusal belongs to the INVITE's transaction (RFC 3261 §17.1.1.3).
        let transaction = if call.state == State::Failed {
            "INVITE"
        } else {
            method
        };
        let mut text = format!(
            "{method} {target} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {us};branch=z9hG4bK{leg}.{}.{transaction};rport\r\n\
             Max-Forwards: 70\r\nFrom: {local}\r\nTo: {peer}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:load@{us}>\r\n",
            call.branch,
        );
        finish(&mut text, sdp);
        text
    }

    fn reply(&self, request: &str, to: &str, sdp: &str) -> String {
        let mut text = String::from("SIP/2.0 200 OK\r\n");
        for line in request.split("\r\n").take_while(|line| !line.is_empty()) {
            let is_copied = ["Via:", "From:", "Call-ID:", "CSeq:", "Record-Route:"]
                .iter()
                .any(|name| line.starts_with(name));
            if is_copied {
                text.push_str(line);
                text.push_str("\r\n");
            }
        }
        // Writing to a text can't fail.
        let _ = write!(text, "To: {to}\r\nContact: <sip:load@{}>\r\n", self.address);
        finish(&mut text, sdp);
        text
    }

    fn sdp(&self, leg: u32) -> String {
        let at = address(leg, &self.ports).at;
        format!(
            "v=0\r\no=load 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n",
            ip = at.ip(),
            port = at.port(),
        )
    }

    fn send(&self, message: &str) -> anyhow::Result<()> {
        self.socket
            .send_to(message.as_bytes(), self.server)
            .context("SIP can't be sent")?;
        Ok(())
    }
}

impl Unanswered {
    fn new(message: String) -> Self {
        Self {
            message,
            next: Instant::now() + T1,
            sends: 1,
        }
    }
}

fn finish(text: &mut String, sdp: &str) {
    if !sdp.is_empty() {
        text.push_str("Content-Type: application/sdp\r\n");
    }
    // Writing to a text can't fail.
    let _ = write!(text, "Content-Length: {}\r\n\r\n{sdp}", sdp.len());
}

fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split("\r\n").find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

fn uri(contact: &str) -> &str {
    contact
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map_or(contact, |(uri, _)| uri)
}

/// Address and port of the first sound in a message's SDP.
fn media(text: &str) -> Option<SocketAddrV4> {
    let line = |start: &str| text.split("\r\n").find_map(|line| line.strip_prefix(start));
    let ip = line("c=IN IP4 ")?.trim().parse().ok()?;
    let port = line("m=audio ")?.split(' ').next()?.parse().ok()?;
    Some(SocketAddrV4::new(ip, port))
}
