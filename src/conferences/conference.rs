//! The actor of one conference, around `domain::conference`. The sound is mixed in the media engine.

use std::collections::HashMap;

use actix::prelude::*;
use strowger_domain::call::Tone;
use strowger_domain::conference::{Effect, Input, Member, Roster};

use super::messages::{ConferenceFact, ConferenceNews, EnterRoom, LeaveRoom, Membership, RoomName};
use crate::net::media_engine::{MediaHandle, RoomId};
use crate::sound::library::media_tone;
use crate::supervise::{Idle, Obituary, ProvokePanic};

/// A member as the conference reaches it; told that it is over when it is dropped while in.
struct Seated {
    member: Member,
    reply_to: Recipient<ConferenceFact>,
    out: bool,
}

impl Seated {
    fn tell(&self, news: ConferenceNews) {
        self.reply_to.do_send(ConferenceFact {
            leg: self.member.leg,
            news,
        });
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        if !self.out {
            self.tell(ConferenceNews::Over);
        }
    }
}

/// The actor.
pub struct Conference {
    media: MediaHandle,
    room: RoomId,
    roster: Roster,
    seated: HashMap<Member, Seated>,
    /// Entries that were asked for.
    heard: u64,
    idle: Recipient<Idle<RoomName>>,
    obituary: Obituary<RoomName>,
}

impl Conference {
    /// An empty conference; `idle` is told when it is so again.
    pub fn new(
        media: MediaHandle,
        idle: Recipient<Idle<RoomName>>,
        obituary: Obituary<RoomName>,
    ) -> Self {
        Self {
            room: media.room(),
            media,
            roster: Roster::default(),
            seated: HashMap::new(),
            heard: 0,
            idle,
            obituary,
        }
    }

    fn input(&mut self, input: Input, ctx: &mut Context<Self>) {
        self.roster.handle(input);
        while let Some(effect) = self.roster.next_effect() {
            match effect {
                Effect::Admitted {
                    member,
                    talker,
                    members,
                } => {
                    let membership = Membership::new(ctx.address().recipient(), member);
                    let room = self.room;
                    if let Some(seated) = self.seated.get(&member) {
                        seated.tell(ConferenceNews::Joined {
                            membership,
                            room,
                            talker,
                            members,
                        });
                    }
                }
                Effect::Refused { member } => {
                    if let Some(mut seated) = self.seated.remove(&member) {
                        seated.out = true;
                        seated.tell(ConferenceNews::Refused);
                    }
                }
                Effect::Tone { tone, .. } => self.announce(tone),
                // Dropping it tells it, unless it left by itself.
                Effect::Removed { member } => drop(self.seated.remove(&member)),
                // The next who enters finds an empty room of the same name.
                Effect::Ended => self.roster = Roster::default(),
            }
        }
        if self.seated.is_empty() {
            self.idle.do_send(self.obituary.idle(self.heard));
        }
    }

    /// Everybody whose sound is in the room hears it.
    fn announce(&self, tone: Tone) {
        self.media.announce(self.room, media_tone(tone));
    }
}

impl Actor for Conference {
    type Context = Context<Self>;
}

impl Handler<EnterRoom> for Conference {
    type Result = ();

    fn handle(&mut self, enter: EnterRoom, ctx: &mut Self::Context) {
        let EnterRoom {
            member,
            entry,
            reply_to,
            ..
        } = enter;
        self.heard += 1;
        self.seated.insert(
            member,
            Seated {
                member,
                reply_to,
                out: false,
            },
        );
        let input = Input::Join {
            member,
            max_members: entry.max_members,
            tones: entry.tones,
            talker: entry.talker,
        };
        self.input(input, ctx);
    }
}

impl Handler<LeaveRoom> for Conference {
    type Result = ();

    fn handle(&mut self, LeaveRoom(member): LeaveRoom, ctx: &mut Self::Context) {
        if let Some(seated) = self.seated.get_mut(&member) {
            seated.out = true;
        }
        self.input(Input::Leave { member }, ctx);
    }
}

impl Handler<ProvokePanic> for Conference {
    type Result = ();

    #[expect(clippy::panic, reason = "that is what the message asks for")]
    fn handle(&mut self, _: ProvokePanic, _: &mut Self::Context) {
        panic!("provoked");
    }
}
