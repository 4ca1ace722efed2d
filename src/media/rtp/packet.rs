//! RTP packets: read in place, written into the caller's buffer.

/// Largest datagram that we read or write: an Ethernet frame's.
pub const MAX_PACKET: usize = 1500;

/// Octets of the header without contributing sources and extension.
///
/// *Source*: RFC 3550 §5.1.
const HEADER: usize = 12;

/// The header fields that we set and look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The payload's profile-specific mark: for audio, the first packet after silence.
    pub marker: bool,
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// Counts packets.
    pub sequence: u16,
    /// The sampling instant of the first octet, in ticks of the clock rate.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
}

/// An RTP packet in the datagram that brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its header. Contributing sources and extensions are passed over.
    pub header: Header,
    /// Its payload, without padding.
    pub payload: &'a [u8],
}

/// Why a datagram is not an RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It ends within its header, contributing sources or extension.
    #[error("packet is cut short")]
    Short,
    /// Its version is not 2.
    #[error("version is not 2")]
    Version,
    /// Its padding is empty or longer than the payload.
    #[error("padding does not fit")]
    Padding,
}

impl<'a> Packet<'a> {
    /// Reads a datagram.
    ///
    /// *Source*: RFC 3550 §5.1, §5.3.1.
    ///
    /// # Errors
    /// When it is not an RTP packet of version 2.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (fixed, rest) = bytes
            .split_first_chunk::<HEADER>()
            .ok_or(Malformed::Short)?;
        let [first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *fixed;
        if first >> 6 != 2 {
            return Err(Malformed::Version);
        }
        let contributors = usize::from(first & 0x0F) * 4;
        let mut payload = rest.get(contributors..).ok_or(Malformed::Short)?;
        if first & 0x10 != 0 {
            let (extension, after) = payload.split_first_chunk::<4>().ok_or(Malformed::Short)?;
            let words = usize::from(u16::from_be_bytes([extension[2], extension[3]]));
            payload = after.get(words * 4..).ok_or(Malformed::Short)?;
        }
        if first & 0x20 != 0 {
            let padding = usize::from(*payload.last().ok_or(Malformed::Padding)?);
            let kept = payload.len().checked_sub(padding);
            payload = match kept {
                Some(kept) if padding > 0 => payload.get(..kept).ok_or(Malformed::Padding)?,
                _ => return Err(Malformed::Padding),
            };
        }
        Ok(Self {
            header: Header {
                marker: second & 0x80 != 0,
                payload_type: second & 0x7F,
                sequence: u16::from_be_bytes([s0, s1]),
                timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
                ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            },
            payload,
        })
    }

    /// Writes the packet and answers its length; `None` when `out` is too short for it.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let len = HEADER + self.payload.len();
        let out = out.get_mut(..len)?;
        let (header, payload) = out.split_first_chunk_mut::<HEADER>()?;
        *header = self.header.bytes();
        payload.copy_from_slice(self.payload);
        Some(len)
    }
}

impl Header {
    /// The header's octets: version 2, no padding, no extension, no contributing source.
    pub const fn bytes(&self) -> [u8; 12] {
        let [s0, s1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [c0, c1, c2, c3] = self.ssrc.to_be_bytes();
        let second = self.payload_type & 0x7F | if self.marker { 0x80 } else { 0 };
        [0x80, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> Header {
        Header {
            marker: true,
            payload_type: 101,
            sequence: 0x1234,
            timestamp: 0x8765_4321,
            ssrc: 0xDEAD_BEEF,
        }
    }

    #[test]
    fn sources_extension_and_padding_are_passed_over() {
        let mut bytes = header().bytes().to_vec();
        bytes[0] = 0x80 | 0x20 | 0x10 | 2;
        bytes.extend([9; 8]); // two contributing sources
        bytes.extend([0xBE, 0xDE, 0, 1, 7, 7, 7, 7]); // one word of extension
        bytes.extend([1, 2, 3, 0, 0, 3]); // three octets of payload, three of padding
        let packet = Packet::read(&bytes).expect("is well formed");
        assert_eq!(packet.header, header());
        assert_eq!(packet.payload, [1, 2, 3]);
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        let mut bytes = header().bytes().to_vec();
        bytes[0] = 0x80 | 0x10 | 1;
        bytes.extend([9; 4]);
        bytes.extend([0xBE, 0xDE, 0, 2, 7, 7, 7, 7]); // promises eight octets of extension
        for end in 0..bytes.len() {
            assert_eq!(
                Packet::read(&bytes[..end]),
                Err(Malformed::Short),
                "{end} octets"
            );
        }
        assert_eq!(Packet::read(&bytes), Err(Malformed::Short));
    }

    #[test]
    fn impossible_padding_is_refused() {
        for (payload, expected) in [
            (&[][..], Err(Malformed::Padding)),
            (&[1, 0][..], Err(Malformed::Padding)),
            (&[1, 3][..], Err(Malformed::Padding)),
            (&[1, 2][..], Ok(0)),
        ] {
            let mut bytes = header().bytes().to_vec();
            bytes[0] |= 0x20;
            bytes.extend(payload);
            assert_eq!(
                Packet::read(&bytes).map(|packet| packet.payload.len()),
                expected
            );
        }
    }

    #[test]
    fn other_versions_are_refused() {
        let mut bytes = header().bytes();
        for version in [0, 1, 3] {
            bytes[0] = version << 6;
            assert_eq!(Packet::read(&bytes), Err(Malformed::Version));
        }
    }

    #[test]
    fn a_short_buffer_is_not_written_to() {
        let packet = Packet {
            header: header(),
            payload: &[1; 160],
        };
        assert_eq!(packet.write(&mut [0; 171]), None);
        assert_eq!(packet.write(&mut [0; 172]), Some(172));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(
            marker: bool, payload_type in 0..128_u8, sequence: u16, timestamp: u32, ssrc: u32,
            payload in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            let header = Header { marker, payload_type, sequence, timestamp, ssrc };
            let packet = Packet { header, payload: &payload };
            let mut out = [0; MAX_PACKET];
            let len = packet.write(&mut out).expect("fits");
            prop_assert_eq!(Packet::read(&out[..len]), Ok(packet));
        }

        #[test]
        fn no_datagram_makes_it_fall_over(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Packet::read(&bytes);
        }
    }
}
