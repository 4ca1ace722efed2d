//! The Via header field (RFC 3261 §20.42, RFC 3581) and the `CSeq` header field (§20.16).

use std::fmt::{self, Write as _};
use std::net::{IpAddr, SocketAddr};

use bytestring::ByteString;

use crate::grammar::{is_token, pieces, trim};
use crate::params::Params;
use crate::text::Span;
use crate::uri::{read_ip, read_port, split_host};

/// RFC 3261 §8.1.1.7: how the branch of an element that knows this RFC starts.
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// One hop of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    raw: ByteString,
    transport: Span,
    host: Span,
    port: Option<u16>,
    params: Params,
}

impl Via {
    /// Reads one value; white space may stand around each separator. `None`: not readable.
    pub fn parse(text: &str) -> Option<Self> {
        let whole = ByteString::from(text);
        Self::read(&whole, &whole)
    }

    /// Reads one value, a piece of `whole`.
    fn read(whole: &ByteString, text: &str) -> Option<Self> {
        let text = trim(text);
        let (version, rest) = read_protocol(text)?;
        if version != "2.0" {
            return None;
        }
        let (transport, host, port, params) = read_hop(rest)?;
        Some(Self {
            raw: whole.slice_ref(text),
            transport: Span::within(text, transport),
            host: Span::within(text, host),
            port,
            params: Params::read(whole, params)?,
        })
    }

    /// Reads a comma-separated list. `None`: one of them is not readable.
    pub fn parse_list(text: &str) -> Option<Vec<Self>> {
        Self::read_list(&text.into()).collect()
    }

    /// Reads a comma-separated list; `None` for what is not readable.
    pub(crate) fn read_list(text: &ByteString) -> impl Iterator<Item = Option<Self>> {
        pieces(text, b',').map(|piece| Self::read(text, piece?))
    }

    /// What is needed to answer a request that is otherwise unreadable: transport and sent-by of
    /// the first value in `text`, and those parameters that can be read.
    pub(crate) fn salvage(text: &str) -> Option<Self> {
        let first = text.split(',').next()?;
        let (_, rest) = read_protocol(first)?;
        let (transport, host, port, params) = read_hop(rest)?;
        let params = Params::read_readable(params);
        Some(Self::assemble(transport, host, port, &params.to_string()))
    }

    /// Makes the Via of a request that we send: `sent_by` is `host[:port]`, and the far end is
    /// asked to answer to where the request came from (RFC 3581 §3).
    ///
    /// `None`: `transport` or `branch` is no token, or `sent_by` no host.
    pub fn new(transport: &str, sent_by: &str, branch: &str) -> Option<Self> {
        if !is_token(branch) {
            return None;
        }
        Self::parse(&format!(
            "SIP/2.0/{transport} {sent_by};rport;branch={branch}"
        ))
    }

    /// The same Via, noted by the server that received it: `received` and `rport` say where the
    /// request really came from (RFC 3261 §18.2.1, RFC 3581 §4).
    #[must_use]
    pub fn stamped(&self, source: SocketAddr) -> Self {
        let wants_rport = self.wants_rport();
        let source_ip = source.ip().to_canonical();
        // Writing to a String can't fail.
        let mut text = String::new();
        for (name, value) in self.params.iter() {
            if !name.eq_ignore_ascii_case("received") && !name.eq_ignore_ascii_case("rport") {
                text.push(';');
                text.push_str(name);
                if let Some(value) = value {
                    text.push('=');
                    text.push_str(value);
                }
            }
        }
        if wants_rport || self.host_ip() != Some(source_ip) {
            let _ = write!(text, ";received={source_ip}");
        }
        if wants_rport {
            let _ = write!(text, ";rport={}", source.port());
        }
        Self::assemble(self.transport(), self.host(), self.port, &text)
    }

    /// Puts a Via together from what was read before.
    fn assemble(transport: &str, host: &str, port: Option<u16>, params: &str) -> Self {
        let mut raw = String::with_capacity(128);
        raw.push_str("SIP/2.0/");
        let transport_at = raw.len();
        raw.push_str(transport);
        raw.push(' ');
        let host_at = raw.len();
        raw.push_str(host);
        let host = Span::new(host_at, raw.len());
        if let Some(port) = port {
            // Writing to a String can't fail.
            let _ = write!(raw, ":{port}");
        }
        let params_at = raw.len();
        raw.push_str(params);
        let raw = ByteString::from(raw);
        let params = raw.get(params_at..).unwrap_or_default();
        Self {
            transport: Span::new(transport_at, transport_at + transport.len()),
            host,
            port,
            params: Params::read(&raw, params).unwrap_or_default(),
            raw,
        }
    }

    /// The text as it came.
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// The transport as it came, for instance `UDP`.
    pub fn transport(&self) -> &str {
        self.transport.of_text(&self.raw)
    }

    /// The host of sent-by as it came, an IPv6 address in its brackets.
    pub fn host(&self) -> &str {
        self.host.of_text(&self.raw)
    }

    /// The host of sent-by when it is an IP address.
    pub fn host_ip(&self) -> Option<IpAddr> {
        read_ip(self.host())
    }

    /// The port of sent-by, when there is one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// All parameters.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The branch, when there is one that is not empty.
    pub fn branch(&self) -> Option<&str> {
        self.params
            .get("branch")
            .filter(|branch| !branch.is_empty())
    }

    /// Whether the branch names the transaction (RFC 3261 §17.2.3): it starts with the cookie and
    /// goes on behind it.
    pub fn has_rfc3261_branch(&self) -> bool {
        self.branch()
            .and_then(|branch| branch.get(..MAGIC_COOKIE.len()).zip(branch.get(7..)))
            .is_some_and(|(cookie, rest)| {
                cookie.eq_ignore_ascii_case(MAGIC_COOKIE) && !rest.is_empty()
            })
    }

    /// Whether the sender asks for answers to where the request came from (RFC 3581 §3).
    pub fn wants_rport(&self) -> bool {
        self.params.has("rport")
    }

    /// The port that a server noted (RFC 3581 §4).
    pub fn rport(&self) -> Option<u16> {
        self.params
            .get("rport")
            .and_then(|port| read_port(port).ok())
    }

    /// The address that a server noted (RFC 3261 §18.2.1).
    pub fn received(&self) -> Option<IpAddr> {
        self.params.get("received").and_then(read_ip)
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

/// `SIP / version / rest`: the version and what stands behind the second slash.
fn read_protocol(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once('/')?;
    let (version, rest) = rest.split_once('/')?;
    trim(name)
        .eq_ignore_ascii_case("SIP")
        .then(|| (trim(version), trim(rest)))
}

/// `transport host[:port][;params]`
fn read_hop(text: &str) -> Option<(&str, &str, Option<u16>, &str)> {
    let (transport, rest) = text.split_once([' ', '\t'])?;
    if !is_token(transport) {
        return None;
    }
    let end = rest.find(';').unwrap_or(rest.len());
    let (sent_by, params) = (trim(rest.get(..end)?), rest.get(end..)?);
    let (host, port) = if let Some(split) = split_host(sent_by) {
        split
    } else {
        // White space may stand around the colon (RFC 3261 §25.1: COLON).
        let (host, port) = sent_by.rsplit_once(':')?;
        let (host, None) = split_host(trim(host))? else {
            return None;
        };
        (host, Some(port))
    };
    let port = match port {
        Some(port) => Some(read_port(trim(port)).ok()?),
        None => None,
    };
    Some((transport, host, port, params))
}

/// A sequence number and the method that it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CSeq {
    /// Less than 2³¹ (RFC 3261 §8.1.1.5).
    pub number: u32,
    /// The method as it came; methods that nobody knows are methods too.
    pub method: ByteString,
}

impl CSeq {
    /// Reads `number method`. `None`: not readable, or the number is too large.
    pub fn parse(text: &str) -> Option<Self> {
        Self::read(&text.into())
    }

    /// Reads `number method` and keeps its text.
    pub(crate) fn read(text: &ByteString) -> Option<Self> {
        let (number, method) = trim(text).split_once([' ', '\t'])?;
        let method = trim(method);
        if !number.bytes().all(|b| b.is_ascii_digit()) || !is_token(method) {
            return None;
        }
        let number = number.parse().ok().filter(|number| *number < 1 << 31)?;
        Some(Self {
            number,
            method: text.slice_ref(method),
        })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn via(text: &str) -> Via {
        Via::parse(text).expect("readable")
    }

    #[test]
    fn white_space_may_stand_around_every_separator() {
        let via = via("SIP  /   2.0 /UDP     192.0.2.2 : 5061 ; branch = z9hG4bK1 ; rport");
        assert_eq!(
            (
                via.transport(),
                via.host(),
                via.port(),
                via.branch(),
                via.wants_rport()
            ),
            ("UDP", "192.0.2.2", Some(5061), Some("z9hG4bK1"), true)
        );
    }

    #[test]
    fn ipv6_hosts_keep_their_brackets() {
        let via = via("SIP/2.0/TCP [2001:db8::1]:5070;branch=z9hG4bK1;received=2001:db8::2");
        assert_eq!((via.host(), via.port()), ("[2001:db8::1]", Some(5070)));
        assert_eq!(via.host_ip(), "2001:db8::1".parse().ok());
        assert_eq!(via.received(), "2001:db8::2".parse().ok());
    }

    #[test]
    fn unreadable_hops_are_refused() {
        for text in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0 UDP h",
            "SIP/7.0/UDP h",
            "SIP/2.0/UDP ",
            "SIP/2.0/UDP h:99999",
            "SIP/2.0/UDP h:",
            "SIP/2.0/UDP [::1",
            "SIP/2.0/UDP h;;,;,,",
            "SIP/2.0/UDP h h2",
        ] {
            assert_eq!(Via::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_source_is_noted_as_rfc_3581_says() {
        let source = "198.51.100.7:40000".parse().expect("address");
        let same = "192.0.2.1:5060".parse().expect("address");
        let asked = via("SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK1;received=1.1.1.1");
        assert_eq!(
            asked.stamped(source).as_str(),
            "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;received=198.51.100.7;rport=40000"
        );
        let silent = via("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1");
        assert_eq!(silent.stamped(same), silent);
        assert_eq!(silent.stamped(source).received(), Some(source.ip()));
        let named = via("SIP/2.0/UDP phone.example.com;branch=z9hG4bK1");
        assert_eq!(named.stamped(same).received(), Some(same.ip()));
    }

    #[test]
    fn a_bare_cookie_is_no_transaction_identifier() {
        assert!(via("SIP/2.0/UDP h;branch=z9hG4bKx").has_rfc3261_branch());
        for branch in ["z9hG4bK", "390skdjuw", "x"] {
            assert!(!via(&format!("SIP/2.0/UDP h;branch={branch}")).has_rfc3261_branch());
        }
        assert!(!via("SIP/2.0/UDP h").has_rfc3261_branch());
    }

    #[test]
    fn sequence_numbers_keep_within_31_bits() {
        assert_eq!(
            CSeq::parse("0009   INVITE").map(|cseq| cseq.number),
            Some(9)
        );
        assert!(CSeq::parse("2147483647 ACK").is_some());
        for text in [
            "2147483648 ACK",
            "36893488147419103232 A",
            "-1 ACK",
            "+1 ACK",
            "1",
            "1 A B",
            " ",
        ] {
            assert_eq!(CSeq::parse(text), None, "{text}");
        }
    }
}
