//! Where HTTP is listened for.

use std::net::{SocketAddr, TcpListener};

/// Listens; port 0 is any free one.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address)
}
