//! A leg: its signalling, its media, and what was agreed between the two.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use strowger_domain::call::LegNumber;
use strowger_domain::cause::Cause;
use strowger_domain::cdr::{Fact, LegQuality, StreamQuality};
use strowger_domain::route::Trunk;
use strowger_media::Direction;
use strowger_media::codec::Codec;
use strowger_media::rtp::Quality;
use strowger_media::sdp::negotiate::{self, Agreed, Local, Offer, SdpError};
use strowger_media::session::Command;
use strowger_sip::command::InviteId;
use strowger_sip::command::{Credentials, OutgoingInvite, Party};
use strowger_sip::flow::Transport;

use crate::net::media_engine::{MediaLeg, MediaLegId};
use crate::net::rtp_socket::PortError;
use crate::net::sip_endpoint::SipLeg;

/// Why an offer or answer of the far end can't be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OfferError {
    /// Nothing could be agreed.
    #[error(transparent)]
    Sdp(#[from] SdpError),
    /// It needs a port of its own, and there is none.
    #[error(transparent)]
    Ports(#[from] PortError),
}

impl OfferError {
    /// The status to refuse an offer with.
    pub(crate) fn sip_status(&self) -> u16 {
        match self {
            Self::Sdp(error) => error.sip_status(),
            Self::Ports(_) => Cause::NoCircuit.sip_status(),
        }
    }

    /// The code for a Warning header beside it (RFC 3261 §20.43).
    pub(crate) fn warning(&self) -> Option<u16> {
        match self {
            Self::Sdp(error) => error.warning(),
            Self::Ports(_) => None,
        }
    }
}

/// One leg of a call.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the leg"
)]
pub(crate) struct Leg {
    /// Its number.
    pub(crate) number: LegNumber,
    /// Its INVITE usage; `None` while its host is being resolved.
    pub(crate) sip: Option<SipLeg>,
    /// Its sound.
    pub(crate) media: MediaLeg,
    /// What we bring to a negotiation.
    local: Local,
    /// The description that we sent last.
    sent: Option<Bytes>,
    /// It was sent as an offer in a 2xx; the ACK brings the answer.
    late_offer: bool,
    /// The codec that was agreed.
    pub(crate) codec: Option<Codec>,
    /// We dialled it.
    pub(crate) outgoing: bool,
    /// It was answered.
    pub(crate) answered: bool,
    /// It was told to clear.
    pub(crate) clearing: Option<Cause>,
    /// Counts the plays asked of it: a sound that was loaded too late is not played.
    pub(crate) play_turn: u32,
    /// The A-party hears this leg before it is answered.
    pub(crate) early_media: bool,
    /// Nothing is to come from the far end now: one of the two holds the other.
    pub(crate) held: bool,
}

impl Leg {
    pub(crate) fn new(
        number: LegNumber,
        media: MediaLeg,
        advertised: SocketAddr,
        codecs: Vec<Codec>,
        outgoing: bool,
    ) -> Self {
        let local = Local {
            address: advertised,
            session_id: u64::from(rand::random::<u32>()),
            version: 1,
            codecs,
            direction: Direction::SendReceive,
            ptime_ms: 20,
        };
        Self {
            number,
            sip: None,
            media,
            local,
            sent: None,
            late_offer: false,
            codec: None,
            outgoing,
            answered: false,
            clearing: None,
            play_turn: 0,
            early_media: false,
            held: false,
        }
    }

    pub(crate) fn invite(&self) -> Option<InviteId> {
        self.sip.as_ref().map(SipLeg::invite)
    }

    pub(crate) fn media_id(&self) -> MediaLegId {
        self.media.id()
    }

    /// Our offer, for an INVITE or for the 2xx of one that had none.
    pub(crate) fn offer(&mut self) -> Bytes {
        let offer = negotiate::offer(&self.local);
        self.sent = Some(offer.clone());
        offer
    }

    /// Answers an offer of the far end, the first or a later one.
    pub(crate) fn answer(&mut self, offer: &[u8]) -> Result<Bytes, OfferError> {
        self.answer_read(&Offer::read(offer)?)
    }

    /// The same for an offer that was read before.
    pub(crate) fn answer_read(&mut self, offer: &Offer) -> Result<Bytes, OfferError> {
        let mut agreed = self.agree(offer)?;
        if self.expect(agreed.remote)? {
            agreed = self.agree(offer)?;
        }
        self.sent = Some(agreed.sdp.clone());
        self.connect(&agreed);
        Ok(agreed.sdp)
    }

    fn agree(&self, offer: &Offer) -> Result<Agreed, SdpError> {
        match &self.sent {
            None => offer.answer(&self.local),
            Some(sent) => offer.answer_again(sent, &self.local),
        }
    }

    /// Takes the far end's answer to our offer.
    pub(crate) fn accept(&mut self, answer: &[u8]) -> Result<(), OfferError> {
        let offer = self.sent.clone().unwrap_or_default();
        let agreed = negotiate::accept(&offer, answer)?;
        let moved = self.expect(agreed.remote)?;
        self.connect(&agreed);
        if moved && let Some(sip) = &self.sip {
            let offer = negotiate::offer_again(&offer, &self.local)?;
            sip.reinvite(offer.clone());
            self.sent = Some(offer);
        }
        Ok(())
    }

    /// It is the first party of a call that the platform started: whether a person, a fax or an
    /// answering machine has answered is listened for until it talks to somebody.
    pub(crate) fn is_first_dialled(&self) -> bool {
        self.outgoing && self.number == LegNumber::A
    }

    /// What it has sent and received by now, and how that sounded.
    pub(crate) fn traffic(&self) -> Fact {
        let statistics = self.media.counters.statistics(self.codec);
        let heard = statistics.heard().map(stream_quality);
        let heard_by_peer = statistics.heard_by_peer().map(stream_quality);
        let known = heard.is_some() || heard_by_peer.is_some();
        Fact::LegTraffic {
            leg: self.number,
            sent: statistics.packets_sent,
            received: statistics.packets_received,
            quality: known.then_some(LegQuality {
                round_trip_ms: statistics.round_trip.map(tenths_of_ms),
                received: heard,
                sent: heard_by_peer,
            }),
        }
    }

    /// The far end receives there from now on. Answers whether we receive elsewhere for it.
    fn expect(&mut self, peer: Option<SocketAddr>) -> Result<bool, OfferError> {
        let moved = self.media.expect(peer)?;
        self.local.address.set_port(self.media.address.port());
        Ok(moved)
    }

    fn connect(&mut self, agreed: &Agreed) {
        self.codec = Some(agreed.codec);
        self.held = !agreed.direction.receives();
        self.media.command(Command::Connect(agreed.connection()));
    }

    /// Accepts the INVITE or re-INVITE that waits: with our answer where there was an offer, else
    /// with our offer.
    pub(crate) fn accept_invite(&mut self) {
        let body = if let (Some(sent), Some(_)) = (&self.sent, self.codec) {
            sent.clone()
        } else {
            self.late_offer = true;
            self.offer()
        };
        if let Some(sip) = &self.sip {
            sip.accept(Some(body));
        }
    }

    /// A re-INVITE without offer: we offer what we have, again.
    pub(crate) fn offer_again(&mut self) {
        let offer = match &self.sent {
            Some(sent) => negotiate::offer_again(sent, &self.local),
            None => Ok(negotiate::offer(&self.local)),
        };
        match (offer, &self.sip) {
            (Ok(offer), Some(sip)) => {
                sip.accept(Some(offer.clone()));
                self.sent = Some(offer);
                self.late_offer = true;
            }
            (Err(error), Some(sip)) => sip.refuse(error.sip_status(), Vec::new()),
            (_, None) => {}
        }
    }

    /// The ACK of our 2xx: with the answer, when that carried our offer.
    pub(crate) fn acknowledged(&mut self, body: Option<&[u8]>) -> Result<(), OfferError> {
        if !std::mem::take(&mut self.late_offer) {
            return Ok(());
        }
        self.accept(body.unwrap_or_default())
    }

    /// Puts the far end on hold by re-INVITE, or takes it back (RFC 3264 §8.4).
    pub(crate) fn hold(&mut self, held: bool) -> Result<(), SdpError> {
        let direction = if held {
            Direction::SendOnly
        } else {
            Direction::SendReceive
        };
        self.local.direction = direction;
        let offer = negotiate::offer_again(&self.sent.clone().unwrap_or_default(), &self.local)?;
        if let Some(sip) = &self.sip {
            sip.reinvite(offer.clone());
            self.sent = Some(offer);
        }
        Ok(())
    }

    /// Clears it: CANCEL, BYE or refusal.
    pub(crate) fn clear(&mut self, cause: Cause) {
        if self.clearing.is_none() {
            self.clearing = Some(cause);
            if let Some(sip) = &mut self.sip {
                sip.end(cause.sip_status(), Some(cause.q850()));
            }
        }
    }
}

fn stream_quality(quality: Quality) -> StreamQuality {
    StreamQuality {
        loss_percent: (quality.loss * 10_000.0).round() / 100.0,
        jitter_ms: tenths_of_ms(quality.jitter),
        mos: (quality.mean_opinion * 100.0).round() / 100.0,
    }
}

fn tenths_of_ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Whom a leg dials, and how it is presented.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// The dialled number (`+44…`) or SIP URI.
    pub(super) destination: String,
    /// The carrier; `None` for a SIP URI.
    pub(super) trunk: Option<Trunk>,
    /// Host and port to send to.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) transport: Transport,
    /// The presentation CLI (From); `None`: withheld.
    pub(super) presentation: Option<String>,
    /// The network CLI (P-Asserted-Identity, RFC 3325).
    pub(super) network: Option<String>,
}

impl Target {
    /// The codecs that the trunk wants, in its order; `ours` where it names none. The one of the leg
    /// `beside` it comes first, so that nothing needs to be transcoded between them.
    pub(super) fn codecs(&self, ours: &[Codec], beside: Option<Codec>) -> Vec<Codec> {
        let wanted = self.trunk.iter().flat_map(|trunk| &trunk.codecs);
        let wanted: Vec<Codec> = wanted.filter_map(|name| Codec::from_name(name)).collect();
        let mut codecs = if wanted.is_empty() {
            ours.to_vec()
        } else {
            wanted
        };
        codecs.sort_by_key(|codec| Some(*codec) != beside);
        codecs
    }

    /// The INVITE, except for its flow.
    pub(super) fn invite(
        &self,
        flow: strowger_sip::flow::Flow,
        ours: &str,
        offer: Bytes,
    ) -> OutgoingInvite {
        let host = bracketed(&self.host);
        let request_uri = if self.trunk.is_none() {
            self.destination.clone()
        } else {
            let tcp = match self.transport {
                Transport::Tcp => ";transport=tcp",
                Transport::Udp => "",
            };
            format!("sip:{}@{host}:{}{tcp}", self.destination, self.port)
        };
        let to = match &self.trunk {
            None => self.destination.clone(),
            Some(_) => format!("sip:{}@{host}", self.destination),
        };
        let identity = |number: &str| {
            if number.starts_with("sip:") {
                number.to_owned()
            } else {
                format!("sip:{number}@{ours}")
            }
        };
        let (from, mut headers) = match &self.presentation {
            Some(number) => (Party::new(identity(number)), Vec::new()),
            // RFC 3323 §4.1.1.3 and RFC 3325 §9.3.
            None => (
                Party {
                    display: Some("Anonymous".into()),
                    uri: "sip:anonymous@anonymous.invalid".into(),
                },
                vec![("Privacy".to_owned(), "id".to_owned())],
            ),
        };
        headers.push((
            "Allow".to_owned(),
            "INVITE, ACK, CANCEL, BYE, OPTIONS".to_owned(),
        ));
        let credentials = self.trunk.as_ref().and_then(|trunk| {
            Some(Credentials {
                username: trunk.username.clone()?,
                password: trunk.password.clone()?,
            })
        });
        OutgoingInvite {
            invite: InviteId(0),
            flow,
            request_uri,
            from,
            to: Party::new(to),
            p_asserted_identity: self.network.as_deref().map(identity),
            credentials,
            headers,
            offer,
            route: Vec::new(),
            call_id: None,
        }
    }
}

/// An IPv6 address stands in brackets in a URI (RFC 3261 §25.1, `IPv6reference`).
fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// Host, port and transport of a SIP URI that was checked before.
pub(crate) fn place_of(uri: &str) -> Option<(String, u16, Transport)> {
    let parsed = strowger_sip::uri::Uri::parse(uri).ok()?;
    let tcp = parsed
        .param("transport")
        .is_some_and(|value| value.eq_ignore_ascii_case("tcp"));
    let transport = if tcp { Transport::Tcp } else { Transport::Udp };
    let host = parsed.host().trim_matches(['[', ']']).to_owned();
    Some((host, parsed.port().unwrap_or(5060), transport))
}
