//! The one place where a driver touches the world.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use serde::Serialize;
use strowger_domain::account::Permissions;
use strowger_domain::call::{
    Dial, Effect, Event, Gap, LegNumber, Parties, PlayNumber, QueueEntry, Recording, Sound,
};
use strowger_domain::cause::Cause;
use strowger_domain::cdr::{Ending, Fact, Timeline};
use strowger_domain::conference::Member;
use strowger_domain::directory::NumberStatus;
use strowger_domain::e164::E164;
use strowger_domain::ids::RecordingId;
use strowger_media::recorder::{self, Layout, Settings};
use strowger_media::session::Command;

use super::call::{Call, OngoingRecording};
use super::notes::recorded_bytes;
use super::places::Waiting;
use crate::conferences::messages::EnterRoom;
use crate::net::clock;
use crate::net::media_engine::Record;
use crate::queues::messages::EnterQueue;
use crate::sound::library::SoundError;
use crate::sound::media_files::BadName;

/// Why a recording is refused or ends.
pub(super) const STORAGE_FULL: &str = "the account's storage is full";

/// What is told of a node or an action that was reached.
#[derive(Serialize)]
struct Step<'a> {
    node: &'a str,
    kind: &'a str,
    branch: &'a str,
}

impl Call {
    /// Carries out one effect. What comes of it at once is queued for the driver.
    pub(super) fn apply(&mut self, effect: Effect, ctx: &mut Context<Self>) {
        match effect {
            Effect::Answer => self.answer(),
            Effect::Play {
                leg,
                play,
                sounds,
                repeat,
            } => self.play(leg, play, sounds, repeat, ctx),
            Effect::StopPlay { leg } => {
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.play_turn += 1;
                    leg.media.command(Command::StopPlay);
                }
            }
            Effect::Dial(dial) => self.dial_for_driver(*dial, ctx),
            Effect::HangUp { leg, cause } => self.clear_leg(leg, cause, ctx),
            Effect::Bridge { a, b } => self.bridge(a, b),
            Effect::Unbridge { leg } => self.unbridge(leg),
            Effect::StartRecording(recording) => self.record(&recording),
            Effect::StopRecording { recording } => {
                if let Some(ongoing) = self.recordings.get(&recording)
                    && let Some(leg) = self.legs.get(&ongoing.leg)
                {
                    leg.media.stop_recording(recording.0);
                }
            }
            Effect::JoinConference(entry) => self.join(entry, ctx),
            Effect::LeaveConference { leg } => {
                self.rooms.remove(&leg);
                if let Some(leg) = self.legs.get(&leg) {
                    leg.media.leave();
                }
            }
            Effect::JoinQueue(entry) => self.join_queue(entry, ctx),
            Effect::AnswerOffer { refused } => self.answer_offer(refused),
            Effect::LeaveQueue => self.leave_queue(),
            Effect::Step { node, kind, branch } => {
                let step = Step {
                    node: &node,
                    kind: &kind,
                    branch: &branch,
                };
                self.emit("call.step", None, &step);
                self.note(Fact::Step { node, kind, branch });
            }
            Effect::Annotate { name, value } => {
                let data = serde_json::json!({ "name": name, "value": value });
                self.note(Fact::Annotated { name, value });
                self.emit("call.annotated", None, &data);
            }
            Effect::End { cause } => {
                let status = self
                    .legs
                    .get(&LegNumber::A)
                    .and_then(|leg| (!leg.answered && !leg.outgoing).then(|| cause.sip_status()));
                self.end(
                    Ending {
                        cause,
                        sip_status: status,
                    },
                    ctx,
                );
            }
        }
    }

    fn answer(&mut self) {
        let Some(leg) = self.legs.get_mut(&LegNumber::A) else {
            return;
        };
        if leg.answered || leg.outgoing {
            return;
        }
        leg.answered = true;
        leg.accept_invite();
        self.note_answered(LegNumber::A);
    }

    fn play(
        &mut self,
        number: LegNumber,
        play: PlayNumber,
        sounds: Vec<Sound>,
        repeat: bool,
        ctx: &mut Context<Self>,
    ) {
        let Some(leg) = self.legs.get_mut(&number) else {
            return;
        };
        if !leg.answered {
            // The far end makes its own ringing; only what must be heard to its end is a fault.
            if !repeat {
                let failure = Some("the leg is not answered".to_owned());
                self.events.push_back(Event::Played {
                    leg: number,
                    play,
                    failure,
                });
            }
            return;
        }
        leg.play_turn += 1;
        let turn = leg.play_turn;
        if let Some(sounds) = self.tools.sounds.resolve_now(self.path.account(), &sounds) {
            leg.media.command(Command::Play {
                play: play.0,
                sounds,
                repeat,
            });
            return;
        }
        leg.media.command(Command::StopPlay);
        let library = self.tools.sounds.clone();
        let account = self.path.account();
        let resolved = async move { library.resolve(account, sounds).await };
        ctx.spawn(resolved.into_actor(self).map(move |sounds, call, ctx| {
            call.resolved(number, play, turn, sounds, repeat, ctx);
        }));
    }

    fn resolved(
        &mut self,
        number: LegNumber,
        play: PlayNumber,
        turn: u32,
        sounds: Result<Vec<strowger_media::player::Sound>, SoundError>,
        repeat: bool,
        ctx: &mut Context<Self>,
    ) {
        let Some(leg) = self.legs.get(&number) else {
            return;
        };
        if leg.play_turn != turn {
            return;
        }
        match sounds {
            Ok(sounds) => leg.media.command(Command::Play {
                play: play.0,
                sounds,
                repeat,
            }),
            Err(error) => {
                tracing::warn!(call.id = %self.id, %error, "a sound can't be played");
                let failure = Some(error.to_string());
                self.tell(
                    Event::Played {
                        leg: number,
                        play,
                        failure,
                    },
                    ctx,
                );
            }
        }
    }

    fn dial_for_driver(&mut self, dial: Dial, ctx: &mut Context<Self>) {
        let (leg, ring) = (dial.leg, dial.ring);
        let network = self.network.clone();
        let tried = self.presented(dial.presentation).and_then(|presentation| {
            self.dial(
                leg,
                &dial.destination,
                ring,
                presentation,
                network,
                dial.early_media,
                ctx,
            )
        });
        if let Err(cause) = tried {
            let ending = Ending {
                cause,
                sip_status: None,
            };
            self.note_ended(leg, ending);
            self.events.push_back(Event::DialFailed {
                leg,
                cause,
                status: None,
            });
        }
    }

    /// What the account may do now: what was taken from it is gone, also for calls that run.
    pub(super) fn permissions(&self) -> Permissions {
        let known = self.tools.known.borrow();
        known.tree.effective(self.path.account())
    }

    /// The presentation CLI of a leg: what the driver wants, where the account may present it, else
    /// the call's own. A driver may present the A-party's number, a service number of its account or
    /// of one below it, and with the custom CLI permission other numbers of the permitted classes.
    fn presented(&self, wanted: Option<String>) -> Result<Option<String>, Cause> {
        let Some(wanted) = wanted else {
            return Ok(self.presentation.clone());
        };
        let number = E164::read(&wanted, self.tools.country)
            .map_err(|_unreadable| Cause::InvalidNumberFormat)?;
        let record = self.timeline.as_ref().map(Timeline::snapshot);
        let is_callers = record.is_some_and(|record| {
            record.calling.as_deref() == Some(number.as_str()) || record.called == number.as_str()
        });
        let directory = Arc::clone(&self.tools.known.borrow().directory);
        let hosted = directory.find_within(&number, self.path.account());
        let may = is_callers
            || hosted.is_some_and(|entry| entry.status == NumberStatus::Active)
            || (self.permissions().custom_cli && number.class().is_presentable());
        if may {
            Ok(Some(number.to_string()))
        } else {
            tracing::info!(call.id = %self.id, "the account may not present this number");
            Err(Cause::CallRejected)
        }
    }

    fn bridge(&mut self, a: LegNumber, b: LegNumber) {
        if let (Some(one), Some(other)) = (self.legs.get(&a), self.legs.get(&b)) {
            one.media.command(Command::StopPlay);
            other.media.command(Command::StopPlay);
            one.media.bridge(&other.media);
            for number in [a, b] {
                if let Some(leg) = self.legs.get_mut(&number) {
                    leg.play_turn += 1;
                    if leg.is_first_dialled() {
                        leg.media.command(Command::ListenForTones(false));
                    }
                }
            }
        }
    }

    fn unbridge(&mut self, number: LegNumber) {
        if let Some(leg) = self.legs.get(&number) {
            leg.media.unbridge();
        }
    }

    fn record(&mut self, wanted: &Recording) {
        let refuse = |why: &str| Event::Recorded {
            recording: wanted.recording,
            file: String::new(),
            duration: std::time::Duration::ZERO,
            contains_sound: false,
            failure: Some(why.to_owned()),
        };
        if wanted.keep && !self.permissions().recording {
            self.events
                .push_back(refuse("the account may not record calls"));
            return;
        }
        let (Some(leg), false) = (
            self.legs.get(&wanted.a),
            self.recordings.contains_key(&wanted.recording),
        ) else {
            self.events.push_back(refuse("there is no such leg"));
            return;
        };
        let with = wanted
            .b
            .and_then(|b| self.legs.get(&b))
            .map(|leg| leg.media.id());
        let layout = match (with, wanted.parties) {
            (None, _) => Layout::Alone,
            (Some(_), Parties::Mixed) => Layout::Mixed,
            (Some(_), Parties::Channels) => Layout::Stereo,
            (Some(_), Parties::Files) => Layout::Separate,
        };
        let date = clock::now().utc.format("%Y/%m/%d");
        let name = format!("recordings/{date}/{}-{}", self.id, wanted.recording.0);
        let names: Vec<_> = ["", "-b"]
            .iter()
            .take(usize::from(layout.files()))
            .map(|party| format!("{name}{party}.wav"))
            .collect();
        let account = self.path.account();
        let parties = layout.files() * layout.channels();
        let room = wanted.keep.then(|| self.room_for(parties)).flatten();
        if room == Some(Duration::ZERO) {
            self.events.push_back(refuse(STORAGE_FULL));
            return;
        }
        let paths = names
            .iter()
            .map(|name| self.tools.files.path(account, name));
        let paths = match paths.collect() {
            Ok(paths) => paths,
            Err(error) => {
                let error: BadName = error;
                self.events.push_back(refuse(&error.to_string()));
                return;
            }
        };
        leg.media.record(Record {
            recording: wanted.recording.0,
            with,
            settings: Settings {
                layout,
                max_duration: wanted.max_duration.into_iter().chain(room).min(),
                max_silence: wanted.max_silence,
            },
            paths,
        });
        let ongoing = OngoingRecording {
            leg: wanted.a,
            keep: wanted.keep,
            room,
            files: names
                .into_iter()
                .map(|name| (RecordingId::from_uuid(uuid::Uuid::now_v7()), name))
                .collect(),
            channels: layout.channels(),
        };
        self.recordings.insert(wanted.recording, ongoing);
    }

    /// How long a recording of so many parties may become until the storage is full; `None`: nothing
    /// limits it.
    fn room_for(&self, parties: u16) -> Option<Duration> {
        let (known, storage) = (self.tools.known.borrow(), &self.tools.storage);
        let left = known
            .tree
            .storage_left(self.path.account(), |account| storage.of(account))?;
        // Recordings grow by beats of 20 ms.
        let millis = left / recorded_bytes(1, parties);
        Some(Duration::from_millis(millis - millis % 20))
    }

    /// Leaves out of what is kept of the call what is said from now on, or goes on with it; answers
    /// whether something is being recorded.
    pub(super) fn pause(&mut self, gap: Option<Gap>) -> bool {
        let mut ids = Vec::new();
        for (number, ongoing) in self.recordings.iter().filter(|(_, ongoing)| ongoing.keep) {
            if let Some(leg) = self.legs.get(&ongoing.leg) {
                let gap = gap.map(|gap| match gap {
                    Gap::Silent => recorder::Gap::Silent,
                    Gap::LeftOut => recorder::Gap::LeftOut,
                });
                leg.media.pause_recording(number.0, gap);
                ids.extend(ongoing.files.iter().map(|(id, _)| *id));
            }
        }
        for id in &ids {
            let data = serde_json::json!({ "recording": id, "gap": gap });
            let kind = if gap.is_some() {
                "recording.paused"
            } else {
                "recording.resumed"
            };
            self.emit(kind, None, &data);
        }
        !ids.is_empty()
    }

    fn join(&mut self, entry: strowger_domain::call::ConferenceEntry, ctx: &mut Context<Self>) {
        let leg = entry.leg;
        if !self.permissions().conferencing {
            self.events.push_back(Event::ConferenceRefused { leg });
            return;
        }
        self.rooms.insert(leg, None);
        self.tools.conferences.do_send(EnterRoom {
            account: self.path.account(),
            member: Member { call: self.id, leg },
            entry,
            reply_to: ctx.address().recipient(),
        });
    }

    fn join_queue(&mut self, entry: QueueEntry, ctx: &mut Context<Self>) {
        if !self.permissions().queues {
            self.events.push_back(Event::QueueRefused);
            return;
        }
        let since = clock::now().utc;
        self.tools.queues.do_send(EnterQueue {
            account: self.path.account(),
            call: self.id,
            since,
            rejoins: None,
            entry: entry.clone(),
            reply_to: ctx.address().recipient(),
        });
        self.queue = Some(Waiting::new(since, entry));
    }
}
