//! Legs that hear each other: relayed, transcoded, in a room.

use super::*;

#[test]
fn legs_of_one_codec_are_relayed_as_packets_come() {
    for codec in Codec::ALL {
        let mut bench = Bench::new(&[(codec, 440), (codec, 1000)]);
        bench.run(5);
        assert_eq!(bench.bridge(0, 1), Path::Relayed);
        bench.talk(100);
        for (line, hertz) in [(0, 1000), (1, 440)] {
            bench.lines[line].assert_one_stream();
            assert_eq!(
                bench.lines[line].came.len(),
                105,
                "nothing is sent beside the relayed"
            );
            assert!(hears(&bench.lines[line].sound(5), hertz));
        }
    }
}

#[test]
fn a_relayed_stream_goes_on_for_longer_than_its_numbers_last() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
    bench.bridge(0, 1);
    bench.talk(70_000);
    bench.lines[1].assert_one_stream();
    assert_eq!(bench.lines[1].came.len(), 70_000);
}

#[test]
fn legs_of_unlike_codecs_are_transcoded() {
    let pairs = Codec::ALL.map(|a| Codec::ALL.map(|b| (a, b)));
    for (a, b) in pairs.into_iter().flatten().filter(|(a, b)| a != b) {
        let mut bench = Bench::new(&[(a, 440), (b, 1000)]);
        assert_eq!(bench.bridge(0, 1), Path::Transcoded);
        bench.talk(100);
        for (line, hertz) in [(0, 1000), (1, 440)] {
            bench.lines[line].assert_one_stream();
            assert_eq!(bench.lines[line].came.len(), 100);
            let sound = bench.lines[line].sound(0).split_off(10 * FRAME);
            assert!(hears(&sound, hertz), "{a:?} {b:?}: line {line}");
        }
    }
}

#[test]
fn a_silent_peer_is_heard_as_it_said_by_one_that_takes_comfort_noise_and_by_one_that_does_not() {
    for takes in [true, false] {
        let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
        let address = bench.lines[1].address;
        let agreed = Connection {
            comfort_noise: takes,
            ..connection(Codec::Pcma, address)
        };
        bench.command(1, Command::Connect(agreed));
        bench.bridge(0, 1);
        bench.talk(20);
        let timestamp = bench.lines[0].timestamp_of_next();
        let packet = bench.lines[0].packet(13, timestamp, &[50]);
        bench.datagram(0, &packet);
        bench.run(40);
        let came = &bench.lines[1].came[20..];
        if takes {
            assert_eq!(came.len(), 1);
            assert_eq!((came[0].0.payload_type, &came[0].1[..]), (13, &[50][..]));
        } else {
            assert_eq!(came.len(), 40);
            let level = crate::activity::level(&bench.lines[1].sound(20));
            assert!((level - -43.9).abs() < 2.0, "{level}");
        }
        for _ in 0..39 {
            bench.lines[0].timestamp_of_next();
        }
        bench.talk(20);
        bench.lines[1].assert_one_stream();
    }
}

#[test]
fn loss_and_reordering_are_relayed_as_they_are() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
    bench.bridge(0, 1);
    let packets: Vec<_> = (0..10).map(|_| bench.lines[0].next_packet()).collect();
    for at in [0, 1, 2, 4, 3, 6, 9] {
        bench.datagram(0, &packets[at]);
    }
    let first = bench.lines[1].came[0].0;
    let steps: Vec<_> = bench.lines[1]
        .came
        .iter()
        .map(|(header, _)| {
            (
                header.sequence.wrapping_sub(first.sequence),
                header.timestamp.wrapping_sub(first.timestamp) / FRAME as u32,
            )
        })
        .collect();
    assert_eq!(
        steps,
        [(0, 0), (1, 1), (2, 2), (4, 4), (3, 3), (6, 6), (9, 9)]
    );
}

#[test]
fn a_relayed_leg_is_sent_silence_when_the_other_falls_silent() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
    bench.bridge(0, 1);
    bench.talk(50);
    for _ in 0..100 {
        bench.speak(1);
        bench.beat();
    }
    assert_eq!(
        bench.lines[1].came.len(),
        50 + 100 - 8,
        "silence waits for 200 ms"
    );
    assert_eq!(bench.lines[0].came.len(), 150);
    bench.talk(50);
    bench.lines[1].assert_one_stream();
    let returned = bench.lines[1].came.len() - 50;
    assert!(bench.lines[1].came[returned].0.marker);
    assert!(hears(&bench.lines[1].sound(returned), 440));
}

#[test]
fn a_recorded_leg_is_heard_while_it_is_relayed() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
    bench.bridge(0, 1);
    bench.lines[0].leg.listen(true);
    let mut heard = Vec::new();
    for _ in 0..100 {
        bench.talk(1);
        heard.extend(bench.lines[0].leg.heard_narrow());
        assert_eq!(
            bench.lines[1].leg.heard_narrow(),
            &SILENCE,
            "nobody listens to the other"
        );
    }
    assert!(hears(&heard[1600..], 440));
    assert_eq!(bench.lines[1].came.len(), 100);
    bench.lines[0].leg.listen(false);
    assert_eq!(bench.lines[0].leg.heard(), &Frame::SILENCE);
}

#[test]
fn a_codec_change_goes_on_in_the_same_stream() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
    bench.bridge(0, 1);
    bench.talk(20);
    let address = bench.lines[0].address;
    bench.lines[0].speaks(Codec::Pcmu);
    bench.command(0, Command::Connect(connection(Codec::Pcmu, address)));
    // Until the engine has bridged again, nothing in the wrong codec comes through.
    bench.talk(3);
    assert_eq!(bench.bridge(0, 1), Path::Transcoded);
    bench.talk(60);
    for (line, hertz) in [(0, 1000), (1, 440)] {
        let from = bench.lines[line].came.len() - 50;
        assert!(hears(&bench.lines[line].sound(from), hertz));
        let steps = bench.lines[line]
            .came
            .windows(2)
            .map(|pair| pair[1].0.sequence.wrapping_sub(pair[0].0.sequence));
        assert!(steps.into_iter().all(|step| step == 1));
    }
}

#[test]
fn who_only_listens_hears_a_room_of_any_size_and_is_not_heard() {
    let codecs = [Codec::Pcma, Codec::Pcmu].into_iter().cycle();
    let lines: Vec<_> = codecs.zip((0..10).map(|line| 500 + line * 100)).collect();
    let mut bench = Bench::new(&lines);
    bench.confer();
    for line in 2..10 {
        bench.room.join(Seat(line as u64), false);
        bench.lines[line].leg.set_path(Path::Listening);
    }
    bench.talk(100);
    for line in 0..10 {
        let sound = bench.lines[line].sound(20);
        for (other, (_, hertz)) in lines.iter().enumerate() {
            let heard = other != line && other < 2;
            assert_eq!(hears(&sound, *hertz), heard, "line {line}, {hertz} Hz");
        }
        bench.lines[line].assert_one_stream();
        assert_eq!(bench.lines[line].leg.heard() == &Frame::SILENCE, line >= 2);
    }
}

#[test]
fn members_of_a_room_hear_the_others_and_not_themselves() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::G722, 700), (Codec::Opus, 1000)]);
    bench.confer();
    bench.talk(100);
    for (line, own) in [(0, 440), (1, 700), (2, 1000)] {
        let sound = bench.lines[line].sound(0).split_off(20 * FRAME);
        for hertz in [440, 700, 1000] {
            assert_eq!(
                hears(&sound, hertz),
                hertz != own,
                "line {line}, {hertz} Hz"
            );
        }
        bench.lines[line].assert_one_stream();
    }
}
