//! Telephone keys both ways and over a bridge.

use super::*;

#[test]
fn keys_of_the_peer_are_told_once_and_passed_over_the_bridge() {
    for codecs in [
        [Codec::Pcma, Codec::Pcma],
        [Codec::Pcma, Codec::Pcmu],
        [Codec::Opus, Codec::Opus],
        [Codec::Opus, Codec::G722],
        [Codec::Pcma, Codec::Opus],
    ] {
        let [ours, theirs] = codecs.map(Codec::clock_rate);
        let mut bench = Bench::new(&[(codecs[0], 440), (codecs[1], 1000)]);
        bench.bridge(0, 1);
        bench.talk(20);
        let mut far = dtmf::Receiver::default();
        let mut sender = dtmf::Sender::default();
        sender.push("42");
        let mut start = 0;
        while let Some(step) = sender.beat() {
            let line = &mut bench.lines[0];
            let clock = line.timestamp_of_next();
            if step.is_first() {
                start = clock;
            }
            if let Some(payload) = step.payload(ours) {
                let packet = line.packet(EVENT, start, &payload.bytes());
                bench.datagram(0, &packet);
            }
            bench.speak(1);
            bench.beat();
        }
        bench.talk(20);
        let told: Vec<_> = bench.events(0)[1..].to_vec();
        assert_eq!(told, [Event::Digit('4'), Event::Digit('2')]);
        bench.lines[1].assert_one_stream();
        let heard: String = bench.lines[1]
            .came
            .iter()
            .filter(|(header, _)| header.payload_type == EVENT)
            .filter_map(|(header, payload)| {
                let packet = Packet {
                    header: *header,
                    payload,
                };
                far.take(&packet, theirs)
            })
            .collect();
        assert_eq!(heard, "42");
        // Their lengths are counted by the clock of the one who hears them.
        let longest = bench.lines[1].came.iter().filter_map(|(header, payload)| {
            let event = dtmf::EventPayload::read(payload);
            event.filter(|_| header.payload_type == EVENT)
        });
        let longest = longest.map(|event| u32::from(event.duration)).max();
        assert_eq!(longest, Some(theirs / 10), "{codecs:?}");
    }
}

#[test]
fn keys_are_sent_as_events_with_one_timestamp_each() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440)]);
    bench.run(5);
    bench.command(0, Command::SendDigits("7#".into()));
    bench.run(30);
    bench.lines[0].assert_one_stream();
    let events: Vec<_> = bench.lines[0]
        .came
        .iter()
        .filter(|(header, _)| header.payload_type == EVENT)
        .map(|(header, _)| *header)
        .collect();
    assert_eq!(events.len(), 14);
    assert!(
        events[..7]
            .iter()
            .all(|header| header.timestamp == events[0].timestamp)
    );
    assert_eq!(
        events[7].timestamp.wrapping_sub(events[0].timestamp),
        10 * FRAME as u32
    );
    let markers: Vec<_> = events.iter().map(|header| header.marker).collect();
    assert_eq!(markers.iter().filter(|&&marker| marker).count(), 2);
    assert!(markers[0] && markers[7]);
    // The clock has not stood still: sound goes on where it would be without the keys.
    let (first, last) = (&bench.lines[0].came[0].0, &bench.lines[0].came[34].0);
    assert_eq!(
        last.timestamp.wrapping_sub(first.timestamp),
        34 * FRAME as u32
    );
}

#[test]
fn a_peer_without_telephone_event_hears_keys_as_tones() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440), (Codec::Pcma, 1000)]);
    let address = bench.lines[1].address;
    let plain = Connection {
        telephone_event: None,
        ..connection(Codec::Pcma, address)
    };
    bench.command(1, Command::Connect(plain));
    bench.bridge(0, 1);
    let payload = dtmf::EventPayload {
        event: 5,
        end: false,
        volume: 10,
        duration: 160,
    };
    for _ in 0..3 {
        let timestamp = 77;
        let packet = bench.lines[0].packet(EVENT, timestamp, &payload.bytes());
        bench.datagram(0, &packet);
    }
    bench.run(30);
    assert_eq!(bench.lines[1].came.len(), 30);
    let sound = bench.lines[1].sound(0);
    assert!(hears(&sound[..800], 770) && hears(&sound[..800], 1336));
    assert!(
        sound[800..].iter().all(|sample| sample.abs() <= 8),
        "it is one key"
    );
}

#[test]
fn keys_of_a_peer_without_telephone_event_are_heard_in_its_sound() {
    let mut bench = Bench::new(&[(Codec::Pcmu, 440)]);
    let address = bench.lines[0].address;
    let plain = Connection {
        telephone_event: None,
        ..connection(Codec::Pcmu, address)
    };
    bench.command(0, Command::Connect(plain));
    bench.talk(10);
    let mut sender = dtmf::Sender::default();
    sender.push("90#");
    while let Some(step) = sender.beat() {
        let mut frame = SILENCE;
        step.sound(&mut frame);
        let mut payload = [0; MAX_PAYLOAD];
        let len = bench.lines[0].encoder.encode(&frame.into(), &mut payload);
        let timestamp = bench.lines[0].timestamp_of_next();
        let packet = bench.lines[0].packet(0, timestamp, &payload[..len]);
        bench.datagram(0, &packet);
        bench.beat();
    }
    bench.run(5);
    let expected = ['9', '0', '#'].map(Event::Digit);
    assert_eq!(bench.events(0)[1..], expected);
}

#[test]
fn a_play_may_hold_keys() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440)]);
    let sounds = vec![
        pcm(Tone::Steady { hertz: 600 }, 800),
        Sound::Digits("1".into()),
        pcm(Tone::Steady { hertz: 600 }, 800),
    ];
    bench.command(
        0,
        Command::Play {
            play: 1,
            sounds,
            repeat: false,
        },
    );
    bench.run(30);
    let kinds: Vec<_> = bench.lines[0]
        .came
        .iter()
        .map(|(header, _)| header.payload_type)
        .collect();
    assert_eq!(kinds[..5], [8; 5]);
    assert_eq!(kinds[5..12], [EVENT; 7]);
    assert_eq!(kinds[12..], [8; 18]);
    assert_eq!(bench.events(0), [Event::Played { play: 1 }]);
}

#[test]
fn tones_are_told_while_they_are_listened_for() {
    let mut bench = Bench::new(&[(Codec::Pcma, 2100)]);
    let told = |bench: &mut Bench| {
        bench.talk(100);
        let events = bench.events(0);
        events.contains(&Event::Tone(crate::tone::Heard::FaxAnswering))
    };
    assert!(!told(&mut bench));
    bench.command(0, Command::ListenForTones(true));
    assert!(told(&mut bench));
    bench.command(0, Command::ListenForTones(false));
    assert!(!told(&mut bench));
    assert_eq!(bench.lines[0].leg.heard(), &Frame::SILENCE);
}
