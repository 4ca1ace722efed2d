//! The legs of one call: which there are, how far each is, and who talks to whom.

use super::{LegNumber, LegState};
use std::collections::BTreeMap;

/// A change that a leg's state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LegError {
    /// There is no such leg.
    #[error("the call has no leg {}", .0.0)]
    Unknown(LegNumber),
    /// The number is taken.
    #[error("the call has a leg {} already", .0.0)]
    Taken(LegNumber),
    /// The leg is not in a state for it.
    #[error("leg {} is {from:?} and cannot become {to:?}", .leg.0)]
    Illegal {
        /// The leg.
        leg: LegNumber,
        /// Its state.
        from: LegState,
        /// The state that was asked for.
        to: LegState,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leg {
    state: LegState,
    partner: Option<LegNumber>,
}

/// The legs of one call. Ended legs are forgotten; their numbers stay taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Legs {
    legs: BTreeMap<LegNumber, Leg>,
}

impl Legs {
    /// A leg arrived or is being dialled.
    pub fn start(&mut self, number: LegNumber) -> Result<(), LegError> {
        if self.legs.contains_key(&number) {
            return Err(LegError::Taken(number));
        }
        self.legs.insert(
            number,
            Leg {
                state: LegState::Dialling,
                partner: None,
            },
        );
        Ok(())
    }

    /// It rings.
    pub fn ring(&mut self, number: LegNumber) -> Result<(), LegError> {
        self.enter(number, LegState::Ringing)
    }

    /// It was answered.
    pub fn answer(&mut self, number: LegNumber) -> Result<(), LegError> {
        match self.state(number) {
            Some(LegState::Bridged | LegState::Conferenced) => Err(LegError::Illegal {
                leg: number,
                from: self.state(number).unwrap_or(LegState::Ended),
                to: LegState::Answered,
            }),
            Some(_) | None => self.enter(number, LegState::Answered),
        }
    }

    /// Two answered legs talk to each other.
    pub fn bridge(&mut self, a: LegNumber, b: LegNumber) -> Result<(), LegError> {
        self.check(a, LegState::Bridged)?;
        self.check(b, LegState::Bridged)?;
        if a == b {
            let from = LegState::Answered;
            return Err(LegError::Illegal {
                leg: a,
                from,
                to: LegState::Bridged,
            });
        }
        self.legs.insert(
            a,
            Leg {
                state: LegState::Bridged,
                partner: Some(b),
            },
        );
        self.legs.insert(
            b,
            Leg {
                state: LegState::Bridged,
                partner: Some(a),
            },
        );
        Ok(())
    }

    /// The leg enters a conference.
    pub fn join(&mut self, number: LegNumber) -> Result<(), LegError> {
        self.enter(number, LegState::Conferenced)
    }

    /// The leg, and its partner, hear what they are played again. Answers the partner.
    pub fn part(&mut self, number: LegNumber) -> Option<LegNumber> {
        let leg = self.legs.get_mut(&number)?;
        if !matches!(leg.state, LegState::Bridged | LegState::Conferenced) {
            return None;
        }
        leg.state = LegState::Answered;
        let partner = leg.partner.take()?;
        if let Some(other) = self.legs.get_mut(&partner) {
            *other = Leg {
                state: LegState::Answered,
                partner: None,
            };
        }
        Some(partner)
    }

    /// It ended. Answers whether it was alive: a leg ends once.
    pub fn end(&mut self, number: LegNumber) -> bool {
        self.part(number);
        let Some(leg) = self.legs.get_mut(&number) else {
            return false;
        };
        let alive = leg.state != LegState::Ended;
        leg.state = LegState::Ended;
        alive
    }

    /// Its state.
    pub fn state(&self, number: LegNumber) -> Option<LegState> {
        self.legs.get(&number).map(|leg| leg.state)
    }

    /// To whom it talks.
    pub fn partner(&self, number: LegNumber) -> Option<LegNumber> {
        self.legs.get(&number).and_then(|leg| leg.partner)
    }

    /// The legs that have not ended.
    pub fn live(&self) -> impl Iterator<Item = LegNumber> + '_ {
        let live = self
            .legs
            .iter()
            .filter(|(_, leg)| leg.state != LegState::Ended);
        live.map(|(number, _)| *number)
    }

    fn check(&self, number: LegNumber, to: LegState) -> Result<(), LegError> {
        let from = self.state(number).ok_or(LegError::Unknown(number))?;
        if from.may_become(to) {
            Ok(())
        } else {
            Err(LegError::Illegal {
                leg: number,
                from,
                to,
            })
        }
    }

    fn enter(&mut self, number: LegNumber, to: LegState) -> Result<(), LegError> {
        self.check(number, to)?;
        if let Some(leg) = self.legs.get_mut(&number) {
            leg.state = to;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const B: LegNumber = LegNumber(1);

    #[test]
    fn bridged_legs_are_freed_when_one_of_them_ends() {
        let mut legs = Legs::default();
        for leg in [LegNumber::A, B] {
            legs.start(leg).unwrap();
            legs.answer(leg).unwrap();
        }
        legs.bridge(LegNumber::A, B).unwrap();
        assert_eq!(legs.partner(LegNumber::A), Some(B));
        assert!(legs.end(B));
        assert_eq!(legs.state(LegNumber::A), Some(LegState::Answered));
        assert_eq!(legs.partner(LegNumber::A), None);
        assert!(!legs.end(B));
        assert_eq!(legs.live().collect::<Vec<_>>(), [LegNumber::A]);
    }

    #[test]
    fn a_leg_that_rings_cannot_be_bridged() {
        let mut legs = Legs::default();
        legs.start(LegNumber::A).unwrap();
        legs.ring(LegNumber::A).unwrap();
        let illegal = legs.bridge(LegNumber::A, LegNumber::A);
        assert!(matches!(illegal, Err(LegError::Illegal { .. })));
        assert_eq!(legs.start(LegNumber::A), Err(LegError::Taken(LegNumber::A)));
        assert_eq!(legs.ring(B), Err(LegError::Unknown(B)));
        assert!(matches!(
            legs.ring(LegNumber::A),
            Err(LegError::Illegal { .. })
        ));
    }

    proptest! {
        #[test]
        fn partners_always_name_each_other(
            steps in prop::collection::vec((0u8..7, 0u16..4, 0u16..4), 0..60),
        ) {
            let mut legs = Legs::default();
            for (what, a, b) in steps {
                let (a, b) = (LegNumber(a), LegNumber(b));
                let before = legs.clone();
                let refused = match what {
                    0 => legs.start(a).is_err(),
                    1 => legs.ring(a).is_err(),
                    2 => legs.answer(a).is_err(),
                    3 => legs.bridge(a, b).is_err(),
                    4 => legs.join(a).is_err(),
                    5 => { legs.part(a); false }
                    _ => { legs.end(a); false }
                };
                prop_assert!(!refused || before == legs, "a refusal changes nothing");
                for n in (0..4).map(LegNumber) {
                    prop_assert_eq!(
                        legs.state(n) == Some(LegState::Bridged), legs.partner(n).is_some());
                    if let Some(partner) = legs.partner(n) {
                        prop_assert_eq!(legs.partner(partner), Some(n));
                        prop_assert!(partner != n);
                    }
                }
            }
        }
    }
}
