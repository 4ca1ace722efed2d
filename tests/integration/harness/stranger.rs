//! A peer whose signalling is rsipstack's: it knows nothing of our code. Only its sound is ours.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use rsipstack::EndpointBuilder;
use rsipstack::dialog::dialog::{DialogState, DialogStateReceiver, DialogStateSender};
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::dialog::invitation::InviteOption;
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::platform::CancellationToken;
use rsipstack::sip::{Header, Method, StatusCode, Uri};
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transport::TransportLayer;
use rsipstack::transport::udp::UdpConnection;
use strowger_media::Direction;
use strowger_media::codec::Codec;
use strowger_media::sdp::negotiate::{self, Local};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::facts::in_time;
use super::sound::Sound;

/// The peer.
pub(crate) struct Stranger {
    pub(crate) address: SocketAddr,
    dialogs: Arc<DialogLayer>,
    calls: UnboundedReceiver<InviteDialog>,
    states: DialogStateReceiver,
    sender: DialogStateSender,
    token: CancellationToken,
}

/// One call of it.
pub(crate) struct StrangerLine {
    pub(crate) dialog: InviteDialog,
    pub(crate) sound: Sound,
    local: Local,
}

impl Stranger {
    pub(crate) async fn start() -> Self {
        let token = CancellationToken::new();
        let transport = TransportLayer::new(token.child_token());
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let udp = UdpConnection::create_connection(any, None, Some(token.child_token()))
            .await
            .expect("a socket");
        let address = udp.get_addr().addr.to_string().parse().expect("an address");
        transport.add_transport(udp.into());
        let endpoint = EndpointBuilder::new()
            .with_user_agent("rsipstack")
            .with_transport_layer(transport)
            .with_cancel_token(token.child_token())
            .build();
        let inner = endpoint.inner.clone();
        tokio::spawn(async move { inner.serve().await });
        let incoming = endpoint.incoming_transactions().expect("requests");
        let dialogs = Arc::new(DialogLayer::new(endpoint.inner.clone()));
        let (sender, states) = dialogs.new_dialog_state_channel();
        let (called, calls) = unbounded_channel();
        tokio::spawn(take(
            incoming,
            Arc::clone(&dialogs),
            sender.clone(),
            called,
            address,
        ));
        Self {
            address,
            dialogs,
            calls,
            states,
            sender,
            token,
        }
    }

    fn contact(&self) -> Uri {
        uri(&format!("sip:stranger@{}", self.address))
    }

    /// Calls; answers the line and the status.
    pub(crate) async fn call(&self, number: &str, platform: SocketAddr) -> (StrangerLine, u16) {
        let (sound, local) = sound().await;
        let offer = negotiate::offer(&local);
        let option = self.option(number, platform, &offer);
        let invited = self.dialogs.do_invite(option, self.sender.clone());
        let (dialog, response) = in_time("an answer", invited).await.expect("can be sent");
        let response = response.expect("a final response");
        let status = response.status_code.code();
        if status == 200 {
            let agreed = negotiate::accept(&offer, &response.body).expect("a fitting answer");
            sound.connect(agreed.connection());
        }
        (
            StrangerLine {
                dialog,
                sound,
                local,
            },
            status,
        )
    }

    /// Calls and gives up as soon as it rings.
    pub(crate) async fn calls_and_gives_up(&mut self, number: &str, platform: SocketAddr) {
        let (_sound, local) = sound().await;
        let option = self.option(number, platform, &negotiate::offer(&local));
        let (dialogs, sender) = (Arc::clone(&self.dialogs), self.sender.clone());
        let inviting =
            tokio::spawn(async move { dialogs.do_invite(option, sender).await.map(drop) });
        self.until("it rings", |state| matches!(state, DialogState::Early(..)))
            .await;
        // That is how this stack is told to cancel.
        inviting.abort();
    }

    fn option(&self, number: &str, platform: SocketAddr, offer: &Bytes) -> InviteOption {
        InviteOption {
            caller: uri(&format!("sip:+447700900001@{}", self.address)),
            callee: uri(&format!("sip:{number}@{platform};transport=udp")),
            contact: self.contact(),
            content_type: Some("application/sdp".into()),
            offer: Some(offer.to_vec()),
            ..InviteOption::default()
        }
    }

    /// Waits until it is called.
    pub(crate) async fn rings(&mut self) -> StrangerLine {
        let called = in_time("the stranger rings", self.calls.recv()).await;
        let (sound, local) = sound().await;
        let dialog = called.expect("it lives");
        dialog.ringing(None, None).expect("may ring");
        StrangerLine {
            dialog,
            sound,
            local,
        }
    }

    /// Waits until one of its calls is over.
    pub(crate) async fn is_over(&mut self) {
        self.until("it is over", |state| {
            matches!(state, DialogState::Terminated(..))
        })
        .await;
    }

    async fn until(&mut self, what: &str, which: impl Fn(&DialogState) -> bool) {
        let search = async {
            while let Some(state) = self.states.recv().await {
                if which(&state) {
                    return;
                }
            }
            panic!("its states end");
        };
        in_time(what, search).await;
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

impl StrangerLine {
    pub(crate) fn answer(&self) {
        let request = self.dialog.initial_request();
        let agreed = negotiate::answer(&request.body, &self.local).expect("an offer to take");
        self.sound.connect(agreed.connection());
        let headers = vec![Header::ContentType("application/sdp".into())];
        self.dialog
            .accept(Some(headers), Some(agreed.sdp.to_vec()))
            .expect("may be answered");
    }

    pub(crate) fn refuse(&self) {
        self.dialog
            .reject(Some(StatusCode::BusyHere), None)
            .expect("may be refused");
    }

    pub(crate) async fn hang_up(&self) {
        self.dialog.bye().await.expect("a BYE that is answered");
    }
}

async fn take(
    mut incoming: TransactionReceiver,
    dialogs: Arc<DialogLayer>,
    sender: DialogStateSender,
    called: UnboundedSender<InviteDialog>,
    address: SocketAddr,
) {
    while let Some(mut transaction) = incoming.recv().await {
        if let Some(mut dialog) = dialogs.match_dialog(&transaction) {
            tokio::spawn(async move { dialog.handle(&mut transaction).await });
            continue;
        }
        if transaction.original.method != Method::Invite {
            continue;
        }
        let contact = uri(&format!("sip:stranger@{address}"));
        let made =
            dialogs.get_or_create_server_invite(&transaction, sender.clone(), None, Some(contact));
        let mut dialog = made.expect("a dialog");
        let _ = called.send(dialog.clone());
        tokio::spawn(async move { dialog.handle(&mut transaction).await });
    }
}

async fn sound() -> (Sound, Local) {
    let (keys, _) = unbounded_channel();
    let sound = Sound::open(keys).await;
    let local = Local {
        address: sound.address,
        session_id: 1,
        version: 1,
        codecs: Codec::ALL.to_vec(),
        direction: Direction::SendReceive,
        ptime_ms: 20,
    };
    (sound, local)
}

fn uri(text: &str) -> Uri {
    Uri::try_from(text).expect("a URI")
}
