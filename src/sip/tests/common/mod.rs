//! A network in virtual time, and an endpoint alone on it.
#![allow(
    dead_code,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "each test binary uses its own part, and a test may fail"
)]

pub(crate) mod calls;
pub(crate) mod lone;
pub(crate) mod owners;
pub(crate) mod world;

use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Instant;
use strowger_sip::endpoint::{Flow, InviteId, OutgoingInvite, Party, Transport};

/// An arbitrary start of virtual time.
pub(crate) fn start() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "virtual time must start somewhere"
    )]
    Instant::now()
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

pub(crate) fn flow(transport: Transport, local: &str, remote: &str) -> Flow {
    Flow {
        transport,
        local: address(local),
        remote: address(remote),
    }
}

/// A call with an offer and nothing special.
pub(crate) fn call(invite: u64, flow: Flow) -> OutgoingInvite {
    OutgoingInvite {
        invite: InviteId(invite),
        flow,
        request_uri: format!("sip:+441632960001@{}", flow.remote),
        from: Party {
            display: Some("Alice \"A\"".into()),
            uri: "sip:alice@example.com".into(),
        },
        to: Party::new("sip:+441632960001@example.com"),
        p_asserted_identity: Some("sip:+441632960000@example.com".into()),
        credentials: None,
        headers: vec![],
        offer: Bytes::from_static(b"v=0\r\no=offer\r\n"),
        route: vec![],
        call_id: None,
    }
}
