//! Which trunk carries a call: the longest prefix among the routes of the nearest account that has
//! one, then the lowest priority number.

use std::net::IpAddr;

use crate::ids::{AccountId, RouteId, TrunkId};

/// A peer that carries calls.
#[derive(Clone, PartialEq, Eq)]
pub struct Trunk {
    /// Its id.
    pub id: TrunkId,
    /// Its owner.
    pub account: AccountId,
    /// Name for people.
    pub name: String,
    /// Host name or address, without port.
    pub host: String,
    /// Port.
    pub port: u16,
    /// SIP over TCP rather than UDP.
    pub tcp: bool,
    /// For digest authentication.
    pub username: Option<String>,
    /// For digest authentication.
    pub password: Option<String>,
    /// Its inbound calls must answer a digest challenge with these.
    pub authenticate_inbound: bool,
    /// Networks whose calls come from this trunk: their asserted identities are believed.
    pub allowed_sources: Vec<Network>,
    /// Codec names in order of preference; empty: all that we have.
    pub codecs: Vec<String>,
}

impl Trunk {
    /// The username and password that an inbound call of it must prove to know, where it must.
    pub fn inbound_credentials(&self) -> Option<(&str, &str)> {
        let credentials = (self.username.as_deref()?, self.password.as_deref()?);
        self.authenticate_inbound.then_some(credentials)
    }
}

impl std::fmt::Debug for Trunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trunk")
            .field("id", &self.id)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// A rule that sends numbers to a trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its id.
    pub id: RouteId,
    /// Its owner; descendants inherit it.
    pub account: AccountId,
    /// Leading part of the E.164 number, `+` included; `+` alone matches all.
    pub prefix: String,
    /// Where matching numbers go.
    pub trunk: TrunkId,
    /// Lower is better among equal prefixes.
    pub priority: i32,
}

/// A block of IP addresses (RFC 4632 notation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address or network such as 192.0.2.0/24")]
pub struct NetworkError;

impl std::str::FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_not_an_address| NetworkError)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|b| *b <= most)
                .ok_or(NetworkError)?,
        };
        Ok(Self { address, bits })
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Network {
    /// Whether the address lies in it. An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                u32::from(network) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.bits))
                    .unwrap_or(0);
                u128::from(network) & mask == u128::from(address) & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// All trunks and routes, for lookups.
#[derive(Clone, Debug, Default)]
pub struct RoutingTable {
    trunks: Vec<Trunk>,
    routes: Vec<Route>,
}

impl RoutingTable {
    /// A table; routes to trunks that are not there are left out.
    pub fn new(trunks: Vec<Trunk>, mut routes: Vec<Route>) -> Self {
        routes.retain(|route| trunks.iter().any(|trunk| trunk.id == route.trunk));
        Self { trunks, routes }
    }

    /// The trunk for `number` (E.164 with `+`) of the last account of `path` (root first).
    pub fn find(&self, path: &[AccountId], number: &str) -> Option<&Trunk> {
        let route = path.iter().rev().find_map(|account| {
            self.routes
                .iter()
                .filter(|route| route.account == *account && number.starts_with(&route.prefix))
                .min_by_key(|route| (std::cmp::Reverse(route.prefix.len()), route.priority))
        })?;
        self.trunks.iter().find(|trunk| trunk.id == route.trunk)
    }

    /// The trunk of one of the path's accounts (root first) that a source address belongs to; the
    /// nearest counts. What a stranger says of an address means nothing here.
    pub fn of_source(&self, path: &[AccountId], source: IpAddr) -> Option<&Trunk> {
        path.iter().rev().find_map(|account| {
            self.trunks.iter().find(|trunk| {
                let mut networks = trunk.allowed_sources.iter();
                trunk.account == *account && networks.any(|network| network.contains(source))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn account(n: u128) -> AccountId {
        AccountId::from_uuid(Uuid::from_u128(n))
    }

    fn trunk(n: u128, sources: &[&str]) -> Trunk {
        Trunk {
            id: TrunkId::from_uuid(Uuid::from_u128(n)),
            account: account(1),
            name: format!("trunk {n}"),
            host: "192.0.2.1".into(),
            port: 5060,
            tcp: false,
            username: None,
            password: None,
            authenticate_inbound: false,
            allowed_sources: sources
                .iter()
                .map(|s| s.parse().expect("network"))
                .collect(),
            codecs: Vec::new(),
        }
    }

    fn route(owner: u128, prefix: &str, to: u128, priority: i32) -> Route {
        Route {
            id: RouteId::from_uuid(Uuid::from_u128(to * 100)),
            account: account(owner),
            prefix: prefix.into(),
            trunk: TrunkId::from_uuid(Uuid::from_u128(to)),
            priority,
        }
    }

    #[test]
    fn the_nearest_account_then_the_longest_prefix_then_the_priority_decides() {
        let table = RoutingTable::new(
            (1..=5).map(|n| trunk(n, &[])).collect(),
            vec![
                route(1, "+", 1, 0),
                route(1, "+4477", 2, 0),
                route(2, "+44", 3, 9),
                route(2, "+44", 4, 1),
                route(2, "+1", 99, 0),
            ],
        );
        let name = |path: &[AccountId], number| {
            table
                .find(path, number)
                .map(|trunk| trunk.id.uuid().as_u128())
        };
        let (root, child) = ([account(1)], [account(1), account(2), account(3)]);
        assert_eq!(name(&root, "+447700900001"), Some(2));
        assert_eq!(name(&root, "+331"), Some(1));
        assert_eq!(name(&child, "+447700900001"), Some(4));
        assert_eq!(
            name(&child, "+1202"),
            Some(1),
            "a route without trunk does not count"
        );
        assert_eq!(name(&[account(7)], "+1202"), None);
    }

    #[test]
    fn a_source_is_known_by_its_network() {
        let table = RoutingTable::new(vec![trunk(1, &["10.0.0.0/8", "2001:db8::/32"])], vec![]);
        let of =
            |owner, text: &str| table.of_source(&[account(owner)], text.parse().expect("address"));
        let known = |text: &str| of(1, text).is_some();
        assert!(known("10.200.3.4") && known("::ffff:10.1.1.1") && known("2001:db8:1::5"));
        assert!(!known("11.0.0.1") && !known("2001:db9::1"));
        assert!(of(2, "10.200.3.4").is_none(), "a stranger's trunk");
        for bad in ["10.0.0.0/33", "x", "10.0.0.0/", "::/129", ""] {
            assert_eq!(bad.parse::<Network>(), Err(NetworkError), "{bad}");
        }
        assert!(
            "0.0.0.0/0"
                .parse::<Network>()
                .expect("all")
                .contains([9, 9, 9, 9].into())
        );
    }
}
