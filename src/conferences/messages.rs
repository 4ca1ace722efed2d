//! What calls and conferences say to each other.

use actix::{Message, Recipient};
use strowger_domain::call::{ConferenceEntry, LegNumber};
use strowger_domain::conference::Member;
use strowger_domain::ids::AccountId;

use crate::net::media_engine::RoomId;

/// A conference's name within its account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoomName(pub String);

/// A leg wants to enter a room; the account's conference of that name answers by
/// [`ConferenceFact`]s.
#[derive(Message, Debug, Clone)]
#[rtype(result = "()")]
pub struct EnterRoom {
    /// Whose conference.
    pub account: AccountId,
    /// Who enters.
    pub member: Member,
    /// What its driver asked.
    pub entry: ConferenceEntry,
    /// Who is told.
    pub reply_to: Recipient<ConferenceFact>,
}

/// Membership of a conference; dropping it leaves.
#[derive(Debug)]
pub struct Membership {
    conference: Recipient<LeaveRoom>,
    member: Member,
}

impl Membership {
    /// The membership of a leg that was let in.
    pub fn new(conference: Recipient<LeaveRoom>, member: Member) -> Self {
        Self { conference, member }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.conference.do_send(LeaveRoom(self.member));
    }
}

/// A member is gone.
#[derive(Message, Debug, Clone, Copy, PartialEq, Eq)]
#[rtype(result = "()")]
pub struct LeaveRoom(pub Member);

/// What a conference tells a member's call.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct ConferenceFact {
    /// Which leg.
    pub leg: LegNumber,
    /// What.
    pub news: ConferenceNews,
}

/// See [`ConferenceFact`].
#[derive(Debug)]
pub enum ConferenceNews {
    /// It is in.
    Joined {
        /// To be held as long as it is in.
        membership: Membership,
        /// Where its sound is mixed.
        room: RoomId,
        /// It may speak.
        talker: bool,
        /// How many are in now.
        members: u16,
    },
    /// The room is full.
    Refused,
    /// The conference ended or failed.
    Over,
}
