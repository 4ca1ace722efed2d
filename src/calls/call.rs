//! The actor of one call: it notes facts, asks its driver, and carries out the effects.
//!
//! Its rules are elsewhere: what happens next in the driver (`domain::call_plan`, or the customer's
//! application behind [`Driver::Application`]), what is on record in `domain::cdr`, what is agreed
//! in `media::sdp`. `effects.rs` is the one place where a driver touches the world.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use actix::prelude::*;
use chrono::{DateTime, Utc};
use rand::SeedableRng;
use rand::rngs::StdRng;
use strowger_domain::account::{AccountPath, Permissions};
use strowger_domain::call::{Event, Facts, LegNumber, Origin, QueueEntry, RecordingNumber};
use strowger_domain::call_plan::interpreter::Interpreter;
use strowger_domain::call_plan::plan::Plan;
use strowger_domain::call_plan::variables::Globals;
use strowger_domain::cause::Cause;
use strowger_domain::cdr::{CallRecord, Ending, Fact, LegOpening, Opening, Role, Timeline};
use strowger_domain::ids::{CallId, LegId, PlanId, RecordingId};
use strowger_domain::queue::Stage;
use strowger_media::codec::Codec;
use strowger_media::session;
use strowger_sip::command::InviteId;
use strowger_sip::event::{Event as SipEvent, IncomingInvite};

use super::legs::{Leg, Target, place_of};
use super::messages::{
    CallStarted, GlobalsChanged, Look, Perform, ProgressRecipient, Registered, Stage as Progressed,
    Stop, Told,
};
use super::ticket::CallTicket;
use super::tools::Tools;
use crate::conferences::messages::{ConferenceFact, ConferenceNews, Membership};
use crate::net::media_engine::{MediaEvent, MediaFact, MediaLegId};
use crate::net::sip_endpoint::{SipFact, SipLeg};
use crate::net::{clock, names};
use crate::queues::messages::{EnterQueue, Place, QueueFact};
use crate::supervise::{Obituary, ProvokePanic};

/// A caller joins again after its queue was lost, but not for ever.
const MAX_LOSSES: u8 = 3;
/// No call lasts longer.
const MAX_DURATION: Duration = Duration::from_hours(4);
/// A driver that lets a call without parties go on is given this long.
const ALONE: Duration = Duration::from_secs(5);
/// A recording's file is complete within this time after its end.
const RECORDINGS: Duration = Duration::from_secs(3);

/// Who decides what the call does.
pub enum Driver {
    /// Its plan.
    Plan(Box<Interpreter>),
    /// The customer's application, behind an actor of `services/`.
    Application(Recipient<Told>),
    /// Nobody any more.
    None,
}

impl Driver {
    /// A plan's run. `globals`: the plan's shared variables as they are now.
    pub fn plan(plan: Arc<Plan>, facts: Facts, globals: Globals) -> Self {
        let mut interpreter = Interpreter::new(plan, facts, StdRng::from_rng(&mut rand::rng()));
        interpreter.set_globals(globals);
        Self::Plan(Box::new(interpreter))
    }
}

/// How the A-party comes into the call.
pub enum FirstLeg {
    /// It called us.
    Inbound {
        /// Its INVITE usage.
        leg: SipLeg,
        /// What it asked.
        request: Box<IncomingInvite>,
    },
    /// We dial it.
    Outbound {
        /// The number (`+44…`) or SIP URI.
        destination: String,
        /// How long it may ring.
        ring: Duration,
        /// Who is told how it goes.
        progress: Option<ProgressRecipient>,
    },
}

/// All that a call begins with.
pub struct Start {
    /// What is known of it.
    pub opening: Opening,
    /// Its account with its ancestors.
    pub path: AccountPath,
    /// What the account may do now.
    pub permissions: Permissions,
    /// The plan that it runs, for its global variables.
    pub plan: Option<PlanId>,
    /// Who decides.
    pub driver: Driver,
    /// Its A-party.
    pub first: FirstLeg,
    /// The network CLI of the calls that it makes: its service number.
    pub network: Option<String>,
    /// The presentation CLI of the calls that it makes; `None`: withheld.
    pub presentation: Option<String>,
    /// Its share of the limits, given back when it ends.
    pub ticket: CallTicket,
    /// What it needs of the house.
    pub tools: Tools,
}

pub(super) struct OngoingRecording {
    pub(super) leg: LegNumber,
    pub(super) keep: bool,
    pub(super) id: RecordingId,
    pub(super) name: String,
    pub(super) channels: u16,
}

/// A place in a queue.
pub(super) struct Waiting {
    pub(super) since: DateTime<Utc>,
    pub(super) entry: QueueEntry,
    pub(super) place: Option<Place>,
    /// How far it is, to be told to the queue's successor.
    pub(super) stage: Stage,
    /// Queues of its that were lost.
    losses: u8,
}

/// The actor.
pub struct Call {
    pub(super) tools: Tools,
    pub(super) id: CallId,
    pub(super) path: AccountPath,
    pub(super) permissions: Permissions,
    pub(super) network: Option<String>,
    pub(super) presentation: Option<String>,
    plan: Option<PlanId>,
    origin: Origin,
    pub(super) timeline: Option<Timeline>,
    driver: Driver,
    first: Option<FirstLeg>,
    progress: Option<ProgressRecipient>,
    pub(super) legs: BTreeMap<LegNumber, Leg>,
    by_invite: HashMap<InviteId, LegNumber>,
    by_media: HashMap<MediaLegId, LegNumber>,
    pub(super) rooms: BTreeMap<LegNumber, Option<Membership>>,
    pub(super) queue: Option<Waiting>,
    pub(super) recordings: BTreeMap<RecordingNumber, OngoingRecording>,
    pub(super) events: VecDeque<Event>,
    driving: bool,
    timer: Option<(Instant, SpawnHandle)>,
    ending: Option<Ending>,
    /// Why the first party was not reached: that is on record, whatever the application says.
    unreached: Option<Ending>,
    pub(super) sequence: Arc<AtomicU64>,
    ticket: Option<CallTicket>,
    registered: Option<Registered>,
    obituary: Obituary<CallId>,
}

impl Waiting {
    pub(super) fn new(since: DateTime<Utc>, entry: QueueEntry) -> Self {
        Self {
            since,
            entry,
            place: None,
            stage: Stage::Waiting,
            losses: 0,
        }
    }
}

impl Call {
    /// A call that begins when its actor starts; `sequence` counts its events.
    pub fn new(start: Start, sequence: Arc<AtomicU64>, obituary: Obituary<CallId>) -> Self {
        let progress = match &start.first {
            FirstLeg::Outbound { progress, .. } => progress.clone(),
            FirstLeg::Inbound { .. } => None,
        };
        Self {
            id: start.opening.call,
            origin: start.opening.origin,
            timeline: Some(Timeline::new(start.opening, clock::now().utc)),
            tools: start.tools,
            path: start.path,
            permissions: start.permissions,
            network: start.network,
            presentation: start.presentation,
            plan: start.plan,
            driver: start.driver,
            first: Some(start.first),
            progress,
            legs: BTreeMap::new(),
            by_invite: HashMap::new(),
            by_media: HashMap::new(),
            rooms: BTreeMap::new(),
            queue: None,
            recordings: BTreeMap::new(),
            events: VecDeque::new(),
            driving: false,
            timer: None,
            ending: None,
            unreached: None,
            sequence,
            ticket: Some(start.ticket),
            registered: None,
            obituary,
        }
    }

    fn begin_inbound(&mut self, sip: SipLeg, request: &IncomingInvite, ctx: &mut Context<Self>) {
        sip.adopt(ctx.address().recipient());
        let invite = sip.invite();
        let address = self
            .timeline
            .as_ref()
            .and_then(|line| line.snapshot().calling.clone());
        let presentation = None;
        let mut leg = match self.open_leg(LegNumber::A, Codec::ALL.to_vec(), false, ctx) {
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
        let answer = request.offer.as_ref().map(|offer| leg.answer(offer));
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
    fn refuse_offer(&mut self, status: u16, warning: Option<u16>, ctx: &mut Context<Self>) {
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

    fn begin_outbound(&mut self, destination: &str, ring: Duration, ctx: &mut Context<Self>) {
        self.emit(
            "call.dialling",
            None,
            serde_json::json!({ "to": destination }),
        );
        let (presentation, network) = (self.presentation.clone(), self.network.clone());
        let tried = self.dial(
            LegNumber::A,
            destination,
            ring,
            presentation,
            network,
            false,
            ctx,
        );
        if let Err(cause) = tried {
            self.not_reached(
                Ending {
                    cause,
                    sip_status: None,
                },
                ctx,
            );
        }
    }

    /// The first party was not reached. A plan has not begun then; an application is told, and
    /// ends the call.
    fn not_reached(&mut self, ending: Ending, ctx: &mut Context<Self>) {
        match &self.driver {
            Driver::Application(_) => {
                let Ending {
                    cause,
                    sip_status: status,
                } = ending;
                self.unreached = Some(ending);
                self.tell(
                    Event::DialFailed {
                        leg: LegNumber::A,
                        cause,
                        status,
                    },
                    ctx,
                );
            }
            Driver::Plan(_) | Driver::None => self.end(ending, ctx),
        }
    }

    /// Starts to dial a leg. An error: it could not even be tried.
    #[expect(
        clippy::too_many_arguments,
        reason = "one caller for A, one for all others"
    )]
    pub(super) fn dial(
        &mut self,
        number: LegNumber,
        destination: &str,
        ring: Duration,
        presentation: Option<String>,
        network: Option<String>,
        early_media: bool,
        ctx: &mut Context<Self>,
    ) -> Result<(), Cause> {
        let role = match number {
            LegNumber::A => Role::A,
            _ => Role::B,
        };
        self.note_leg(
            number,
            role,
            Some(destination.to_owned()),
            presentation.clone(),
        );
        let target = self.target(destination, presentation, network)?;
        let mut leg = self.open_leg(number, target.codecs(), true, ctx)?;
        leg.early_media = early_media;
        self.legs.insert(number, leg);
        let remote = target
            .host
            .parse()
            .ok()
            .map(|ip| std::net::SocketAddr::new(ip, target.port));
        if let Some(remote) = remote {
            self.invite(number, &target, remote, ctx);
        } else {
            let resolved = names::resolve(target.host.clone(), target.port);
            ctx.spawn(resolved.into_actor(self).map(move |remote, call, ctx| {
                if let Some(remote) = remote {
                    call.invite(number, &target, remote, ctx);
                } else {
                    tracing::warn!(host = target.host, "a trunk's host has no address");
                    call.leg_over(number, Cause::NoRouteToDestination, None, ctx);
                }
            }));
        }
        ctx.run_later(ring, move |call, ctx| {
            let still_rings = call.legs.get(&number).is_some_and(|leg| !leg.answered);
            if still_rings {
                call.clear_leg(number, Cause::NoAnswer, ctx);
            }
        });
        Ok(())
    }

    fn target(
        &self,
        destination: &str,
        presentation: Option<String>,
        network: Option<String>,
    ) -> Result<Target, Cause> {
        use strowger_domain::destination::Destination;
        let checked = Destination::read(destination, self.tools.country)
            .map_err(|_unreadable| Cause::InvalidNumberFormat)?;
        checked
            .check(&self.permissions)
            .map_err(|_forbidden| Cause::CallRejected)?;
        match checked {
            Destination::Sip(uri) => {
                let (host, port, transport) = place_of(&uri).ok_or(Cause::InvalidNumberFormat)?;
                let destination = uri;
                let trunk = None;
                Ok(Target {
                    destination,
                    trunk,
                    host,
                    port,
                    transport,
                    presentation,
                    network,
                })
            }
            Destination::Number(number) => {
                let path: Vec<_> = self.path.iter().collect();
                let routes = Arc::clone(&self.tools.known.borrow().routes);
                let trunk = routes
                    .find(&path, number.as_str())
                    .ok_or(Cause::NoRouteToDestination)?
                    .clone();
                let transport = if trunk.tcp {
                    strowger_sip::flow::Transport::Tcp
                } else {
                    strowger_sip::flow::Transport::Udp
                };
                Ok(Target {
                    destination: number.to_string(),
                    host: trunk.host.clone(),
                    port: trunk.port,
                    transport,
                    trunk: Some(trunk),
                    presentation,
                    network,
                })
            }
        }
    }

    fn open_leg(
        &mut self,
        number: LegNumber,
        codecs: Vec<Codec>,
        outgoing: bool,
        ctx: &mut Context<Self>,
    ) -> Result<Leg, Cause> {
        let media = self
            .tools
            .media
            .open(ctx.address().recipient())
            .map_err(|error| {
                tracing::error!(%error, call.id = %self.id, "a leg has no ports");
                Cause::NoCircuit
            })?;
        self.by_media.insert(media.id(), number);
        let advertised = std::net::SocketAddr::new(self.tools.advertise, media.address.port());
        Ok(Leg::new(number, media, advertised, codecs, outgoing))
    }

    fn invite(
        &mut self,
        number: LegNumber,
        target: &Target,
        remote: std::net::SocketAddr,
        ctx: &mut Context<Self>,
    ) {
        let Some(leg) = self.legs.get_mut(&number) else {
            return;
        };
        if leg.clearing.is_some() {
            return;
        }
        let flow = self.tools.sip.flow(target.transport, remote);
        let ours = std::net::SocketAddr::new(self.tools.advertise, self.tools.sip.local.port());
        let invite = target.invite(flow, &ours.to_string(), leg.offer());
        let sip = self.tools.sip.invite(invite, ctx.address().recipient());
        self.by_invite.insert(sip.invite(), number);
        leg.sip = Some(sip);
    }

    /// Tells the driver, and carries out what it asks, and what comes of that.
    pub(super) fn tell(&mut self, event: Event, ctx: &mut Context<Self>) {
        self.events.push_back(event);
        if std::mem::replace(&mut self.driving, true) {
            return;
        }
        while let Some(event) = self.events.pop_front() {
            let mut effects = VecDeque::new();
            match &mut self.driver {
                Driver::Plan(interpreter) => {
                    interpreter.handle(event, clock::now());
                    while let Some(effect) = interpreter.next_effect() {
                        effects.push_back(effect);
                    }
                    let values = interpreter.take_changed_globals();
                    if let (Some(plan), false) = (self.plan, values.is_empty()) {
                        self.tools.globals.do_send(GlobalsChanged { plan, values });
                    }
                }
                Driver::Application(application) => {
                    application.do_send(Told {
                        call: self.id,
                        event,
                    });
                }
                Driver::None => {}
            }
            for effect in effects {
                self.apply(effect, ctx);
            }
        }
        self.driving = false;
        self.arm(ctx);
    }

    fn arm(&mut self, ctx: &mut Context<Self>) {
        let deadline = match &self.driver {
            Driver::Plan(interpreter) => interpreter.deadline(),
            Driver::Application(_) | Driver::None => None,
        };
        match (deadline, &self.timer) {
            (Some(deadline), Some((armed, _))) if *armed == deadline => return,
            (_, Some((_, handle))) => {
                ctx.cancel_future(*handle);
                self.timer = None;
            }
            (_, None) => {}
        }
        if let Some(deadline) = deadline {
            let delay = deadline.saturating_duration_since(clock::now().instant);
            let handle = ctx.run_later(delay, |call, ctx| {
                call.timer = None;
                call.tell(Event::TimedOut, ctx);
            });
            self.timer = Some((deadline, handle));
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
        self.note(Fact::LegEnded(number, ending));
        let id = self.leg_id(number);
        let data =
            serde_json::json!({ "cause": cause, "q850": cause.q850(), "sip_status": status });
        self.emit("leg.ended", id, data);
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

    fn leg_answered(&mut self, number: LegNumber, ctx: &mut Context<Self>) {
        let Some(leg) = self.legs.get_mut(&number) else {
            return;
        };
        if std::mem::replace(&mut leg.answered, true) {
            return;
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

    fn sip(&mut self, number: LegNumber, event: SipEvent, ctx: &mut Context<Self>) {
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

    fn provisional(
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
            serde_json::json!({ "sip_status": status }),
        );
        if number == LegNumber::A {
            self.emit("call.ringing", None, serde_json::json!({}));
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

    fn media(&mut self, fact: MediaFact, ctx: &mut Context<Self>) {
        if let MediaEvent::Recorded {
            recording,
            duration,
            contains_sound,
            failure,
            ..
        } = fact.event
        {
            let number = RecordingNumber(recording);
            let recorded = self.note_recording(number, duration, contains_sound, failure);
            if let Some(event) = recorded {
                self.tell(event, ctx);
            }
            return self.finish_if_done(ctx);
        }
        let Some(leg) = self.by_media.get(&fact.leg).copied() else {
            return;
        };
        match fact.event {
            MediaEvent::Leg(session::Event::Digit(digit)) => {
                self.tell(Event::Digit { leg, digit }, ctx);
            }
            MediaEvent::Leg(session::Event::Played { play }) => {
                let play = strowger_domain::call::PlayNumber(play);
                self.tell(
                    Event::Played {
                        leg,
                        play,
                        failure: None,
                    },
                    ctx,
                );
            }
            MediaEvent::Leg(session::Event::MediaTimedOut) => {
                let id = self.leg_id(leg);
                self.emit("leg.media_lost", id, serde_json::json!({}));
            }
            MediaEvent::Leg(session::Event::MediaStarted { .. } | session::Event::PeerLeft)
            | MediaEvent::Recorded { .. } => {}
            MediaEvent::Lost => self.clear_leg(leg, Cause::TemporaryFailure, ctx),
        }
    }

    fn queue(&mut self, fact: QueueFact, ctx: &mut Context<Self>) {
        let Some(waiting) = &mut self.queue else {
            return;
        };
        let event = match fact {
            QueueFact::Waiting { place, position } => {
                waiting.place = Some(place);
                let data =
                    serde_json::json!({ "queue": waiting.entry.queue, "position": position });
                self.emit("call.queued", None, data);
                Event::Queued { position }
            }
            QueueFact::Rejoined { place } => {
                waiting.place = Some(place);
                return;
            }
            QueueFact::Position(position) => Event::QueuePosition { position },
            QueueFact::Refused => {
                self.queue = None;
                Event::QueueRefused
            }
            QueueFact::Offered { destination } => {
                waiting.stage = Stage::Offered {
                    destination: destination.clone(),
                };
                Event::QueueOffered { destination }
            }
            // The queue is made again and gets its order back from its members' `since`.
            QueueFact::Lost if waiting.losses < MAX_LOSSES => {
                waiting.losses += 1;
                waiting.place = None;
                let again = EnterQueue {
                    account: self.path.account(),
                    call: self.id,
                    since: waiting.since,
                    rejoins: Some(waiting.stage.clone()),
                    entry: waiting.entry.clone(),
                    reply_to: ctx.address().recipient(),
                };
                self.tools.queues.do_send(again);
                return;
            }
            QueueFact::Lost => {
                self.queue = None;
                Event::QueueLost
            }
        };
        self.tell(event, ctx);
    }

    fn conference(&mut self, fact: ConferenceFact, ctx: &mut Context<Self>) {
        let leg = fact.leg;
        if !self.rooms.contains_key(&leg) {
            return;
        }
        let event = match fact.news {
            ConferenceNews::Joined {
                membership,
                room,
                talker,
                members,
            } => {
                self.rooms.insert(leg, Some(membership));
                if let Some(leg) = self.legs.get(&leg) {
                    leg.media.join(room, talker);
                }
                Event::ConferenceJoined { leg, members }
            }
            ConferenceNews::Refused => {
                self.rooms.remove(&leg);
                Event::ConferenceRefused { leg }
            }
            ConferenceNews::Over => {
                self.rooms.remove(&leg);
                if let Some(leg) = self.legs.get(&leg) {
                    leg.media.leave();
                }
                Event::ConferenceLeft { leg }
            }
        };
        self.tell(event, ctx);
    }

    pub(super) fn report(&self, stage: Progressed) {
        if let Some(progress) = &self.progress {
            progress.do_send(super::messages::Progress {
                call: self.id,
                at: clock::now().utc,
                stage,
            });
        }
    }

    /// Ends the call: every leg is cleared now; the record is written as soon as its recordings
    /// are complete.
    pub(super) fn end(&mut self, ending: Ending, ctx: &mut Context<Self>) {
        if self.ending.is_some() {
            return;
        }
        let ending = self.unreached.unwrap_or(ending);
        self.ending = Some(ending);
        self.queue = None;
        self.rooms.clear();
        for number in self.legs.keys().copied().collect::<Vec<_>>() {
            if let Some(leg) = self.legs.get_mut(&number) {
                leg.clear(ending.cause);
            }
            let status = ending.sip_status.filter(|_| number == LegNumber::A);
            self.leg_over(number, ending.cause, status, ctx);
        }
        if !self.recordings.is_empty() {
            ctx.run_later(RECORDINGS, |call, ctx| {
                for number in call.recordings.keys().copied().collect::<Vec<_>>() {
                    let late = Some("its file was not complete in time".to_owned());
                    call.note_recording(number, Duration::ZERO, false, late);
                }
                call.finish_if_done(ctx);
            });
        }
        self.finish_if_done(ctx);
    }

    fn finish_if_done(&mut self, ctx: &mut Context<Self>) {
        let Some(ending) = self.ending else { return };
        if !self.recordings.is_empty() {
            return;
        }
        let Some(timeline) = self.timeline.take() else {
            return;
        };
        let record = timeline.close(ending, clock::now().utc);
        let stage = Progressed::Ended {
            answered: record.answered_at.is_some(),
            cause: ending.cause,
            sip_status: record.sip_status,
        };
        self.write_record(record);
        self.report(stage);
        self.driver = Driver::None;
        self.ticket = None;
        self.registered = None;
        self.obituary.finish();
        ctx.stop();
    }

    fn note_leg(
        &mut self,
        leg: LegNumber,
        role: Role,
        address: Option<String>,
        presentation: Option<String>,
    ) {
        let id = LegId::from_uuid(uuid::Uuid::now_v7());
        let outgoing = !(leg == LegNumber::A && self.origin == Origin::Inbound);
        let data = serde_json::json!({ "address": address, "number": leg.0 });
        self.note(Fact::LegStarted(LegOpening {
            leg,
            id,
            role,
            address,
            presentation,
        }));
        if outgoing {
            self.emit("leg.dialling", Some(id), data);
        }
    }
}

impl Actor for Call {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(1024);
        let address = ctx.address();
        let (call, account) = (self.id, self.path.account());
        self.tools.started.do_send(CallStarted {
            call,
            account,
            address,
        });
        self.registered = Some(Registered::new(call, self.tools.gone.clone()));
        self.write_start();
        ctx.run_later(MAX_DURATION, |call, ctx| {
            call.tell(
                Event::Stop {
                    cause: Cause::RecoveryOnTimer,
                },
                ctx,
            );
        });
        match self.first.take() {
            Some(FirstLeg::Inbound { leg, request }) => self.begin_inbound(leg, &request, ctx),
            Some(FirstLeg::Outbound {
                destination, ring, ..
            }) => {
                self.begin_outbound(&destination, ring, ctx);
            }
            None => {}
        }
    }
}

impl Handler<SipFact> for Call {
    type Result = ();

    fn handle(&mut self, fact: SipFact, ctx: &mut Self::Context) {
        if let Some(number) = self.by_invite.get(&fact.invite).copied() {
            self.sip(number, fact.event, ctx);
        }
    }
}

impl Handler<MediaFact> for Call {
    type Result = ();

    fn handle(&mut self, fact: MediaFact, ctx: &mut Self::Context) {
        self.media(fact, ctx);
    }
}

impl Handler<QueueFact> for Call {
    type Result = ();

    fn handle(&mut self, fact: QueueFact, ctx: &mut Self::Context) {
        self.queue(fact, ctx);
    }
}

impl Handler<ConferenceFact> for Call {
    type Result = ();

    fn handle(&mut self, fact: ConferenceFact, ctx: &mut Self::Context) {
        self.conference(fact, ctx);
    }
}

impl Handler<Perform> for Call {
    type Result = ();

    fn handle(&mut self, Perform(effect): Perform, ctx: &mut Self::Context) {
        if self.ending.is_none() {
            self.apply(effect, ctx);
            // What comes of it at once is told like any other event.
            if let Some(event) = self.events.pop_front() {
                self.tell(event, ctx);
            }
        }
    }
}

impl Handler<Stop> for Call {
    type Result = ();

    fn handle(&mut self, Stop(cause): Stop, ctx: &mut Self::Context) {
        if self
            .legs
            .get(&LegNumber::A)
            .is_some_and(|leg| leg.outgoing && !leg.answered)
        {
            // No driver has begun yet.
            return self.end(
                Ending {
                    cause,
                    sip_status: None,
                },
                ctx,
            );
        }
        self.tell(Event::Stop { cause }, ctx);
    }
}

impl Handler<Look> for Call {
    type Result = MessageResult<Look>;

    fn handle(&mut self, _: Look, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.look())
    }
}

impl Handler<ProvokePanic> for Call {
    type Result = ();

    #[expect(clippy::panic, reason = "that is what the message asks for")]
    fn handle(&mut self, _: ProvokePanic, _: &mut Self::Context) {
        panic!("provoked");
    }
}

impl Call {
    /// The call as it stands, with its packet counts of now.
    fn look(&mut self) -> Option<CallRecord> {
        let counts: Vec<_> = self
            .legs
            .values()
            .map(|leg| Fact::LegTraffic {
                leg: leg.number,
                sent: leg.media.counters.sent(),
                received: leg.media.counters.received(),
            })
            .collect();
        for fact in counts {
            self.note(fact);
        }
        self.timeline
            .as_ref()
            .map(|timeline| timeline.snapshot().clone())
    }
}
