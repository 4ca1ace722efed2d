//! A scriptable test phone, made of our own signalling and media: operators try numbers with it,
//! the demonstration answers with it, and tests call with it.

mod arguments;
mod behaviour;
mod call;
mod command;
mod desk;
pub mod hearing;
mod report;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use strowger_media::wav;
use strowger_sip::command::{Credentials, InviteId, OutgoingInvite, Party};
use strowger_sip::flow::Transport;
use strowger_sip::uri::{Scheme, Uri};
use tokio::sync::mpsc::{self, UnboundedReceiver};

pub use arguments::Arguments;
pub use behaviour::{Answer, BadArgument, Behaviour, Hold, Press, Record, Say, When};
pub use command::run;
pub use report::{Happening, Report};

use crate::calls::legs::place_of;
use crate::net::media_engine::MediaHandle;
use crate::net::rtp_socket::Ports;
use crate::net::sip_endpoint::{Living, Observe, SipHandle};
use crate::net::sip_keeper::{Finish, SipKeeper};
use crate::net::sip_socket::SipSockets;
use crate::net::{clock, names};
use call::HangUp;
use desk::{Count, Desk, Place};

/// The ports that a phone takes for RTP when none are named: below those of the platform.
pub const RTP_PORTS: RangeInclusive<u16> = 10_000..=16_383;

/// How long a phone that stops waits for the far ends.
const SETTLING: Duration = Duration::from_secs(2);
/// How often it looks.
const GLANCE: Duration = Duration::from_millis(10);

/// Where a phone is.
#[derive(Clone, Debug)]
pub struct PhoneConfig {
    /// Where it listens for SIP, over UDP and TCP.
    pub sip: SocketAddr,
    /// The address that it tells peers; absent: the one that it listens on.
    pub advertise: Option<IpAddr>,
    /// Its ports for RTP and RTCP.
    pub rtp: RangeInclusive<u16>,
}

impl Default for PhoneConfig {
    fn default() -> Self {
        Self {
            sip: SocketAddr::from(([127, 0, 0, 1], 0)),
            advertise: None,
            rtp: RTP_PORTS,
        }
    }
}

/// A call to be made.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// The SIP URI to call.
    pub to: String,
    /// The number (`+44…`) or SIP URI that calls; absent: the phone itself.
    pub from: Option<String>,
    /// What a challenge is answered with.
    pub credentials: Option<Credentials>,
    /// What the phone does in the call.
    pub behaviour: Behaviour,
}

/// Why a phone can't be started, or a call not be made.
#[derive(Debug, thiserror::Error)]
pub enum PhoneError {
    /// The SIP address is taken, or not ours.
    #[error("the phone can't listen on {0}")]
    Sip(SocketAddr, #[source] std::io::Error),
    /// No thread for media.
    #[error("the phone's media can't be started")]
    Media(#[source] std::io::Error),
    /// Peers can't be told such an address.
    #[error("peers can't be told {0}: name the address that they reach, as advertised address")]
    Unspecified(IpAddr),
    /// Not something that can be called.
    #[error("`{0}` is not a SIP URI such as sip:+441632960001@127.0.0.1:5060")]
    NotSip(String),
    /// The host of a URI has no address.
    #[error("the host {0} has no address")]
    NoHost(String),
    /// The phone was stopped.
    #[error("the phone has stopped")]
    Stopped,
}

/// A phone that runs. It goes on until it is stopped.
pub struct Phone {
    /// Where it can be called.
    pub address: SocketAddr,
    sip: SipHandle,
    media: MediaHandle,
    keeper: Addr<SipKeeper>,
    desk: Addr<Desk>,
    arbiter: Arbiter,
}

impl Phone {
    /// Starts a phone on a thread of its own; `manners` says what it does when a number is
    /// dialled. Must run inside an actix system. What happens is told to the receiver; nobody has
    /// to listen.
    pub async fn start(
        config: PhoneConfig,
        manners: impl Fn(&str) -> Behaviour + Send + 'static,
    ) -> Result<(Self, UnboundedReceiver<Report>), PhoneError> {
        let sockets = SipSockets::bind(config.sip)
            .await
            .map_err(|error| PhoneError::Sip(config.sip, error))?;
        let advertise = config.advertise.unwrap_or(sockets.local.ip());
        if advertise.is_unspecified() {
            return Err(PhoneError::Unspecified(advertise));
        }
        let address = SocketAddr::new(advertise, sockets.local.port());
        let ports = Ports::new(config.sip.ip(), &config.rtp);
        let media = MediaHandle::start(ports, 1).map_err(PhoneError::Media)?;
        let (listener, reports) = mpsc::unbounded_channel();
        let listening = report::Happening::Listening {
            sip: address.to_string(),
        };
        call::tell(&listener, clock::now().utc, None, listening);

        let arbiter = Arbiter::new();
        let desk = Desk::new(Box::new(manners), media.clone(), advertise, listener);
        let desk = Desk::start_in_arbiter(&arbiter.handle(), move |_| desk);
        let settings = strowger_sip::config::Config {
            udp_address: Some(address),
            tcp_address: Some(address),
            user_agent: "Strowger phone".into(),
            // It stands in for a carrier: what it does not take, it refuses by its manners.
            patience: strowger_sip::overload::Patience::ENDLESS,
            ..strowger_sip::config::Config::default()
        };
        let inbound = desk.clone().recipient();
        let (keeper, sip) = SipKeeper::start(settings, sockets, inbound, arbiter.handle());
        Ok((
            Self {
                address,
                sip,
                media,
                keeper,
                desk,
                arbiter,
            },
            reports,
        ))
    }

    /// Calls somebody; the answer is the call's number in the reports.
    pub async fn call(&self, outgoing: Outgoing) -> Result<u64, PhoneError> {
        let (host, port, transport) = place(&outgoing.to)?;
        let remote = resolve(&host, port, self.address.is_ipv4()).await?;
        let ours = self.address;
        let from = match outgoing.from.as_deref() {
            None => format!("sip:phone@{ours}"),
            Some(uri) if uri.starts_with("sip:") => uri.to_owned(),
            Some(number) => format!("sip:{number}@{ours}"),
        };
        let allow = "INVITE, ACK, CANCEL, BYE, OPTIONS";
        let invite = OutgoingInvite {
            invite: InviteId(0),
            flow: self.sip.flow(transport, remote),
            request_uri: outgoing.to.clone(),
            from: Party::new(from),
            to: Party::new(outgoing.to),
            p_asserted_identity: None,
            credentials: outgoing.credentials,
            headers: vec![("Allow".to_owned(), allow.to_owned())],
            offer: bytes::Bytes::new(),
            route: Vec::new(),
            call_id: Some(format!("{}@{}", uuid::Uuid::now_v7().simple(), ours.ip())),
        };
        let place = Place {
            sip: self.sip.clone(),
            invite: Box::new(invite),
            behaviour: outgoing.behaviour,
        };
        self.desk
            .send(place)
            .await
            .map_err(|_closed| PhoneError::Stopped)
    }

    /// Hangs up every call.
    pub fn hang_up(&self) {
        self.desk.do_send(HangUp);
    }

    /// How many calls there are.
    pub async fn calls(&self) -> usize {
        self.desk.send(Count).await.unwrap_or(0)
    }

    /// Waits, at most for two seconds, until every call is over and the far ends know it: the BYE or
    /// CANCEL is answered, the refusal acknowledged. Before [`Self::stop`].
    pub async fn settle(&self) {
        let settled = async {
            while !self.is_settled().await {
                tokio::time::sleep(GLANCE).await;
            }
        };
        if tokio::time::timeout(SETTLING, settled).await.is_err() {
            tracing::warn!("a far end has not acknowledged that its call is over");
        }
    }

    async fn is_settled(&self) -> bool {
        // A call that is gone has told the endpoint before.
        if self.calls().await > 0 {
            return false;
        }
        match self.sip.endpoint().send(Observe).await {
            // A BYE that waits for the ACK of our 2xx is no transaction yet: its usage lingers.
            Ok(Living { machine, .. }) => {
                machine.invites == 0 && machine.lingering == 0 && machine.unsettled == 0
            }
            Err(_closed) => true,
        }
    }

    /// How many RTP port pairs are open.
    pub fn open_ports(&self) -> usize {
        self.media.open_ports()
    }

    /// Ends the phone. Calls that are still there are cut: hang up before.
    pub fn stop(self) {
        self.keeper.do_send(Finish);
        self.media.stop();
        self.arbiter.stop();
    }
}

/// The samples of a WAV file. *Shape*: 8 kHz, mono.
pub fn read_wav(path: &Path) -> anyhow::Result<Arc<[i16]>> {
    use anyhow::Context as _;
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    wav::read(&bytes).with_context(|| path.display().to_string())
}

/// Host, port and transport of a SIP URI.
fn place(uri: &str) -> Result<(String, u16, Transport), PhoneError> {
    Uri::parse(uri)
        .ok()
        .filter(|parsed| parsed.scheme() == Scheme::Sip)
        .and_then(|_| place_of(uri))
        .ok_or_else(|| PhoneError::NotSip(uri.to_owned()))
}

async fn resolve(host: &str, port: u16, ipv4: bool) -> Result<SocketAddr, PhoneError> {
    if let Ok(ip) = host.parse() {
        return Ok(SocketAddr::new(ip, port));
    }
    let no_host = |_| PhoneError::NoHost(host.to_owned());
    let found = names::resolve(host, port).await.map_err(no_host)?;
    found
        .into_iter()
        .find(|address| address.is_ipv4() == ipv4)
        .ok_or_else(|| PhoneError::NoHost(host.to_owned()))
}
