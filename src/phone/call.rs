//! The actor of one call of a test phone.

mod script;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use actix::prelude::*;
use chrono::{DateTime, Utc};
use strowger_domain::call::LegNumber;
use strowger_domain::cause::Cause;
use strowger_domain::ids::AccountId;
use strowger_media::codec::Codec;
use strowger_media::session;
use strowger_sip::command::OutgoingInvite;
use strowger_sip::event::{Event as SipEvent, IncomingInvite};

use super::behaviour::{Answer, Behaviour, When};
use super::report::{Happening, Report};
use crate::calls::legs::Leg;
use crate::net::clock;
use crate::net::media_engine::{MediaEvent, MediaFact, MediaHandle};
use crate::net::sip_endpoint::{SipFact, SipHandle, SipLeg};
use crate::supervise::Obituary;

/// A recording's file is complete within this time after the end.
const COMPLETE: Duration = Duration::from_secs(5);
/// The engine's name of what is listened to for a pause; what is kept has another.
const PAUSES: u16 = 1;

/// Who is told what happens.
pub(super) type Listener = tokio::sync::mpsc::UnboundedSender<Report>;

/// How the call comes to be.
pub(super) enum Beginning {
    /// Somebody calls the phone.
    Inbound {
        leg: SipLeg,
        request: Box<IncomingInvite>,
    },
    /// The phone calls. The offer of the INVITE is filled in by the call.
    Outbound {
        sip: SipHandle,
        invite: Box<OutgoingInvite>,
    },
}

/// Hang up.
#[derive(Message, Debug, Clone, Copy)]
#[rtype(result = "()")]
pub(super) struct HangUp;

/// What was agreed to be on record, while it is.
enum Recording {
    None,
    Ongoing { path: PathBuf, kept: bool },
}

struct Ending {
    at: DateTime<Utc>,
    cause: Cause,
    status: Option<u16>,
    by_us: bool,
}

/// The actor.
pub(super) struct PhoneCall {
    number: u64,
    behaviour: Behaviour,
    media: MediaHandle,
    advertise: std::net::IpAddr,
    beginning: Option<Beginning>,
    listener: Listener,
    leg: Option<Leg>,
    answered_at: Option<DateTime<Utc>>,
    at_pauses: VecDeque<String>,
    recording: Recording,
    ending: Option<Ending>,
    obituary: Obituary<u64>,
}

/// All that a call begins with.
pub(super) struct Start {
    pub(super) number: u64,
    pub(super) behaviour: Behaviour,
    pub(super) media: MediaHandle,
    pub(super) advertise: std::net::IpAddr,
    pub(super) beginning: Beginning,
    pub(super) listener: Listener,
}

impl PhoneCall {
    pub(super) fn new(start: Start, obituary: Obituary<u64>) -> Self {
        Self {
            number: start.number,
            behaviour: start.behaviour,
            media: start.media,
            advertise: start.advertise,
            beginning: Some(start.beginning),
            listener: start.listener,
            leg: None,
            answered_at: None,
            at_pauses: VecDeque::new(),
            recording: Recording::None,
            ending: None,
            obituary,
        }
    }

    fn tell(&self, event: Happening) {
        tell(&self.listener, clock::now().utc, Some(self.number), event);
    }

    fn open_leg(&self, outgoing: bool, ctx: &mut Context<Self>) -> Option<Leg> {
        // A phone has no accounts.
        let account = AccountId::from_uuid(uuid::Uuid::nil());
        match self.media.open(account, None, ctx.address().recipient()) {
            Ok(media) => {
                let address = std::net::SocketAddr::new(self.advertise, media.address.port());
                Some(Leg::new(
                    LegNumber::A,
                    media,
                    address,
                    Codec::ALL.to_vec(),
                    outgoing,
                ))
            }
            Err(error) => {
                self.tell(Happening::Failed {
                    why: error.to_string(),
                });
                None
            }
        }
    }

    fn begin_outbound(
        &mut self,
        sip: &SipHandle,
        mut invite: OutgoingInvite,
        ctx: &mut Context<Self>,
    ) {
        self.tell(Happening::Calling {
            to: invite.request_uri.clone(),
            from: invite.from.uri.clone(),
            call_id: invite.call_id.clone().unwrap_or_default(),
        });
        let Some(mut leg) = self.open_leg(true, ctx) else {
            return self.over(Cause::NoCircuit, None, true, ctx);
        };
        invite.offer = leg.offer();
        leg.sip = Some(sip.invite(invite, ctx.address().recipient()));
        self.leg = Some(leg);
    }

    fn begin_inbound(
        &mut self,
        mut sip: SipLeg,
        request: &IncomingInvite,
        ctx: &mut Context<Self>,
    ) {
        self.tell(Happening::Invited {
            dialled: request.user.clone(),
            from: request.from.uri.clone(),
            to: request.to.uri.clone(),
            p_asserted_identity: request
                .p_asserted_identity
                .iter()
                .map(|party| party.uri.clone())
                .collect(),
            call_id: request.call_id.clone(),
        });
        if let Answer::Refuse(status) = self.behaviour.answer {
            sip.refuse(status, Vec::new());
            sip.is_over();
            return self.over(Cause::from_sip_status(status), Some(status), true, ctx);
        }
        sip.adopt(ctx.address().recipient());
        let Some(mut leg) = self.open_leg(false, ctx) else {
            sip.end(503, Some(Cause::NoCircuit.q850()));
            return self.over(Cause::NoCircuit, Some(503), true, ctx);
        };
        if let Some(Err(error)) = request.offer.as_ref().map(|offer| leg.answer(offer)) {
            let status = error.sip_status();
            self.tell(Happening::Failed {
                why: error.to_string(),
            });
            sip.refuse(status, Vec::new());
            sip.is_over();
            return self.over(Cause::from_sip_status(status), Some(status), true, ctx);
        }
        sip.provisional(180, None);
        self.tell(Happening::Ringing { status: 180 });
        leg.sip = Some(sip);
        self.leg = Some(leg);
        match self.behaviour.answer {
            Answer::After(delay) if delay.is_zero() => self.answer(ctx),
            Answer::After(delay) => {
                ctx.run_later(delay, Self::answer);
            }
            Answer::Never | Answer::Refuse(_) => {}
        }
    }

    fn answer(&mut self, ctx: &mut Context<Self>) {
        if let Some(leg) = &mut self.leg {
            leg.accept_invite();
            self.answered(ctx);
        }
    }

    fn answered(&mut self, ctx: &mut Context<Self>) {
        let Some(leg) = &mut self.leg else { return };
        if std::mem::replace(&mut leg.answered, true) {
            return;
        }
        self.answered_at = Some(clock::now().utc);
        let codec = leg.codec.map(Codec::name);
        self.tell(Happening::Answered { codec });
        self.record();
        self.say();
        for press in std::mem::take(&mut self.behaviour.press) {
            match press.when {
                When::Pause => self.at_pauses.push_back(press.keys),
                When::After(delay) => {
                    ctx.run_later(delay, move |call, _| call.press(press.keys));
                }
            }
        }
        self.listen_for_a_pause();
        if let Some(hold) = self.behaviour.hold {
            ctx.run_later(hold.from, |call, _| call.hold(true));
            ctx.run_later(hold.until, |call, _| call.hold(false));
        }
        if let Some(delay) = self.behaviour.hang_up_after {
            ctx.run_later(delay, Self::hang_up);
        }
    }

    fn hang_up(&mut self, _: &mut Context<Self>) {
        if let Some(leg) = &mut self.leg {
            leg.clear(Cause::NormalClearing);
        }
    }

    fn sip(&mut self, event: SipEvent, ctx: &mut Context<Self>) {
        let Some(leg) = &mut self.leg else { return };
        if event.is_terminal()
            && let Some(sip) = &mut leg.sip
        {
            sip.is_over();
        }
        let agreed = match event {
            SipEvent::Provisional { status, body, .. } => {
                let agreed = body.map_or(Ok(()), |body| leg.accept(&body));
                if status >= 180 {
                    self.tell(Happening::Ringing { status });
                }
                agreed
            }
            SipEvent::Accepted { body, .. } => {
                let agreed = body.map_or(Ok(()), |body| leg.accept(&body));
                if agreed.is_ok() {
                    self.answered(ctx);
                }
                agreed
            }
            SipEvent::Acknowledged { body, .. } => leg.acknowledged(body.as_deref()),
            SipEvent::Reinvited { offer, .. } => {
                match offer {
                    None => leg.offer_again(),
                    Some(offer) => {
                        let answer = leg.answer(&offer);
                        if let Some(sip) = &leg.sip {
                            match answer {
                                Ok(answer) => sip.accept(Some(answer)),
                                Err(error) => sip.refuse(error.sip_status(), Vec::new()),
                            }
                        }
                    }
                }
                let codec = leg.codec.map(Codec::name);
                self.tell(Happening::Changed { codec });
                Ok(())
            }
            SipEvent::ReinviteRefused { status, .. } => {
                self.tell(Happening::Failed {
                    why: format!("the re-INVITE was refused: {status}"),
                });
                Ok(())
            }
            SipEvent::Refused { status, q850, .. } => {
                let cause = q850.map_or(Cause::from_sip_status(status), Cause::from_q850);
                let by_us = leg.clearing.is_some();
                return self.over(cause, Some(status), by_us, ctx);
            }
            SipEvent::Ended {
                status,
                q850,
                by_us,
                ..
            } => {
                let cause = match (q850, status) {
                    (Some(q850), _) => Cause::from_q850(q850),
                    (None, Some(status)) => Cause::from_sip_status(status),
                    (None, None) => Cause::NormalClearing,
                };
                return self.over(cause, status, by_us, ctx);
            }
            SipEvent::Invited { .. } | SipEvent::ReinviteCancelled { .. } => Ok(()),
        };
        if let Err(error) = agreed {
            self.tell(Happening::Failed {
                why: error.to_string(),
            });
            if let Some(leg) = &mut self.leg {
                leg.clear(Cause::BearerNotImplemented);
            }
        }
    }

    fn media(&mut self, event: MediaEvent, ctx: &mut Context<Self>) {
        match event {
            MediaEvent::Leg(session::Event::Digit(digit)) => self.tell(Happening::Digit { digit }),
            MediaEvent::Leg(session::Event::MediaStarted { from }) => {
                self.tell(Happening::MediaStarted {
                    from: from.to_string(),
                });
            }
            MediaEvent::Leg(session::Event::MediaTimedOut) => self.tell(Happening::MediaLost),
            MediaEvent::Leg(session::Event::Played { .. }) => self.tell(Happening::Said),
            MediaEvent::Leg(session::Event::PeerLeft | session::Event::Tone(_)) => {}
            MediaEvent::Recorded {
                recording: PAUSES,
                contains_sound,
                ..
            } => {
                self.paused(contains_sound);
            }
            MediaEvent::Recorded {
                duration, failure, ..
            } => self.recorded(duration, failure, ctx),
            MediaEvent::Lost => {
                self.tell(Happening::Failed {
                    why: "the media engine failed".into(),
                });
                if let Some(leg) = &mut self.leg {
                    leg.clear(Cause::TemporaryFailure);
                }
            }
        }
    }

    fn over(&mut self, cause: Cause, status: Option<u16>, by_us: bool, ctx: &mut Context<Self>) {
        if self.ending.is_some() {
            return;
        }
        let cause = self
            .leg
            .as_ref()
            .and_then(|leg| leg.clearing)
            .unwrap_or(cause);
        self.ending = Some(Ending {
            at: clock::now().utc,
            cause,
            status,
            by_us,
        });
        // Its ports are given back, and its recordings end.
        self.leg = None;
        self.finish_if_over(ctx);
    }

    fn finish_if_over(&mut self, ctx: &mut Context<Self>) {
        match self.recording {
            _ if self.ending.is_none() => {}
            Recording::None => self.finish(ctx),
            Recording::Ongoing { .. } => {
                ctx.run_later(COMPLETE, |call, ctx| {
                    let why = "the recording was not complete in time".to_owned();
                    call.recorded(Duration::ZERO, Some(why), ctx);
                });
            }
        }
    }

    fn finish(&mut self, ctx: &mut Context<Self>) {
        let Some(ending) = self.ending.take() else {
            return;
        };
        let length = self
            .answered_at
            .map_or(0, |from| (ending.at - from).num_milliseconds());
        let event = Happening::Ended {
            cause: ending.cause,
            q850: ending.cause.q850(),
            status: ending.status,
            by_us: ending.by_us,
            answered: self.answered_at.is_some(),
            duration_ms: u64::try_from(length).unwrap_or(0),
        };
        tell(&self.listener, ending.at, Some(self.number), event);
        self.obituary.finish();
        ctx.stop();
    }
}

/// Tells a listener; one that went away is no fault.
pub(super) fn tell(listener: &Listener, at: DateTime<Utc>, call: Option<u64>, event: Happening) {
    if listener.send(Report { at, call, event }).is_err() {
        tracing::trace!("nobody listens to the phone");
    }
}

impl Actor for PhoneCall {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        match self.beginning.take() {
            Some(Beginning::Inbound { leg, request }) => self.begin_inbound(leg, &request, ctx),
            Some(Beginning::Outbound { sip, invite }) => self.begin_outbound(&sip, *invite, ctx),
            None => {}
        }
    }
}

impl Handler<SipFact> for PhoneCall {
    type Result = ();

    fn handle(&mut self, fact: SipFact, ctx: &mut Self::Context) {
        self.sip(fact.event, ctx);
    }
}

impl Handler<MediaFact> for PhoneCall {
    type Result = ();

    fn handle(&mut self, fact: MediaFact, ctx: &mut Self::Context) {
        self.media(fact.event, ctx);
    }
}

impl Handler<HangUp> for PhoneCall {
    type Result = ();

    fn handle(&mut self, _: HangUp, ctx: &mut Self::Context) {
        self.hang_up(ctx);
    }
}
