//! The actor of one instance: it drives its call by what the customer's application answers.

use std::time::Instant;

use actix::prelude::*;
use strowger_domain::application::{self, Effect, Input, PageKind, PageNumber, PageReply, Summary};
use strowger_domain::call::{Event, Origin};
use strowger_domain::cause::Cause;
use strowger_domain::cdr::Opening;
use strowger_domain::ids::{CallId, EventId, InstanceId};

use super::messages::{Run, scope};
use super::pages;
use crate::calls::messages::{Perform, Progress, Stage, Stop, Told};
use crate::calls::start::{Driver, FirstLeg, Start};
use crate::calls::stub::{CallThreads, Stub};
use crate::net::clock;
use crate::store::events::Event as LoggedEvent;
use crate::store::services::{InstanceState, InstanceUpdate};
use crate::supervise::{Down, Obituary, ProvokePanic};

/// How long the first party may ring.
const RING: std::time::Duration = std::time::Duration::from_mins(1);

/// The actor.
pub struct Instance {
    run: Option<Box<Run>>,
    id: InstanceId,
    machine: Option<application::Instance>,
    threads: CallThreads,
    call: Option<(CallId, Stub)>,
    timer: Option<(Instant, SpawnHandle)>,
    ending: Option<(Cause, Option<u16>)>,
    summary: Option<Summary>,
    keep: Option<Keep>,
    obituary: Obituary<InstanceId>,
}

/// What is still needed when the run has begun.
struct Keep {
    store: crate::store::Store,
    writer: crate::store::Writer,
    http: crate::events::http_client::HttpClient,
    path: strowger_domain::account::AccountPath,
}

impl Keep {
    fn tell(&self, id: InstanceId, kind: &str, mut data: serde_json::Value) {
        if let Some(fields) = data.as_object_mut() {
            fields.insert("instance".into(), serde_json::json!(id));
        }
        let event = LoggedEvent {
            id: EventId::from_uuid(uuid::Uuid::now_v7()),
            kind: kind.to_owned(),
            time: clock::now().utc,
            account: self.path.account(),
            call: None,
            leg: None,
            sequence: 0,
            data,
        };
        // A writer that takes no more has said so in the log.
        let _ = self.writer.event(event);
    }

    fn write(
        &self,
        id: InstanceId,
        update: InstanceUpdate,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (store, path) = (self.store.clone(), self.path.clone());
        async move {
            if let Some(scope) = scope(&store, &path).await
                && let Err(error) = store
                    .update_instance(&scope, id, update, clock::now().utc)
                    .await
            {
                tracing::error!(%error, instance.id = %id, "an instance's state is not kept");
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
        self.keep = Some(Keep {
            store: run.store,
            writer: run.tools.writer.clone(),
            http: run.http,
            path: run.path.clone(),
        });
        self.machine = Some(application::Instance::new(settings, clock::now()));
        let opening = Opening {
            call: run.call,
            account: run.path.account(),
            origin: Origin::OutboundService,
            service_number: None,
            calling: run.wanted.from.clone(),
            called: run.wanted.to.clone(),
            scheduled_call: None,
            instance: Some(run.id),
        };
        let start = Start {
            opening,
            path: run.path,
            permissions: run.permissions,
            plan: None,
            driver: Driver::Application(ctx.address().recipient()),
            first: FirstLeg::Outbound {
                destination: run.wanted.to,
                ring: RING,
                progress: Some(ctx.address().recipient()),
            },
            network: run.wanted.from.clone(),
            presentation: run.wanted.from,
            ticket: run.ticket,
            tools: run.tools,
        };
        let obituary = Obituary::once(ctx.address().recipient(), run.call);
        let stub = Stub::start(&self.threads, start, obituary);
        self.call = Some((run.call, stub));
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
                    if let Some((_, stub)) = &self.call {
                        stub.address.do_send(Perform(effect));
                    }
                }
                Effect::RequestPage(request) => {
                    let number = request.number;
                    self.tell_page(request.kind, &request.url);
                    if let Some(keep) = &self.keep {
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

    fn tell_page(&self, kind: PageKind, url: &str) {
        let page = match kind {
            PageKind::First => "first_page",
            PageKind::Next => "next_page",
            PageKind::Error => "error_page",
            PageKind::Final => "final_page",
        };
        // The query may hold the whole instance_info, and with it keyed digits.
        let address = url.split('?').next().unwrap_or_default();
        self.emit(
            "instance.page",
            serde_json::json!({ "page": page, "address": address }),
        );
    }

    fn emit(&self, kind: &str, data: serde_json::Value) {
        if let Some(keep) = &self.keep {
            keep.tell(self.id, kind, data);
        }
    }

    fn update(&self, update: InstanceUpdate, ctx: &mut Context<Self>) {
        let Some(keep) = &self.keep else { return };
        self.emit(
            "instance.updated",
            serde_json::json!({ "state": update.state }),
        );
        // Writes are in order: `wait` keeps the next message until this one is kept.
        ctx.wait(keep.write(self.id, update).into_actor(self));
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
            self.update(update, ctx);
            self.finish(ctx);
        }
    }

    fn finish(&mut self, ctx: &mut Context<Self>) {
        self.obituary.finish();
        // After what waits has been written.
        ctx.run_later(std::time::Duration::ZERO, |_, ctx| ctx.stop());
    }
}

impl Drop for Instance {
    /// An instance that dies leaves no call without a driver, and does not seem to run on.
    fn drop(&mut self) {
        let cause = Cause::TemporaryFailure;
        if let Some((_, stub)) = &self.call {
            let end = strowger_domain::call::Effect::End { cause };
            stub.address.do_send(Perform(end));
        }
        let (Some(keep), Some(_)) = (self.keep.take(), self.machine.take()) else {
            return;
        };
        let update = InstanceUpdate {
            state: Some(InstanceState::Ended),
            cause: Some(cause),
            failure: Some("the platform failed".to_owned()),
            ..InstanceUpdate::default()
        };
        keep.tell(
            self.id,
            "instance.updated",
            serde_json::json!({ "state": update.state }),
        );
        // Where the process ends too, the next start closes it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(keep.write(self.id, update));
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
            Stage::Answered => {
                let state = Some(InstanceState::Running);
                self.update(
                    InstanceUpdate {
                        state,
                        ..InstanceUpdate::default()
                    },
                    ctx,
                );
            }
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

    fn handle(&mut self, down: Down<CallId>, ctx: &mut Self::Context) {
        if let (Some((_, stub)), false) = (self.call.take(), down.finished) {
            stub.bury();
        }
        // A call that ended without telling why (its actor died) ends its machine too.
        if self.summary.is_none() {
            self.input(
                Input::Call(Event::Stop {
                    cause: Cause::TemporaryFailure,
                }),
                ctx,
            );
        }
        self.finish_if_done(ctx);
    }
}

impl Handler<Stop> for Instance {
    type Result = ();

    fn handle(&mut self, Stop(cause): Stop, ctx: &mut Self::Context) {
        self.input(Input::Call(Event::Stop { cause }), ctx);
    }
}

impl Handler<ProvokePanic> for Instance {
    type Result = ();

    #[expect(clippy::panic, reason = "that is what the message asks for")]
    fn handle(&mut self, _: ProvokePanic, _: &mut Self::Context) {
        panic!("provoked");
    }
}
