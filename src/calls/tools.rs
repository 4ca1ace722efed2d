//! What every call needs from the house around it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::Recipient;
use strowger_domain::account::AccountTree;
use strowger_domain::directory::Directory;
use strowger_domain::e164::Country;
use strowger_domain::route::RoutingTable;
use strowger_media::codec::Codec;
use tokio::sync::watch;

use super::messages::{CallGone, CallStarted, GlobalsChanged};
use crate::conferences::messages::EnterRoom;
use crate::net::media_engine::MediaHandle;
use crate::net::sip_endpoint::SipHandle;
use crate::queues::messages::EnterQueue;
use crate::sound::library::SoundLibrary;
use crate::sound::media_files::MediaFiles;
use crate::sound::storage::Storage;
use crate::store::Writer;

/// What calls look up, as it is now.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Accounts.
    pub tree: Arc<AccountTree>,
    /// Service numbers.
    pub directory: Arc<Directory>,
    /// Trunks and routes.
    pub routes: Arc<RoutingTable>,
}

/// Shared by all calls.
pub struct Tools {
    /// Signalling.
    pub sip: SipHandle,
    /// Media.
    pub media: MediaHandle,
    /// What is played.
    pub sounds: SoundLibrary,
    /// Where recordings go.
    pub files: MediaFiles,
    /// How much each account has stored.
    pub storage: Storage,
    /// Call starts, records, recordings and events, off the call path.
    pub writer: Writer,
    /// Numbers, trunks and routes as they are now.
    pub known: watch::Receiver<Known>,
    /// Where conferences are found.
    pub conferences: Recipient<EnterRoom>,
    /// Where queues are found.
    pub queues: Recipient<EnterQueue>,
    /// Who knows which calls live.
    pub started: Recipient<CallStarted>,
    /// The same, told when they are gone.
    pub gone: Recipient<CallGone>,
    /// Who keeps the global variables of plans.
    pub globals: Recipient<GlobalsChanged>,
    /// How long a call of which nothing is heard goes on; `None`: for ever.
    pub lost_media: Option<Duration>,
    /// The host in our SIP URIs.
    pub advertise: IpAddr,
    /// The codecs that calls may use, the preferred one first.
    pub codecs: Arc<[Codec]>,
    /// How numbers without country code are read.
    pub country: &'static Country,
}
