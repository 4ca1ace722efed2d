//! One leg and its peer: silence, hold, time-outs, foreign packets, RTCP.

use super::*;

#[test]
fn a_leg_with_nothing_to_say_sends_silence_without_a_break() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440)]);
    bench.run(50);
    let line = &bench.lines[0];
    line.assert_one_stream();
    assert_eq!(line.came.len(), 50);
    assert!(line.came[0].0.marker && !line.came[1].0.marker);
    assert!(line.sound(0).iter().all(|sample| sample.abs() <= 8));
}

#[test]
fn a_leg_that_is_not_connected_neither_sends_nor_receives() {
    let now = Instant::now();
    let mut leg = Leg::new(Settings::default(), &mut StdRng::seed_from_u64(1), now);
    let mut out = [0; MAX_PACKET];
    assert_eq!(leg.tick(now, None, &mut out), None);
    assert_eq!(leg.report(now + Duration::from_mins(1), &mut out), None);
    let from = SocketAddr::from(([127, 0, 0, 1], 9));
    let received = leg.receive(&[0x80; 172], from, now);
    assert_eq!(received, Received::Ignored(Ignored::NotReceiving));
}

#[test]
fn media_that_stops_is_told_once_until_it_comes_again() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440)]);
    let from = bench.lines[0].address;
    bench.talk(10);
    assert_eq!(bench.events(0), [Event::MediaStarted { from }]);
    bench.run(5000);
    assert_eq!(bench.events(0), [Event::MediaTimedOut]);
    bench.talk(10);
    assert_eq!(bench.events(0), [Event::MediaStarted { from }]);
}

#[test]
fn packets_of_others_are_counted_and_not_heard() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440)]);
    bench.talk(5);
    let packet = bench.lines[0].next_packet();
    let now = bench.now;
    let leg = &mut bench.lines[0].leg;
    let foreign = SocketAddr::from(([203, 0, 113, 99], 4000));
    assert_eq!(
        leg.receive(&packet, foreign, now),
        Received::Ignored(Ignored::Foreign)
    );
    let peer = SocketAddr::from(([203, 0, 113, 0], 4000));
    assert_eq!(
        leg.receive(&packet[..7], peer, now),
        Received::Ignored(Ignored::Malformed)
    );
    let mut other = packet.clone();
    other[1] = 18;
    assert_eq!(
        leg.receive(&other, peer, now),
        Received::Ignored(Ignored::PayloadType)
    );
    let statistics = leg.statistics();
    assert_eq!((statistics.foreign, statistics.malformed), (1, 2));
    assert_eq!(statistics.packets_received, 5);
    assert_eq!(statistics.packets_sent, 5);
    assert_eq!(leg.remote(), Some(peer));
}

#[test]
fn reports_tell_both_sides_of_loss_and_round_trip() {
    let now = Instant::now();
    let mut rng = StdRng::seed_from_u64(3);
    let ports = [4000, 5000].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    let mut legs = [0, 1].map(|number| {
        let mut leg = Leg::new(Settings::default(), &mut rng, now);
        leg.command(
            Command::Connect(connection(Codec::Pcma, ports[1 - number])),
            now,
        );
        leg
    });
    let mut out = [0; MAX_PACKET];
    let mut reports = [0, 0];
    // Reports travel for 40 ms each way.
    let mut travelling: Vec<(Instant, usize, Vec<u8>)> = Vec::new();
    for beat in 0..3000 {
        let now = now + BEAT * beat;
        for number in [0, 1] {
            if let Some(len) = legs[number].tick(now, None, &mut out)
                && !(number == 0 && beat % 10 == 5)
            {
                legs[1 - number].receive(&out[..len], ports[number], now);
            }
            if let Some(len) = legs[number].report(now, &mut out) {
                reports[number] += 1;
                travelling.push((now + 2 * BEAT, 1 - number, out[..len].to_vec()));
            }
        }
        for (_, to, bytes) in travelling.extract_if(.., |(at, ..)| *at <= now) {
            legs[to].receive_rtcp(&bytes, ports[1 - to], now);
        }
    }
    assert!(
        reports.iter().all(|count| (8..=24).contains(count)),
        "{reports:?} in a minute"
    );
    let [first, second] = legs.each_ref().map(Leg::statistics);
    assert!((299..=300).contains(&second.packets_lost), "{second:?}");
    assert_eq!(first.packets_lost, 0);
    assert!(
        (200..=300).contains(&first.packets_lost_by_peer),
        "{first:?}"
    );
    let told = first.heard_by_peer().expect("the peer reported");
    let heard = second.heard().expect("packets came");
    for quality in [told, heard] {
        assert!((0.095..0.105).contains(&quality.loss), "{quality:?}");
        assert!((3.1..3.6).contains(&quality.mean_opinion), "{quality:?}");
    }
    for statistics in [first, second] {
        let trip = statistics
            .round_trip
            .expect("reports went both ways")
            .as_millis();
        assert!((78..=82).contains(&trip), "{trip} ms");
        assert_eq!(statistics.jitter, Duration::ZERO);
    }
    let end = now + BEAT * 3000;
    let len = legs[0].goodbye(end, &mut out).expect("was connected");
    legs[1].receive_rtcp(&out[..len], SocketAddr::from(([203, 0, 113, 9], 4001)), end);
    assert!(!std::iter::from_fn(|| legs[1].next_event()).any(|event| event == Event::PeerLeft));
    legs[1].receive_rtcp(&out[..len], SocketAddr::from(([127, 0, 0, 1], 4001)), end);
    assert_eq!(legs[1].next_event(), Some(Event::PeerLeft));
}

#[test]
fn rtcp_goes_where_it_was_signalled_or_to_the_port_above() {
    let mut bench = Bench::new(&[(Codec::Pcma, 440)]);
    let above = SocketAddr::from(([203, 0, 113, 0], 4001));
    assert_eq!(bench.lines[0].leg.remote_rtcp(), Some(above));
    let hidden = SocketAddr::from(([192, 168, 0, 9], 7000));
    let signalled = Connection {
        remote_rtcp: Some(SocketAddr::from(([192, 168, 0, 9], 7007))),
        ..connection(Codec::Pcma, hidden)
    };
    bench.command(0, Command::Connect(signalled));
    assert_eq!(bench.lines[0].leg.remote_rtcp(), signalled.remote_rtcp);
    bench.speak(0);
    assert_eq!(
        bench.lines[0].leg.remote_rtcp(),
        Some(above),
        "it is behind a NAT"
    );
}
