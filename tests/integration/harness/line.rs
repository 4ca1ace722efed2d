//! One call of a phone, done step by step as a test says.

use actix::prelude::*;
use bytes::Bytes;
use strowger::net::sip_endpoint::{SipFact, SipLeg};
use strowger_media::Direction;
use strowger_media::codec::Codec;
use strowger_media::sdp::negotiate::{self, Agreed, Local};
use strowger_sip::event::{Event, IncomingInvite};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::facts::{PATIENCE, in_time};
use super::phone::Ear;
use super::sound::Sound;

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// The SIP status, where there was one.
    pub(crate) status: Option<u16>,
    /// The cause in the Reason header.
    pub(crate) q850: Option<u8>,
}

/// One call of a phone.
pub(crate) struct Line {
    pub(super) sip: Option<SipLeg>,
    /// The INVITE, where the phone was called.
    pub(crate) request: Option<Box<IncomingInvite>>,
    pub(crate) sound: Sound,
    pub(super) local: Local,
    pub(super) sent: Option<Bytes>,
    offered_late: bool,
    pub(crate) codec: Option<Codec>,
    /// What was agreed last.
    pub(crate) agreed: Option<Agreed>,
    events: UnboundedReceiver<Event>,
    keys: UnboundedReceiver<char>,
    pub(crate) ended: Option<Ended>,
    /// What has happened, for a test that fails.
    history: Vec<String>,
}

impl Line {
    pub(super) async fn open(codecs: &[Codec]) -> (Self, Recipient<SipFact>) {
        let (keys_to, keys) = unbounded_channel();
        let sound = Sound::open(keys_to).await;
        let (sender, events) = unbounded_channel();
        let ear = Ear::<Event>(sender).start();
        let codecs = if codecs.is_empty() {
            Codec::ALL.to_vec()
        } else {
            codecs.to_vec()
        };
        let local = Local {
            address: sound.address,
            session_id: 1,
            version: 1,
            codecs,
            direction: Direction::SendReceive,
            ptime_ms: 20,
        };
        let line = Self {
            sip: None,
            request: None,
            sound,
            local,
            sent: None,
            offered_late: false,
            codec: None,
            agreed: None,
            events,
            keys,
            ended: None,
            history: Vec::new(),
        };
        (line, ear.recipient())
    }

    pub(super) async fn called(
        leg: SipLeg,
        request: Box<IncomingInvite>,
        codecs: &[Codec],
    ) -> Self {
        let (mut line, events) = Self::open(codecs).await;
        leg.adopt(events);
        line.sip = Some(leg);
        line.request = Some(request);
        line
    }

    /// The INVITE that it was called with.
    pub(crate) fn invite(&self) -> &IncomingInvite {
        self.request.as_ref().expect("the phone was called")
    }

    /// The dialled number.
    pub(crate) fn dialled(&self) -> &str {
        &self.invite().user
    }

    /// The number in From.
    pub(crate) fn presented(&self) -> String {
        user(&self.invite().from.uri)
    }

    /// The number in P-Asserted-Identity.
    pub(crate) fn asserted(&self) -> Option<String> {
        self.invite()
            .p_asserted_identity
            .first()
            .map(|party| user(&party.uri))
    }

    pub(crate) fn ring(&self) {
        self.sip().provisional(180, None);
    }

    /// Sends early media: 183 with our answer; the answer is the same later.
    pub(crate) fn early_media(&mut self) {
        let answer = self.answer_offer();
        self.sip().provisional(183, Some(answer));
    }

    /// Answers the call.
    pub(crate) fn answer(&mut self) {
        let body = self.sent.clone().unwrap_or_else(|| self.answer_offer());
        self.sip().accept(Some(body));
    }

    fn answer_offer(&mut self) -> Bytes {
        if let Some(offer) = self
            .request
            .as_ref()
            .and_then(|request| request.offer.clone())
        {
            let agreed = negotiate::answer(&offer, &self.local).expect("an offer to take");
            self.agree(&agreed);
            self.sent = Some(agreed.sdp.clone());
            agreed.sdp
        } else {
            let offer = negotiate::offer(&self.local);
            self.offered_late = true;
            self.sent = Some(offer.clone());
            offer
        }
    }

    pub(crate) fn refuse(&mut self, status: u16) {
        self.sip().refuse(status, Vec::new());
    }

    /// Asks for credentials; the next try comes as a call of its own.
    pub(crate) fn challenge(mut self, realm: &str) {
        if let Some(sip) = self.sip.take() {
            sip.challenge(realm.to_owned());
        }
    }

    /// Hangs up, or cancels.
    pub(crate) fn hang_up(&mut self) {
        self.sip
            .as_mut()
            .expect("has signalling")
            .end(486, Some(16));
    }

    pub(crate) fn press(&self, keys: &str) {
        self.sound.press(keys);
    }

    pub(crate) fn say(&self, hertz: u16) {
        self.sound.say(hertz);
    }

    pub(crate) async fn hears(&self, hertz: u16) {
        self.sound.hears(hertz).await;
    }

    /// Offers another direction, or other codecs, within the call.
    pub(crate) fn reinvite(&mut self, direction: Direction, codecs: &[Codec]) {
        self.local.direction = direction;
        self.local.codecs = codecs.to_vec();
        let sent = self.sent.clone().expect("a session");
        let offer = negotiate::offer_again(&sent, &self.local).expect("can be offered");
        self.sip().reinvite(offer.clone());
        self.sent = Some(offer);
    }

    /// Waits for a provisional response.
    #[track_caller]
    pub(crate) fn is_provisional(&mut self) -> impl Future<Output = u16> {
        self.until("a provisional response", |event| match event {
            Event::Provisional { status, .. } => Some(*status),
            _ => None,
        })
    }

    /// Waits until the far end has answered, or taken a re-INVITE.
    #[track_caller]
    pub(crate) fn is_answered(&mut self) -> impl Future<Output = ()> {
        self.until("it is answered", |event| {
            matches!(event, Event::Accepted { .. }).then_some(())
        })
    }

    /// Waits for the ACK.
    #[track_caller]
    pub(crate) fn is_acknowledged(&mut self) -> impl Future<Output = ()> {
        self.until("it is acknowledged", |event| {
            matches!(event, Event::Acknowledged { .. }).then_some(())
        })
    }

    /// Waits until the call was refused; answers the status.
    #[track_caller]
    pub(crate) fn is_refused(&mut self) -> impl Future<Output = u16> {
        self.until("it is refused", |event| match event {
            Event::Refused { status, .. } => Some(*status),
            _ => None,
        })
    }

    /// The first thing that becomes of a call: `None` when it rings or is answered, else the
    /// status that refused it. A call that was answered is hung up.
    pub(crate) async fn ring_or_refusal(&mut self) -> Option<u16> {
        let refusal = self
            .until("an answer", |event| match event {
                Event::Refused { status, .. } => Some(Some(*status)),
                Event::Provisional { .. } | Event::Accepted { .. } => Some(None),
                _ => None,
            })
            .await;
        if refusal.is_none() {
            self.hang_up();
            self.is_over().await;
        }
        refusal
    }

    /// The first final answer: `None` when the call is answered, else the status that refused it.
    #[track_caller]
    pub(crate) fn is_answered_or_refused(&mut self) -> impl Future<Output = Option<u16>> {
        self.until("a final answer", |event| match event {
            Event::Refused { status, .. } => Some(Some(*status)),
            Event::Accepted { .. } => Some(None),
            _ => None,
        })
    }

    /// Waits until the call is over, however that comes.
    #[track_caller]
    pub(crate) fn is_over(&mut self) -> impl Future<Output = Ended> {
        self.until("it is over", |event| match event {
            Event::Refused { status, q850, .. } => Some(Ended {
                status: Some(*status),
                q850: *q850,
            }),
            Event::Ended { status, q850, .. } => Some(Ended {
                status: *status,
                q850: *q850,
            }),
            _ => None,
        })
    }

    /// Waits for a key of the far end.
    #[track_caller]
    pub(crate) fn hears_key(&mut self) -> impl Future<Output = char> {
        let place = std::panic::Location::caller();
        async move {
            let key = in_time(&format!("{place}: a key"), self.keys.recv()).await;
            key.expect("the phone's sound runs")
        }
    }

    /// Waits for an event of its signalling. Offers and answers are taken as they come.
    #[track_caller]
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        mut which: impl FnMut(&Event) -> Option<T>,
    ) -> impl Future<Output = T> {
        let place = std::panic::Location::caller();
        let what = what.to_owned();
        async move {
            let search = async {
                loop {
                    let event = self.events.recv().await.expect("the ear lives");
                    self.history.push(format!("{event:?}"));
                    self.take(&event);
                    if let Some(found) = which(&event) {
                        return Ok(found);
                    }
                    if event.is_terminal() {
                        return Err(event);
                    }
                }
            };
            match tokio::time::timeout(PATIENCE, search).await {
                Ok(Ok(found)) => found,
                Ok(Err(event)) => panic!("{place}: the call ended before {what}: {event:?}"),
                Err(tokio::time::error::Elapsed { .. }) => {
                    panic!(
                        "{place}: it did not come to that: {what}; {:#?}",
                        self.history
                    )
                }
            }
        }
    }

    fn take(&mut self, event: &Event) {
        if event.is_terminal()
            && let Some(sip) = &mut self.sip
        {
            sip.is_over();
        }
        match event {
            Event::Provisional {
                body: Some(body), ..
            }
            | Event::Accepted {
                body: Some(body), ..
            } => {
                if let Some(sent) = &self.sent {
                    let agreed = negotiate::accept(sent, body).expect("a fitting answer");
                    self.agree(&agreed);
                } else {
                    // We sent no offer: this is theirs.
                    let agreed = negotiate::answer(body, &self.local).expect("an offer to take");
                    self.agree(&agreed);
                    self.sent = Some(agreed.sdp.clone());
                    self.sip().acknowledge(agreed.sdp);
                }
            }
            Event::Acknowledged { body, .. } if std::mem::take(&mut self.offered_late) => {
                let sent = self.sent.clone().unwrap_or_default();
                let answer = body.clone().unwrap_or_default();
                let agreed = negotiate::accept(&sent, &answer).expect("a fitting answer");
                self.agree(&agreed);
            }
            Event::Reinvited {
                offer: Some(offer), ..
            } => {
                let sent = self.sent.clone().unwrap_or_default();
                let agreed = negotiate::answer_again(&sent, offer, &self.local).expect("fits");
                self.agree(&agreed);
                self.sent = Some(agreed.sdp.clone());
                self.sip().accept(Some(agreed.sdp));
            }
            Event::Refused { status, q850, .. } => {
                self.ended = Some(Ended {
                    status: Some(*status),
                    q850: *q850,
                });
            }
            Event::Ended { status, q850, .. } => {
                self.ended = Some(Ended {
                    status: *status,
                    q850: *q850,
                });
            }
            _ => {}
        }
    }

    fn agree(&mut self, agreed: &Agreed) {
        self.codec = Some(agreed.codec);
        self.sound.connect(agreed.connection());
        self.agreed = Some(agreed.clone());
    }

    fn sip(&self) -> &SipLeg {
        self.sip.as_ref().expect("has signalling")
    }
}

fn user(uri: &str) -> String {
    let parsed = strowger_sip::uri::Uri::parse(uri).expect("a URI");
    parsed.unescaped_user().unwrap_or_default().clone()
}
