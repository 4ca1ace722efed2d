//! The only sockets and the only clock.

pub mod clock;
pub mod files;
pub mod http_socket;
pub mod media_engine;
mod media_listeners;
mod media_placement;
mod media_rooms;
mod media_sockets;
mod media_taps;
mod media_thread;
pub mod names;
pub mod recording_writer;
mod rtp_batch;
pub mod rtp_socket;
pub mod signals;
mod sip_datagrams;
pub mod sip_endpoint;
pub mod sip_keeper;
mod sip_owners;
pub mod sip_socket;
