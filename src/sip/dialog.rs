//! Dialogs: what two user agents share for the time of a call (RFC 3261 §12).

use crate::address::NameAddr;
use crate::flow::{Flow, Transport};
use crate::reader::Message;
use crate::uri::Uri;
use std::net::{IpAddr, SocketAddr};

/// RFC 3261 §19.1.2: the port of a SIP URI that names none.
const DEFAULT_PORT: u16 = 5060;

/// One dialog, as one of its two ends sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    /// Our From or To, with tag.
    pub(crate) local: NameAddr,
    /// Theirs; an RFC 2543 peer has no tag.
    pub(crate) remote: NameAddr,
    pub(crate) local_cseq: u32,
    pub(crate) remote_cseq: Option<u32>,
    pub(crate) remote_target: Uri,
    pub(crate) route_set: Vec<NameAddr>,
    /// The way by which the dialog was made.
    pub(crate) flow: Flow,
    /// The peer is behind a translator of addresses: its Contact leads nowhere from here, so
    /// requests take the flow by which it reached us.
    pub(crate) keeps_flow: bool,
}

/// A request whose `CSeq` number is lower than one that came before (§12.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfOrder;

impl Dialog {
    /// The dialog that a 2xx (or another response with a To tag) makes for the caller (§12.1.2).
    pub(crate) fn of_caller(response: &Message, flow: Flow) -> Self {
        let mut route_set = response.record_routes().to_vec();
        route_set.reverse();
        Self {
            call_id: response.call_id().to_owned(),
            local: response.from().clone(),
            remote: response.to().clone(),
            local_cseq: response.cseq().number,
            remote_cseq: None,
            remote_target: contact_of(response)
                .unwrap_or_else(|| without_headers(response.to().uri())),
            route_set,
            flow,
            keeps_flow: response.contacts().is_empty(),
        }
    }

    /// The dialog that an INVITE makes for the answerer (§12.1.1). `None`: it has no Contact, or
    /// `tag` is no token.
    pub(crate) fn of_answerer(request: &Message, tag: &str, flow: Flow) -> Option<Self> {
        let via = request.via();
        // RFC 2543 peers need not name a Contact: then their From is where they are.
        let of_2543 = (!via.has_rfc3261_branch()).then(|| without_headers(request.from().uri()));
        Some(Self {
            call_id: request.call_id().to_owned(),
            local: request.to().with_tag(tag).ok()?,
            remote: request.from().clone(),
            local_cseq: 0,
            remote_cseq: Some(request.cseq().number),
            remote_target: contact_of(request).or(of_2543)?,
            route_set: request.record_routes().to_vec(),
            flow,
            keeps_flow: via.host_ip().is_some_and(|ip| ip != flow.remote.ip()),
        })
    }

    /// Takes the Contact of a target refresh request or of the 2xx to one (§12.2.1.2, §12.2.2).
    pub(crate) fn refresh(&mut self, target: Option<Uri>) {
        if let Some(target) = target {
            self.remote_target = target;
        }
    }

    pub(crate) fn local_tag(&self) -> &str {
        self.local.tag().unwrap_or_default()
    }

    pub(crate) fn remote_tag(&self) -> &str {
        self.remote.tag().unwrap_or_default()
    }

    /// The `CSeq` number of our next request (§12.2.1.1).
    pub(crate) fn next_cseq(&mut self) -> u32 {
        self.local_cseq = self.local_cseq.wrapping_add(1);
        self.local_cseq
    }

    /// Notes the `CSeq` number of a request of theirs. §12.2.2 refuses lower ones. An INVITE with
    /// the same number is a copy that comes after its transaction was forgotten: to take it for a
    /// new one would answer an old offer again.
    pub(crate) fn check_cseq(&mut self, cseq: u32, method: &str) -> Result<(), OutOfOrder> {
        let is_old = |last| cseq < last || cseq == last && method == "INVITE";
        if self.remote_cseq.is_some_and(is_old) {
            return Err(OutOfOrder);
        }
        self.remote_cseq = Some(cseq);
        Ok(())
    }

    /// Request-URI and Route headers of a request within the dialog. A strict router at the head of
    /// the route set gets itself as Request-URI and the remote target as last Route (§12.2.1.1,
    /// §16.12.1.1).
    pub(crate) fn target_and_routes(&self) -> (Uri, Vec<NameAddr>) {
        let target = self.remote_target.clone();
        match self.route_set.split_first() {
            Some((strict, rest)) if !strict.uri().is_loose_router() => {
                let mut routes = rest.to_vec();
                routes.extend(NameAddr::new(None, target).ok());
                (without_headers(strict.uri()), routes)
            }
            Some(_) | None => (target, self.route_set.clone()),
        }
    }

    /// Where a request within the dialog goes: to the head of the route set or the remote target
    /// when that is an IP address. Names are not resolved here, and a connection is used as long as
    /// it lives; then the flow stays.
    pub(crate) fn next_hop(&self) -> Flow {
        let hop = self
            .route_set
            .first()
            .map_or(&self.remote_target, NameAddr::uri);
        match (self.flow.transport, hop.host_ip()) {
            (Transport::Udp, Some(ip)) if !self.keeps_flow && is_reachable(ip, &self.flow) => {
                let port = hop.port().unwrap_or(DEFAULT_PORT);
                Flow {
                    remote: SocketAddr::new(ip, port),
                    ..self.flow
                }
            }
            (Transport::Udp | Transport::Tcp, _) => self.flow,
        }
    }
}

/// The URI of the first Contact.
pub(crate) fn contact_of(message: &Message) -> Option<Uri> {
    message
        .contacts()
        .first()
        .map(|contact| without_headers(contact.uri()))
}

/// Whether an address that the peer named makes sense from where we talk to it.
fn is_reachable(ip: IpAddr, flow: &Flow) -> bool {
    ip == flow.remote.ip()
        || (!ip.is_unspecified()
            && ip.is_ipv4() == flow.local.is_ipv4()
            && (!is_private(ip) || is_private(flow.remote.ip())))
}

/// Addresses that mean something only within a site (RFC 1918, RFC 4193, link-local, loopback).
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// A URI as it may stand in a request line: no headers (RFC 3261 §19.1.1, table 1).
fn without_headers(uri: &Uri) -> Uri {
    let bare = uri.as_str().split_once('?');
    let bare = bare.and_then(|(bare, _)| Uri::parse(bare).ok());
    bare.unwrap_or_else(|| uri.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialog(target: &str, routes: &[&str]) -> Dialog {
        let address = |text: &str| NameAddr::parse(text).expect("readable");
        Dialog {
            call_id: "c1".into(),
            local: address("<sip:us@192.0.2.1>;tag=l"),
            remote: address("<sip:them@example.com>;tag=r"),
            local_cseq: 1,
            remote_cseq: Some(7),
            remote_target: Uri::parse(target).expect("readable"),
            route_set: routes.iter().map(|route| address(route)).collect(),
            flow: Flow {
                transport: Transport::Udp,
                local: "192.0.2.1:5060".parse().expect("address"),
                remote: "192.0.2.9:5070".parse().expect("address"),
            },
            keeps_flow: false,
        }
    }

    fn printed(dialog: &Dialog) -> Vec<String> {
        let (uri, routes) = dialog.target_and_routes();
        std::iter::once(uri.to_string())
            .chain(routes.iter().map(ToString::to_string))
            .collect()
    }

    #[test]
    fn loose_routers_see_the_remote_target() {
        let dialog = dialog(
            "sip:bob@198.51.100.4",
            &["<sip:p1.example;lr>", "<sip:p2.example;lr>"],
        );
        assert_eq!(
            printed(&dialog),
            [
                "sip:bob@198.51.100.4",
                "<sip:p1.example;lr>",
                "<sip:p2.example;lr>"
            ]
        );
    }

    #[test]
    fn a_strict_router_becomes_the_request_uri_and_the_target_the_last_route() {
        let dialog = dialog(
            "sip:bob@198.51.100.4;x=y",
            &["<sip:p1.example?a=b>", "<sip:p2.example;lr>"],
        );
        assert_eq!(
            printed(&dialog),
            [
                "sip:p1.example",
                "<sip:p2.example;lr>",
                "<sip:bob@198.51.100.4;x=y>"
            ]
        );
    }

    #[test]
    fn requests_go_to_the_first_hop_that_can_be_reached() {
        let remote = |target: &str, routes: &[&str], keeps_flow| {
            let dialog = Dialog {
                keeps_flow,
                ..dialog(target, routes)
            };
            dialog.next_hop().remote.to_string()
        };
        assert_eq!(
            remote("sip:b@198.51.100.4", &[], false),
            "198.51.100.4:5060"
        );
        assert_eq!(
            remote("sip:b@198.51.100.4:5090", &[], false),
            "198.51.100.4:5090"
        );
        assert_eq!(
            remote("sip:b@h", &["<sip:203.0.113.5:5081;lr>"], false),
            "203.0.113.5:5081"
        );
        assert_eq!(remote("sip:b@example.com", &[], false), "192.0.2.9:5070");
        assert_eq!(remote("sip:b@10.0.0.4", &[], false), "192.0.2.9:5070");
        assert_eq!(remote("sip:b@0.0.0.0", &[], false), "192.0.2.9:5070");
        assert_eq!(remote("sip:b@198.51.100.4", &[], true), "192.0.2.9:5070");
    }

    #[test]
    fn numbers_may_jump_but_not_fall() {
        let mut dialog = dialog("sip:b@h", &[]);
        assert_eq!(dialog.check_cseq(9, "INVITE"), Ok(()));
        assert_eq!(dialog.check_cseq(9, "INFO"), Ok(()));
        assert_eq!(dialog.check_cseq(9, "INVITE"), Err(OutOfOrder));
        assert_eq!(dialog.check_cseq(8, "INFO"), Err(OutOfOrder));
        assert_eq!(dialog.next_cseq(), 2);
    }
}
