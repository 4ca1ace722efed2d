//! What a phone does in a call that is answered, and what it hears.

use std::path::{Path, PathBuf};
use std::time::Duration;

use actix::prelude::*;
use strowger_media::player::Sound;
use strowger_media::recorder::{Layout, Settings};
use strowger_media::session::Command;
use strowger_media::tone::Tone;
use strowger_media::wav;

use super::super::behaviour::{Record, Say};
use super::super::hearing;
use super::{Happening, PAUSES, PhoneCall, Recording};
use crate::net::media_engine;

/// The far end has paused when it was silent for so long.
const PAUSE: Duration = Duration::from_secs(1);
/// The engine's name of what is kept.
const KEPT: u16 = 0;
/// The file that takes all of what is listened to for a pause.
const NOWHERE: &str = "/dev/null";

impl PhoneCall {
    pub(super) fn say(&self) {
        let Some(leg) = &self.leg else { return };
        let (what, sound) = match &self.behaviour.say {
            Say::Nothing => return,
            Say::Tone(hertz) => (
                format!("{hertz} Hz"),
                Sound::Tone(Tone::Steady { hertz: *hertz }),
            ),
            Say::Sound(samples) => (
                format!("{} ms of sound", samples.len() / 8),
                Sound::Pcm(samples.clone()),
            ),
        };
        leg.media.command(Command::Play {
            play: 1,
            sounds: vec![sound],
            repeat: false,
        });
        self.tell(Happening::Saying { what });
    }

    pub(super) fn press(&self, keys: String) {
        if let Some(leg) = &self.leg {
            leg.media.command(Command::SendDigits(keys.clone()));
            self.tell(Happening::Pressed { keys });
        }
    }

    pub(super) fn hold(&mut self, held: bool) {
        let Some(leg) = &mut self.leg else { return };
        let event = match leg.hold(held) {
            Ok(()) => Happening::Held { held },
            Err(error) => Happening::Failed {
                why: error.to_string(),
            },
        };
        self.tell(event);
    }

    pub(super) fn record(&mut self) {
        let Some(leg) = &self.leg else { return };
        let (path, kept) = match &self.behaviour.record {
            Record::Nothing => return,
            Record::File(path) => (path.clone(), true),
            Record::Tones => {
                let name = format!("strowger-phone-{}.wav", uuid::Uuid::now_v7().simple());
                (std::env::temp_dir().join(name), false)
            }
        };
        leg.media.record(recording(KEPT, path.clone(), None));
        self.recording = Recording::Ongoing { path, kept };
    }

    /// A recording that nobody keeps ends by itself when the far end pauses.
    pub(super) fn listen_for_a_pause(&self) {
        if let (Some(leg), false) = (&self.leg, self.at_pauses.is_empty()) {
            leg.media
                .record(recording(PAUSES, NOWHERE.into(), Some(PAUSE)));
        }
    }

    pub(super) fn paused(&mut self, after_sound: bool) {
        if after_sound && let Some(keys) = self.at_pauses.pop_front() {
            self.press(keys);
        }
        self.listen_for_a_pause();
    }

    /// The file is complete: its tones are looked for, then the call may end.
    pub(super) fn recorded(
        &mut self,
        length: Duration,
        failure: Option<String>,
        ctx: &mut Context<Self>,
    ) {
        let Recording::Ongoing { path, kept } =
            std::mem::replace(&mut self.recording, Recording::None)
        else {
            return;
        };
        if let Some(why) = failure {
            self.tell(Happening::Failed {
                why: format!("{}: {why}", path.display()),
            });
            return self.finish_if_over(ctx);
        }
        let file = kept.then(|| path.display().to_string());
        let looked = tokio::task::spawn_blocking(move || tones_of(&path, kept));
        ctx.spawn(looked.into_actor(self).map(move |found, call, ctx| {
            match found {
                Ok(Ok(tones)) => {
                    for tone in &tones {
                        call.tell(Happening::Heard(tone.clone()));
                    }
                    let duration_ms = milliseconds(length);
                    call.tell(Happening::Recorded {
                        file,
                        duration_ms,
                        tones,
                    });
                }
                Ok(Err(why)) => call.tell(Happening::Failed { why }),
                Err(error) => call.tell(Happening::Failed {
                    why: error.to_string(),
                }),
            }
            call.finish(ctx);
        }));
    }
}

fn recording(recording: u16, path: PathBuf, max_silence: Option<Duration>) -> media_engine::Record {
    let settings = Settings {
        layout: Layout::Alone,
        max_duration: None,
        max_silence,
    };
    media_engine::Record {
        recording,
        with: None,
        settings,
        paths: vec![path],
    }
}

fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn tones_of(path: &Path, kept: bool) -> Result<Vec<hearing::Heard>, String> {
    let say = |error: &dyn std::error::Error| format!("{}: {error}", path.display());
    let bytes = std::fs::read(path).map_err(|error| say(&error))?;
    if !kept {
        std::fs::remove_file(path).map_err(|error| say(&error))?;
    }
    let samples = wav::read(&bytes).map_err(|error| say(&error))?;
    Ok(hearing::tones(&samples))
}
