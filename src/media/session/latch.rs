//! Symmetric RTP: which source is the peer.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Decides whose packets are the peer's, and where ours go.
///
/// Before media has come, the signalled address is the peer. Where that address cannot be reached
/// from outside its own network (private ranges, carrier NAT, link-local), the peer is behind a
/// NAT, and the first source from elsewhere is taken. From then on only that source is taken until
/// another address is signalled: later packets of others are no way into a call.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Latch {
    signalled: Option<SocketAddr>,
    locked: Option<SocketAddr>,
}

impl Latch {
    /// Takes the address of an offer or answer; answers whether it is another than before.
    pub(super) fn signal(&mut self, address: Option<SocketAddr>) -> bool {
        let address = address.map(canonical).filter(|address| {
            !address.ip().is_unspecified() && !address.ip().is_multicast() && address.port() != 0
        });
        let changed = address != self.signalled;
        if changed {
            *self = Self {
                signalled: address,
                locked: None,
            };
        }
        changed
    }

    /// A packet from there may be the peer's.
    pub(super) fn accepts(&self, from: SocketAddr) -> bool {
        let from = canonical(from);
        match (self.locked, self.signalled) {
            (Some(locked), _) => locked == from,
            (None, Some(signalled)) => {
                from == signalled || is_hidden(signalled.ip()) && from.ip() != signalled.ip()
            }
            (None, None) => false,
        }
    }

    /// A packet of the peer's came from there.
    pub(super) fn lock(&mut self, from: SocketAddr) {
        self.locked = Some(canonical(from));
    }

    /// The peer is not where it said: it is behind a NAT.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.locked.is_some() && self.locked != self.signalled
    }

    /// Where our packets go.
    pub(super) fn remote(&self) -> Option<SocketAddr> {
        self.locked.or(self.signalled)
    }
}

/// A socket for both families tells IPv4 sources as mapped addresses.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether an address says nothing to those outside its network: who signals it may be behind a
/// NAT, and send from somewhere else.
/// Loopback is not one of them: who signals it is on this machine, and no NAT is in between.
pub fn is_hidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            // RFC 6598: shared address space of carrier NAT, 100.64.0.0/10.
            let shared = u32::from(v4) >> 22 == u32::from(Ipv4Addr::new(100, 64, 0, 0)) >> 22;
            v4.is_private() || v4.is_link_local() || shared
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("is an address")
    }

    fn latch(signalled: &str) -> Latch {
        let mut latch = Latch::default();
        latch.signal(Some(address(signalled)));
        latch
    }

    #[test]
    fn only_the_signalled_address_is_taken_when_it_can_be_reached() {
        for signalled in ["203.0.113.5:4000", "127.0.0.1:4000", "[2001:db8::5]:4000"] {
            let latch = latch(signalled);
            assert!(latch.accepts(address(signalled)));
            for from in [
                "203.0.113.5:4002",
                "198.51.100.1:4000",
                "127.0.0.1:9",
                "[::1]:4000",
            ] {
                assert!(!latch.accepts(address(from)), "{from} for {signalled}");
            }
        }
    }

    #[test]
    fn the_first_source_is_taken_for_an_address_behind_a_nat() {
        for signalled in [
            "192.168.1.5:4000",
            "10.1.1.1:4000",
            "100.99.1.1:4000",
            "[fd00::1]:4000",
        ] {
            let mut latch = latch(signalled);
            let (first, second) = (address("198.51.100.1:61234"), address("198.51.100.2:61234"));
            assert!(latch.accepts(first) && latch.accepts(second));
            assert_eq!(latch.remote(), Some(address(signalled)));
            latch.lock(first);
            assert!(latch.accepts(first) && !latch.accepts(second));
            assert!(!latch.accepts(address(signalled)));
            assert_eq!(latch.remote(), Some(first));
        }
    }

    #[test]
    fn a_hidden_address_that_is_reached_has_no_other_ports() {
        let latch = latch("192.168.1.5:4000");
        assert!(latch.accepts(address("192.168.1.5:4000")));
        assert!(!latch.accepts(address("192.168.1.5:4002")));
    }

    #[test]
    fn the_same_address_again_keeps_the_source_and_another_does_not() {
        let mut latch = latch("192.168.1.5:4000");
        let source = address("198.51.100.1:61234");
        latch.lock(source);
        assert!(!latch.signal(Some(address("192.168.1.5:4000"))));
        assert_eq!(latch.remote(), Some(source));
        assert!(latch.signal(Some(address("192.168.1.5:4010"))));
        assert_eq!(latch.remote(), Some(address("192.168.1.5:4010")));
    }

    #[test]
    fn unusable_addresses_are_none() {
        for unusable in ["0.0.0.0:4000", "203.0.113.5:0", "[::]:9", "224.0.0.1:4000"] {
            let latch = latch(unusable);
            assert_eq!(latch.remote(), None);
            assert!(!latch.accepts(address("203.0.113.5:4000")));
        }
    }

    #[test]
    fn mapped_addresses_are_the_same_as_plain_ones() {
        assert!(latch("203.0.113.5:4000").accepts(address("[::ffff:203.0.113.5]:4000")));
    }
}
