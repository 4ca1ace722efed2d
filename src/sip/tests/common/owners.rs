//! Owners of calls at both ends of a network: they ring, answer, refuse, hold and hang up as their
//! mood is, and know what was agreed in each call as far as they were told.

use super::call;
use super::world::World;
use bytes::Bytes;
use rand::RngExt;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::{Duration, Instant};
use strowger_sip::endpoint::{Command, Credentials, Event, InviteId};

/// What owners are inclined to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moods {
    /// Of 100 calls, how many are refused, challenged, left to ring, or hung up at some time.
    pub(crate) contrary: u32,
    /// Re-INVITEs that an owner sends in a call at most.
    pub(crate) reinvites: u32,
}

/// Something that an owner does later, if it still makes sense then.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Ring,
    Answer,
    Refuse,
    Challenge,
    Acknowledge,
    Reinvite,
    End,
}

/// What an owner knows of its call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owner {
    call_id: String,
    /// Our offer, or our wish for one, that waits for a response.
    offered: Option<Bytes>,
    /// The offer of their INVITE that waits for our answer; empty: we shall offer.
    to_answer: Option<Bytes>,
    /// Our offer in a 2xx, whose answer comes with the ACK.
    late_offer: Option<Bytes>,
    /// The offer in a 2xx that we have to answer with the ACK.
    owes: Option<Bytes>,
    reinvites: u32,
    /// Both sides have said yes, as far as this one knows.
    pub(crate) is_established: bool,
    /// Offer and answer that hold now.
    pub(crate) agreed: Option<(Bytes, Bytes)>,
    /// How it ended.
    pub(crate) terminal: Option<Event>,
}

/// The owners of all calls.
pub(crate) struct Owners {
    moods: Moods,
    pub(crate) of: [BTreeMap<InviteId, Owner>; 2],
    deeds: BTreeMap<(Instant, u64), (usize, InviteId, Deed)>,
    /// How many events of each end were taken in.
    told: [usize; 2],
    number: u64,
    /// What was done and told, for a test that fails.
    history: Vec<(String, String)>,
}

impl Owners {
    pub(crate) fn new(moods: Moods) -> Self {
        Self {
            moods,
            of: [BTreeMap::new(), BTreeMap::new()],
            deeds: BTreeMap::new(),
            told: [0; 2],
            number: 0,
            history: vec![],
        }
    }

    /// An end calls the other.
    pub(crate) fn call(&mut self, world: &mut World, end: usize) {
        self.number += 1;
        let invite = InviteId(2 * self.number + 1);
        let mut outgoing = call(invite.0, world.flow(end));
        let call_id = format!("call-{}", self.number);
        outgoing.call_id = Some(call_id.clone());
        outgoing.offer = match world.rng().random_range(0..4) {
            0 => Bytes::new(),
            _ => self.body(),
        };
        if world.rng().random_ratio(1, 2) {
            outgoing.credentials = Some(Credentials {
                username: "u".into(),
                password: "p".into(),
            });
        }
        let owner = Owner {
            call_id,
            offered: Some(outgoing.offer.clone()),
            ..Owner::default()
        };
        self.of[end].insert(invite, owner);
        world.command(end, Command::Invite(Box::new(outgoing)));
        if self.is_contrary(world) {
            self.later(world, 90_000, end, invite, Deed::End);
        }
        self.catch_up(world);
    }

    /// Lets the world go on for so long, and everybody do what they are about to do.
    pub(crate) fn run_for(&mut self, world: &mut World, time: Duration) {
        let end = world.now + time;
        loop {
            let next = self.deeds.first_key_value().map(|((at, _), _)| *at);
            let until = next.map_or(end, |at| at.min(end));
            let goes_on = world.step(until, &mut |_, _, _| {});
            if !goes_on {
                world.now = until;
                match self.deeds.pop_first() {
                    Some(((at, _), (end, invite, deed))) if at <= until => {
                        self.perform(world, end, invite, deed);
                    }
                    Some((key, deed)) => {
                        self.deeds.insert(key, deed);
                        return;
                    }
                    None => return,
                }
            }
            self.catch_up(world);
        }
    }

    /// Every call that lives is asked whether it does.
    pub(crate) fn ask_all(&mut self, world: &mut World) {
        for end in 0..2 {
            for invite in self.living(end) {
                self.perform(world, end, invite, Deed::Reinvite);
            }
        }
        self.catch_up(world);
    }

    /// Every call is ended.
    pub(crate) fn end_all(&mut self, world: &mut World) {
        for end in 0..2 {
            for invite in self.living(end) {
                self.perform(world, end, invite, Deed::End);
            }
        }
        self.catch_up(world);
    }

    /// All that was done and told of a call.
    pub(crate) fn history(&self, call: &str) -> Vec<&str> {
        let of_call = self.history.iter().filter(|(known, _)| known == call);
        of_call.map(|(_, what)| what.as_str()).collect()
    }

    fn note(&mut self, world: &World, end: usize, invite: InviteId, what: &impl Debug) {
        if let Some(owner) = self.of[end].get(&invite) {
            let at = world.now - world.start;
            let what = format!("{at:?} end {end}: {what:?}");
            self.history.push((owner.call_id.clone(), what));
        }
    }

    fn living(&self, end: usize) -> Vec<InviteId> {
        let living = self.of[end]
            .iter()
            .filter(|(_, owner)| owner.terminal.is_none());
        living.map(|(invite, _)| *invite).collect()
    }

    /// The sessions of an end by Call-ID, as far as they live.
    pub(crate) fn sessions(&self, end: usize) -> BTreeMap<&str, Option<(Bytes, Bytes)>> {
        let mut sessions = BTreeMap::new();
        for owner in self.of[end]
            .values()
            .filter(|owner| owner.terminal.is_none())
        {
            assert!(owner.is_established, "still on its way: {owner:?}");
            let before = sessions.insert(owner.call_id.as_str(), owner.agreed.clone());
            assert!(before.is_none(), "twice: {}", owner.call_id);
        }
        sessions
    }

    fn is_contrary(&self, world: &mut World) -> bool {
        world.rng().random_range(0..100) < self.moods.contrary
    }

    fn body(&mut self) -> Bytes {
        self.number += 1;
        Bytes::from(format!("v={}\r\n", self.number))
    }

    /// At once, within a round trip, or some time before `most` milliseconds have passed: whatever
    /// can cross shall cross now and then.
    fn later(&mut self, world: &mut World, most: u64, end: usize, invite: InviteId, deed: Deed) {
        let ms = match world.rng().random_range(0..6) {
            0 => 0,
            1 => world.rng().random_range(0..=10),
            2 => world.rng().random_range(0..=600),
            _ => world.rng().random_range(0..=most),
        };
        self.number += 1;
        let at = world.now + Duration::from_millis(ms.min(most));
        self.deeds.insert((at, self.number), (end, invite, deed));
    }

    fn catch_up(&mut self, world: &mut World) {
        loop {
            let news = [0, 1].into_iter().find_map(|end| {
                let event = world.events[end].get(self.told[end])?;
                Some((end, event.clone()))
            });
            let Some((end, event)) = news else { return };
            self.told[end] += 1;
            self.take(world, end, &event);
            self.note(world, end, event.invite(), &event);
        }
    }

    fn take(&mut self, world: &mut World, end: usize, event: &Event) {
        let invite = event.invite();
        if let Event::Invited { request, .. } = event {
            let owner = Owner {
                call_id: request.call_id.clone(),
                to_answer: Some(request.offer.clone().unwrap_or_default()),
                ..Owner::default()
            };
            let before = self.of[end].insert(invite, owner);
            assert!(before.is_none(), "{invite:?} comes twice");
            return self.is_called(world, end, invite, request.credentials.is_none());
        }
        let owner = self.of[end].get_mut(&invite).expect("it is known");
        assert!(
            owner.terminal.is_none(),
            "told after {:?}: {event:?}",
            owner.terminal
        );
        match event {
            Event::Accepted { body, .. } => {
                owner.is_established = true;
                let body = body.clone().unwrap_or_default();
                match owner.offered.take() {
                    Some(offer) if offer.is_empty() => {
                        owner.owes = Some(body);
                        self.later(world, 2_000, end, invite, Deed::Acknowledge);
                    }
                    Some(offer) => owner.agreed = Some((offer, body)),
                    None => panic!("nothing was asked: {event:?}"),
                }
                self.talks(world, end, invite);
            }
            Event::Acknowledged { body, .. } => {
                let is_new = !std::mem::replace(&mut owner.is_established, true);
                if let Some(offer) = owner.late_offer.take() {
                    owner.agreed = Some((offer, body.clone().unwrap_or_default()));
                }
                if is_new {
                    self.talks(world, end, invite);
                }
            }
            Event::Reinvited { offer, .. } => {
                owner.to_answer = Some(offer.clone().unwrap_or_default());
                let deed = match world.rng().random_range(0..12) {
                    0 => Deed::Refuse,
                    // Nobody answers it.
                    1 if self.is_contrary(world) => return,
                    _ => Deed::Answer,
                };
                self.later(world, 3_000, end, invite, deed);
            }
            Event::ReinviteCancelled { .. } => owner.to_answer = None,
            Event::ReinviteRefused { .. } => owner.offered = None,
            Event::Refused { .. } | Event::Ended { .. } => owner.terminal = Some(event.clone()),
            Event::Invited { .. } | Event::Provisional { .. } => {}
        }
    }

    fn is_called(&mut self, world: &mut World, end: usize, invite: InviteId, may_ask: bool) {
        if world.rng().random_ratio(1, 2) {
            self.later(world, 1_500, end, invite, Deed::Ring);
        }
        let mut deed = Deed::Answer;
        if self.is_contrary(world) {
            deed = match world.rng().random_range(0..4) {
                0 => Deed::End,
                1 if may_ask => Deed::Challenge,
                2 => Deed::Refuse,
                _ => return self.later(world, 60_000, end, invite, Deed::End),
            };
        }
        self.later(world, 3_000, end, invite, deed);
    }

    fn talks(&mut self, world: &mut World, end: usize, invite: InviteId) {
        let owner = self.of[end].get_mut(&invite).expect("it is known");
        let reinvites = owner.reinvites;
        owner.reinvites += 1;
        if reinvites < self.moods.reinvites && world.rng().random_ratio(2, 3) {
            self.later(world, 20_000, end, invite, Deed::Reinvite);
        }
        if self.is_contrary(world) {
            self.later(world, 40_000, end, invite, Deed::End);
        }
    }

    fn perform(&mut self, world: &mut World, end: usize, invite: InviteId, deed: Deed) {
        let body = self.body();
        let wants_offer = world.rng().random_ratio(1, 4);
        let owner = self.of[end].get_mut(&invite).expect("it is known");
        if owner.terminal.is_some() {
            return;
        }
        let command = match deed {
            Deed::Ring if owner.to_answer.is_some() && !owner.is_established => {
                Command::Provisional {
                    invite,
                    status: 183,
                    body: None,
                }
            }
            Deed::Answer => match owner.to_answer.take() {
                None => return,
                Some(offer) => {
                    if offer.is_empty() {
                        owner.late_offer = Some(body.clone());
                    } else {
                        owner.agreed = Some((offer, body.clone()));
                    }
                    Command::Accept {
                        invite,
                        body: Some(body),
                    }
                }
            },
            Deed::Refuse if owner.to_answer.take().is_some() => Command::Refuse {
                invite,
                status: if owner.is_established { 488 } else { 486 },
                headers: vec![],
            },
            Deed::Challenge if owner.to_answer.take().is_some() => Command::Challenge {
                invite,
                realm: "strowger".into(),
            },
            Deed::Acknowledge => match owner.owes.take() {
                None => return,
                Some(offer) => {
                    owner.agreed = Some((offer, body.clone()));
                    Command::Acknowledge { invite, body }
                }
            },
            Deed::Reinvite
                if owner.is_established
                    && owner.offered.is_none()
                    && owner.to_answer.is_none()
                    && owner.owes.is_none() =>
            {
                let offer = if wants_offer { Bytes::new() } else { body };
                owner.offered = Some(offer.clone());
                Command::Reinvite { invite, offer }
            }
            Deed::End => Command::End {
                invite,
                status: 486,
                q850: Some(17),
            },
            Deed::Ring | Deed::Refuse | Deed::Challenge | Deed::Reinvite => return,
        };
        self.note(world, end, invite, &command);
        world.command(end, command);
    }
}
