//! Deliver call, Queue and Conference.

use super::*;
use crate::call::{ConferenceEntry, QueueEntry};
use std::time::Duration;

fn first_dial() -> Effect {
    Effect::Dial(Box::new(Dial {
        presentation: Some("+441632960001".to_owned()),
        early_media: true,
        ..dial(1, "+442079460101", 25)
    }))
}

#[test]
fn a_caller_rings_until_the_destination_answers_and_is_answered_then() {
    let mut call = Call::inbound("deliver_call");
    assert_eq!(
        call.begin(),
        [
            step("start", "start", ""),
            step("office", "deliver_call", "continue"),
            first_dial(),
        ]
    );
    assert_eq!(call.tell(Event::Ringing { leg: B }), []);
    assert_eq!(
        call.tell(Event::Answered { leg: B }),
        [Effect::Answer, bridge(B), record(1, B, Parties::Channels)]
    );
    assert_eq!(call.digit('1'), []);
    assert_eq!(
        call.hung_up(B),
        [
            stop_recording(1),
            step("thanks", "play_audio", "continue"),
            play(1, vec![text("Thank you.")]),
        ]
    );
    assert_eq!(call.played(1), [end(Cause::NormalClearing)]);
}

#[test]
fn a_first_party_who_has_answered_hears_ringing() {
    let mut call = Call::scheduled("deliver_call");
    assert_eq!(
        call.begin(),
        [
            step("start", "start", ""),
            step("office", "deliver_call", "scheduled_call"),
            repeat(1, vec![Sound::Tone(Tone::Ringing)]),
            first_dial(),
        ]
    );
    assert_eq!(
        call.tell(Event::Answered { leg: B }),
        [bridge(B), record(1, B, Parties::Channels)]
    );
}

#[test]
fn the_next_destination_is_dialled_and_the_last_cause_decides() {
    let mut call = Call::inbound("deliver_call");
    call.begin();
    let second = Effect::Dial(Box::new(Dial {
        presentation: Some("+441632960001".to_owned()),
        early_media: true,
        ..dial(2, "+442079460102", 25)
    }));
    assert_eq!(call.failed(B, Cause::NoAnswer), [second]);
    assert_eq!(
        call.tell(Event::Answered { leg: B }),
        [],
        "the first one is gone"
    );
    assert_eq!(
        call.failed(LegNumber(2), Cause::UserBusy),
        [
            step("held", "deliver_call", "busy"),
            Effect::Answer,
            repeat(
                1,
                vec![text("Please hold."), Sound::Silence(Duration::from_secs(2))]
            ),
            Effect::Dial(Box::new(dial(3, "+442079460103", 30))),
        ]
    );
    assert_eq!(
        call.tell(Event::Answered { leg: LegNumber(3) }),
        [bridge(LegNumber(3))]
    );
    assert_eq!(call.hung_up(LegNumber(3)), [end(Cause::NormalClearing)]);
}

#[test]
fn an_unanswered_caller_is_refused_with_the_cause_where_nothing_is_connected() {
    for cause in [Cause::NoAnswer, Cause::UnallocatedNumber] {
        let mut call = Call::inbound("deliver_call");
        call.begin();
        call.failed(B, Cause::UserBusy);
        assert_eq!(call.failed(LegNumber(2), cause), [end(cause)]);
    }
}

#[test]
fn an_answered_caller_hears_why_before_the_call_ends() {
    let rows = [
        (Cause::NoAnswer, Tone::Busy),
        (Cause::TemporaryFailure, Tone::Congestion),
        (Cause::UnallocatedNumber, Tone::NumberUnobtainable),
    ];
    for (cause, tone) in rows {
        let mut call = Call::scheduled("deliver_call");
        call.begin();
        call.failed(B, Cause::UserBusy);
        assert_eq!(
            call.failed(LegNumber(2), cause),
            [stop_play(), repeat(2, vec![Sound::Tone(tone)])]
        );
        assert_eq!(call.wait(5), [end(cause)]);
    }
}

#[test]
fn a_number_that_a_caller_has_keyed_may_be_national() {
    let mut plan = fixture("deliver_call");
    "020 7946 0104".clone_into(&mut plan.variables[0].default);
    let mut call = Call::new(plan, Origin::Inbound, "2026-01-14T12:00:00Z");
    call.begin();
    let Some(Effect::Dial(dial)) = call.failed(B, Cause::UserBusy).pop() else {
        panic!("nobody is dialled");
    };
    assert_eq!(dial.destination, "+442079460104");
}

fn entry() -> Effect {
    Effect::JoinQueue(QueueEntry {
        queue: "support".to_owned(),
        destinations: vec![
            "+442079460101".to_owned(),
            "sip:second@example.com".to_owned(),
        ],
        max_connected: 2,
        max_waiting: 10,
    })
}

/// A caller who waits in the queue as number 3.
fn queued() -> Call {
    let mut call = Call::inbound("queue");
    assert_eq!(
        call.begin(),
        [
            step("start", "start", ""),
            step("support", "queue", "continue"),
            Effect::Answer,
            repeat(1, vec![Sound::Music]),
            entry(),
        ]
    );
    assert_eq!(call.tell(Event::Queued { position: 3 }), []);
    call
}

fn offered(destination: &str) -> Event {
    Event::QueueOffered {
        destination: destination.to_owned(),
    }
}

#[test]
fn a_caller_in_a_queue_hears_its_place_and_is_connected_to_whom_is_offered() {
    let mut call = queued();
    assert_eq!(call.deadline(), Some(Duration::from_secs(20)));
    assert_eq!(call.tell(Event::QueuePosition { position: 2 }), []);
    assert_eq!(call.wait(20), [play(2, vec![text("You are number 2.")])]);
    assert_eq!(call.played(2), [repeat(3, vec![Sound::Music])]);
    assert_eq!(call.deadline(), Some(Duration::from_secs(20)));
    assert_eq!(
        call.tell(offered("+442079460101")),
        [Effect::Dial(Box::new(dial(1, "+442079460101", 15)))]
    );
    assert_eq!(
        call.failed(B, Cause::UserBusy),
        [Effect::AnswerOffer {
            refused: Some(Cause::UserBusy)
        }]
    );
    assert_eq!(
        call.tell(offered("sip:second@example.com")),
        [Effect::Dial(Box::new(dial(
            2,
            "sip:second@example.com",
            15
        )))]
    );
    assert_eq!(
        call.tell(Event::Answered { leg: LegNumber(2) }),
        [
            Effect::AnswerOffer { refused: None },
            bridge(LegNumber(2)),
            record(1, LegNumber(2), Parties::Mixed),
        ]
    );
    assert_eq!(call.deadline(), None);
    assert_eq!(call.digit('*'), [], "nobody drops out of a conversation");
    assert_eq!(
        call.hung_up(LegNumber(2)),
        [
            stop_recording(1),
            Effect::LeaveQueue,
            step("thanks", "play_audio", "continue"),
            play(4, vec![text("Thank you.")]),
        ]
    );
}

#[test]
fn a_full_queue_takes_its_branch() {
    let mut call = Call::inbound("queue");
    call.begin();
    assert_eq!(
        call.tell(Event::QueueRefused),
        [
            stop_play(),
            step("full", "hang_up", "full"),
            end(Cause::Congestion)
        ]
    );
}

#[test]
fn a_caller_who_has_waited_too_long_leaves_the_queue() {
    let mut call = queued();
    assert_eq!(
        call.wait(60),
        [
            stop_play(),
            Effect::LeaveQueue,
            step("slow", "hang_up", "timeout"),
            end(Cause::NoAnswer),
        ]
    );
}

#[test]
fn a_phone_that_rings_when_the_wait_is_over_may_still_be_answered() {
    let mut call = queued();
    call.tell(offered("+442079460101"));
    call.wait(60);
    assert_eq!(
        call.failed(B, Cause::NoAnswer),
        [
            Effect::AnswerOffer {
                refused: Some(Cause::NoAnswer)
            },
            stop_play(),
            Effect::LeaveQueue,
            step("slow", "hang_up", "timeout"),
            end(Cause::NoAnswer),
        ]
    );
    let mut call = queued();
    call.tell(offered("+442079460101"));
    call.wait(60);
    let answered = call.tell(Event::Answered { leg: B });
    assert_eq!(answered[0], Effect::AnswerOffer { refused: None });
}

#[test]
fn the_drop_out_key_leaves_the_queue_and_stops_the_ringing() {
    let mut call = queued();
    assert_eq!(call.digit('1'), []);
    call.tell(offered("+442079460101"));
    assert_eq!(
        call.digit('*'),
        [
            Effect::HangUp {
                leg: B,
                cause: Cause::NormalClearing
            },
            stop_play(),
            Effect::LeaveQueue,
            step("left", "hang_up", "drop_out"),
            end(Cause::NormalClearing),
        ]
    );
}

#[test]
fn a_queue_that_is_gone_lets_conversations_go_on_and_fails_the_waiting() {
    let mut waiting = queued();
    assert_eq!(
        waiting.tell(Event::QueueLost),
        [stop_play(), repeat(2, vec![Sound::Tone(Tone::Congestion)])]
    );
    assert_eq!(waiting.wait(5), [end(Cause::TemporaryFailure)]);
    let mut connected = queued();
    connected.tell(offered("+442079460101"));
    connected.tell(Event::Answered { leg: B });
    assert_eq!(connected.tell(Event::QueueLost), []);
    let after = connected.hung_up(B);
    assert!(!after.contains(&Effect::LeaveQueue), "{after:?}");
}

#[test]
fn a_caller_enters_a_room_and_goes_on_when_it_ends() {
    let mut call = Call::inbound("conference");
    assert_eq!(
        call.begin(),
        [
            step("start", "start", ""),
            step("room", "conference", "continue"),
            Effect::Answer,
            Effect::JoinConference(ConferenceEntry {
                leg: A,
                room: "monday".to_owned(),
                max_members: 3,
                tones: true,
                talker: true,
            }),
        ]
    );
    assert_eq!(
        call.tell(Event::ConferenceJoined { leg: A, members: 1 }),
        []
    );
    assert_eq!(
        call.tell(Event::ConferenceLeft { leg: A }),
        [
            step("after", "play_audio", "continue"),
            play(1, vec![text("The conference has ended.")]),
        ]
    );
}

#[test]
fn a_full_room_gives_the_busy_tone_where_its_branch_is_not_connected() {
    let mut call = Call::inbound("conference");
    call.begin();
    assert_eq!(
        call.tell(Event::ConferenceRefused { leg: A }),
        [repeat(1, vec![Sound::Tone(Tone::Busy)])]
    );
    assert_eq!(call.wait(4), []);
    assert_eq!(call.wait(1), [end(Cause::UserBusy)]);
}
