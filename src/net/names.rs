//! Addresses of names.

use std::net::SocketAddr;

/// The first address of a host that is given by name; `None`: it has none.
pub async fn resolve(host: String, port: u16) -> Option<SocketAddr> {
    tokio::net::lookup_host((host, port)).await.ok()?.next()
}
