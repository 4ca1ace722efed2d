//! What a leg is played.

use super::*;

#[test]
fn a_play_is_heard_and_told_once() {
    let mut bench = Bench::new(&[(Codec::Pcmu, 440)]);
    let sounds = vec![
        pcm(Tone::Steady { hertz: 600 }, 1000),
        Sound::Tone(Tone::Beep),
    ];
    bench.command(
        0,
        Command::Play {
            play: 3,
            sounds,
            repeat: false,
        },
    );
    bench.run(31);
    assert_eq!(bench.events(0), []);
    let sound = bench.lines[0].sound(0);
    assert!(hears(&sound[..1000], 600) && hears(&sound[1000..4900], 1400));
    bench.run(20);
    assert_eq!(bench.events(0), [Event::Played { play: 3 }]);
    bench.lines[0].assert_one_stream();
}

#[test]
fn a_repeated_stopped_or_replaced_play_is_not_told() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440)]);
    let sounds = vec![pcm(Tone::Steady { hertz: 600 }, 1000)];
    let play = |play, repeat| Command::Play {
        play,
        sounds: sounds.clone(),
        repeat,
    };
    bench.command(0, play(1, true));
    bench.run(500);
    bench.command(0, play(2, false));
    bench.run(2);
    bench.command(0, play(3, false));
    bench.run(2);
    bench.command(0, Command::StopPlay);
    bench.run(100);
    assert_eq!(bench.events(0), []);
    assert!(
        bench.lines[0]
            .sound(510)
            .iter()
            .all(|sample| sample.abs() <= 8)
    );
}

#[test]
fn a_play_silences_the_bridge_until_it_ends() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
    bench.bridge(0, 1);
    bench.talk(20);
    let sounds = vec![Sound::Tone(Tone::Beep)];
    bench.command(
        1,
        Command::Play {
            play: 1,
            sounds,
            repeat: false,
        },
    );
    bench.talk(25);
    let sound = bench.lines[1].sound(20);
    assert!(hears(&sound, 1400) && !hears(&sound, 440));
    bench.talk(30);
    assert!(hears(&bench.lines[1].sound(50), 440));
    bench.lines[1].assert_one_stream();
    assert_eq!(bench.events(1).last(), Some(&Event::Played { play: 1 }));
}

#[test]
fn a_bridge_ends_what_was_played() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
    let sounds = vec![Sound::Tone(Tone::Ringing)];
    bench.command(
        0,
        Command::Play {
            play: 1,
            sounds,
            repeat: true,
        },
    );
    bench.run(10);
    bench.bridge(0, 1);
    bench.talk(100);
    assert_eq!(
        bench.events(0),
        [Event::MediaStarted {
            from: bench.lines[0].address
        }]
    );
    let sound = bench.lines[0].sound(15);
    assert!(hears(&sound, 1000) && !hears(&sound, 450));
}

#[test]
fn a_peer_on_hold_is_sent_nothing_and_a_play_still_ends() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440)]);
    let address = bench.lines[0].address;
    let held = Connection {
        direction: Direction::Inactive,
        ..connection(Codec::Pcma, address)
    };
    bench.run(5);
    bench.command(0, Command::Connect(held));
    let sounds = vec![Sound::Tone(Tone::Beep)];
    bench.command(
        0,
        Command::Play {
            play: 1,
            sounds,
            repeat: false,
        },
    );
    bench.run(2000);
    bench.speak(0);
    assert_eq!(bench.lines[0].came.len(), 5);
    assert_eq!(
        bench.events(0),
        [Event::Played { play: 1 }],
        "and no time-out"
    );
    bench.command(0, Command::Connect(connection(Codec::Pcma, address)));
    bench.talk(5);
    assert_eq!(bench.lines[0].came.len(), 10);
    assert!(bench.lines[0].came[5].0.marker);
    assert_eq!(bench.events(0), [Event::MediaStarted { from: address }]);
}

#[test]
fn a_room_ends_what_was_played() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
    let sounds = vec![Sound::Tone(Tone::Ringing)];
    let play = Command::Play {
        play: 1,
        sounds,
        repeat: true,
    };
    bench.command(0, play.clone());
    bench.run(10);
    bench.confer();
    bench.talk(100);
    let sound = bench.lines[0].sound(20);
    assert!(hears(&sound, 1000) && !hears(&sound, 450));
    bench.command(0, play);
    bench.talk(20);
    assert!(
        hears(&bench.lines[0].sound(110), 450),
        "a later play is heard"
    );
}
