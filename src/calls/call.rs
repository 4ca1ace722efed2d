//! The actor of one call: it notes facts, asks its driver, and carries out the effects.
//!
//! Its rules are elsewhere: what happens next in the driver (`domain::call_plan`, or the customer's
//! application behind [`Driver::Application`]), what is on record in `domain::cdr`, what is agreed
//! in `media::sdp`. `effects.rs` is the one place where a driver touches the world.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use strowger_domain::account::AccountPath;
use strowger_domain::call::{Event, LegNumber, Origin, RecordingNumber};
use strowger_domain::cause::Cause;
use strowger_domain::cdr::{CallRecord, Ending, Timeline};
use strowger_domain::ids::{CallId, PlanId, RecordingId};
use strowger_media::session;
use strowger_sip::command::InviteId;

use super::legs::Leg;
use super::messages::{
    CallStarted, GlobalsChanged, Look, Pause, Perform, ProgressRecipient, Registered,
    Stage as Progressed, Stop, Told,
};
use super::places::Waiting;
use super::start::{Driver, FirstLeg, Start};
use super::ticket::CallTicket;
use super::tools::Tools;
use crate::conferences::messages::{ConferenceFact, Membership};
use crate::net::clock::{self, SteadyClock};
use crate::net::media_engine::{MediaEvent, MediaFact, MediaLegId};
use crate::net::sip_endpoint::SipFact;
use crate::queues::messages::QueueFact;
use crate::supervise::{Obituary, ProvokePanic};
use crate::telemetry;

/// A recording's file is complete within this time after its end.
const RECORDINGS: Duration = Duration::from_secs(3);

pub(super) struct OngoingRecording {
    pub(super) leg: LegNumber,
    pub(super) keep: bool,
    /// It ends when it is so long: then the storage is full.
    pub(super) room: Option<Duration>,
    /// One, or one for each party.
    pub(super) files: Vec<(RecordingId, String)>,
    pub(super) channels: u16,
}

/// The actor.
pub struct Call {
    pub(super) tools: Arc<Tools>,
    pub(super) id: CallId,
    pub(super) path: AccountPath,
    pub(super) network: Option<String>,
    pub(super) presentation: Option<String>,
    pub(super) plan: Option<PlanId>,
    pub(super) origin: Origin,
    /// What dates its facts.
    pub(super) clock: SteadyClock,
    pub(super) timeline: Option<Timeline>,
    pub(super) driver: Driver,
    pub(super) first: Option<FirstLeg>,
    pub(super) progress: Option<ProgressRecipient>,
    pub(super) legs: BTreeMap<LegNumber, Leg>,
    pub(super) by_invite: HashMap<InviteId, LegNumber>,
    pub(super) by_media: HashMap<MediaLegId, LegNumber>,
    pub(super) rooms: BTreeMap<LegNumber, Option<Membership>>,
    pub(super) queue: Option<Waiting>,
    pub(super) recordings: BTreeMap<RecordingNumber, OngoingRecording>,
    pub(super) events: VecDeque<Event>,
    pub(super) driving: bool,
    pub(super) timer: Option<(Instant, SpawnHandle)>,
    pub(super) ending: Option<Ending>,
    /// Why the first party was not reached: that is on record, whatever the application says.
    pub(super) unreached: Option<Ending>,
    /// Of its last event.
    pub(super) sequence: u64,
    pub(super) ticket: Option<CallTicket>,
    max_duration: Duration,
    pub(super) registered: Option<Registered>,
    pub(super) obituary: Option<Obituary<CallId>>,
}

impl Call {
    /// A call that begins when its actor starts.
    pub fn new(start: Start, obituary: Option<Obituary<CallId>>) -> Self {
        let progress = match &start.first {
            FirstLeg::Outbound { progress, .. } => progress.clone(),
            FirstLeg::Inbound { .. } => None,
        };
        if let Some(unless_begun) = start.unless_begun {
            unless_begun.has_begun();
        }
        let clock = SteadyClock::start();
        Self {
            clock,
            id: start.opening.call,
            origin: start.opening.origin,
            timeline: Some(Timeline::new(start.opening, clock.now().utc)),
            tools: start.tools,
            path: start.path,
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
            sequence: 0,
            ticket: Some(start.ticket),
            max_duration: start.max_duration,
            registered: None,
            obituary,
        }
    }

    /// Tells the driver, and carries out what it asks, and what comes of that. A call that ends
    /// tells nothing more: it may wait for its recordings, but nobody acts on it any longer.
    pub(super) fn tell(&mut self, event: Event, ctx: &mut Context<Self>) {
        self.events.push_back(event);
        self.drive(ctx);
    }

    /// Tells the driver what waits to be told.
    fn drive(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.driving, true) {
            return;
        }
        while let Some(event) = self.events.pop_front() {
            if self.ending.is_some() {
                continue;
            }
            let mut effects = VecDeque::new();
            match &mut self.driver {
                Driver::Plan(interpreter) => {
                    interpreter.handle(event, self.clock.now());
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
                if self.ending.is_none() {
                    self.apply(effect, ctx);
                }
            }
        }
        self.driving = false;
        self.arm(ctx);
    }

    pub(super) fn arm(&mut self, ctx: &mut Context<Self>) {
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
            MediaEvent::Leg(session::Event::Tone(heard)) => {
                let id = self.leg_id(leg);
                self.emit("leg.tone", id, &serde_json::json!({ "tone": heard.name() }));
            }
            MediaEvent::Leg(session::Event::MediaTimedOut) => {
                let id = self.leg_id(leg);
                self.emit("leg.media_lost", id, &serde_json::json!({}));
            }
            MediaEvent::Leg(session::Event::MediaStarted { .. } | session::Event::PeerLeft)
            | MediaEvent::Recorded { .. } => {}
            MediaEvent::Lost => self.clear_leg(leg, Cause::TemporaryFailure, ctx),
        }
    }

    /// Ends a call in which nothing is heard of any party for that long: they are gone without a BYE.
    /// Parties on hold, in a conference or in a queue may be silent, and some phones send nothing
    /// then. Looks twice in that time; `quiet`: the times without sound so far.
    fn watch_media(&self, lost: Duration, quiet: u8, ctx: &mut Context<Self>) {
        let before = self.packets_received();
        ctx.run_later(lost / 2, move |call, ctx| {
            let mut answered = call.legs.values().filter(|leg| leg.answered).peekable();
            let has_begun = answered.peek().is_some();
            let listens = !call.rooms.is_empty() || call.queue.is_some();
            let may_be_silent = listens || answered.any(|leg| leg.held);
            let is_quiet = has_begun && !may_be_silent && call.packets_received() == before;
            if is_quiet && quiet > 0 {
                tracing::info!(call.id = %call.id, "a call of which nothing is heard is ended");
                let cause = Cause::RecoveryOnTimer;
                return call.tell(Event::Stop { cause }, ctx);
            }
            call.watch_media(lost, u8::from(is_quiet), ctx);
        });
    }

    /// RTP packets of all its legs.
    fn packets_received(&self) -> u64 {
        let legs = self.legs.values();
        let counts = legs.map(|leg| leg.media.counters.statistics(leg.codec));
        counts.map(|count| count.packets_received).sum()
    }

    pub(super) fn report(&self, stage: Progressed) {
        if let Some(progress) = &self.progress {
            progress.do_send(super::messages::Progress {
                call: self.id,
                at: self.clock.now().utc,
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
        self.leave_queue();
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

    pub(super) fn finish_if_done(&mut self, ctx: &mut Context<Self>) {
        let Some(ending) = self.ending else { return };
        if !self.recordings.is_empty() {
            return;
        }
        let Some(timeline) = self.timeline.take() else {
            return;
        };
        let record = timeline.close(ending, self.clock.now().utc);
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
        if let Some(obituary) = &mut self.obituary {
            obituary.finish();
        }
        ctx.stop();
    }
}

impl Drop for Call {
    /// A call whose actor dies leaves its one record all the same; its legs, ports and its channel go
    /// with it.
    fn drop(&mut self) {
        let Some(timeline) = self.timeline.take() else {
            return;
        };
        telemetry::actor_failed("call");
        self.write_cut(timeline.snapshot().clone());
        self.report(Progressed::Cut);
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
        ctx.run_later(self.max_duration, |call, ctx| {
            let cause = Cause::RecoveryOnTimer;
            call.tell(Event::Stop { cause }, ctx);
        });
        if let Some(lost) = self.tools.lost_media {
            self.watch_media(lost, 0, ctx);
        }
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
            self.drive(ctx);
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

impl Handler<Pause> for Call {
    type Result = bool;

    fn handle(&mut self, Pause(gap): Pause, _: &mut Self::Context) -> bool {
        self.pause(gap)
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
        let counts: Vec<_> = self.legs.values().map(Leg::traffic).collect();
        for fact in counts {
            self.note(fact);
        }
        self.timeline
            .as_ref()
            .map(|timeline| timeline.snapshot().clone())
    }
}
