//! Playing lists of sounds.

use crate::resample::Doubler;
use crate::tone::{Generator, Tone};
use crate::{FRAME, Frame, Narrow, SAMPLE_RATE, SILENCE, WIDE_FRAME, Wide};
use std::sync::Arc;
use std::time::Duration;

/// What can be played.
#[derive(Clone, Debug, PartialEq)]
pub enum Sound {
    /// Samples: 8 kHz, mono, 16-bit linear.
    Pcm(Arc<[i16]>),
    /// The same sound at 8 and at 16 kHz: each leg plays it at its own rate.
    Wideband {
        /// At 8 kHz: it tells the length.
        narrow: Arc<[i16]>,
        /// At 16 kHz.
        wide: Arc<[i16]>,
    },
    /// A tone. An endless one plays until the play is stopped.
    Tone(Tone),
    /// Nothing, for a time.
    Silence(Duration),
    /// Telephone keys, sent as RFC 4733 events where agreed, else as tones.
    Digits(String),
}

impl Sound {
    /// How many samples it holds in memory.
    pub fn samples(&self) -> usize {
        match self {
            Self::Pcm(samples) => samples.len(),
            Self::Wideband { narrow, wide } => narrow.len() + wide.len(),
            Self::Tone(_) | Self::Silence(_) | Self::Digits(_) => 0,
        }
    }
}

/// Plays a list of sounds, one after the other without a seam: a frame may hold the end of one and
/// the start of the next.
#[derive(Debug)]
pub struct Player {
    list: List,
    /// Brings what is only there at 8 kHz to a wideband leg.
    doubler: Option<Box<Doubler>>,
}

#[derive(Debug)]
struct List {
    sounds: Vec<Sound>,
    repeat: bool,
    at: usize,
    /// Samples of the present sound that were played.
    position: usize,
    generator: Option<Generator>,
    /// Something of this round was played: an empty list is not repeated for ever.
    sounded: bool,
}

/// What there is for a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Played<'a> {
    /// The frame is filled; with silence after the last sample of the list.
    Sound,
    /// These keys are to be sent, before the next frame is asked for.
    Keys(&'a str),
    /// The list is over, and the frame is silent.
    Ended,
}

impl Player {
    /// A list at its start.
    pub fn new(sounds: Vec<Sound>, repeat: bool) -> Self {
        let list = List {
            sounds,
            repeat,
            at: 0,
            position: 0,
            generator: None,
            sounded: false,
        };
        Self {
            list,
            doubler: None,
        }
    }

    /// Takes the next 20 ms, at the rate that the frame has.
    pub fn take(&mut self, frame: &mut Frame) -> Played<'_> {
        match frame {
            Frame::Narrow(narrow) => {
                *narrow = SILENCE;
                self.list.fill(narrow, None)
            }
            Frame::Wide(wide) => {
                *wide = [0; WIDE_FRAME];
                let mut narrow = SILENCE;
                let played = self.list.fill(&mut narrow, Some(wide));
                // What is there at one rate is silence at the other.
                let doubler = self.doubler.get_or_insert_default();
                for (sample, doubled) in wide.iter_mut().zip(doubler.take(&narrow)) {
                    *sample = sample.saturating_add(doubled);
                }
                played
            }
        }
    }
}

impl List {
    /// Fills a silent frame. With `wide`, what is there at 16 kHz goes into that one instead.
    fn fill(&mut self, frame: &mut Narrow, mut wide: Option<&mut Wide>) -> Played<'_> {
        let mut filled = 0;
        while filled < FRAME {
            let Some(sound) = self.sounds.get(self.at) else {
                if self.repeat && self.sounded {
                    self.sounded = false;
                    self.at = 0;
                    continue;
                }
                return if filled > 0 {
                    Played::Sound
                } else {
                    Played::Ended
                };
            };
            let rest = &mut frame[filled..];
            let taken = match sound {
                Sound::Pcm(samples) => {
                    let left = samples.get(self.position..).unwrap_or_default();
                    let len = left.len().min(rest.len());
                    rest[..len].copy_from_slice(&left[..len]);
                    len
                }
                Sound::Wideband {
                    narrow,
                    wide: samples,
                } => {
                    let left = narrow.get(self.position..).unwrap_or_default();
                    let len = left.len().min(rest.len());
                    if let Some(wide) = wide.as_deref_mut() {
                        let left = samples.get(2 * self.position..).unwrap_or_default();
                        let places = wide[2 * filled..].iter_mut().take(2 * len);
                        for (place, &sample) in places.zip(left) {
                            *place = sample;
                        }
                    } else {
                        rest[..len].copy_from_slice(&left[..len]);
                    }
                    len
                }
                Sound::Tone(tone) => {
                    let generator = self.generator.get_or_insert_with(|| Generator::new(*tone));
                    rest.iter_mut()
                        .zip(generator)
                        .map(|(sample, next)| *sample = next)
                        .count()
                }
                Sound::Silence(duration) => {
                    let micros = duration.as_micros().min(u128::from(u32::MAX) * 1000) as u64;
                    let len = micros * u64::from(SAMPLE_RATE) / 1_000_000;
                    (len as usize).saturating_sub(self.position).min(rest.len())
                }
                Sound::Digits(_) => {
                    if filled > 0 {
                        return Played::Sound;
                    }
                    let at = self.at;
                    self.advance();
                    self.sounded = true;
                    let Some(Sound::Digits(keys)) = self.sounds.get(at) else {
                        return Played::Sound;
                    };
                    return Played::Keys(keys);
                }
            };
            filled += taken;
            self.position += taken;
            self.sounded |= taken > 0;
            if filled < FRAME {
                self.advance();
            }
        }
        Played::Sound
    }

    fn advance(&mut self) {
        self.at += 1;
        self.position = 0;
        self.generator = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pcm(samples: &[i16]) -> Sound {
        Sound::Pcm(Arc::from(samples))
    }

    /// All that is played, at most so many frames; keys stand as -1.
    fn played(player: &mut Player, frames: usize) -> Vec<i16> {
        let mut all = Vec::new();
        let mut frame = Frame::SILENCE;
        for _ in 0..frames {
            match player.take(&mut frame) {
                Played::Sound => all.extend(frame.samples()),
                Played::Keys(_) => all.push(-1),
                Played::Ended => break,
            }
        }
        all
    }

    #[test]
    fn wideband_legs_hear_what_there_is_at_their_rate_and_the_rest_doubled() {
        let wide: Arc<[i16]> = (0..1600).collect();
        let narrow: Arc<[i16]> = (0..1600).step_by(2).collect();
        let sounds = vec![
            Sound::Wideband {
                narrow: Arc::clone(&narrow),
                wide: Arc::clone(&wide),
            },
            pcm(&[4000; 1600]),
        ];
        let heard = |silent: Frame| {
            let mut player = Player::new(sounds.clone(), false);
            let (mut all, mut frame) = (Vec::new(), silent);
            while player.take(&mut frame) == Played::Sound {
                all.extend(frame.samples());
            }
            all
        };
        let at_8 = heard(Frame::SILENCE);
        assert_eq!((at_8.len(), &at_8[..800]), (2400, &narrow[..]));
        let at_16 = heard(Frame::silent(crate::Rate::Wide));
        assert_eq!((at_16.len(), &at_16[..1500]), (4800, &wide[..1500]));
        assert!(
            at_16[1700..]
                .iter()
                .all(|&sample| (3900..4100).contains(&sample))
        );
    }

    #[test]
    fn sounds_follow_one_another_within_a_frame() {
        let mut player = Player::new(
            vec![
                pcm(&[1; 100]),
                Sound::Silence(Duration::from_millis(5)),
                pcm(&[2; 100]),
            ],
            false,
        );
        let expected = [vec![1; 100], vec![0; 40], vec![2; 100], vec![0; 80]].concat();
        assert_eq!(played(&mut player, 10), expected);
        assert_eq!(player.take(&mut [7; FRAME].into()), Played::Ended);
    }

    #[test]
    fn a_repeated_list_has_no_seam() {
        let mut player = Player::new(vec![pcm(&[1; 100]), pcm(&[2; 33])], true);
        let round = [vec![1; 100], vec![2; 33]].concat();
        let expected: Vec<_> = round.into_iter().cycle().take(FRAME * 20).collect();
        assert_eq!(played(&mut player, 20), expected);
    }

    #[test]
    fn keys_are_given_out_in_their_place() {
        let mut player = Player::new(
            vec![pcm(&[1; 10]), Sound::Digits("12".into()), pcm(&[2; 160])],
            false,
        );
        let expected = [vec![1; 10], vec![0; 150], vec![-1], vec![2; 160]].concat();
        assert_eq!(played(&mut player, 10), expected);
    }

    #[test]
    fn an_empty_list_ends_at_once_even_repeated() {
        for sounds in [vec![], vec![pcm(&[]), Sound::Silence(Duration::ZERO)]] {
            let mut player = Player::new(sounds, true);
            assert_eq!(player.take(&mut [7; FRAME].into()), Played::Ended);
        }
    }

    #[test]
    fn an_endless_tone_is_followed_by_nothing() {
        let mut player = Player::new(vec![Sound::Tone(Tone::Busy), pcm(&[1; 160])], false);
        assert_eq!(played(&mut player, 500).len(), 500 * FRAME);
        let mut beep = Player::new(vec![Sound::Tone(Tone::Beep)], false);
        assert_eq!(played(&mut beep, 500).len(), 25 * FRAME);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_doubled(lens in proptest::collection::vec(0..500_usize, 0..8)) {
            let sounds: Vec<_> = lens.iter().map(|&len| pcm(&vec![5; len])).collect();
            let total: usize = lens.iter().sum();
            let all = played(&mut Player::new(sounds, false), 100);
            prop_assert_eq!(all.len(), total.div_ceil(FRAME) * FRAME);
            prop_assert!(all[..total].iter().all(|&sample| sample == 5));
            prop_assert!(all[total..].iter().all(|&sample| sample == 0));
        }
    }
}
