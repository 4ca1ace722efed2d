//! The machine that runs a plan for one call.

use super::nodes::{Next, State};
use super::plan::{Node, Plan};
use super::run::Run;
use super::variables::Globals;
use crate::call::{Effect, Event, Facts, LegNumber, Now, Sound, Tone};
use crate::cause::Cause;
use rand::RngExt;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// More nodes than this in [`STEP_WINDOW`] are no telephony but a circle: each of them would have
/// to be heard by a person.
const MOST_STEPS: u32 = 100;

/// The time over which steps are counted.
const STEP_WINDOW: Duration = Duration::from_secs(1);

/// How long a caller hears the tone of a default end before the call is cleared.
const END_TONE: Duration = Duration::from_secs(5);

/// Runs a plan for one call: one event in, drain the effects, then the next event.
///
/// It is told of everything from [`Event::Started`] on. When the A-party hangs up, or on
/// [`Event::Stop`], it ends at once. It gives exactly one [`Effect::End`] and nothing after it. End
/// clears every leg and ends every recording, play, queue place and conference membership that is
/// still there; they need no effect of their own.
#[derive(Debug)]
pub struct Interpreter {
    plan: Arc<Plan>,
    run: Run,
    place: Place,
    window: Option<Instant>,
    steps: u32,
}

/// Where the call is.
#[derive(Debug)]
enum Place {
    /// Not started.
    Before,
    /// In a node: its index in the document.
    In { node: usize, state: State },
    /// Hearing the tone of a default end.
    Ending { cause: Cause },
    /// Ended.
    Over,
}

impl Interpreter {
    /// A run of `plan` for the call that `facts` describe. The random numbers give the call its
    /// `@random`.
    pub fn new(plan: Arc<Plan>, facts: Facts, mut rng: StdRng) -> Self {
        let random = rng.random_range(0..100);
        Self {
            run: Run::new(Arc::clone(&plan), facts, random),
            plan,
            place: Place::Before,
            window: None,
            steps: 0,
        }
    }

    /// Takes the shared values of the plan's `global` variables as they are now. Call it before the
    /// first event, and before any later one when they may have changed.
    pub fn set_globals(&mut self, globals: Globals) {
        self.run.variables.set_globals(globals);
    }

    /// The `global` variables that this call has assigned since the last time, in order.
    pub fn take_changed_globals(&mut self) -> Vec<(String, String)> {
        self.run.variables.take_changed()
    }

    /// Every declared variable with its value now.
    pub fn variables(&self) -> BTreeMap<String, String> {
        self.run.variables.all()
    }

    /// The id of the node in which the call is.
    pub fn node(&self) -> Option<&str> {
        match &self.place {
            Place::In { node, .. } => self.plan.nodes.get(*node).map(|node| node.id.as_str()),
            Place::Before | Place::Ending { .. } | Place::Over => None,
        }
    }

    /// Whether the call has ended: no effect comes after those that wait.
    pub fn is_over(&self) -> bool {
        matches!(self.place, Place::Over)
    }

    /// The next thing to do.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.run.effects.pop_front()
    }

    /// When to send [`Event::TimedOut`].
    pub fn deadline(&self) -> Option<Instant> {
        self.run.deadline
    }

    /// Takes one event. Events that come too late for their node, and timeouts that come before
    /// the deadline, change nothing.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an input is handed over, as to every machine"
    )]
    pub fn handle(&mut self, event: Event, now: Now) {
        self.run.set_now(now);
        if matches!(self.place, Place::Over) {
            return;
        }
        match &event {
            Event::Stop { cause } => return self.end(*cause),
            Event::HungUp { leg, cause } if *leg == LegNumber::A => return self.end(*cause),
            Event::TimedOut => {
                if self
                    .run
                    .deadline
                    .is_none_or(|deadline| now.instant < deadline)
                {
                    return;
                }
                self.run.deadline = None;
            }
            Event::Started
            | Event::Digit { .. }
            | Event::Played { .. }
            | Event::Ringing { .. }
            | Event::Answered { .. }
            | Event::DialFailed { .. }
            | Event::HungUp { .. }
            | Event::Recorded { .. }
            | Event::ConferenceJoined { .. }
            | Event::ConferenceRefused { .. }
            | Event::ConferenceLeft { .. }
            | Event::Queued { .. }
            | Event::QueuePosition { .. }
            | Event::QueueRefused
            | Event::QueueOffered { .. }
            | Event::QueueLost => {}
        }
        match std::mem::replace(&mut self.place, Place::Over) {
            Place::Before => self.begin(&event),
            Place::In { node, state } => self.ask(node, state, &event),
            Place::Ending { cause } => {
                if event == Event::TimedOut {
                    self.end(cause);
                } else {
                    self.place = Place::Ending { cause };
                }
            }
            Place::Over => {}
        }
    }

    fn begin(&mut self, event: &Event) {
        if *event != Event::Started {
            self.place = Place::Before;
            return;
        }
        let start = self.plan.start().and_then(|start| self.index(&start.id));
        match start {
            Some(start) => self.enter(start, String::new()),
            None => self.end(Cause::TemporaryFailure),
        }
    }

    fn ask(&mut self, node: usize, state: State, event: &Event) {
        let plan = Arc::clone(&self.plan);
        let Some(here) = plan.nodes.get(node) else {
            return self.end(Cause::TemporaryFailure);
        };
        let Some(node_type) = here.kind.node_type() else {
            return self.end(Cause::TemporaryFailure);
        };
        match node_type.on_event(here, state, event, &mut self.run) {
            Next::Wait(state) => self.place = Place::In { node, state },
            Next::Leave(branch) => self.leave(here, branch),
            Next::End(cause) => self.end(cause),
        }
    }

    /// Enters nodes until one waits for an event or the call ends.
    fn enter(&mut self, first: usize, branch: String) {
        let plan = Arc::clone(&self.plan);
        let mut target = Some((first, branch));
        while let Some((node, branch)) = target.take() {
            let Some(here) = plan.nodes.get(node) else {
                return self.end(Cause::TemporaryFailure);
            };
            if !self.may_step() {
                return self.end(Cause::TemporaryFailure);
            }
            self.run.deadline = None;
            self.run.push(Effect::Step {
                node: here.id.clone(),
                kind: here.kind.name().to_owned(),
                branch,
            });
            if !self.run.may_use(here.kind.name()) {
                return self.end(Cause::FacilityRejected);
            }
            let Some(node_type) = here.kind.node_type() else {
                return self.end(Cause::TemporaryFailure);
            };
            match node_type.enter(here, &mut self.run) {
                Next::Wait(state) => self.place = Place::In { node, state },
                Next::End(cause) => self.end(cause),
                Next::Leave(branch) => match self.target(here, &branch) {
                    Some(next) => target = Some((next, branch)),
                    None => self.end_by_default(here, &branch),
                },
            }
        }
    }

    fn leave(&mut self, here: &Node, branch: String) {
        self.run.deadline = None;
        match self.target(here, &branch) {
            Some(next) => self.enter(next, branch),
            None => self.end_by_default(here, &branch),
        }
    }

    fn target(&self, here: &Node, branch: &str) -> Option<usize> {
        here.branches.get(branch).and_then(|id| self.index(id))
    }

    fn index(&self, id: &str) -> Option<usize> {
        self.plan.nodes.iter().position(|node| node.id == id)
    }

    /// Counts a step; `false` when the call goes in a circle.
    fn may_step(&mut self) -> bool {
        let now = self.run.now_instant();
        let within = match (self.window, now) {
            (Some(begin), Some(now)) => now.saturating_duration_since(begin) < STEP_WINDOW,
            (None, _) | (_, None) => false,
        };
        if within {
            self.steps += 1;
        } else {
            self.window = now;
            self.steps = 1;
        }
        self.steps <= MOST_STEPS
    }

    /// Ends the call where a branch is not connected: with a tone, when the caller can hear one.
    fn end_by_default(&mut self, here: &Node, branch: &str) {
        let (cause, tone) = here
            .kind
            .node_type()
            .map_or((Cause::TemporaryFailure, None), |node_type| {
                node_type.default_end(branch, &self.run)
            });
        match tone {
            Some(tone) if self.run.is_answered() => {
                self.run.play(vec![Sound::Tone(tone)], true);
                self.run.time_out_after(END_TONE);
                self.place = Place::Ending { cause };
            }
            Some(_) | None => self.end(cause),
        }
    }

    fn end(&mut self, cause: Cause) {
        self.run.deadline = None;
        self.run.push(Effect::End { cause });
        self.place = Place::Over;
    }
}

/// How a call ends where a branch is not connected.
pub(crate) type DefaultEnd = (Cause, Option<Tone>);
