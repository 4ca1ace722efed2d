//! RTCP packets: sender and receiver reports, source description, BYE.

/// RTCP packet types.
///
/// *Source*: RFC 3550 §12.1.
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// RFC 3550 §12.2: the only item of a source description that is mandatory.
const CNAME: u8 = 1;

/// Octets of a report block.
const BLOCK: usize = 24;

/// What one side reports about the stream of the other.
///
/// *Source*: RFC 3550 §6.4.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source that is reported on.
    pub ssrc: u32,
    /// Share of packets lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the start; negative when duplicates came. 24 bits.
    pub lost: i32,
    /// Highest sequence number received, extended by its wraps.
    pub highest: u32,
    /// Interarrival jitter in ticks.
    pub jitter: u32,
    /// The middle 32 bits of the NTP timestamp of the last sender report; 0: none came.
    pub last_report: u32,
    /// Time since that report came, in 1/65,536 s.
    pub delay: u32,
}

/// The sender's part of a sender report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// NTP timestamp: seconds and fraction.
    pub ntp: u64,
    /// The same time by the RTP clock.
    pub timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Octets of payload sent.
    pub octets: u32,
}

/// One packet of a compound RTCP datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report<'a> {
    /// SR or RR.
    Report {
        /// Who reports.
        ssrc: u32,
        /// What it sent; `None` in a receiver report.
        sender: Option<SenderInfo>,
        /// What it received.
        blocks: Blocks<'a>,
    },
    /// SDES; only its first CNAME is read.
    Description {
        /// Whose.
        ssrc: u32,
        /// Its canonical name.
        cname: &'a [u8],
    },
    /// BYE of the first source in it.
    Goodbye {
        /// Who leaves.
        ssrc: u32,
    },
    /// Any other type, or an SDES or BYE of nobody.
    Other {
        /// Its packet type.
        packet_type: u8,
    },
}

/// The report blocks of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocks<'a>(&'a [u8]);

impl Iterator for Blocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.0.split_first_chunk::<BLOCK>()?;
        self.0 = rest;
        let word = |at: usize| {
            u32::from_be_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
        };
        Some(ReportBlock {
            ssrc: word(0),
            fraction_lost: block[4],
            // Eight bits up and down again carry the sign of 24 bits.
            lost: (word(4) << 8) as i32 >> 8,
            highest: word(8),
            jitter: word(12),
            last_report: word(16),
            delay: word(20),
        })
    }
}

/// Why a datagram is not RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It ends within a packet.
    #[error("packet is cut short")]
    Short,
    /// Its version is not 2.
    #[error("version is not 2")]
    Version,
}

/// Reads a compound datagram, packet by packet. Ends after the first that is malformed.
///
/// *Source*: RFC 3550 §6.1, A.2.
pub fn read(bytes: &[u8]) -> Compound<'_> {
    Compound(bytes)
}

/// The packets of a compound datagram.
#[derive(Clone, Debug)]
pub struct Compound<'a>(&'a [u8]);

impl<'a> Iterator for Compound<'a> {
    type Item = Result<Report<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let read = read_one(self.0);
        self.0 = read.as_ref().map_or(&[], |(_, rest)| rest);
        Some(read.map(|(report, _)| report))
    }
}

fn read_one(bytes: &[u8]) -> Result<(Report<'_>, &[u8]), Malformed> {
    let (header, rest) = bytes.split_first_chunk::<4>().ok_or(Malformed::Short)?;
    if header[0] >> 6 != 2 {
        return Err(Malformed::Version);
    }
    let count = usize::from(header[0] & 0x1F);
    let len = usize::from(u16::from_be_bytes([header[2], header[3]])) * 4;
    let (body, rest) = rest.split_at_checked(len).ok_or(Malformed::Short)?;
    let packet_type = header[1];
    let report = match packet_type {
        SENDER_REPORT => {
            let (info, blocks) = body.split_first_chunk::<24>().ok_or(Malformed::Short)?;
            let word = |at: usize| {
                u32::from_be_bytes([info[at], info[at + 1], info[at + 2], info[at + 3]])
            };
            Report::Report {
                ssrc: word(0),
                sender: Some(SenderInfo {
                    ntp: u64::from(word(4)) << 32 | u64::from(word(8)),
                    timestamp: word(12),
                    packets: word(16),
                    octets: word(20),
                }),
                blocks: Blocks(blocks.get(..count * BLOCK).ok_or(Malformed::Short)?),
            }
        }
        RECEIVER_REPORT => {
            let (ssrc, blocks) = body.split_first_chunk::<4>().ok_or(Malformed::Short)?;
            Report::Report {
                ssrc: u32::from_be_bytes(*ssrc),
                sender: None,
                blocks: Blocks(blocks.get(..count * BLOCK).ok_or(Malformed::Short)?),
            }
        }
        DESCRIPTION if count > 0 => {
            let (ssrc, items) = body.split_first_chunk::<4>().ok_or(Malformed::Short)?;
            Report::Description {
                ssrc: u32::from_be_bytes(*ssrc),
                cname: read_cname(items)?,
            }
        }
        GOODBYE if count > 0 => {
            let (ssrc, _) = body.split_first_chunk::<4>().ok_or(Malformed::Short)?;
            Report::Goodbye {
                ssrc: u32::from_be_bytes(*ssrc),
            }
        }
        packet_type => Report::Other { packet_type },
    };
    Ok((report, rest))
}

/// The CNAME among a chunk's items; empty when there is none.
fn read_cname(mut items: &[u8]) -> Result<&[u8], Malformed> {
    loop {
        let [item, rest @ ..] = items else {
            return Err(Malformed::Short);
        };
        if *item == 0 {
            return Ok(&[]);
        }
        let (len, rest) = rest.split_first().ok_or(Malformed::Short)?;
        let (text, rest) = rest
            .split_at_checked(usize::from(*len))
            .ok_or(Malformed::Short)?;
        if *item == CNAME {
            return Ok(text);
        }
        items = rest;
    }
}

/// What we put into a datagram: always a report and our CNAME, at the end BYE as well.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Our SSRC.
    pub ssrc: u32,
    /// What we sent; `None` when nothing since the last report.
    pub sender: Option<SenderInfo>,
    /// What we received, when something was.
    pub block: Option<ReportBlock>,
    /// Our canonical name, at most 255 octets.
    pub cname: &'a [u8],
    /// We leave.
    pub goodbye: bool,
}

impl Outgoing<'_> {
    /// Writes the compound datagram and answers its length; `None` when `out` is too short for it.
    ///
    /// *Source*: RFC 3550 §6.1, §6.4 to §6.6.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let mut writer = Writer { out, at: 0 };
        let blocks = u8::from(self.block.is_some());
        let (packet_type, info) = if self.sender.is_some() {
            (SENDER_REPORT, 5)
        } else {
            (RECEIVER_REPORT, 0)
        };
        writer.header(blocks, packet_type, 1 + info + 6 * u16::from(blocks))?;
        writer.word(self.ssrc)?;
        if let Some(sender) = &self.sender {
            writer.word((sender.ntp >> 32) as u32)?;
            writer.word(sender.ntp as u32)?;
            writer.word(sender.timestamp)?;
            writer.word(sender.packets)?;
            writer.word(sender.octets)?;
        }
        if let Some(block) = &self.block {
            writer.word(block.ssrc)?;
            writer.word(u32::from(block.fraction_lost) << 24 | block.lost as u32 & 0xFF_FFFF)?;
            writer.word(block.highest)?;
            writer.word(block.jitter)?;
            writer.word(block.last_report)?;
            writer.word(block.delay)?;
        }
        let len = u8::try_from(self.cname.len()).ok()?;
        // SSRC, item type and length, text, at least one octet of zero, up to a whole word.
        let words = (4 + 2 + usize::from(len)) / 4 + 1;
        writer.header(1, DESCRIPTION, words as u16)?;
        writer.word(self.ssrc)?;
        writer.bytes(&[CNAME, len])?;
        writer.bytes(self.cname)?;
        writer.bytes(&[0; 4][..words * 4 - 6 - usize::from(len)])?;
        if self.goodbye {
            writer.header(1, GOODBYE, 1)?;
            writer.word(self.ssrc)?;
        }
        Some(writer.at)
    }
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        self.out
            .get_mut(self.at..self.at + bytes.len())?
            .copy_from_slice(bytes);
        self.at += bytes.len();
        Some(())
    }

    fn word(&mut self, word: u32) -> Option<()> {
        self.bytes(&word.to_be_bytes())
    }

    fn header(&mut self, count: u8, packet_type: u8, words: u16) -> Option<()> {
        let [high, low] = words.to_be_bytes();
        self.bytes(&[0x80 | count, packet_type, high, low])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(outgoing: &Outgoing<'_>) -> Vec<u8> {
        let mut out = [0; 400];
        let len = outgoing.write(&mut out).expect("fits");
        out[..len].to_vec()
    }

    #[test]
    fn sender_report_description_and_goodbye_are_read_back() {
        let sender = SenderInfo {
            ntp: 0x1_2345_6789,
            timestamp: 5,
            packets: 6,
            octets: 7,
        };
        let block = ReportBlock {
            ssrc: 2,
            fraction_lost: 9,
            lost: -3,
            highest: 0x1_0002,
            jitter: 11,
            last_report: 12,
            delay: 13,
        };
        for len in 0..9 {
            let cname = &b"12345678"[..len];
            let bytes = written(&Outgoing {
                ssrc: 1,
                sender: Some(sender),
                block: Some(block),
                cname,
                goodbye: true,
            });
            assert_eq!(bytes.len() % 4, 0);
            let mut reports = read(&bytes);
            let Some(Ok(Report::Report {
                ssrc: 1,
                sender: Some(read_sender),
                mut blocks,
            })) = reports.next()
            else {
                panic!("begins with a sender report");
            };
            assert_eq!(read_sender, sender);
            assert_eq!(blocks.next(), Some(block));
            assert_eq!(blocks.next(), None);
            assert_eq!(
                reports.next(),
                Some(Ok(Report::Description { ssrc: 1, cname }))
            );
            assert_eq!(reports.next(), Some(Ok(Report::Goodbye { ssrc: 1 })));
            assert_eq!(reports.next(), None);
        }
    }

    #[test]
    fn who_has_sent_nothing_writes_a_receiver_report() {
        let bytes = written(&Outgoing {
            ssrc: 1,
            sender: None,
            block: None,
            cname: b"x",
            goodbye: false,
        });
        assert_eq!(bytes[1], RECEIVER_REPORT);
        assert_eq!(read(&bytes).flatten().count(), 2);
    }

    #[test]
    fn reading_ends_at_what_is_cut_short() {
        let bytes = written(&Outgoing {
            ssrc: 1,
            sender: Some(SenderInfo::default()),
            block: Some(ReportBlock::default()),
            cname: b"name",
            goodbye: true,
        });
        assert_eq!(
            read(&bytes[..20]).collect::<Vec<_>>(),
            [Err(Malformed::Short)]
        );
        // More blocks promised than there are.
        let mut wrong = bytes.clone();
        wrong[0] = 0x80 | 5;
        assert_eq!(read(&wrong).next(), Some(Err(Malformed::Short)));
        wrong[0] = 0x40;
        assert_eq!(read(&wrong).next(), Some(Err(Malformed::Version)));
    }

    #[test]
    fn other_types_are_passed_over() {
        let bytes = [0x80, 204, 0, 1, 0, 0, 0, 9];
        assert_eq!(
            read(&bytes).collect::<Vec<_>>(),
            [Ok(Report::Other { packet_type: 204 })]
        );
    }

    proptest! {
        #[test]
        fn no_datagram_makes_it_fall_over(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..200), packet_type in 198..206_u8,
        ) {
            if let [first, second, ..] = bytes.as_mut_slice() {
                *first = *first & 0x3F | 0x80;
                *second = packet_type;
            }
            for report in read(&bytes).flatten() {
                if let Report::Report { blocks, .. } = report {
                    prop_assert!(blocks.count() < 32);
                }
            }
        }
    }
}
