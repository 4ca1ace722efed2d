//! Calls up to a point, and short words for what tests say often.

use super::call;
use super::lone::{Lone, answer};
use super::world::{Faults, World};
use bytes::Bytes;
use std::time::Duration;
use strowger_sip::endpoint::{Command, Event, InviteId, OutgoingInvite, Transport};

pub(crate) const OURS: InviteId = InviteId(1);

pub(crate) fn body(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

pub(crate) fn accept(invite: InviteId) -> Command {
    Command::Accept {
        invite,
        body: Some(body("answer")),
    }
}

pub(crate) fn end(invite: InviteId) -> Command {
    Command::End {
        invite,
        status: 486,
        q850: None,
    }
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Two ends with one call from the first to the second, up to its INVITE.
pub(crate) fn calling(transport: Transport) -> (World, InviteId) {
    let mut world = World::new(transport, Faults::NONE, 1);
    let invite = call(1, world.flow(0));
    world.command(0, Command::Invite(Box::new(invite)));
    let theirs = world.invited(1);
    (world, theirs)
}

/// The same, answered and acknowledged.
pub(crate) fn talking(transport: Transport) -> (World, InviteId) {
    let (mut world, theirs) = calling(transport);
    world.command(1, accept(theirs));
    world.until(1, |event| matches!(event, Event::Acknowledged { .. }));
    (world, theirs)
}

pub(crate) fn ended(invite: InviteId, status: Option<u16>, q850: Option<u8>, by_us: bool) -> Event {
    Event::Ended {
        invite,
        status,
        q850,
        by_us,
    }
}

/// An endpoint that called a peer, with its INVITE.
pub(crate) fn caller(change: impl FnOnce(&mut OutgoingInvite)) -> (Lone, String) {
    let mut lone = Lone::new();
    let mut invite = call(1, lone.flow);
    change(&mut invite);
    lone.command(Command::Invite(Box::new(invite)));
    let sent = lone.one();
    (lone, sent)
}

/// An endpoint that called and was accepted, with its INVITE and ACK.
pub(crate) fn accepted() -> (Lone, String, String) {
    let (mut lone, invite) = caller(|_| {});
    lone.receive(&answer(
        &invite,
        "200 OK",
        "t1",
        "Contact: <sip:bob@192.0.2.9:5062>\n",
        "sdp",
    ));
    let ack = lone.one();
    lone.events.clear();
    (lone, invite, ack)
}
