use super::*;
use crate::call::some_instant;
use proptest::prelude::*;
use std::collections::BTreeSet;
use uuid::Uuid;

fn caller(n: u16) -> CallId {
    CallId::from_uuid(Uuid::from_u128(u128::from(n)))
}

fn at(n: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + n, 0).unwrap()
}

fn settings(destinations: &[&str], max_connected: u16, max_waiting: u16) -> Settings {
    let destinations = destinations.iter().map(|to| (*to).to_owned()).collect();
    Settings {
        destinations,
        max_connected,
        max_waiting,
    }
}

struct Trial {
    queue: Discipline,
    settings: Settings,
    now: Instant,
}

impl Trial {
    fn new(settings: Settings) -> Self {
        Self {
            queue: Discipline::default(),
            settings,
            now: some_instant(),
        }
    }

    fn input(&mut self, input: Input) -> Vec<Effect> {
        self.queue.handle(input, self.now);
        std::iter::from_fn(|| self.queue.next_effect()).collect()
    }

    fn join(&mut self, n: u16) -> Vec<Effect> {
        let settings = self.settings.clone();
        self.input(Input::Join {
            caller: caller(n),
            since: at(n.into()),
            settings,
        })
    }

    fn refuse(&mut self, n: u16) -> Vec<Effect> {
        self.input(Input::OfferEnded {
            caller: caller(n),
            refused: Some(Cause::UserBusy),
        })
    }

    fn connect(&mut self, n: u16) -> Vec<Effect> {
        self.input(Input::OfferEnded {
            caller: caller(n),
            refused: None,
        })
    }

    fn leave(&mut self, n: u16) -> Vec<Effect> {
        self.input(Input::Leave { caller: caller(n) })
    }

    fn tick(&mut self) -> Vec<Effect> {
        self.now = self.queue.deadline().expect("a deadline");
        self.input(Input::Tick)
    }
}

fn joined(n: u16, position: u16) -> Effect {
    Effect::Joined {
        caller: caller(n),
        position,
    }
}

fn offer(n: u16, destination: &str) -> Effect {
    Effect::Offer {
        caller: caller(n),
        destination: destination.to_owned(),
    }
}

fn position(n: u16, position: u16) -> Effect {
    Effect::Position {
        caller: caller(n),
        position,
    }
}

#[test]
fn callers_are_offered_in_their_order_and_destinations_in_turn() {
    let mut trial = Trial::new(settings(&["a", "b", "c"], 2, 5));
    assert_eq!(trial.join(1), [joined(1, 1), offer(1, "a")]);
    assert_eq!(trial.join(2), [joined(2, 2), offer(2, "b")]);
    assert_eq!(trial.join(3), [joined(3, 3)], "two are engaged");
    assert_eq!(trial.connect(1), [position(2, 1), position(3, 2)]);
    assert_eq!(trial.leave(1), [offer(3, "c")]);
}

#[test]
fn after_a_refusal_the_same_caller_is_offered_to_the_next_destination() {
    let mut trial = Trial::new(settings(&["a", "b"], 1, 5));
    trial.join(1);
    trial.join(2);
    assert_eq!(trial.refuse(1), [offer(1, "b")]);
    assert_eq!(trial.refuse(1), [], "both are left alone for a while");
    assert_eq!(trial.queue.deadline(), Some(trial.now + RETRY));
    assert_eq!(
        trial.tick(),
        [offer(1, "a")],
        "and then it goes round again"
    );
}

#[test]
fn a_single_destination_is_rung_again_after_a_pause() {
    let mut trial = Trial::new(settings(&["a"], 1, 5));
    trial.join(1);
    for _ in 0..3 {
        assert_eq!(trial.refuse(1), []);
        assert_eq!(trial.tick(), [offer(1, "a")]);
    }
}

#[test]
fn a_full_queue_refuses() {
    let mut trial = Trial::new(settings(&["a"], 1, 1));
    trial.join(1);
    assert_eq!(trial.join(2), [joined(2, 2)]);
    assert_eq!(trial.join(3), [Effect::Refused { caller: caller(3) }]);
    trial.connect(1);
    assert_eq!(trial.leave(1), [offer(2, "a")]);
    assert_eq!(trial.join(3), [joined(3, 2)]);
}

#[test]
fn nobody_may_wait_but_a_free_destination_is_offered() {
    let mut trial = Trial::new(settings(&["a"], 1, 0));
    assert_eq!(trial.join(1), [joined(1, 1), offer(1, "a")]);
    assert_eq!(trial.join(2), [Effect::Refused { caller: caller(2) }]);
}

#[test]
fn a_caller_that_hangs_up_frees_its_destination_and_its_place() {
    let mut trial = Trial::new(settings(&["a"], 1, 5));
    trial.join(1);
    trial.join(2);
    trial.join(3);
    assert_eq!(
        trial.leave(1),
        [offer(2, "a"), position(2, 1), position(3, 2)]
    );
    assert_eq!(trial.connect(1), [], "who is gone cannot be connected");
    assert_eq!(trial.leave(9), []);
}

#[test]
fn an_offer_that_never_ends_is_given_up() {
    let mut trial = Trial::new(settings(&["a"], 1, 5));
    trial.join(1);
    trial.join(2);
    let lost = Effect::Lost { caller: caller(1) };
    assert_eq!(trial.tick(), [lost, offer(2, "a"), position(2, 1)]);
}

#[test]
fn a_queue_is_rebuilt_from_its_members_in_any_order() {
    let mut trial = Trial::new(settings(&["a", "b"], 2, 1));
    let stages = [
        (3, Stage::Waiting),
        (
            2,
            Stage::Offered {
                destination: "b".into(),
            },
        ),
        (4, Stage::Waiting),
        (1, Stage::Connected),
    ];
    // Until the connected ones are back there is room, but nobody is offered.
    for (n, stage) in stages {
        let settings = trial.settings.clone();
        let (caller, since) = (caller(n), at(n.into()));
        let effects = trial.input(Input::Rejoin {
            caller,
            since,
            stage,
            settings,
        });
        let is_offer = |effect: &Effect| matches!(effect, Effect::Offer { .. });
        assert!(!effects.iter().any(is_offer), "{effects:?}");
    }
    assert_eq!(trial.tick(), []);
    assert_eq!((trial.queue.waiting(), trial.queue.engaged()), (2, 2));
    assert_eq!(trial.join(3), [], "it is in already");
    assert_eq!(trial.connect(2), [position(3, 1), position(4, 2)]);
    assert_eq!(trial.join(5), [Effect::Refused { caller: caller(5) }]);
    assert_eq!(trial.leave(1), [offer(3, "a")]);
}

#[derive(Clone, Debug)]
enum Move {
    Join(u16),
    Refuse(u16),
    Connect(u16),
    Leave(u16),
    Pass(u64),
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        3 => (0u16..12).prop_map(Move::Join),
        2 => (0u16..12).prop_map(Move::Refuse),
        2 => (0u16..12).prop_map(Move::Connect),
        2 => (0u16..12).prop_map(Move::Leave),
        1 => (0u64..20).prop_map(Move::Pass),
    ]
}

proptest! {
    #[test]
    fn order_capacity_and_single_offers_hold(
        destinations in 1usize..4, max_connected in 1u16..4, max_waiting in 0u16..5,
        moves in prop::collection::vec(any_move(), 0..120),
    ) {
        let names: Vec<_> = ["a", "b", "c"].into_iter().take(destinations).collect();
        let mut trial = Trial::new(settings(&names, max_connected, max_waiting));
        let mut waiting: BTreeSet<CallId> = BTreeSet::new();
        let mut offered: BTreeMap<CallId, String> = BTreeMap::new();
        let mut connected: BTreeSet<CallId> = BTreeSet::new();
        let mut places: BTreeMap<CallId, u16> = BTreeMap::new();
        for step in moves {
            let effects = match step {
                Move::Join(n) => trial.join(n),
                Move::Refuse(n) => {
                    if offered.remove(&caller(n)).is_some() {
                        waiting.insert(caller(n));
                    }
                    trial.refuse(n)
                }
                Move::Connect(n) => {
                    if offered.remove(&caller(n)).is_some() {
                        connected.insert(caller(n));
                        places.remove(&caller(n));
                    }
                    trial.connect(n)
                }
                Move::Leave(n) => {
                    let id = caller(n);
                    let _ = (waiting.remove(&id), offered.remove(&id), connected.remove(&id));
                    places.remove(&id);
                    trial.leave(n)
                }
                Move::Pass(seconds) => {
                    trial.now += Duration::from_secs(seconds);
                    trial.input(Input::Tick)
                }
            };
            for effect in effects {
                match effect {
                    Effect::Joined { caller, position } => {
                        prop_assert!(waiting.insert(caller));
                        places.insert(caller, position);
                    }
                    Effect::Position { caller, position } => {
                        prop_assert!(places.insert(caller, position) != Some(position));
                    }
                    Effect::Offer { caller, destination } => {
                        prop_assert!(waiting.remove(&caller), "one offer at a time");
                        prop_assert!(!offered.values().any(|other| *other == destination));
                        prop_assert!(waiting.iter().all(|other| *other > caller), "first in, first out");
                        offered.insert(caller, destination);
                        let engaged = offered.len() + connected.len();
                        prop_assert!(engaged <= usize::from(max_connected));
                    }
                    Effect::Refused { caller } => {
                        prop_assert!(waiting.len() >= usize::from(max_waiting));
                        prop_assert!(!waiting.contains(&caller) && !offered.contains_key(&caller));
                    }
                    Effect::Lost { caller } => {
                        offered.remove(&caller);
                        places.remove(&caller);
                    }
                }
            }
            prop_assert_eq!(trial.queue.waiting(), waiting.len());
            prop_assert_eq!(trial.queue.engaged(), offered.len() + connected.len());
            let line: BTreeSet<_> = waiting.iter().chain(offered.keys()).copied().collect();
            for (caller, position) in line.iter().zip(1u16..) {
                prop_assert_eq!(places.get(caller), Some(&position), "everybody knows its place");
            }
            let idle = offered.len() + connected.len() < usize::from(max_connected)
                && offered.len() < destinations;
            prop_assert!(waiting.is_empty() || !idle || trial.queue.deadline().is_some(),
                "who waits is looked at again");
        }
    }

    #[test]
    fn nobody_starves(refusals in prop::collection::vec(0u8..3, 40), callers in 1u16..8) {
        let mut trial = Trial::new(settings(&["a", "b"], 1, 50));
        let mut next = Vec::new();
        for n in 0..callers {
            next.extend(trial.join(n));
        }
        let mut refusals = refusals.into_iter();
        let mut order = Vec::new();
        for _ in 0..200 {
            let offers: Vec<_> = next.drain(..).filter_map(|effect| match effect {
                Effect::Offer { caller, .. } => Some(caller),
                _ => None,
            }).collect();
            let Some(id) = offers.first().copied() else {
                if trial.queue.is_empty() { break }
                next = trial.tick();
                continue;
            };
            let n = u16::try_from(id.uuid().as_u128()).unwrap();
            if refusals.next().is_some_and(|refusal| refusal > 0) {
                next = trial.refuse(n);
            } else {
                order.push(n);
                trial.connect(n);
                next = trial.leave(n);
            }
        }
        prop_assert_eq!(order, (0..callers).collect::<Vec<_>>());
    }
}
