//! The actor of one instance: it drives its call by what the customer's application answers.

use std::time::Instant;

use actix::prelude::*;
use strowger_domain::account::AccountPath;
use strowger_domain::application::{
    self, Effect, Input, PageKind, PageNumber, PageReply, PageRequest, Summary,
};
use strowger_domain::call::{Event, Origin};
use strowger_domain::cause::Cause;
use strowger_domain::cdr::Opening;
use strowger_domain::ids::{AccountId, CallId, InstanceId};
use tokio::sync::mpsc;

use super::messages::{Run, Running, scope};
use super::pages;
use crate::calls::call::Call;
use crate::calls::messages::{Perform, Progress, Stage, Told};
use crate::calls::start::{Driver, FirstLeg, Start};
use crate::calls::threads::CallThreads;
use crate::events::http_client::HttpClient;
use crate::events::log;
use crate::net::clock;
use crate::store::services::{InstanceState, InstanceUpdate};
use crate::store::{Store, Writer};
use crate::supervise::{Down, Obituary, ProvokePanic};

/// How long the first party may ring.
const RING: std::time::Duration = std::time::Duration::from_mins(1);

/// The actor.
pub struct Instance {
    run: Option<Box<Run>>,
    id: InstanceId,
    machine: Option<application::Instance>,
    threads: CallThreads,
    call: Option<Addr<Call>>,
    timer: Option<(Instant, SpawnHandle)>,
    ending: Option<(Cause, Option<u16>)>,
    summary: Option<Summary>,
    keep: Option<Keep>,
    obituary: Obituary<InstanceId>,
}

/// What is still needed when the run has begun.
struct Keep {
    id: InstanceId,
    account: AccountId,
    writer: Writer,
    http: HttpClient,
    rows: mpsc::UnboundedSender<InstanceUpdate>,
}

impl Keep {
    fn tell(&self, kind: &'static str, mut data: serde_json::Value) {
        if let Some(fields) = data.as_object_mut() {
            fields.insert("instance".into(), serde_json::json!(self.id));
        }
        log::tell(&self.writer, kind, self.account, &data, clock::now().utc);
    }

    fn tell_page(&self, request: &PageRequest) {
        let page = match request.kind {
            PageKind::First => "first_page",
            PageKind::Next => "next_page",
            PageKind::Error => "error_page",
            PageKind::Final => "final_page",
        };
        // The query may hold the whole instance_info, and with it keyed digits.
        let address = request.url.split('?').next().unwrap_or_default();
        let data = serde_json::json!({ "page": page, "address": address });
        self.tell("instance.page", data);
    }

    fn update(&self, update: InstanceUpdate) {
        let data = serde_json::json!({ "state": update.state });
        self.tell("instance.updated", data);
        // The task that writes lives for as long as this can be sent.
        let _ = self.rows.send(update);
    }
}

/// Writes how far an instance is, in order, beside its actor: a slow database delays no call. The
/// instance counts as running until its last row is written.
async fn write_rows(
    (store, path, id): (Store, AccountPath, InstanceId),
    mut rows: mpsc::UnboundedReceiver<InstanceUpdate>,
    _running: Running,
) {
    while let Some(update) = rows.recv().await {
        if let Some(scope) = scope(&store, &path).await
            && let Err(error) = store
                .update_instance(&scope, id, update, clock::now().utc)
                .await
        {
            tracing::error!(%error, instance.id = %id, "an instance's state is not kept");
        }
    }
}

/// The actor of an instance died: its application is told that the call is over, unless it was
/// before, and the instance is on record as ended.
async fn bury(mut machine: application::Instance, keep: Keep) {
    let cause = Cause::TemporaryFailure;
    let update = InstanceUpdate {
        state: Some(InstanceState::Ended),
        cause: Some(cause),
        failure: Some("the platform failed".to_owned()),
        ..InstanceUpdate::default()
    };
    keep.update(update);
    machine.handle(Input::Call(Event::Stop { cause }), clock::now());
    while let Some(effect) = machine.next_effect() {
        let Effect::RequestPage(request) = effect else {
            continue;
        };
        if request.kind == PageKind::Final {
            keep.tell_page(&request);
            if let Err(error) = pages::request(keep.http.clone(), request).await {
                tracing::info!(instance.id = %keep.id, error, "a page did not answer");
            }
        }
    }
}

impl Instance {
    /// An instance that begins when its actor starts.
    pub fn new(run: Run, threads: CallThreads, obituary: Obituary<InstanceId>) -> Self {
        Self {
            id: run.id,
            run: Some(Box::new(run)),
            machine: None,
            threads,
            call: None,
            timer: None,
            ending: None,
            summary: None,
            keep: None,
            obituary,
        }
    }

    fn begin(&mut self, run: Run, ctx: &mut Context<Self>) {
        let Some(settings) = run.settings else {
            return self.finish(ctx);
        };
        let (rows, updates) = mpsc::unbounded_channel();
        let place = (run.store, run.path.clone(), run.id);
        tokio::spawn(write_rows(place, updates, run.running));
        self.keep = Some(Keep {
            id: run.id,
            account: run.path.account(),
            writer: run.tools.writer.clone(),
            http: run.http,
            rows,
        });
        self.machine = Some(application::Instance::new(settings, clock::now()));
        let opening = Opening {
            call: run.call,
            account: run.path.account(),
            origin: Origin::OutboundService,
            service_number: None,
            calling: run.wanted.from.clone(),
            withheld_calling: None,
            called: run.wanted.to.clone(),
            scheduled_call: None,
            instance: Some(run.id),
        };
        let start = Start {
            opening,
            path: run.path,
            plan: None,
            driver: Driver::Application(ctx.address().recipient()),
            first: FirstLeg::Outbound {
                destination: run.wanted.to,
                ring: RING,
                progress: Some(ctx.address().recipient()),
            },
            network: run.wanted.from.clone(),
            presentation: run.wanted.from,
            max_duration: run.max_duration,
            ticket: run.ticket,
            tools: run.tools,
            unless_begun: None,
        };
        let obituary = Obituary::once(ctx.address().recipient(), run.call);
        self.call = Some(self.threads.start(start, Some(obituary)));
    }

    fn input(&mut self, input: Input, ctx: &mut Context<Self>) {
        let Some(machine) = &mut self.machine else {
            return;
        };
        machine.handle(input, clock::now());
        let mut effects = Vec::new();
        while let Some(effect) = machine.next_effect() {
            effects.push(effect);
        }
        for effect in effects {
            match effect {
                Effect::Call(effect) => {
                    if let Some(call) = &self.call {
                        call.do_send(Perform(effect));
                    }
                }
                Effect::RequestPage(request) => {
                    let number = request.number;
                    if let Some(keep) = &self.keep {
                        keep.tell_page(&request);
                        let answer = pages::request(keep.http.clone(), request);
                        ctx.spawn(
                            answer
                                .into_actor(self)
                                .map(move |reply, instance, ctx| instance.page(number, reply, ctx)),
                        );
                    }
                }
                Effect::Done(summary) => self.summary = Some(summary),
            }
        }
        self.arm(ctx);
        self.finish_if_done(ctx);
    }

    fn page(
        &mut self,
        page: PageNumber,
        reply: Result<PageReply, String>,
        ctx: &mut Context<Self>,
    ) {
        if let Err(error) = &reply {
            tracing::info!(instance.id = %self.id, error, "a page did not answer");
        }
        self.input(Input::Page { page, reply }, ctx);
    }

    fn arm(&mut self, ctx: &mut Context<Self>) {
        let deadline = self
            .machine
            .as_ref()
            .and_then(application::Instance::deadline);
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
            let handle = ctx.run_later(delay, |instance, ctx| {
                instance.timer = None;
                instance.input(Input::Call(Event::TimedOut), ctx);
            });
            self.timer = Some((deadline, handle));
        }
    }

    fn update(&self, update: InstanceUpdate) {
        if let Some(keep) = &self.keep {
            keep.update(update);
        }
    }

    /// Done when both the machine and its call are.
    fn finish_if_done(&mut self, ctx: &mut Context<Self>) {
        if self.call.is_some() || self.summary.is_none() {
            return;
        }
        if let Some(summary) = self.summary.take() {
            let (cause, sip_status) = match self.ending {
                Some((cause, status)) => (Some(cause), status),
                None => (None, None),
            };
            let update = InstanceUpdate {
                state: Some(InstanceState::Ended),
                call: None,
                cause,
                sip_status,
                failure: summary.error,
            };
            self.machine = None;
            self.update(update);
            self.finish(ctx);
        }
    }

    fn finish(&mut self, ctx: &mut Context<Self>) {
        self.obituary.finish();
        ctx.stop();
    }
}

impl Drop for Instance {
    /// An instance that dies leaves no call without a driver, no application without its final page,
    /// and does not seem to run on.
    fn drop(&mut self) {
        if let Some(call) = &self.call {
            let cause = Cause::TemporaryFailure;
            let end = strowger_domain::call::Effect::End { cause };
            call.do_send(Perform(end));
        }
        let (Some(keep), Some(machine)) = (self.keep.take(), self.machine.take()) else {
            return;
        };
        // Where the process ends too, the next start closes it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(bury(machine, keep));
        }
    }
}

impl Actor for Instance {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(run) = self.run.take() {
            self.begin(*run, ctx);
        }
    }
}

impl Handler<Told> for Instance {
    type Result = ();

    fn handle(&mut self, told: Told, ctx: &mut Self::Context) {
        self.input(Input::Call(told.event), ctx);
    }
}

impl Handler<Progress> for Instance {
    type Result = ();

    fn handle(&mut self, progress: Progress, ctx: &mut Self::Context) {
        match progress.stage {
            Stage::Ringing => {}
            Stage::Answered => self.update(InstanceUpdate {
                state: Some(InstanceState::Running),
                ..InstanceUpdate::default()
            }),
            Stage::Cut => {
                let cause = Cause::TemporaryFailure;
                self.ending = Some((cause, None));
                self.input(Input::Call(Event::Stop { cause }), ctx);
            }
            Stage::Ended {
                cause, sip_status, ..
            } => self.ending = Some((cause, sip_status)),
        }
    }
}

impl Handler<Down<CallId>> for Instance {
    type Result = ();

    fn handle(&mut self, _: Down<CallId>, ctx: &mut Self::Context) {
        self.call = None;
        let (cause, _) = *self.ending.get_or_insert((Cause::TemporaryFailure, None));
        // A call that ended without its application (hung up while it rang, or its actor died) ends
        // its machine too.
        if self.summary.is_none() {
            self.input(Input::Call(Event::Stop { cause }), ctx);
        }
        self.finish_if_done(ctx);
    }
}

impl Handler<ProvokePanic> for Instance {
    type Result = ();

    #[expect(clippy::panic, reason = "that is what the message asks for")]
    fn handle(&mut self, _: ProvokePanic, _: &mut Self::Context) {
        panic!("provoked");
    }
}
