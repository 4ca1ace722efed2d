//! Conference roster: who is in a room, who hears of it, and when it ends.
//!
//! A room lives from its first member to its last. Every member that was admitted is told once, and
//! only once, that it is out: by its own leaving, or by the end of the room.

use crate::call::{LegNumber, Tone};
use crate::ids::CallId;
use std::collections::{BTreeMap, VecDeque};

/// A leg in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Member {
    /// Its call.
    pub call: CallId,
    /// Its leg.
    pub leg: LegNumber,
}

/// What the roster is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A leg wants to enter.
    Join {
        /// The leg.
        member: Member,
        /// Most members for this one to enter, itself included.
        max_members: u16,
        /// The others hear a tone when it joins and when it leaves.
        tones: bool,
        /// It may speak.
        talker: bool,
    },
    /// A leg leaves, or its call is gone.
    Leave {
        /// The leg.
        member: Member,
    },
    /// The room must end now.
    End,
}

/// What the roster asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The member is in: mix it.
    Admitted {
        /// The leg.
        member: Member,
        /// It may speak.
        talker: bool,
        /// How many are in now.
        members: u16,
    },
    /// The room is full, or has ended.
    Refused {
        /// The leg.
        member: Member,
    },
    /// The members hear a tone.
    Tone {
        /// Who.
        to: Vec<Member>,
        /// Which.
        tone: Tone,
    },
    /// The member is out: mix it no more. Exactly once for each that was admitted.
    Removed {
        /// The leg.
        member: Member,
    },
    /// The room has ended; nothing follows but refusals.
    Ended,
}

/// The members of one room. One input, then drain [`Roster::next_effect`].
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// Each with whether the others hear of it.
    members: BTreeMap<Member, bool>,
    has_ended: bool,
    effects: VecDeque<Effect>,
}

impl Roster {
    /// Takes an input.
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Join {
                member,
                max_members,
                tones,
                talker,
            } => {
                self.join(member, max_members, tones, talker);
            }
            Input::Leave { member } => self.leave(member),
            Input::End => {
                for (member, _) in std::mem::take(&mut self.members) {
                    self.effects.push_back(Effect::Removed { member });
                }
                self.end();
            }
        }
    }

    /// The next thing to do.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Who is in.
    pub fn members(&self) -> impl Iterator<Item = Member> + '_ {
        self.members.keys().copied()
    }

    /// Whether it has ended: a new room of its name is another one.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    fn join(&mut self, member: Member, max_members: u16, tones: bool, talker: bool) {
        if self.members.contains_key(&member) {
            return;
        }
        if self.has_ended || self.members.len() >= usize::from(max_members) {
            self.effects.push_back(Effect::Refused { member });
            return;
        }
        if tones {
            self.tone(Tone::Joined);
        }
        self.members.insert(member, tones);
        let members = u16::try_from(self.members.len()).unwrap_or(u16::MAX);
        self.effects.push_back(Effect::Admitted {
            member,
            talker,
            members,
        });
    }

    fn leave(&mut self, member: Member) {
        let Some(tones) = self.members.remove(&member) else {
            return;
        };
        self.effects.push_back(Effect::Removed { member });
        if self.members.is_empty() {
            self.end();
        } else if tones {
            self.tone(Tone::Left);
        }
    }

    fn tone(&mut self, tone: Tone) {
        if !self.members.is_empty() {
            let to = self.members().collect();
            self.effects.push_back(Effect::Tone { to, tone });
        }
    }

    fn end(&mut self) {
        if !self.has_ended {
            self.has_ended = true;
            self.effects.push_back(Effect::Ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn member(n: u8) -> Member {
        Member {
            call: CallId::from_uuid(Uuid::from_u128(n.into())),
            leg: LegNumber::A,
        }
    }

    fn handle(roster: &mut Roster, input: Input) -> Vec<Effect> {
        roster.handle(input);
        std::iter::from_fn(|| roster.next_effect()).collect()
    }

    fn join(roster: &mut Roster, n: u8) -> Vec<Effect> {
        let member = member(n);
        handle(
            roster,
            Input::Join {
                member,
                max_members: 2,
                tones: true,
                talker: true,
            },
        )
    }

    fn leave(roster: &mut Roster, n: u8) -> Vec<Effect> {
        handle(roster, Input::Leave { member: member(n) })
    }

    fn admitted(n: u8, members: u16) -> Effect {
        Effect::Admitted {
            member: member(n),
            talker: true,
            members,
        }
    }

    fn tone(n: u8, tone: Tone) -> Effect {
        Effect::Tone {
            to: vec![member(n)],
            tone,
        }
    }

    #[test]
    fn the_others_hear_who_comes_and_goes() {
        let mut roster = Roster::default();
        assert_eq!(join(&mut roster, 1), [admitted(1, 1)]);
        assert_eq!(
            join(&mut roster, 2),
            [tone(1, Tone::Joined), admitted(2, 2)]
        );
        assert_eq!(
            join(&mut roster, 3),
            [Effect::Refused { member: member(3) }]
        );
        let out = Effect::Removed { member: member(1) };
        assert_eq!(leave(&mut roster, 1), [out, tone(2, Tone::Left)]);
        let out = Effect::Removed { member: member(2) };
        assert_eq!(leave(&mut roster, 2), [out, Effect::Ended]);
        assert_eq!(
            join(&mut roster, 3),
            [Effect::Refused { member: member(3) }]
        );
        assert!(roster.has_ended());
    }

    #[test]
    fn a_room_that_must_end_lets_everybody_out() {
        let mut roster = Roster::default();
        join(&mut roster, 1);
        join(&mut roster, 2);
        let effects = handle(&mut roster, Input::End);
        let out = |n| Effect::Removed { member: member(n) };
        assert_eq!(effects, [out(1), out(2), Effect::Ended]);
        assert_eq!(leave(&mut roster, 1), []);
        assert_eq!(handle(&mut roster, Input::End), []);
    }

    proptest! {
        #[test]
        fn everybody_admitted_is_removed_once(
            steps in prop::collection::vec((0u8..9, 0u8..5, 1u16..5, any::<bool>()), 0..60),
        ) {
            let mut roster = Roster::default();
            let mut admitted = Vec::new();
            let mut removed = Vec::new();
            let mut ended = 0;
            let inputs = steps.into_iter().map(|(what, n, max_members, tones)| match what {
                0..=4 => Input::Join { member: member(n), max_members, tones, talker: true },
                5..=7 => Input::Leave { member: member(n) },
                _ => Input::End,
            });
            for input in inputs.chain([Input::End]) {
                let most = match &input {
                    Input::Join { max_members, .. } => Some(*max_members),
                    Input::Leave { .. } | Input::End => None,
                };
                for effect in handle(&mut roster, input) {
                    match effect {
                        Effect::Admitted { member, members, .. } => {
                            admitted.push(member);
                            prop_assert!(most.is_some_and(|most| members <= most));
                        }
                        Effect::Removed { member } => removed.push(member),
                        Effect::Ended => ended += 1,
                        Effect::Tone { to, .. } => prop_assert!(!to.is_empty()),
                        Effect::Refused { .. } => {}
                    }
                }
            }
            admitted.sort();
            removed.sort();
            prop_assert_eq!(admitted, removed);
            prop_assert_eq!(ended, 1);
            prop_assert_eq!(roster.members().count(), 0);
        }
    }
}
