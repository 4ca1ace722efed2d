//! Text to speech by a child process (`flite`, else `espeak-ng`), kept by text and voice.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use strowger_media::player::Sound;
use strowger_media::wav;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::Semaphore;

/// The longest text, in characters; about two minutes.
const MAX_TEXT: usize = 2_000;
/// A sentence takes 10 to 60 ms; what takes longer than this has hung.
const PATIENCE: Duration = Duration::from_secs(10);
/// Speech programs at once.
const AT_ONCE: usize = 4;

/// Speech that is kept, in bytes: about four hours. What was made first goes first.
const MOST_KEPT: u64 = 256 << 20;
/// The folder is looked through each time that so many texts were spoken anew.
const PRUNED_EVERY: usize = 64;

/// Why a text was not spoken.
#[derive(Debug, thiserror::Error)]
pub enum SpeechError {
    /// Neither program is on this machine.
    #[error("neither flite nor espeak-ng is installed")]
    NoProgram,
    /// The text is too long.
    #[error("the text has {0} characters; {MAX_TEXT} may be spoken")]
    TooLong(usize),
    /// The program failed.
    #[error("the speech program failed: {0}")]
    Failed(String),
    /// Files could not be read or written.
    #[error("the speech could not be kept")]
    Io(#[from] std::io::Error),
}

#[derive(Clone, Debug)]
enum Program {
    Flite(PathBuf),
    Espeak(PathBuf),
}

/// The speaking programs and the cache.
#[derive(Clone, Debug)]
pub struct Speech {
    program: Option<Program>,
    cache: PathBuf,
    turns: Arc<Semaphore>,
    /// Texts that were spoken anew.
    made: Arc<AtomicUsize>,
}

impl Speech {
    /// Looks for a program on the PATH; `cache` is a folder of its own.
    pub fn new(cache: PathBuf) -> Self {
        let program = program();
        if program.is_none() {
            tracing::warn!("neither flite nor espeak-ng is installed: texts can't be spoken");
        }
        Self {
            program,
            cache,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            made: Arc::default(),
        }
    }

    /// Speaks a text: 8 kHz, mono. `voice` empty: the program's default.
    pub async fn speak(&self, text: &str, voice: &str) -> Result<Sound, SpeechError> {
        let length = text.chars().count();
        if length > MAX_TEXT {
            return Err(SpeechError::TooLong(length));
        }
        let Some(program) = &self.program else {
            return Err(SpeechError::NoProgram);
        };
        let mut hash = Sha256::new();
        hash.update(format!("{program:?}\0{voice}\0{text}"));
        let mut name = String::new();
        for byte in hash.finalize() {
            let _ = write!(name, "{byte:02x}");
        }
        let kept = self.cache.join(format!("{name}.wav"));
        let bytes = match tokio::fs::read(&kept).await {
            Ok(bytes) => bytes,
            Err(_) => self.make(program, text, voice, &kept).await?,
        };
        let read = tokio::task::spawn_blocking(move || wav::sound(&bytes)).await;
        read.map_err(|error| SpeechError::Failed(error.to_string()))?
            .map_err(|error| SpeechError::Failed(error.to_string()))
    }

    async fn make(
        &self,
        program: &Program,
        text: &str,
        voice: &str,
        kept: &Path,
    ) -> Result<Vec<u8>, SpeechError> {
        let _turn = self
            .turns
            .acquire()
            .await
            .map_err(|_closed| SpeechError::NoProgram)?;
        tokio::fs::create_dir_all(&self.cache).await?;
        let unfinished = kept.with_extension(format!("{}.part", uuid::Uuid::now_v7().simple()));
        let made = Self::run(program, text, voice, &unfinished).await;
        if made.is_err() {
            // There may be nothing to remove.
            let _ = tokio::fs::remove_file(&unfinished).await;
        }
        let bytes = made?;
        tokio::fs::rename(&unfinished, kept).await?;
        if self
            .made
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(PRUNED_EVERY)
        {
            let cache = self.cache.clone();
            tokio::task::spawn_blocking(move || prune(&cache, MOST_KEPT));
        }
        Ok(bytes)
    }

    /// Lets a program write what it says to a file, and reads that.
    async fn run(
        program: &Program,
        text: &str,
        voice: &str,
        unfinished: &Path,
    ) -> Result<Vec<u8>, SpeechError> {
        let mut command = match program {
            Program::Flite(path) => {
                let mut command = Command::new(path);
                // The voice is one of the names compiled in; anything else would be a file to load.
                let known = ["kal", "awb", "kal16", "rms", "slt"];
                command.args(["-voice", if known.contains(&voice) { voice } else { "slt" }]);
                command.args(["-f", "/dev/stdin", "-o"]).arg(unfinished);
                command
            }
            Program::Espeak(path) => {
                let mut command = Command::new(path);
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '+';
                let voice = if !voice.is_empty() && voice.chars().all(plain) {
                    voice
                } else {
                    "en-gb"
                };
                command.args(["-v", voice, "--stdin", "-w"]).arg(unfinished);
                command
            }
        };
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(text.as_bytes()).await?;
        }
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output())
            .await
            .map_err(|_elapsed| SpeechError::Failed("it took too long".into()))??;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(SpeechError::Failed(words));
        }
        Ok(tokio::fs::read(unfinished).await?)
    }
}

/// Removes the oldest files of a folder until it holds at most so many bytes.
fn prune(folder: &Path, most: u64) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let about = entry.metadata().ok()?;
            Some((about.modified().ok()?, about.len(), entry.path()))
        })
        .collect();
    files.sort();
    let mut total: u64 = files.iter().map(|(_, length, _)| length).sum();
    for (_, length, path) in files {
        if total <= most {
            return;
        }
        match std::fs::remove_file(&path) {
            Ok(()) => total -= length,
            Err(error) => tracing::warn!(%error, "old speech can't be removed"),
        }
    }
}

/// Whether texts can be spoken on this machine.
pub fn is_installed() -> bool {
    program().is_some()
}

fn program() -> Option<Program> {
    find("flite")
        .map(Program::Flite)
        .or_else(|| find("espeak-ng").map(Program::Espeak))
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::SystemTime;

    #[test]
    fn the_oldest_speech_goes_first_when_there_is_too_much() {
        let folder = tempfile::tempdir().expect("temp folder");
        for (age, name) in [(30, "oldest"), (20, "older"), (10, "new")] {
            let path = folder.path().join(name);
            std::fs::write(&path, [0; 100]).expect("written");
            let file = File::options().write(true).open(path).expect("opened");
            let changed = SystemTime::now() - Duration::from_secs(age);
            file.set_modified(changed).expect("set");
        }
        prune(folder.path(), 200);
        assert!(!folder.path().join("oldest").exists());
        assert!(folder.path().join("older").exists());
        prune(folder.path(), 100);
        assert!(!folder.path().join("older").exists());
        assert!(folder.path().join("new").exists());
    }

    #[actix::test]
    async fn a_text_is_spoken_once_and_kept() {
        let folder = tempfile::tempdir().expect("temp folder");
        let speech = Speech::new(folder.path().join("speech"));
        let first = speech
            .speak("Hello, and welcome.", "")
            .await
            .expect("flite or espeak-ng");
        let Sound::Wideband { narrow, wide } = &first else {
            panic!("speech is wideband");
        };
        assert!(narrow.len() > 4_000, "{} samples", narrow.len());
        assert!(wide.iter().any(|sample| sample.unsigned_abs() > 1_000));
        let kept = std::fs::read_dir(folder.path().join("speech"))
            .expect("folder")
            .count();
        assert_eq!(kept, 1);
        let again = speech.speak("Hello, and welcome.", "").await.expect("kept");
        assert_eq!(first, again);
        let long = "a".repeat(MAX_TEXT + 1);
        assert!(matches!(
            speech.speak(&long, "").await,
            Err(SpeechError::TooLong(_))
        ));
    }
}
