//! IVR menu and DTMF capture.

use super::*;
use std::time::Duration;

#[test]
fn a_connected_key_ends_the_prompt_and_takes_its_branch() {
    let mut call = Call::inbound("ivr_menu");
    assert_eq!(
        call.begin(),
        [
            step("start", "start", ""),
            step("menu", "ivr_menu", "continue"),
            Effect::Answer,
            play(1, vec![text("Press 1 or hash.")]),
        ]
    );
    assert_eq!(
        call.digit('#'),
        [
            stop_play(),
            step("hash", "hang_up", "#"),
            end(Cause::CallRejected)
        ]
    );
}

#[test]
fn a_key_after_the_prompt_is_taken_too() {
    let mut call = Call::inbound("ivr_menu");
    call.begin();
    assert_eq!(call.deadline(), None);
    assert_eq!(call.played(1), []);
    assert_eq!(call.deadline(), Some(Duration::from_secs(4)));
    assert_eq!(call.wait(3), [], "it is too early to give up");
    assert_eq!(
        call.digit('1'),
        [step("one", "hang_up", "1"), end(Cause::UserBusy)]
    );
}

#[test]
fn no_key_repeats_the_prompt_and_then_takes_the_branch_for_no_input() {
    let mut call = Call::inbound("ivr_menu");
    call.begin();
    call.played(1);
    assert_eq!(
        call.wait(4),
        [play(
            2,
            vec![text("Nothing came."), text("Press 1 or hash.")]
        )]
    );
    assert_eq!(call.deadline(), None);
    call.played(2);
    assert_eq!(
        call.wait(4),
        [step("silent", "hang_up", "no_input"), end(Cause::NoAnswer)]
    );
}

#[test]
fn wrong_keys_use_the_attempts_up() {
    let mut call = Call::inbound("ivr_menu");
    call.begin();
    assert_eq!(
        call.digit('9'),
        [
            stop_play(),
            play(2, vec![text("Wrong key."), text("Press 1 or hash.")])
        ]
    );
    // `invalid` is not connected, so that `max_attempts` is taken.
    assert_eq!(
        call.digit('A'),
        [
            stop_play(),
            step("lost", "hang_up", "max_attempts"),
            end(Cause::NormalUnspecified)
        ]
    );
}

/// The prompt of `dtmf_capture` has been played.
fn capturing() -> Call {
    let mut call = Call::inbound("dtmf_capture");
    assert_eq!(
        call.begin(),
        [
            step("start", "start", ""),
            step("pin", "dtmf_capture", "continue"),
            Effect::Answer,
            play(1, vec![text("Key your number and hash.")]),
        ]
    );
    call.played(1);
    assert_eq!(call.deadline(), Some(Duration::from_secs(8)));
    call
}

fn captured(digits: &str, next_play: u32) -> [Effect; 3] {
    [
        Effect::Annotate {
            name: "@customer".to_owned(),
            value: digits.to_owned(),
        },
        step("told", "play_audio", "continue"),
        play(next_play, vec![text(&format!("You keyed {digits}."))]),
    ]
}

#[test]
fn digits_and_the_continue_key_fill_the_variable() {
    let mut call = capturing();
    for digit in "123".chars() {
        assert_eq!(call.digit(digit), []);
        assert_eq!(call.deadline(), Some(Duration::from_secs(3)));
    }
    assert_eq!(call.digit('#'), captured("123", 2));
}

#[test]
fn the_most_digits_end_the_entry_by_themselves() {
    let mut call = capturing();
    for digit in "1234".chars() {
        assert_eq!(call.digit(digit), []);
    }
    assert_eq!(call.digit('5'), captured("12345", 2));
}

#[test]
fn a_pause_ends_an_entry_that_is_long_enough() {
    let mut call = capturing();
    for digit in "123".chars() {
        call.digit(digit);
    }
    assert_eq!(call.wait(3), captured("123", 2));
}

#[test]
fn the_first_key_ends_the_prompt_and_counts() {
    let mut call = Call::inbound("dtmf_capture");
    call.begin();
    assert_eq!(call.digit('1'), [stop_play()]);
    call.digit('2');
    call.digit('3');
    assert_eq!(call.digit('#'), captured("123", 2));
}

#[test]
fn the_cancel_key_begins_again_without_using_an_attempt() {
    let mut call = capturing();
    for again in 2..9 {
        call.digit('1');
        let prompt = text("Key your number and hash.");
        assert_eq!(call.digit('*'), [play(again, vec![prompt])]);
        call.played(again);
    }
    for digit in "543".chars() {
        call.digit(digit);
    }
    assert_eq!(call.digit('#'), captured("543", 9));
}

#[test]
fn short_entries_wrong_keys_and_silence_fail_an_attempt() {
    let wrong: [fn(&mut Call) -> Vec<Effect>; 4] = [
        |call| {
            call.digit('1');
            call.digit('#')
        },
        |call| {
            call.digit('1');
            call.wait(3)
        },
        |call| call.digit('9'),
        |call| call.wait(8),
    ];
    for fail in wrong {
        let mut call = capturing();
        assert_eq!(
            fail(&mut call),
            [play(
                2,
                vec![text("Once more."), text("Key your number and hash.")]
            )]
        );
        call.played(2);
        assert_eq!(
            fail(&mut call),
            [
                step("lost", "hang_up", "max_attempts"),
                end(Cause::CallRejected)
            ]
        );
    }
}
