//! How runs end, also those of plans that can't run.

use super::*;

#[test]
fn hang_up_refuses_a_caller_who_was_not_answered() {
    assert_eq!(
        Call::inbound("hang_up").begin(),
        [
            step("start", "start", ""),
            step("busy", "hang_up", "continue"),
            end(Cause::UserBusy)
        ]
    );
}

#[test]
fn a_caller_who_hangs_up_ends_the_call_in_every_node() {
    for name in [
        "play_audio",
        "ivr_menu",
        "dtmf_capture",
        "deliver_call",
        "queue",
        "conference",
        "welcome_menu",
    ] {
        let mut call = Call::inbound(name);
        call.begin();
        assert_eq!(call.hung_up(A), [end(Cause::NormalClearing)], "{name}");
        assert!(call.interpreter.is_over());
        assert_eq!(call.deadline(), None);
        assert_eq!(call.hung_up(A), [], "{name}");
        assert_eq!(call.begin(), [], "{name}");
    }
}

#[test]
fn a_stop_ends_the_call_with_its_cause_also_before_it_began() {
    let stop = Event::Stop {
        cause: Cause::TemporaryFailure,
    };
    let mut call = Call::inbound("queue");
    assert_eq!(call.tell(stop.clone()), [end(Cause::TemporaryFailure)]);
    assert_eq!(call.begin(), []);
    let mut call = Call::inbound("queue");
    call.begin();
    assert_eq!(call.tell(stop), [end(Cause::TemporaryFailure)]);
}

#[test]
fn nothing_happens_before_the_call_has_started() {
    let mut call = Call::inbound("ivr_menu");
    assert_eq!(call.digit('1'), []);
    assert_eq!(call.begin().len(), 4);
}

#[test]
fn a_scheduled_call_of_a_plan_without_its_branch_ends() {
    let mut call = Call::scheduled("hang_up");
    assert_eq!(
        call.begin(),
        [
            step("start", "start", ""),
            repeat(1, vec![Sound::Tone(Tone::NumberUnobtainable)])
        ]
    );
    assert_eq!(call.wait(5), [end(Cause::ServiceUnavailable)]);
}

fn plan(nodes: &serde_json::Value) -> Plan {
    let document = serde_json::json!({"format_version": 1, "nodes": nodes});
    serde_json::from_value(document).unwrap()
}

fn run(nodes: &serde_json::Value) -> Vec<Effect> {
    Call::new(plan(nodes), Origin::Inbound, "2026-01-14T12:00:00Z").begin()
}

#[test]
fn a_plan_that_cannot_run_ends_with_a_temporary_failure() {
    assert_eq!(run(&serde_json::json!([])), [end(Cause::TemporaryFailure)]);
    let unknown = serde_json::json!([
        {"id": "start", "type": "start", "branches": {"continue": "x"}},
        {"id": "x", "type": "teleport", "properties": {"to": "Mars"}},
    ]);
    assert_eq!(
        run(&unknown),
        [
            step("start", "start", ""),
            step("x", "teleport", "continue"),
            end(Cause::TemporaryFailure)
        ]
    );
    let nowhere = serde_json::json!([
        {"id": "start", "type": "start", "branches": {"continue": "x"}},
    ]);
    assert_eq!(
        run(&nowhere),
        [step("start", "start", ""), end(Cause::ServiceUnavailable)]
    );
}

#[test]
fn a_circle_without_telephony_is_cut() {
    let circle = serde_json::json!([
        {"id": "start", "type": "start", "branches": {"continue": "a"}},
        {"id": "a", "type": "set_variable", "branches": {"continue": "b"}},
        {"id": "b", "type": "set_variable", "branches": {"continue": "a"}},
    ]);
    let effects = run(&circle);
    assert_eq!(effects.len(), 101);
    assert_eq!(effects.last(), Some(&end(Cause::TemporaryFailure)));
}

#[test]
fn a_circle_of_sounds_that_cannot_be_played_is_cut() {
    let circle = serde_json::json!([
        {"id": "start", "type": "start", "branches": {"continue": "a"}},
        {"id": "a", "type": "play_audio", "properties": {"sounds": [{"type": "beep"}]},
         "branches": {"continue": "b"}},
        {"id": "b", "type": "play_audio", "properties": {"sounds": [{"type": "beep"}]},
         "branches": {"continue": "a"}},
    ]);
    let mut call = Call::new(plan(&circle), Origin::Inbound, "2026-01-14T12:00:00Z");
    call.begin();
    let mut played = 0;
    while !call.interpreter.is_over() {
        played += 1;
        call.tell(Event::Played {
            leg: A,
            play: PlayNumber(played),
            failure: Some("no such file".to_owned()),
        });
    }
    assert_eq!(played, 99, "with the start these are 100 steps");
    let mut slow = Call::new(plan(&circle), Origin::Inbound, "2026-01-14T12:00:00Z");
    slow.begin();
    for played in 1..1_000 {
        slow.elapsed += Duration::from_millis(500);
        slow.played(played);
    }
    assert!(
        !slow.interpreter.is_over(),
        "somebody listens for a long time"
    );
}

#[test]
fn the_same_plan_asks_again_in_a_second_visit() {
    let mut call = Call::inbound("welcome_menu");
    call.begin();
    call.digit('5');
    assert_eq!(call.node(), "menu");
    assert_eq!(call.digit('3')[1], step("room", "conference", "3"));
}
