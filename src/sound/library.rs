//! Finds, loads, speaks and fetches what drivers ask to be heard; what was decoded is shared.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use strowger_domain::call::{Sound, Tone};
use strowger_domain::ids::{AccountId, AudioId};
use strowger_media::{music, player, tone, wav};

use super::media_files::MediaFiles;
use super::speech::Speech;
use crate::events::http_client::{HttpClient, Request};

/// Decoded audio that may be kept: 64 MiB of samples are over an hour.
const MAX_KEPT: usize = 32 << 20;
/// Remote audio may be this large.
const MAX_REMOTE: usize = 10 << 20;
/// A file that was looked at so short a time ago is played as it was.
const FRESH: Duration = Duration::from_secs(1);
/// How long fetched audio is kept when its server does not say.
const REMOTE_KEPT: Duration = Duration::from_mins(1);
/// How long fetched audio is kept at most, whatever its server says.
const LONGEST_KEPT: Duration = Duration::from_hours(24);

/// Why a sound can't be played: for the driver and the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct SoundError {
    /// Which sound.
    pub what: String,
    /// What is wrong.
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    File(PathBuf),
    Url(String),
}

struct Kept {
    sound: player::Sound,
    /// The file's time of change.
    changed: Option<SystemTime>,
    /// When it was read, or found unchanged.
    looked: tokio::time::Instant,
    /// When a fetched one has to be fetched again.
    until: Option<tokio::time::Instant>,
}

/// The library; one for the platform, shared by its calls.
#[derive(Clone)]
pub struct SoundLibrary {
    files: MediaFiles,
    speech: Speech,
    http: HttpClient,
    music: Arc<[i16]>,
    // The one lock of the house: a map that is looked at for a moment, never across an await.
    kept: Arc<Mutex<HashMap<Key, Kept>>>,
}

impl SoundLibrary {
    /// A library that has loaded nothing.
    pub fn new(files: MediaFiles, speech: Speech, http: HttpClient) -> Self {
        Self {
            files,
            speech,
            http,
            music: music::on_hold(),
            kept: Arc::default(),
        }
    }

    /// The file of an audio of the pool.
    pub fn audio_name(audio: AudioId) -> String {
        format!("audio/{audio}.wav")
    }

    /// What legs can play, for what a driver of this account asked; the first fault ends it.
    pub async fn resolve(
        &self,
        account: AccountId,
        sounds: Vec<Sound>,
    ) -> Result<Vec<player::Sound>, SoundError> {
        let mut resolved = Vec::with_capacity(sounds.len());
        for sound in sounds {
            resolved.push(match sound {
                Sound::Audio(id) => self.file(account, &Self::audio_name(id)).await?,
                Sound::File(name) => self.file(account, &name).await?,
                Sound::Url(url) => self.fetch(&url).await?,
                Sound::Text { text, voice } => {
                    let spoken = self.speech.speak(&text, &voice).await;
                    spoken.map_err(|error| fault("speech", &error))?
                }
                Sound::Digits(digits) => player::Sound::Digits(digits),
                Sound::Tone(tone) => player::Sound::Tone(media_tone(tone)),
                Sound::Silence(length) => player::Sound::Silence(length),
                Sound::Music => player::Sound::Pcm(Arc::clone(&self.music)),
            });
        }
        Ok(resolved)
    }

    /// Whether all of these can be had without waiting for a disk, a program or a server.
    pub fn resolve_now(&self, account: AccountId, sounds: &[Sound]) -> Option<Vec<player::Sound>> {
        let file = |name: &str| {
            let key = Key::File(self.files.path(account, name).ok()?);
            self.look(&key, |kept| kept.looked.elapsed() < FRESH)
        };
        sounds
            .iter()
            .map(|sound| match sound {
                Sound::Digits(digits) => Some(player::Sound::Digits(digits.clone())),
                Sound::Tone(tone) => Some(player::Sound::Tone(media_tone(*tone))),
                Sound::Silence(length) => Some(player::Sound::Silence(*length)),
                Sound::Music => Some(player::Sound::Pcm(Arc::clone(&self.music))),
                Sound::Audio(id) => file(&Self::audio_name(*id)),
                Sound::File(name) => file(name),
                Sound::Url(_) | Sound::Text { .. } => None,
            })
            .collect()
    }

    async fn file(&self, account: AccountId, name: &str) -> Result<player::Sound, SoundError> {
        let path = self
            .files
            .path(account, name)
            .map_err(|error| fault(name, &error))?;
        let read = |error: std::io::Error| fault(name, &error);
        let metadata = tokio::fs::metadata(&path).await.map_err(read)?;
        let changed = metadata.modified().ok();
        let key = Key::File(path.clone());
        let unchanged = |kept: &mut Kept| {
            kept.looked = tokio::time::Instant::now();
            kept.changed == changed
        };
        if let Some(sound) = self.look(&key, unchanged) {
            return Ok(sound);
        }
        let bytes = tokio::fs::read(&path).await.map_err(read)?;
        let sound = decode(name, bytes).await?;
        self.keep(
            key,
            Kept {
                sound: sound.clone(),
                changed,
                looked: tokio::time::Instant::now(),
                until: None,
            },
        );
        Ok(sound)
    }

    async fn fetch(&self, url: &str) -> Result<player::Sound, SoundError> {
        let key = Key::Url(url.to_owned());
        let now = tokio::time::Instant::now();
        if let Some(sound) = self.look(&key, |kept| kept.until.is_some_and(|until| until > now)) {
            return Ok(sound);
        }
        let what = without_query(url);
        let mut request = Request::get(url);
        request.max_body = Some(MAX_REMOTE);
        let response = self.http.send(request).await.map_err(|error| SoundError {
            what: what.to_owned(),
            why: error.explain(),
        })?;
        if response.status != 200 {
            let why = format!("the server answered {}", response.status);
            return Err(SoundError {
                what: what.to_owned(),
                why,
            });
        }
        let lifetime = lifetime(response.cache_control.as_deref());
        let sound = decode(what, response.body.to_vec()).await?;
        if !lifetime.is_zero() {
            let until = Some(now + lifetime);
            self.keep(
                key,
                Kept {
                    sound: sound.clone(),
                    changed: None,
                    looked: now,
                    until,
                },
            );
        }
        Ok(sound)
    }

    fn look(&self, key: &Key, is_fresh: impl Fn(&mut Kept) -> bool) -> Option<player::Sound> {
        let mut kept = self
            .kept
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let kept = kept.get_mut(key)?;
        is_fresh(kept).then(|| kept.sound.clone())
    }

    fn keep(&self, key: Key, new: Kept) {
        let mut kept = self
            .kept
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let size = new.sound.samples();
        if size > MAX_KEPT {
            return;
        }
        let total: usize = kept.values().map(|kept| kept.sound.samples()).sum();
        if total + size > MAX_KEPT {
            kept.clear();
        }
        kept.insert(key, new);
    }
}

/// What may be told and logged of an address: its query may hold tokens and keyed digits.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// RFC 9111 §5.2: `no-store` and `no-cache` are honoured, `max-age` decides, else a minute.
fn lifetime(cache_control: Option<&str>) -> Duration {
    let Some(text) = cache_control else {
        return REMOTE_KEPT;
    };
    let mut lifetime = REMOTE_KEPT;
    for directive in text
        .split(',')
        .map(|directive| directive.trim().to_ascii_lowercase())
    {
        if directive == "no-store" || directive == "no-cache" {
            return Duration::ZERO;
        }
        if let Some(seconds) = directive
            .strip_prefix("max-age=")
            .and_then(|s| s.parse().ok())
        {
            lifetime = Duration::from_secs(seconds).min(LONGEST_KEPT);
        }
    }
    lifetime
}

async fn decode(what: &str, bytes: Vec<u8>) -> Result<player::Sound, SoundError> {
    let decoded = tokio::task::spawn_blocking(move || wav::sound(&bytes)).await;
    match decoded {
        Ok(Ok(sound)) => Ok(sound),
        Ok(Err(error)) => Err(fault(what, &error)),
        Err(error) => Err(fault(what, &error)),
    }
}

fn fault(what: &str, error: &dyn std::error::Error) -> SoundError {
    SoundError {
        what: what.to_owned(),
        why: error.to_string(),
    }
}

/// The tone as media makes it.
pub fn media_tone(tone: Tone) -> tone::Tone {
    match tone {
        Tone::Ringing => tone::Tone::Ringing,
        Tone::Busy => tone::Tone::Busy,
        Tone::Congestion => tone::Tone::Congestion,
        Tone::NumberUnobtainable => tone::Tone::NumberUnobtainable,
        Tone::Beep => tone::Tone::Beep,
        Tone::Joined => tone::Tone::Joined,
        Tone::Left => tone::Tone::Left,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_cache_control_is_honoured() {
        assert_eq!(lifetime(None), REMOTE_KEPT);
        assert_eq!(lifetime(Some("public, max-age=5")), Duration::from_secs(5));
        assert_eq!(lifetime(Some("max-age=5, No-Store")), Duration::ZERO);
        assert_eq!(lifetime(Some("max-age=soon")), REMOTE_KEPT);
        let for_ever = format!("max-age={}", u64::MAX);
        assert_eq!(lifetime(Some(&for_ever)), LONGEST_KEPT);
    }
}
