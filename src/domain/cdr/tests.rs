use super::*;
use crate::cause::{Cause, Outcome};
use proptest::prelude::*;
use uuid::Uuid;

fn at(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_790_000_000_000 + ms).unwrap()
}

fn timeline(origin: Origin) -> Timeline {
    let opening = Opening {
        call: CallId::from_uuid(Uuid::from_u128(1)),
        account: AccountId::from_uuid(Uuid::from_u128(2)),
        origin,
        service_number: Some("+441632960001".into()),
        calling: Some("+447700900001".into()),
        withheld_calling: None,
        called: "+441632960001".into(),
        scheduled_call: None,
        instance: None,
    };
    Timeline::new(opening, at(0))
}

fn leg(number: u16) -> Fact {
    Fact::LegStarted(LegOpening {
        leg: LegNumber(number),
        id: LegId::from_uuid(Uuid::from_u128(100 + u128::from(number))),
        role: if number == 0 { Role::A } else { Role::B },
        address: Some("+447700900002".into()),
        presentation: None,
    })
}

fn quality(mos: f64) -> LegQuality {
    LegQuality {
        round_trip_ms: Some(30.0),
        received: Some(StreamQuality {
            loss_percent: 1.0,
            jitter_ms: 2.0,
            mos,
        }),
        sent: None,
    }
}

fn ending(cause: Cause) -> Ending {
    Ending {
        cause,
        sip_status: None,
    }
}

#[test]
fn an_answered_call_has_one_record_with_all_its_legs() {
    let mut timeline = timeline(Origin::Inbound);
    let a = LegNumber::A;
    let b = LegNumber(1);
    let facts = [
        (0, leg(0)),
        (10, Fact::LegAnswered(a)),
        (10, Fact::LegCodec(a, "PCMA".into())),
        (
            20,
            Fact::Step {
                node: "n1".into(),
                kind: "play_audio".into(),
                branch: String::new(),
            },
        ),
        (500, leg(1)),
        (700, Fact::LegRinging(b)),
        (1500, Fact::LegAnswered(b)),
        (
            4000,
            Fact::LegTraffic {
                leg: b,
                sent: 125,
                received: 124,
                quality: Some(quality(4.2)),
            },
        ),
        (4000, Fact::LegEnded(b, ending(Cause::NormalClearing))),
        (
            4100,
            Fact::Annotated {
                name: "choice".into(),
                value: "1".into(),
            },
        ),
        (
            4200,
            Fact::Recorded(RecordingId::from_uuid(Uuid::from_u128(9))),
        ),
    ];
    for (ms, fact) in facts {
        assert!(timeline.note(fact.clone(), at(ms)), "{fact:?}");
    }
    assert_eq!(timeline.snapshot().state, CallState::InProgress);
    let record = timeline.close(ending(Cause::NormalClearing), at(5000));
    assert_eq!(record.state, CallState::Ended);
    assert_eq!(record.outcome, Some(Outcome::Answered));
    assert_eq!((record.duration_ms, record.expected_count), (4990, 2));
    assert_eq!(
        record
            .legs
            .iter()
            .map(|leg| leg.call_type)
            .collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(record.legs[0].ended_at, Some(at(5000)));
    assert_eq!(record.legs[1].ended_at, Some(at(4000)));
    assert_eq!(record.legs[1].packets_sent, 125);
    assert_eq!(record.legs[1].quality, Some(quality(4.2)));
    assert_eq!(
        (
            record.steps.len(),
            record.annotations.len(),
            record.recordings.len()
        ),
        (1, 1, 1)
    );
}

#[test]
fn the_first_party_of_a_scheduled_call_has_type_167() {
    let mut timeline = timeline(Origin::Scheduled);
    assert_eq!(timeline.snapshot().state, CallState::Dialling);
    timeline.note(leg(0), at(0));
    timeline.note(Fact::LegRinging(LegNumber::A), at(100));
    assert_eq!(timeline.snapshot().state, CallState::Ringing);
    let busy = Ending {
        cause: Cause::UserBusy,
        sip_status: Some(486),
    };
    timeline.note(Fact::LegEnded(LegNumber::A, busy), at(200));
    let record = timeline.close(busy, at(200));
    assert_eq!(
        (record.legs[0].call_type, record.legs[0].direction),
        (167, Direction::Outbound)
    );
    assert_eq!(record.outcome, Some(Outcome::Engaged));
    assert_eq!(
        (record.sip_status, record.q850, record.duration_ms),
        (Some(486), Some(17), 0)
    );
}

#[test]
fn an_outbound_service_calls_its_primary_leg() {
    let mut timeline = timeline(Origin::OutboundService);
    timeline.note(leg(0), at(0));
    timeline.note(leg(1), at(0));
    let types: Vec<_> = timeline
        .snapshot()
        .legs
        .iter()
        .map(|leg| leg.call_type)
        .collect();
    assert_eq!(types, [1, 2]);
}

#[test]
fn a_call_that_was_cut_is_closed_with_cause_41() {
    let mut timeline = timeline(Origin::Inbound);
    timeline.note(leg(0), at(0));
    timeline.note(Fact::LegAnswered(LegNumber::A), at(10));
    let stored = serde_json::to_string(timeline.snapshot()).unwrap();
    let record: CallRecord = serde_json::from_str(&stored).unwrap();
    let record = record.cut(at(900));
    assert_eq!((record.q850, record.legs[0].q850), (Some(41), Some(41)));
    assert_eq!((record.state, record.duration_ms), (CallState::Ended, 890));
    let again = record.clone().cut(at(99_000));
    assert_eq!(again, record);
}

#[test]
fn a_call_cut_before_it_had_a_leg_has_a_record_too() {
    let record = timeline(Origin::Scheduled).snapshot().clone().cut(at(-5));
    assert_eq!(
        (record.ended_at, record.outcome),
        (Some(at(0)), Some(Outcome::Failed))
    );
}

#[test]
fn steps_are_bounded() {
    let mut timeline = timeline(Origin::Inbound);
    for n in 0..2 * MOST_KEPT {
        let step = Fact::Step {
            node: n.to_string(),
            kind: "if".into(),
            branch: "yes".into(),
        };
        assert_eq!(timeline.note(step, at(0)), n < MOST_KEPT);
    }
    assert_eq!(timeline.snapshot().steps.len(), MOST_KEPT);
}

fn any_fact() -> impl Strategy<Value = Fact> {
    let number = (0u16..3).prop_map(LegNumber);
    prop_oneof![
        (0u16..3).prop_map(leg),
        number.clone().prop_map(Fact::LegRinging),
        number.clone().prop_map(Fact::LegAnswered),
        number.prop_map(|leg| Fact::LegEnded(leg, ending(Cause::NoAnswer))),
    ]
}

proptest! {
    #[test]
    fn facts_in_any_order_make_a_record_in_order(facts in prop::collection::vec(any_fact(), 0..40)) {
        let mut timeline = timeline(Origin::Inbound);
        let mut now = 0;
        for fact in facts {
            now += 10;
            timeline.note(fact, at(now));
        }
        let record = timeline.close(ending(Cause::NormalClearing), at(now + 10));
        prop_assert_eq!(record.expected_count as usize, record.legs.len());
        for leg in &record.legs {
            let times: Vec<_> = [Some(leg.started_at), leg.ringing_at, leg.answered_at, leg.ended_at]
                .into_iter().flatten().collect();
            prop_assert!(times.is_sorted(), "{:?}", leg);
            prop_assert!(leg.ended_at.is_some() && leg.cause.is_some());
        }
        prop_assert!(record.answered_at.is_some() == (record.outcome == Some(Outcome::Answered)));
    }
}
