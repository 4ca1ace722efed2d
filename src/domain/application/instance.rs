//! One run of an application for one call.

use super::action::{Action, Token, read_reply};
use super::actions::{Desk, Outcome, Running};
use super::page::{
    ActionResult, CallCause, CallInfo, ErrorResult, InstanceInfo, Page, PageKind, PageNumber,
    PageReply, PageRequest, direction, seconds,
};
use crate::call::{self, Event, LegNumber, Now, Origin};
use crate::cause::Cause;
use crate::ids::{CallId, InstanceId};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The longest wait for a page. The shell's client should give up before.
const PAGE_TIMEOUT: Duration = Duration::from_secs(30);
/// The most faults of a reply that the error page is told.
const MOST_FAULTS: usize = 20;

/// What an instance is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The instance.
    pub instance: InstanceId,
    /// Its call.
    pub call: CallId,
    /// How the call comes to be.
    pub origin: Origin,
    /// The number or address that calls.
    pub call_from: String,
    /// The number or address that is called.
    pub call_to: String,
    /// Requested when the call is there.
    pub first_page: Page,
    /// Requested when it is over.
    pub final_page: Option<Page>,
    /// Requested, once, when something fails.
    pub error_page: Option<Page>,
    /// The service's string for its application.
    pub application_parameters: String,
    /// The starter's string for its application.
    pub outbound_parameters: Option<String>,
    /// The first token.
    pub token: Option<String>,
    /// The default voice; empty: the platform's.
    pub voice: String,
    /// The name of the instance's log.
    pub log_filename: String,
}

/// What an instance is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A fact of its call. A dialled A-party that did not answer is told as `DialFailed` of leg A,
    /// in place of `Started`.
    Call(Event),
    /// A page answered, or why it did not.
    Page {
        /// The request.
        page: PageNumber,
        /// The answer.
        reply: Result<PageReply, String>,
    },
}

/// What an instance asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Something of its call. `End` comes exactly once.
    Call(call::Effect),
    /// A page.
    RequestPage(PageRequest),
    /// It is over; nothing follows. Exactly once.
    Done(Summary),
}

/// How an instance went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Why its call was over.
    pub call_cause: CallCause,
    /// The SIP status behind it, as text.
    pub call_raw_cause: String,
    /// How many pages were requested.
    pub pages: u32,
    /// What failed first.
    pub error: Option<String>,
}

#[derive(Clone, Debug)]
enum Phase {
    /// The call is not there yet.
    Dialling,
    /// A page is awaited; digits are kept.
    Awaiting {
        number: PageNumber,
        page: Page,
        deadline: Instant,
    },
    /// An action runs.
    Acting(Running),
    /// The call is over; the final page is awaited.
    Ending {
        number: PageNumber,
        deadline: Instant,
    },
    /// All is over.
    Done,
}

/// The machine that runs a customer's application. One input, then drain [`Instance::next_effect`];
/// send `Event::TimedOut` at [`Instance::deadline`].
#[derive(Clone, Debug)]
pub struct Instance {
    settings: Settings,
    phase: Phase,
    desk: Desk,
    actions: VecDeque<Action>,
    token: Option<String>,
    started: Option<Instant>,
    pages: u32,
    steps: u32,
    is_answered: bool,
    error: Option<String>,
    error_page_used: bool,
    /// A failure that the error page has not answered with actions.
    is_failed: bool,
    /// Why the call is over, and the SIP status behind it.
    ended: Option<(CallCause, String)>,
}

impl Instance {
    /// A new instance whose call is being dialled, or has arrived.
    pub fn new(settings: Settings, now: Now) -> Self {
        Self {
            phase: Phase::Dialling,
            desk: Desk::new(settings.voice.clone(), now.instant),
            actions: VecDeque::new(),
            token: settings.token.clone(),
            started: None,
            pages: 0,
            steps: 0,
            is_answered: settings.origin != Origin::Inbound,
            error: None,
            error_page_used: false,
            is_failed: false,
            ended: None,
            settings,
        }
    }

    /// Takes an input.
    pub fn handle(&mut self, input: Input, now: Now) {
        self.desk.now = now.instant;
        match input {
            Input::Call(event) => self.on_event(&event),
            Input::Page { page, reply } => self.on_page(page, reply),
        }
    }

    /// The next thing to do.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.desk.effects.pop_front()
    }

    /// When `Event::TimedOut` is due.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Dialling | Phase::Done => None,
            Phase::Awaiting { deadline, .. } | Phase::Ending { deadline, .. } => Some(*deadline),
            Phase::Acting(running) => running.deadline(),
        }
    }

    /// Whether it is over.
    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    fn on_event(&mut self, event: &Event) {
        let over = matches!(self.phase, Phase::Ending { .. } | Phase::Done);
        match event {
            Event::TimedOut => self.on_deadline(),
            _ if over => {}
            Event::Started => {
                if matches!(self.phase, Phase::Dialling) {
                    self.started = Some(self.desk.now);
                    let page = self.settings.first_page.clone();
                    self.request(PageKind::First, page, None, None);
                }
            }
            Event::DialFailed {
                leg: LegNumber::A,
                cause,
                status,
            } => {
                self.end_unanswered(*cause, *status);
            }
            Event::HungUp {
                leg: LegNumber::A,
                cause,
            } => {
                if self.started.is_some() {
                    self.end(*cause, CallCause::HungUp, None);
                } else {
                    self.end_unanswered(*cause, None);
                }
            }
            Event::Stop { cause } if self.started.is_none() => self.end_unanswered(*cause, None),
            Event::Stop { cause } => {
                let call_cause = if *cause == Cause::NormalClearing {
                    CallCause::Completed
                } else {
                    CallCause::Failed
                };
                self.end(*cause, call_cause, None);
            }
            _ => self.on_action_event(event),
        }
    }

    fn on_action_event(&mut self, event: &Event) {
        match &mut self.phase {
            Phase::Acting(running) => {
                let action = running.name();
                if let Some(outcome) = running.handle(event, &mut self.desk)
                    && self.settle(outcome, action)
                {
                    self.run();
                }
            }
            Phase::Awaiting { .. } => {
                if let Event::Digit {
                    leg: LegNumber::A,
                    digit,
                } = event
                {
                    self.desk.typed.push(*digit);
                }
            }
            Phase::Dialling | Phase::Ending { .. } | Phase::Done => {}
        }
    }

    fn on_deadline(&mut self) {
        if self
            .deadline()
            .is_none_or(|deadline| self.desk.now < deadline)
        {
            return;
        }
        match &self.phase {
            Phase::Awaiting { number, .. } | Phase::Ending { number, .. } => {
                self.on_page(*number, Err("the page did not answer in time".to_owned()));
            }
            Phase::Acting(_) => self.on_action_event(&Event::TimedOut),
            Phase::Dialling | Phase::Done => {}
        }
    }

    fn on_page(&mut self, answered: PageNumber, reply: Result<PageReply, String>) {
        let page = match &self.phase {
            Phase::Awaiting { number, page, .. } if *number == answered => page.clone(),
            Phase::Ending { number, .. } if *number == answered => {
                self.finish();
                return;
            }
            Phase::Awaiting { .. }
            | Phase::Ending { .. }
            | Phase::Dialling
            | Phase::Acting(_)
            | Phase::Done => return,
        };
        let reply = reply.and_then(|reply| {
            if reply.status != 200 {
                return Err(format!("the page answered with status {}", reply.status));
            }
            read_reply(&reply.body, page.url()).map_err(|faults| {
                let faults: Vec<_> = faults
                    .iter()
                    .take(MOST_FAULTS)
                    .map(|fault| format!("{}: {} ({})", fault.pointer, fault.detail, fault.code))
                    .collect();
                format!("the page's reply cannot be used: {}", faults.join("; "))
            })
        });
        match reply {
            Ok(reply) => {
                match reply.token {
                    Token::Kept => {}
                    Token::Cleared => self.token = None,
                    Token::Set(token) => self.token = Some(token),
                }
                if !reply.actions.is_empty() {
                    self.is_failed = false;
                }
                self.actions = reply.actions.into();
                self.answer();
                self.run();
            }
            Err(text) => self.fail(None, text),
        }
    }

    /// An inbound call is answered when its first actions are there.
    fn answer(&mut self) {
        if !self.is_answered {
            self.is_answered = true;
            self.desk.call(call::Effect::Answer);
        }
    }

    /// Runs the actions of the list until one has to wait.
    fn run(&mut self) {
        loop {
            let Some(action) = self.actions.pop_front() else {
                let cause = if self.is_failed {
                    CallCause::Failed
                } else {
                    CallCause::Completed
                };
                self.end(Cause::NormalClearing, cause, None);
                return;
            };
            let name = action.name();
            self.desk.call(call::Effect::Step {
                node: self.steps.to_string(),
                kind: name.to_owned(),
                branch: String::new(),
            });
            self.steps = self.steps.saturating_add(1);
            if !matches!(action, Action::GetNumber(_)) {
                self.desk.typed.clear();
            }
            let started = match action {
                Action::Play(play) => Ok(play.start(&mut self.desk)),
                Action::GetNumber(question) => question.start(&mut self.desk),
                Action::Record(record) => Ok(record.start(&mut self.desk)),
                Action::Connect(connect) => Ok(connect.start(&mut self.desk)),
                Action::HangUp => {
                    self.end(Cause::NormalClearing, CallCause::Completed, None);
                    return;
                }
            };
            match started {
                Ok(running) => {
                    self.phase = Phase::Acting(running);
                    return;
                }
                Err(outcome) => {
                    if !self.settle(outcome, name) {
                        return;
                    }
                }
            }
        }
    }

    /// Carries out how an action ended. Answers whether the next action runs.
    fn settle(&mut self, outcome: Outcome, action: &'static str) -> bool {
        match outcome {
            Outcome::Next => true,
            Outcome::Page { page, result } => {
                let result = ActionResult {
                    action,
                    result,
                    interrupted: false,
                };
                self.request(PageKind::Next, *page, Some(result), None);
                false
            }
            Outcome::Failed(text) => {
                self.fail(Some(action), text);
                false
            }
        }
    }

    /// Something failed: the error page, once; then the call ends.
    fn fail(&mut self, action: Option<&'static str>, text: String) {
        self.is_failed = true;
        self.actions.clear();
        self.error.get_or_insert_with(|| text.clone());
        match self
            .settings
            .error_page
            .clone()
            .filter(|_| !self.error_page_used)
        {
            Some(page) => {
                self.error_page_used = true;
                let result = ErrorResult {
                    action,
                    result: text,
                };
                self.request(PageKind::Error, page, None, Some(result));
            }
            None => self.end(Cause::NormalClearing, CallCause::Failed, None),
        }
    }

    fn end_unanswered(&mut self, cause: Cause, status: Option<u16>) {
        let status = status.unwrap_or_else(|| cause.sip_status());
        self.end(cause, CallCause::of_refusal(cause), Some(status));
    }

    /// Ends the call and asks for the final page.
    fn end(&mut self, cause: Cause, call_cause: CallCause, status: Option<u16>) {
        self.actions.clear();
        self.desk.call(call::Effect::End { cause });
        let raw = match status {
            Some(status) => status.to_string(),
            // A call that was connected ends by BYE, which has no other status than its success.
            None => "200".to_owned(),
        };
        self.ended = Some((call_cause, raw));
        match self.settings.final_page.clone() {
            Some(page) => self.request(PageKind::Final, page, None, None),
            None => self.finish(),
        }
    }

    fn finish(&mut self) {
        self.phase = Phase::Done;
        let (call_cause, call_raw_cause) = self
            .ended
            .clone()
            .unwrap_or((CallCause::Failed, String::new()));
        self.desk.effects.push_back(Effect::Done(Summary {
            call_cause,
            call_raw_cause,
            pages: self.pages,
            error: self.error.clone(),
        }));
    }

    fn request(
        &mut self,
        kind: PageKind,
        page: Page,
        action_result: Option<ActionResult>,
        error_result: Option<ErrorResult>,
    ) {
        self.pages = self.pages.saturating_add(1);
        let number = PageNumber(self.pages);
        let duration = self.started.map_or(Duration::ZERO, |started| {
            self.desk.now.saturating_duration_since(started)
        });
        let settings = &self.settings;
        let is_outbound = settings.origin != Origin::Inbound;
        let ended = self.ended.as_ref();
        let info = InstanceInfo {
            application_instance_id: settings.instance,
            token: self.token.as_deref(),
            log_filename: &settings.log_filename,
            this_call: CallInfo {
                call_id: settings.call,
                call_direction: direction(settings.origin),
                call_from: &settings.call_from,
                call_to: &settings.call_to,
                call_target: &settings.call_to,
                call_divert: "",
                call_attestation: (!is_outbound).then_some(""),
                seconds_call_duration: seconds(duration),
                call_state: match (ended, self.is_answered) {
                    (Some(_), _) => "idle",
                    (None, true) => "answered",
                    (None, false) => "inbound",
                },
                call_cause: ended.map(|(cause, _)| *cause),
                call_raw_cause: ended.map(|(_, raw)| raw.as_str()),
                application_parameters: &settings.application_parameters,
                outbound_parameters: is_outbound
                    .then(|| settings.outbound_parameters.as_deref().unwrap_or_default()),
            },
            action_result,
            is_notification: false,
            error_result,
        };
        let request = PageRequest::new(number, kind, &page, &info);
        self.desk.effects.push_back(Effect::RequestPage(request));
        let deadline = self.desk.now + PAGE_TIMEOUT;
        self.phase = match kind {
            PageKind::Final => Phase::Ending { number, deadline },
            PageKind::First | PageKind::Next | PageKind::Error => Phase::Awaiting {
                number,
                page,
                deadline,
            },
        };
    }
}

#[cfg(test)]
mod tests;
