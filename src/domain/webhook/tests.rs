use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + seconds, 0).unwrap()
}

fn id(number: u128) -> DeliveryId {
    DeliveryId::from_uuid(Uuid::from_u128(number))
}

fn lane(number: u128) -> Lane {
    Lane::Call(CallId::from_uuid(Uuid::from_u128(number)))
}

fn job(number: u128, of: u128, now: DateTime<Utc>) -> Job {
    Job {
        id: id(number),
        lane: lane(of),
        attempts: 0,
        due: now,
        expires_at: now + LATEST,
    }
}

fn effects(endpoint: &mut Endpoint) -> Vec<Effect> {
    std::iter::from_fn(|| endpoint.next_effect()).collect()
}

fn sent(endpoint: &mut Endpoint) -> Vec<DeliveryId> {
    let sent = effects(endpoint).into_iter().filter_map(|effect| {
        if let Effect::Send(id) = effect {
            Some(id)
        } else {
            None
        }
    });
    sent.collect()
}

fn answered(number: u128, answer: Answer) -> Input {
    Input::Answered {
        id: id(number),
        answer,
        chance: 0.5,
    }
}

const REFUSED: Answer = Answer::Refused { wait: None };

#[test]
fn a_call_waits_for_its_own_events_only() {
    let mut endpoint = Endpoint::default();
    for (number, of) in [(1, 1), (2, 1), (3, 2)] {
        endpoint.handle(Input::Add(job(number, of, at(0))), at(0));
    }
    assert_eq!(sent(&mut endpoint), [id(1), id(3)]);
    endpoint.handle(answered(1, REFUSED), at(0));
    let waits = Effect::Waits {
        id: id(1),
        due: at(1),
    };
    assert_eq!(effects(&mut endpoint), [waits]);
    endpoint.handle(answered(3, Answer::Taken), at(0));
    assert_eq!(effects(&mut endpoint), [Effect::Delivered(id(3))]);
    assert_eq!(endpoint.deadline(), Some(at(1)));
    endpoint.handle(Input::Tick, at(1));
    assert_eq!(sent(&mut endpoint), [id(1)]);
    endpoint.handle(answered(1, Answer::Taken), at(1));
    assert_eq!(
        effects(&mut endpoint),
        [Effect::Delivered(id(1)), Effect::Send(id(2))]
    );
}

#[test]
fn an_endpoint_gets_a_few_at_a_time_and_one_that_is_down_gets_one() {
    let mut endpoint = Endpoint::default();
    for number in 1..=10 {
        endpoint.handle(Input::Add(job(number, number, at(0))), at(0));
    }
    let first = sent(&mut endpoint);
    assert_eq!(first.len(), MOST_AT_ONCE);
    for number in 1..=4 {
        endpoint.handle(answered(number, REFUSED), at(1));
    }
    // One that was sent in place of the first two is still on its way: nothing else until it is back.
    let replaced = sent(&mut endpoint);
    assert_eq!(replaced, [id(5), id(6)]);
    endpoint.handle(answered(5, REFUSED), at(2));
    endpoint.handle(answered(6, REFUSED), at(2));
    assert_eq!(sent(&mut endpoint), []);
    // Six failures: the fourth since it is down, so that 8 s are waited.
    assert_eq!(endpoint.deadline(), Some(at(10)));
    endpoint.handle(Input::Tick, at(10));
    assert_eq!(sent(&mut endpoint), [id(7)]);
    endpoint.handle(answered(7, Answer::Taken), at(10));
    assert_eq!(endpoint.failing_since(), None);
    // It is back: those that were refused need not wait for their own time.
    assert_eq!(sent(&mut endpoint).len(), MOST_AT_ONCE);
}

#[test]
fn an_endpoint_that_is_gone_gets_nothing_more() {
    let mut endpoint = Endpoint::default();
    endpoint.handle(Input::Add(job(1, 1, at(0))), at(0));
    endpoint.handle(Input::Add(job(2, 1, at(0))), at(0));
    assert_eq!(sent(&mut endpoint), [id(1)]);
    endpoint.handle(answered(1, Answer::Gone), at(0));
    let waits = Effect::Waits {
        id: id(1),
        due: at(0),
    };
    assert_eq!(
        effects(&mut endpoint),
        [waits, Effect::Disable(DisabledCause::Gone)]
    );
    endpoint.handle(Input::Tick, at(100));
    assert_eq!(effects(&mut endpoint), []);
    assert_eq!((endpoint.deadline(), endpoint.waiting()), (None, 2));
}

#[test]
fn an_endpoint_may_ask_for_a_longer_pause() {
    let mut endpoint = Endpoint::default();
    endpoint.handle(Input::Add(job(1, 1, at(0))), at(0));
    assert_eq!(sent(&mut endpoint), [id(1)]);
    let wait = Some(Duration::from_mins(2));
    endpoint.handle(answered(1, Answer::Refused { wait }), at(0));
    assert_eq!(endpoint.deadline(), Some(at(120)));
}

#[test]
fn a_day_without_success_disables_an_endpoint_and_a_late_event_is_given_up() {
    let mut endpoint = Endpoint::default();
    endpoint.handle(Input::Add(job(1, 1, at(0))), at(0));
    let (mut now, mut attempts, mut ends) = (at(0), 0, Vec::new());
    loop {
        while let Some(effect) = endpoint.next_effect() {
            match effect {
                Effect::Send(id) => {
                    attempts += 1;
                    let input = Input::Answered {
                        id,
                        answer: REFUSED,
                        chance: 1.0,
                    };
                    endpoint.handle(input, now);
                    // Others are told meanwhile, the last within the last hour.
                    let number = 1000 + attempts;
                    endpoint.handle(Input::Add(job(number, number, now)), now);
                }
                Effect::Failed(_) | Effect::Disable(_) => ends.push(effect),
                Effect::Delivered(_) | Effect::Waits { .. } => {}
            }
        }
        match endpoint.deadline() {
            Some(deadline) => {
                assert!(deadline > now, "time goes on");
                now = deadline;
                endpoint.handle(Input::Tick, now);
            }
            None => break,
        }
    }
    assert!(now - at(0) >= LATEST, "{now}");
    assert!(now - at(0) < LATEST + TimeDelta::minutes(10), "{now}");
    assert!(ends.contains(&Effect::Failed(id(1))), "{ends:?}");
    assert!(
        ends.contains(&Effect::Disable(DisabledCause::Failing)),
        "{ends:?}"
    );
    assert!((200..400).contains(&attempts), "{attempts}");
}

#[test]
fn after_ten_minutes_without_the_endpoint_everything_comes_once_and_in_order() {
    let mut endpoint = Endpoint::default();
    let (mut now, mut told, mut taken) = (at(0), 0, Vec::new());
    let back = at(600);
    let mut on_its_way = BTreeMap::new();
    while now < at(1200) {
        // Five calls at a time tell an event each second, as long as the endpoint is away.
        if now < back {
            for call in 0..5 {
                told += 1;
                endpoint.handle(Input::Add(job(told, call, now)), now);
                on_its_way.insert(id(told), lane(call));
            }
        }
        endpoint.handle(Input::Tick, now);
        while let Some(effect) = endpoint.next_effect() {
            if let Effect::Send(id) = effect {
                let answer = if now < back { REFUSED } else { Answer::Taken };
                let chance = 0.9;
                endpoint.handle(Input::Answered { id, answer, chance }, now);
                if now >= back {
                    taken.push((on_its_way[&id], id, now));
                }
            }
        }
        now += TimeDelta::seconds(1);
    }
    assert_eq!(u128::try_from(taken.len()).unwrap(), told);
    let mut last = BTreeMap::new();
    for (lane, id, when) in taken {
        assert!(last.insert(lane, id).is_none_or(|before| before < id));
        assert!(when <= back + TimeDelta::minutes(6), "{when}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Add(u128),
    Answer(usize, u8),
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_u128..4).prop_map(Step::Add),
        6 => (0_usize..4, 0_u8..20).prop_map(|(which, how)| Step::Answer(which, how)),
        2 => (1_i64..4000).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..300)
}

proptest! {
    #[test]
    fn nothing_is_lost_doubled_or_overtaken_whatever_the_endpoint_does(steps in steps()) {
        let mut endpoint = Endpoint::default();
        let (mut now, mut number) = (at(0), 0);
        let mut open: BTreeMap<DeliveryId, Lane> = BTreeMap::new();
        let (mut flying, mut over) = (BTreeSet::new(), BTreeSet::new());
        let mut is_disabled = false;
        for step in steps {
            match step {
                Step::Add(of) => {
                    number += 1;
                    open.insert(id(number), lane(of));
                    endpoint.handle(Input::Add(job(number, of, now)), now);
                }
                Step::Answer(which, how) => {
                    let Some(id) = flying.iter().nth(which).copied() else { continue };
                    flying.remove(&id);
                    let answer = match how {
                        0 => Answer::Gone,
                        1..10 => REFUSED,
                        _ => Answer::Taken,
                    };
                    endpoint.handle(Input::Answered { id, answer, chance: f64::from(how) / 20.0 }, now);
                }
                Step::Wait(seconds) => {
                    now += TimeDelta::seconds(seconds);
                    endpoint.handle(Input::Tick, now);
                }
            }
            while let Some(effect) = endpoint.next_effect() {
                match effect {
                    Effect::Send(id) => {
                        prop_assert!(!is_disabled);
                        prop_assert!(flying.insert(id));
                        let of = open[&id];
                        let first = open.iter().find(|(_, lane)| **lane == of).unwrap();
                        prop_assert_eq!(*first.0, id, "the first of its lane");
                    }
                    Effect::Delivered(id) | Effect::Failed(id) => {
                        prop_assert!(!flying.contains(&id));
                        prop_assert!(open.remove(&id).is_some());
                        prop_assert!(over.insert(id));
                    }
                    Effect::Waits { id, .. } => prop_assert!(open.contains_key(&id)),
                    Effect::Disable(_) => {
                        prop_assert!(!is_disabled);
                        is_disabled = true;
                    }
                }
            }
            prop_assert!(flying.len() <= MOST_AT_ONCE);
            prop_assert_eq!(endpoint.waiting(), open.len());
            // Whoever may go on has a deadline, or waits for an answer.
            if !is_disabled && !open.is_empty() && flying.is_empty() {
                prop_assert!(endpoint.deadline().is_some());
            }
        }
    }
}
