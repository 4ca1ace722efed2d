//! RTP and RTCP on the wire, and what is measured on them.

pub mod e_model;
pub mod jitter_buffer;
mod packet;
pub mod quality;
pub mod rtcp;

pub use packet::{Header, MAX_PACKET, Malformed, Packet};
pub use quality::{Quality, Statistics};
