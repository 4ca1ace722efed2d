//! Start and Play audio.

use super::*;
use crate::call_plan::Globals;
use std::time::Duration;

#[test]
fn a_caller_continues_and_a_first_party_takes_the_scheduled_branch() {
    assert_eq!(
        Call::inbound("start").begin(),
        [
            step("start", "start", ""),
            step("inbound", "play_audio", "continue"),
            Effect::Answer,
            play(1, vec![text("You called us.")]),
        ]
    );
    assert_eq!(
        Call::scheduled("start").begin(),
        [
            step("start", "start", ""),
            step("scheduled", "play_audio", "scheduled_call"),
            play(1, vec![text("We called you.")]),
        ]
    );
}

#[test]
fn sounds_are_played_in_order_and_the_next_node_follows() {
    let mut call = Call::inbound("play_audio");
    assert_eq!(
        call.begin(),
        [
            step("start", "start", ""),
            step("hello", "play_audio", "continue"),
            Effect::Answer,
            play(
                1,
                vec![
                    Sound::Audio("aud_01890a5d96a274d9a5b2c3d4e5f60718".parse().unwrap()),
                    Sound::Silence(Duration::from_millis(250)),
                    text("Your number is +447700900123, Ada."),
                    Sound::Tone(Tone::Beep),
                ]
            ),
        ]
    );
    assert_eq!(
        call.played(1),
        [
            step("again", "play_audio", "continue"),
            play(
                2,
                vec![
                    Sound::Audio("aud_01890a5d96a274d9a5b2c3d4e5f60719".parse().unwrap()),
                    Sound::Text {
                        text: "Goodbye.".to_owned(),
                        voice: "en-gb".to_owned(),
                    },
                ]
            ),
        ]
    );
    assert_eq!(call.played(2), [end(Cause::NormalClearing)]);
}

#[test]
fn any_key_skips_where_it_may_and_nothing_else_does() {
    let mut call = Call::inbound("play_audio");
    call.begin();
    assert_eq!(
        call.tell(Event::Digit { leg: B, digit: '1' }),
        [],
        "only the A-party skips"
    );
    assert_eq!(call.played(7), [], "a play that is not heard now");
    let skipped = call.digit('5');
    assert_eq!(skipped[0], stop_play());
    assert_eq!(skipped[1], step("again", "play_audio", "continue"));
    assert_eq!(call.digit('5'), [], "it can't be skipped");
}

#[test]
fn a_sound_that_cannot_be_played_is_passed_over() {
    let mut call = Call::inbound("play_audio");
    call.begin();
    let next = call.tell(Event::Played {
        leg: A,
        play: PlayNumber(1),
        failure: Some("no such file".to_owned()),
    });
    assert_eq!(next[0], step("again", "play_audio", "continue"));
}

#[test]
fn a_variable_that_holds_no_audio_gives_its_default() {
    let mut call = Call::inbound("play_audio");
    let shared = [("@jingle".to_owned(), "nonsense".to_owned())];
    call.interpreter.set_globals(Globals(shared.into()));
    call.begin();
    let Some(Effect::Play { sounds, .. }) = call.played(1).pop() else {
        panic!("nothing is played");
    };
    let default = "aud_01890a5d96a274d9a5b2c3d4e5f60719";
    assert_eq!(sounds[0], Sound::Audio(default.parse().unwrap()));
}
