//! Addresses of names.

use std::net::SocketAddr;

/// The addresses of a host that is given by name.
pub async fn resolve(host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((host, port)).await?.collect())
}
