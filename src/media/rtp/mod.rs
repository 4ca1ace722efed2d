//! RTP and RTCP on the wire, and what is measured on them.

mod packet;
mod quality;

pub use packet::{Header, MAX_PACKET, Malformed, Packet};
pub use quality::Statistics;
