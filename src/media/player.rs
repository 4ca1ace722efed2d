//! Playing lists of sounds.

use crate::tone::{Generator, Tone};
use crate::{FRAME, Narrow, SAMPLE_RATE, SILENCE};
use std::sync::Arc;
use std::time::Duration;

/// What can be played.
#[derive(Clone, Debug, PartialEq)]
pub enum Sound {
    /// Samples: 8 kHz, mono, 16-bit linear.
    Pcm(Arc<[i16]>),
    /// A tone. An endless one plays until the play is stopped.
    Tone(Tone),
    /// Nothing, for a time.
    Silence(Duration),
    /// Telephone keys, sent as RFC 4733 events where agreed, else as tones.
    Digits(String),
}

/// Plays a list of sounds, one after the other without a seam: a frame may hold the end of one and
/// the start of the next.
#[derive(Debug)]
pub struct Player {
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
        Self {
            sounds,
            repeat,
            at: 0,
            position: 0,
            generator: None,
            sounded: false,
        }
    }

    /// Takes the next 20 ms.
    pub fn take(&mut self, frame: &mut Narrow) -> Played<'_> {
        *frame = SILENCE;
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
        let mut frame = SILENCE;
        for _ in 0..frames {
            match player.take(&mut frame) {
                Played::Sound => all.extend(frame),
                Played::Keys(_) => all.push(-1),
                Played::Ended => break,
            }
        }
        all
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
        assert_eq!(player.take(&mut [7; FRAME]), Played::Ended);
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
            assert_eq!(player.take(&mut [7; FRAME]), Played::Ended);
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
