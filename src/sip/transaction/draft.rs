//! The messages that the endpoint sends, put together from what it knows.

use super::key::Branch;
use crate::address::NameAddr;
use crate::config::Config;
use crate::dialog::Dialog;
use crate::flow::{Flow, Transport};
use crate::inspection::Abilities;
use crate::message::{Method, RequestBuilder, ResponseBuilder, known_method};
use crate::reader::{self, Message, Unreadable};
use crate::uri::Uri;
use crate::via::Via;
use bytes::Bytes;

/// What we answer and read.
pub(crate) const ABILITIES: Abilities = Abilities {
    methods: &["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO"],
    extensions: &[],
    bodies: &[SDP],
};

/// The same methods as Allow names them.
const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO";

/// The only body that we read.
pub(crate) const SDP: &str = "application/sdp";

/// RFC 3261 §8.1.1.6.
const MAX_FORWARDS: u8 = 70;

/// Header fields that the endpoint writes itself: an owner's are left out.
const OURS: [&str; 16] = [
    "Via",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Contact",
    "Max-Forwards",
    "Route",
    "Record-Route",
    "Allow",
    "Content-Length",
    "Content-Type",
    "User-Agent",
    "Server",
    "Authorization",
    "Proxy-Authorization",
];

/// A response to be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Our tag for a To without one.
    pub(crate) to_tag: Option<String>,
    /// The response makes or refreshes a dialog: Record-Route is repeated, and our Contact is where
    /// this flow reaches us.
    pub(crate) contact: Option<Flow>,
    /// Header fields of our own making.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Bytes>,
}

impl Reply {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub(crate) fn tagged(status: u16, tag: impl Into<String>) -> Self {
        Self {
            status,
            to_tag: Some(tag.into()),
            ..Self::default()
        }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// Those of the owner's header fields that may be sent: no line breaks, no names that are ours.
pub(crate) fn sendable(headers: &[(String, String)]) -> Vec<(String, String)> {
    let breaks = |text: &str| text.contains(['\r', '\n', '\0']);
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c))
    };
    headers
        .iter()
        .filter(|(name, value)| {
            is_name(name)
                && !breaks(value)
                && !OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name))
        })
        .cloned()
        .collect()
}

/// A response. `None` is never seen: everything in it was checked before.
pub(crate) fn response(request: &Message, reply: &Reply, config: &Config) -> Option<Bytes> {
    let mut builder = ResponseBuilder::new(request, reply.status);
    if let Some(tag) = &reply.to_tag {
        builder = builder.to_tag(tag);
    }
    if let Some(flow) = &reply.contact {
        builder = builder
            .record_routes_of(request)
            .header("Contact", &contact(flow, config));
    }
    let names_methods =
        (200..300).contains(&reply.status) && matches!(request.method(), "INVITE" | "OPTIONS");
    if names_methods {
        builder = builder.header("Allow", ALLOW);
    }
    for (name, value) in &reply.headers {
        builder = builder.header(name, value);
    }
    if !config.user_agent.is_empty() {
        builder = builder.header("Server", &config.user_agent);
    }
    if let Some(body) = &reply.body {
        builder = builder.body(SDP, body.clone());
    }
    let built = builder.build();
    debug_assert!(built.is_ok(), "{built:?}");
    built.ok()
}

/// The refusal of a request that can't be read, and its Via; `None`: it may not be answered.
pub(crate) fn refusal_of_unreadable(
    mut refused: Unreadable,
    flow: &Flow,
    tag: &str,
    config: &Config,
) -> Option<(Via, Bytes)> {
    let remains = refused.request.as_deref_mut()?;
    let top = remains.vias.first_mut()?;
    *top = top.stamped(flow.remote);
    let via = top.clone();
    let mut builder = ResponseBuilder::to_unreadable(&refused)?.to_tag(tag);
    if !config.user_agent.is_empty() {
        builder = builder.header("Server", &config.user_agent);
    }
    builder.build().ok().map(|bytes| (via, bytes))
}

/// What a request of ours says.
#[derive(Debug)]
pub(crate) struct Outline<'a> {
    pub(crate) method: &'static str,
    pub(crate) uri: Uri,
    pub(crate) routes: Vec<NameAddr>,
    pub(crate) from: &'a NameAddr,
    pub(crate) to: &'a NameAddr,
    pub(crate) call_id: &'a str,
    pub(crate) cseq: u32,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Bytes>,
}

/// Prints a request that holds words of the owner's, as [`request`] does. `None`: something in it
/// can't be sent, or could not be read again by anybody.
pub(crate) fn request_of_owner(
    outline: Outline<'_>,
    flow: &Flow,
    branch: Branch,
    config: &Config,
) -> Option<Bytes> {
    let bytes = request(outline, flow, branch, config)?;
    reader::read(&bytes).is_ok().then_some(bytes)
}

/// Prints a request with the Via of this flow and branch; the far end is asked to answer to where
/// it came from (RFC 3581 §3). `None`: something in it can't be sent.
pub(crate) fn request(
    outline: Outline<'_>,
    flow: &Flow,
    branch: Branch,
    config: &Config,
) -> Option<Bytes> {
    let sent_by = config.advertised(flow);
    let transport = flow.transport;
    let via = format!("SIP/2.0/{transport} {sent_by};rport;branch={branch}");
    let mut builder = RequestBuilder::new(known_method(outline.method)?, outline.uri)
        .header("Via", &via)
        .max_forwards(MAX_FORWARDS)
        .from(outline.from)
        .to(outline.to)
        .call_id(outline.call_id)
        .cseq(outline.cseq);
    for route in &outline.routes {
        builder = builder.route(route);
    }
    if outline.method == "INVITE" {
        builder = builder
            .header("Contact", &contact(flow, config))
            .header("Allow", ALLOW);
    }
    for (name, value) in &outline.headers {
        builder = builder.header(name, value);
    }
    if !config.user_agent.is_empty() {
        builder = builder.header("User-Agent", &config.user_agent);
    }
    if let Some(body) = outline.body.filter(|body| !body.is_empty()) {
        builder = builder.body(SDP, body);
    }
    builder.build().ok()
}

/// A request within a dialog.
pub(crate) fn in_dialog<'a>(
    dialog: &'a Dialog,
    method: &'static str,
    cseq: u32,
    headers: Vec<(String, String)>,
    body: Option<Bytes>,
) -> Outline<'a> {
    let (uri, routes) = dialog.target_and_routes();
    Outline {
        method,
        uri,
        routes,
        from: &dialog.local,
        to: &dialog.remote,
        call_id: &dialog.call_id,
        cseq,
        headers,
        body,
    }
}

/// Our Contact on a flow.
fn contact(flow: &Flow, config: &Config) -> String {
    let address = config.advertised(flow);
    let transport = match flow.transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
    };
    format!("<sip:{address}{transport}>")
}

/// The ACK of a response from 300 on (RFC 3261 §17.1.1.3).
pub(crate) fn ack_of_refusal(invite: &[u8], response: &Message) -> Option<Bytes> {
    let invite = reader::read(invite).ok()?;
    beside(&invite, Method::Ack, response.to()).build().ok()
}

/// The CANCEL of an INVITE (RFC 3261 §9.1).
pub(crate) fn cancel(invite: &[u8], reason: Option<&str>) -> Option<Bytes> {
    let invite = reader::read(invite).ok()?;
    let mut builder = beside(&invite, Method::Cancel, invite.to());
    if let Some(reason) = reason {
        builder = builder.header("Reason", reason);
    }
    builder.build().ok()
}

/// A request that goes the way of an INVITE and shares its branch.
fn beside(invite: &Message, method: Method, to: &NameAddr) -> RequestBuilder {
    let uri = invite.request_uri().cloned();
    let uri = uri.unwrap_or_else(|| to.uri().clone());
    let mut builder = RequestBuilder::new(method, uri)
        .via(invite.via())
        .max_forwards(MAX_FORWARDS)
        .from(invite.from())
        .to(to)
        .call_id(invite.call_id())
        .cseq(invite.cseq().number);
    for route in invite.routes() {
        builder = builder.route(route);
    }
    builder
}
