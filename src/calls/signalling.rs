//! What the far ends tell by SIP, from the first INVITE to the end of a leg.

use std::time::Duration;

use actix::prelude::*;
use strowger_domain::call::{Event, LegNumber, Origin};
use strowger_domain::cause::Cause;
use strowger_domain::cdr::{Ending, Fact, Role};
use strowger_media::sdp::negotiate::Offer;
use strowger_media::session;
use strowger_sip::event::{Event as SipEvent, IncomingInvite};

use super::call::Call;
use super::messages::Stage as Progressed;
use crate::net::sip_endpoint::SipLeg;

/// A driver that lets a call without parties go on is given this long.
const ALONE: Duration = Duration::from_secs(5);

impl Call {
    pub(super) fn begin_inbound(
        &mut self,
        sip: SipLeg,
        request: &IncomingInvite,
        ctx: &mut Context<Self>,
    ) {
        sip.adopt(ctx.address().recipient());
        let invite = sip.invite();
        let address = self
            .timeline
            .as_ref()
            .and_then(|line| line.snapshot().calling.clone());
        let presentation = None;
        let offer = request.offer.as_deref().map(Offer::read);
        let read = offer.as_ref().and_then(|offer| offer.as_ref().ok());
        let mut leg = match self.open_leg(LegNumber::A, self.tools.codecs.to_vec(), read, ctx) {
            Ok(leg) => leg,
            Err(cause) => {
                self.note_leg(LegNumber::A, Role::A, address, presentation);
                let mut sip = sip;
                sip.end(cause.sip_status(), Some(cause.q850()));
                return self.end(
                    Ending {
                        cause,
                        sip_status: Some(cause.sip_status()),
                    },
                    ctx,
                );
            }
        };
        leg.sip = Some(sip);
        self.by_invite.insert(invite, LegNumber::A);
        self.note_leg(LegNumber::A, Role::A, address, presentation);
        let answer = offer.map(|offer| leg.answer_read(&offer?));
        let codec = leg.codec;
        self.legs.insert(LegNumber::A, leg);
        self.note_codec(LegNumber::A, codec);
        match answer {
            Some(Err(error)) => {
                tracing::info!(call.id = %self.id, %error, "the caller's offer can't be taken");
                self.refuse_offer(error.sip_status(), error.warning(), ctx);
            }
            Some(Ok(_)) | None => self.tell(Event::Started, ctx),
        }
    }

    /// No codec in common, or no sound at all: 488 and the like, with a Warning that says why.
    pub(super) fn refuse_offer(
        &mut self,
        status: u16,
        warning: Option<u16>,
        ctx: &mut Context<Self>,
    ) {
        let cause = Cause::from_sip_status(status);
        if let Some(leg) = self.legs.get_mut(&LegNumber::A)
            && let Some(sip) = &mut leg.sip
        {
            let host = self.tools.advertise;
            let warning = warning.map(|code| {
                (
                    "Warning".to_owned(),
                    format!("{code} {host} \"session description\""),
                )
            });
            sip.refuse(status, warning.into_iter().collect());
            sip.is_over();
            leg.clearing = Some(cause);
        }
        self.end(
            Ending {
                cause,
                sip_status: Some(status),
            },
            ctx,
        );
    }

    pub(super) fn sip(&mut self, number: LegNumber, event: SipEvent, ctx: &mut Context<Self>) {
        let Some(leg) = self.legs.get_mut(&number) else {
            return;
        };
        if event.is_terminal()
            && let Some(sip) = &mut leg.sip
        {
            sip.is_over();
        }
        match event {
            SipEvent::Provisional { status, body, .. } => {
                self.provisional(number, status, body.as_deref(), ctx);
            }
            SipEvent::Accepted { body, .. } => {
                let agreed = match body {
                    Some(body) if !leg.answered => leg.accept(&body).map_err(|e| e.to_string()),
                    Some(_) => Ok(()),
                    None if leg.codec.is_some() => Ok(()),
                    None => Err("the 2xx has no session description".to_owned()),
                };
                match agreed {
                    Ok(()) => self.leg_answered(number, ctx),
                    Err(error) => {
                        tracing::info!(call.id = %self.id, error, "an answer can't be taken");
                        self.clear_leg(number, Cause::BearerNotImplemented, ctx);
                    }
                }
            }
            SipEvent::Refused { status, q850, .. } => {
                let cause = q850.map_or(Cause::from_sip_status(status), Cause::from_q850);
                self.leg_over(number, cause, Some(status), ctx);
            }
            SipEvent::Ended { status, q850, .. } => {
                let cause = match (q850, status) {
                    (Some(q850), _) => Cause::from_q850(q850),
                    (None, Some(status)) => Cause::from_sip_status(status),
                    (None, None) => Cause::NormalClearing,
                };
                self.leg_over(number, cause, status, ctx);
            }
            SipEvent::Reinvited { offer, .. } => match offer {
                None => leg.offer_again(),
                Some(offer) => {
                    let answer = leg.answer(&offer);
                    if let Some(sip) = &leg.sip {
                        match answer {
                            Ok(answer) => sip.accept(Some(answer)),
                            Err(error) => sip.refuse(error.sip_status(), Vec::new()),
                        }
                    }
                    let codec = leg.codec;
                    self.note_codec(number, codec);
                }
            },
            SipEvent::Acknowledged { body, .. } => {
                if let Err(error) = leg.acknowledged(body.as_deref()) {
                    tracing::info!(call.id = %self.id, %error, "the answer in an ACK can't be taken");
                    self.clear_leg(number, Cause::BearerNotImplemented, ctx);
                } else {
                    let codec = leg.codec;
                    self.note_codec(number, codec);
                }
            }
            SipEvent::Invited { .. }
            | SipEvent::ReinviteRefused { .. }
            | SipEvent::ReinviteCancelled { .. } => {}
        }
    }

    pub(super) fn provisional(
        &mut self,
        number: LegNumber,
        status: u16,
        body: Option<&[u8]>,
        ctx: &mut Context<Self>,
    ) {
        let Some(leg) = self.legs.get_mut(&number) else {
            return;
        };
        let mut early = false;
        if let Some(body) = body {
            match leg.accept(body) {
                Ok(()) => early = leg.early_media,
                Err(error) => tracing::debug!(%error, "early media can't be taken"),
            }
        }
        if early
            && let Some(a) = self.legs.get(&LegNumber::A)
            && let Some(b) = self.legs.get(&number)
        {
            a.media.command(session::Command::StopPlay);
            a.media.bridge(&b.media);
        }
        let rings = matches!(status, 180..=183) && self.note(Fact::LegRinging(number));
        if !rings {
            return;
        }
        let id = self.leg_id(number);
        self.emit(
            "leg.ringing",
            id,
            &serde_json::json!({ "sip_status": status }),
        );
        if number == LegNumber::A {
            self.emit("call.ringing", None, &serde_json::json!({}));
            self.report(Progressed::Ringing);
            return;
        }
        // The caller hears that it rings, unless it is connected already.
        if let Some(a) = self.legs.get(&LegNumber::A)
            && !a.answered
            && !a.outgoing
            && let Some(sip) = &a.sip
        {
            sip.provisional(180, None);
            self.note(Fact::LegRinging(LegNumber::A));
        }
        self.tell(Event::Ringing { leg: number }, ctx);
    }

    pub(super) fn leg_answered(&mut self, number: LegNumber, ctx: &mut Context<Self>) {
        let Some(leg) = self.legs.get_mut(&number) else {
            return;
        };
        if std::mem::replace(&mut leg.answered, true) {
            return;
        }
        if leg.is_first_dialled() {
            leg.media.command(session::Command::ListenForTones(true));
        }
        let codec = leg.codec;
        self.note_codec(number, codec);
        self.note_answered(number);
        if number == LegNumber::A {
            self.report(Progressed::Answered);
            self.tell(Event::Started, ctx);
        } else {
            self.tell(Event::Answered { leg: number }, ctx);
        }
    }

    /// Clears one leg; its terminal event is noted now, whatever the far end does about it.
    pub(super) fn clear_leg(&mut self, number: LegNumber, cause: Cause, ctx: &mut Context<Self>) {
        if let Some(leg) = self.legs.get_mut(&number) {
            leg.clear(cause);
            self.leg_over(number, cause, None, ctx);
        }
    }

    /// A leg is gone, one way or another: everything that it held is given back.
    pub(super) fn leg_over(
        &mut self,
        number: LegNumber,
        cause: Cause,
        status: Option<u16>,
        ctx: &mut Context<Self>,
    ) {
        let Some(mut leg) = self.legs.remove(&number) else {
            return;
        };
        self.by_media.remove(&leg.media_id());
        if let Some(invite) = leg.invite() {
            self.by_invite.remove(&invite);
        }
        self.rooms.remove(&number);
        let cause = leg.clearing.unwrap_or(cause);
        leg.clear(cause);
        self.note_traffic(&leg);
        let ending = Ending {
            cause,
            sip_status: status,
        };
        self.note_ended(number, ending);
        if self.ending.is_some() {
            return;
        }
        let answered = leg.answered;
        drop(leg);
        if number == LegNumber::A && !answered && self.origin != Origin::Inbound {
            return self.not_reached(ending, ctx);
        }
        let event = if number == LegNumber::A || answered {
            Event::HungUp { leg: number, cause }
        } else {
            Event::DialFailed {
                leg: number,
                cause,
                status,
            }
        };
        self.tell(event, ctx);
        if self.legs.is_empty() && self.ending.is_none() {
            ctx.run_later(ALONE, move |call, ctx| {
                if call.legs.is_empty() {
                    call.end(
                        Ending {
                            cause,
                            sip_status: None,
                        },
                        ctx,
                    );
                }
            });
        }
    }
}
