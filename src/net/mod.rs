//! The only sockets and the only clock.

pub mod clock;
pub mod rtp_socket;
