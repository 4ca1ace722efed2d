use super::*;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const RATE: u32 = 8000;
const TICKS: u32 = 160;

fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> Header {
    Header {
        marker: false,
        payload_type: 8,
        sequence,
        timestamp,
        ssrc,
    }
}

/// Inserts packet `number` of a stream of 20 ms packets; its payload is its number.
fn insert(buffer: &mut JitterBuffer, ssrc: u32, start: u32, number: u32) {
    let header = packet(
        ssrc,
        (start as u16).wrapping_add(number as u16),
        start.wrapping_add(number * TICKS),
    );
    let payload = number.to_be_bytes();
    let packet = Packet {
        header,
        payload: &payload,
    };
    buffer.insert(&packet, TICKS, Kind::Sound);
}

/// What one beat is filled with: the number of a packet, or a letter for what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beat {
    Sound(u32),
    Noise,
    Lost,
    Stretch,
    Nothing,
}

use Beat::{Lost, Nothing, Sound, Stretch};

fn take(buffer: &mut JitterBuffer) -> Beat {
    take_while(buffer, false)
}

fn take_while(buffer: &mut JitterBuffer, quiet: bool) -> Beat {
    buffer.beat(quiet);
    match buffer.take() {
        Taken::Sound(payload) => Sound(payload.try_into().map_or(0, u32::from_be_bytes)),
        Taken::ComfortNoise(_) => Beat::Noise,
        Taken::Lost { ticks } => {
            assert_eq!(ticks, TICKS);
            Lost
        }
        Taken::Stretch { .. } => Stretch,
        Taken::Nothing { .. } => Nothing,
    }
}

fn sounds(beats: &[Beat]) -> Vec<u32> {
    let number = |beat: &Beat| match beat {
        Sound(number) => Some(*number),
        _ => None,
    };
    beats.iter().filter_map(number).collect()
}

#[test]
fn packets_are_heard_in_order_after_the_first_delay() {
    let mut buffer = JitterBuffer::new(RATE);
    let start = u32::MAX - 500; // sequence and timestamp wrap on the way
    let mut heard = Vec::new();
    for number in 0..40 {
        insert(&mut buffer, 1, start, number);
        heard.push(take(&mut buffer));
    }
    assert_eq!(heard[..2], [Nothing, Nothing]);
    assert_eq!(heard[2..], (0..38).map(Sound).collect::<Vec<_>>());
    assert_eq!(buffer.counts(), Counts::default());
}

#[test]
fn reordered_and_doubled_packets_are_heard_once_and_in_order() {
    let mut buffer = JitterBuffer::new(RATE);
    let mut heard = Vec::new();
    for pair in 0..10 {
        insert(&mut buffer, 1, 0, pair * 2 + 1);
        insert(&mut buffer, 1, 0, pair * 2);
        insert(&mut buffer, 1, 0, pair * 2 + 1);
        heard.extend([take(&mut buffer), take(&mut buffer)]);
    }
    // The first packet to come was the second: delay is counted from it.
    assert_eq!(sounds(&heard)[..16], (0..16).collect::<Vec<_>>());
    let counts = buffer.counts();
    assert_eq!(
        (counts.late, counts.duplicate, counts.reordered),
        (0, 10, 10)
    );
}

#[test]
fn a_lost_packet_is_told_as_lost_and_a_pause_as_nothing() {
    let mut buffer = JitterBuffer::new(RATE);
    let mut heard = Vec::new();
    for number in 0..20 {
        if number != 5 {
            insert(&mut buffer, 1, 0, number);
        }
        heard.push(take(&mut buffer));
    }
    assert_eq!(heard[6..9], [Sound(4), Lost, Sound(6)]);
    assert_eq!(buffer.counts().lost, 1);
    // Sequence goes on, the clock jumps by 100 ms: the sender was silent.
    for number in 0..10 {
        let header = packet(1, 20 + number, (25 + u32::from(number)) * TICKS);
        let packet = Packet {
            header,
            payload: &[0, 0, 0, number as u8],
        };
        buffer.insert(&packet, TICKS, Kind::Sound);
        heard.push(take(&mut buffer));
    }
    assert!(!heard[9..].contains(&Lost), "{heard:?}");
    assert_eq!(buffer.counts().lost, 1);
}

#[test]
fn comfort_noise_says_that_nothing_is_missing() {
    let mut buffer = JitterBuffer::new(RATE);
    for number in 0..5 {
        insert(&mut buffer, 1, 0, number);
    }
    let noise = Packet {
        header: packet(1, 5, 5 * TICKS),
        payload: &[60],
    };
    buffer.insert(&noise, TICKS, Kind::ComfortNoise);
    let heard: Vec<_> = (0..20).map(|_| take(&mut buffer)).collect();
    assert_eq!(heard[7..9], [Beat::Noise, Nothing]);
    assert_eq!(heard[9..], [Nothing; 11]);
}

#[test]
fn a_telephone_event_is_no_loss() {
    let mut buffer = JitterBuffer::new(RATE);
    let mut heard = Vec::new();
    for number in 0..20 {
        if (5..10).contains(&number) {
            buffer.pass(&packet(1, number as u16, 5 * TICKS));
        } else {
            insert(&mut buffer, 1, 0, number);
        }
        heard.push(take(&mut buffer));
    }
    assert_eq!(buffer.counts().lost, 0);
    assert_eq!(sounds(&heard), (0..5).chain(10..18).collect::<Vec<_>>());
}

#[test]
fn an_empty_buffer_is_a_loss_for_200_ms_and_a_pause_afterwards() {
    let mut buffer = JitterBuffer::new(RATE);
    insert(&mut buffer, 1, 0, 0);
    let heard: Vec<_> = (0..20).map(|_| take(&mut buffer)).collect();
    assert_eq!(heard[..3], [Nothing, Nothing, Sound(0)]);
    assert_eq!(heard[3..13], [Lost; 10]);
    assert_eq!(heard[13..], [Nothing; 7]);
}

#[test]
fn what_comes_late_is_heard_late_and_the_delay_has_grown() {
    let mut buffer = JitterBuffer::new(RATE);
    for number in 0..10 {
        insert(&mut buffer, 1, 0, number);
        take(&mut buffer);
    }
    // From now on everything comes 60 ms later than before.
    let mut heard: Vec<_> = (0..3).map(|_| take(&mut buffer)).collect();
    for number in 10..30 {
        insert(&mut buffer, 1, 0, number);
        heard.push(take(&mut buffer));
    }
    assert_eq!(heard[..3], [Sound(8), Sound(9), Lost]);
    assert_eq!(heard[3..], (10..30).map(Sound).collect::<Vec<_>>());
    assert_eq!((buffer.counts().late, buffer.counts().lost), (0, 0));
}

#[test]
fn a_packet_later_than_a_newer_one_is_dropped_and_the_delay_grows_by_a_stretch() {
    let mut buffer = JitterBuffer::new(RATE);
    let mut heard = Vec::new();
    for number in 0..30 {
        if number != 10 {
            insert(&mut buffer, 1, 0, number);
        }
        if number == 14 {
            insert(&mut buffer, 1, 0, 10);
        }
        heard.push(take(&mut buffer));
    }
    assert_eq!((buffer.counts().late, buffer.counts().lost), (1, 1));
    assert!(heard.contains(&Stretch), "{heard:?}");
    // The next that is as late is in time.
    for number in 30..60 {
        if number != 40 {
            insert(&mut buffer, 1, 0, number);
        }
        if number == 44 {
            insert(&mut buffer, 1, 0, 40);
        }
        heard.push(take(&mut buffer));
    }
    assert_eq!(buffer.counts().late, 1);
    assert!(sounds(&heard).contains(&40));
}

#[test]
fn a_delay_that_is_too_long_shrinks_slowly_in_speech_and_at_once_in_silence() {
    let waits = |quiet: bool, beats: u32| {
        let mut buffer = JitterBuffer::new(RATE);
        // Ten packets in a burst: 200 ms wait in the buffer.
        for number in 0..10 {
            insert(&mut buffer, 1, 0, number);
        }
        for number in 10..10 + beats {
            insert(&mut buffer, 1, 0, number);
            take_while(&mut buffer, quiet);
        }
        buffer.delay()
    };
    assert!(waits(false, 200) >= Duration::from_millis(200));
    assert!(waits(false, 2500) <= Duration::from_millis(60));
    // The burst itself is remembered for 256 packets.
    assert!(waits(true, 340) <= Duration::from_millis(60));
}

#[test]
fn another_source_or_a_jump_of_the_clock_begins_anew() {
    let mut buffer = JitterBuffer::new(RATE);
    for (ssrc, start) in [(1, 0), (2, 7_000_000), (2, 90_000_000), (2, 1_000)] {
        let heard: Vec<_> = (0..10)
            .map(|number| {
                insert(&mut buffer, ssrc, start, number);
                take(&mut buffer)
            })
            .collect();
        let expected: Vec<_> = (0..8).map(Sound).collect();
        assert_eq!(heard[2..], expected, "source {ssrc} from {start}");
    }
}

#[test]
fn a_pause_of_the_sender_does_not_lengthen_the_delay() {
    for clock_stands in [false, true] {
        let mut buffer = JitterBuffer::new(RATE);
        for number in 0..10 {
            insert(&mut buffer, 1, 0, number);
            take(&mut buffer);
        }
        for _ in 0..500 {
            take(&mut buffer);
        }
        let gone = if clock_stands { 10 } else { 510 };
        insert(&mut buffer, 1, 0, gone);
        assert_eq!((take(&mut buffer), take(&mut buffer)), (Nothing, Nothing));
        assert_eq!(take(&mut buffer), Sound(gone));
    }
}

#[test]
fn a_talkspurt_whose_clock_stood_still_for_a_moment_begins_anew() {
    let mut buffer = JitterBuffer::new(RATE);
    for number in 0..10 {
        insert(&mut buffer, 1, 0, number);
        take(&mut buffer);
    }
    for _ in 0..10 {
        take(&mut buffer);
    }
    let mut header = packet(1, 10, 10 * TICKS);
    header.marker = true;
    let payload = 10_u32.to_be_bytes();
    let packet = Packet {
        header,
        payload: &payload,
    };
    buffer.insert(&packet, TICKS, Kind::Sound);
    assert_eq!(buffer.delay(), Duration::from_millis(40));
}

#[test]
fn a_timestamp_half_a_turn_away_begins_anew() {
    for away in [i32::MAX, i32::MAX - 10, i32::MIN] {
        let mut buffer = JitterBuffer::new(RATE);
        insert(&mut buffer, 1, 320, 0);
        insert(&mut buffer, 1, away as u32, 0);
        assert_eq!((take(&mut buffer), take(&mut buffer)), (Nothing, Nothing));
        assert_eq!(take(&mut buffer), Sound(0));
    }
}

#[test]
fn packets_of_any_length_fill_the_time_without_a_gap() {
    for (ms, rate) in [(10, 8000), (20, 48_000), (30, 8000), (60, 8000)] {
        let ticks = ms * rate / 1000;
        let mut buffer = JitterBuffer::new(rate);
        let mut filled = 0;
        let mut heard = Vec::new();
        let mut sent = 0;
        for beat in 0..300_u32 {
            while sent * ms <= beat * 20 {
                let header = packet(1, sent as u16, sent * ticks);
                let payload = sent.to_be_bytes();
                let packet = Packet {
                    header,
                    payload: &payload,
                };
                buffer.insert(&packet, ticks, Kind::Sound);
                sent += 1;
            }
            buffer.beat(false);
            while filled < (beat + 1) * rate / 50 {
                filled += match buffer.take() {
                    Taken::Sound(payload) => {
                        heard.push(payload.try_into().map_or(0, u32::from_be_bytes));
                        ticks
                    }
                    Taken::Nothing { ticks } => ticks,
                    other => panic!("{other:?} in packets of {ms} ms"),
                };
            }
        }
        let expected: Vec<_> = (0..heard.len() as u32).collect();
        assert_eq!(heard, expected, "packets of {ms} ms");
        assert!(heard.len() as u32 * ms > 5800, "{ms} ms: {}", heard.len());
    }
}

/// Sends a stream through a network and answers what was heard on each beat, and the longest delay.
fn through(
    seed: u64,
    beats: u32,
    loss: f64,
    jitter_ms: u32,
    drift_ppm: i64,
) -> (Vec<Beat>, Counts, Duration) {
    let mut rng = StdRng::seed_from_u64(seed);
    // When each packet comes, in microseconds.
    let mut arrivals: Vec<(u64, u32)> = Vec::new();
    for number in 0..beats {
        if rng.random_bool(loss) {
            continue;
        }
        let sent = i64::from(number) * (20_000 + 20_000 * drift_ppm / 1_000_000);
        let late = u64::from(rng.random_range(0..=jitter_ms * 1000));
        arrivals.push((sent as u64 + late, number));
    }
    arrivals.sort_unstable();
    let mut arrivals = arrivals.into_iter().peekable();
    let mut buffer = JitterBuffer::new(RATE);
    let mut heard = Vec::new();
    let mut longest = Duration::ZERO;
    for beat in 0..beats {
        let now = u64::from(beat) * 20_000 + 3_000;
        while let Some((_, number)) = arrivals.next_if(|(at, _)| *at <= now) {
            insert(&mut buffer, 1, u32::MAX - 70_000, number);
        }
        heard.push(take(&mut buffer));
        assert!(buffer.waiting.len() <= MOST_WAITING);
        longest = longest.max(buffer.delay());
    }
    (heard, buffer.counts(), longest)
}

#[test]
fn ten_per_cent_of_loss_and_30_ms_of_jitter_play_at_a_bounded_delay() {
    for seed in 0..20 {
        let (heard, counts, longest) = through(seed, 3000, 0.1, 30, 0);
        assert!(longest <= Duration::from_millis(100), "{longest:?}");
        assert!(counts.late <= 20, "{counts:?}");
        let sounds = sounds(&heard);
        assert!(sounds.is_sorted_by(|a, b| a < b));
        assert!(
            (2600..2800).contains(&sounds.len()),
            "{} heard",
            sounds.len()
        );
        assert!(counts.lost >= 240, "{counts:?}");
    }
}

#[test]
fn clocks_that_drift_apart_neither_fill_nor_starve_it() {
    for drift in [-300, -100, 100, 300] {
        // Twenty minutes.
        let (heard, counts, longest) = through(3, 60_000, 0.0, 10, drift);
        assert!(
            longest <= Duration::from_millis(100),
            "{drift}: {longest:?}"
        );
        assert!(counts.late <= 30, "{drift} ppm: {counts:?}");
        assert!(sounds(&heard).len() > 59_800, "{drift} ppm: {counts:?}");
    }
}

proptest! {
    #[test]
    fn any_order_of_any_packets_is_borne(
        packets in proptest::collection::vec(
            (0..3_u32, any::<u16>(), any::<u32>(), 0..1500_usize, any::<bool>(), 0..4_u8), 0..200),
        near in any::<bool>(),
    ) {
        let mut buffer = JitterBuffer::new(RATE);
        let payload = [0xD5; 1500];
        let most = Duration::from_millis(340);
        for (ssrc, sequence, timestamp, len, marker, beats) in packets {
            let (ssrc, timestamp) = if near { (0, timestamp % 12_000) } else { (ssrc, timestamp) };
            let header = Header { marker, payload_type: 8, sequence, timestamp, ssrc };
            let kind = if len % 7 == 0 { Kind::ComfortNoise } else { Kind::Sound };
            buffer.insert(&Packet { header, payload: &payload[..len] }, len as u32, kind);
            prop_assert!(buffer.waiting.len() <= MOST_WAITING);
            prop_assert!(buffer.spare.len() <= MOST_WAITING + 1);
            prop_assert!(buffer.delay() <= most, "{:?}", buffer.delay());
            for _ in 0..beats {
                buffer.beat(len % 2 == 0);
                let mut filled = 0;
                for _ in 0..2 * MOST_WAITING {
                    if filled >= TICKS {
                        break;
                    }
                    filled += match buffer.take() {
                        Taken::Sound(payload) => payload.len() as u32,
                        Taken::ComfortNoise(_) => TICKS,
                        Taken::Lost { ticks } | Taken::Stretch { ticks } | Taken::Nothing { ticks } => {
                            prop_assert!(ticks > 0 && ticks <= TICKS);
                            ticks
                        }
                    };
                }
                prop_assert!(filled >= TICKS);
                prop_assert!(buffer.delay() <= most, "{:?}", buffer.delay());
            }
        }
    }

    #[test]
    fn all_is_heard_whole_through_any_jitter_within_the_delay(
        delays in proptest::collection::vec(0..2_usize, 50),
    ) {
        let mut buffer = JitterBuffer::new(RATE);
        let mut heard = Vec::new();
        for beat in 0..60 {
            for (number, delay) in delays.iter().enumerate() {
                if number + delay == beat {
                    insert(&mut buffer, 1, 0, number as u32);
                }
            }
            heard.push(take(&mut buffer));
        }
        prop_assert_eq!(sounds(&heard), (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn a_random_network_is_heard_in_order_and_at_a_bounded_delay(
        seed in any::<u64>(), loss in 0.0..0.4_f64, jitter in 0..150_u32, drift in -500..500_i64,
    ) {
        let (heard, counts, longest) = through(seed, 600, loss, jitter, drift);
        prop_assert!(sounds(&heard).is_sorted_by(|a, b| a < b));
        prop_assert!(longest <= Duration::from_millis(u64::from(jitter) + 80), "{longest:?}");
        prop_assert!(counts.late <= 40, "{counts:?}");
    }
}
