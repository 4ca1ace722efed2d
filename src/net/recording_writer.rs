//! The disk threads: they write recordings as WAV, so that a slow disk never delays a packet.
//!
//! A recording hands over half a second at a time. What waits for the disk is bounded for each: a
//! recording whose disk has taken nothing for five seconds, or can't take more, has failed, and says
//! so. Others go on: a thread that hangs is given no new ones.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use strowger_media::FRAME;
use strowger_media::recorder::{Block, Layout, wav_header};

/// More disks than that are seldom in a machine.
const THREADS: usize = 4;

/// Blocks that are handed over at a time.
const CHUNK: usize = 25;

/// Chunks of one recording that may wait for the disk: 5 s.
const WAITING: usize = 10;

type Finished = Box<dyn FnOnce(Option<String>) + Send>;

enum ToDisk {
    Open {
        recording: usize,
        paths: Vec<PathBuf>,
        layout: Layout,
        link: Arc<Link>,
        spare: Sender<Vec<i16>>,
    },
    Chunk {
        recording: usize,
        samples: Vec<i16>,
    },
    Finish {
        recording: usize,
        last: Vec<i16>,
        done: Finished,
    },
}

/// What a recording and its disk thread know of each other.
#[derive(Debug, Default)]
struct Link {
    /// Chunks that wait for the disk.
    waiting: AtomicUsize,
    /// The disk can't take more.
    failed: AtomicBool,
}

#[derive(Clone, Debug)]
struct Disk {
    inbox: Sender<ToDisk>,
    /// What waits for this thread.
    waiting: Arc<AtomicUsize>,
}

impl Disk {
    fn tell(&self, message: ToDisk) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // A thread that is gone writes no more: the recording fails as one that waits too long.
        let _ = self.inbox.send(message);
    }
}

/// The handle of the disk threads.
#[derive(Clone, Debug)]
pub struct RecordingWriter {
    disks: Arc<[Disk]>,
    next: Arc<AtomicUsize>,
}

/// One recording being written.
#[derive(Debug)]
pub struct Written {
    disk: Disk,
    recording: usize,
    link: Arc<Link>,
    chunk: Vec<i16>,
    /// Chunks that were written, to be filled again.
    spare: Receiver<Vec<i16>>,
    late: bool,
}

impl RecordingWriter {
    /// Starts the threads; they end when the last handle is gone.
    pub fn start() -> io::Result<Self> {
        let disks = (0..THREADS).map(|_| {
            let (inbox, messages) = channel();
            let waiting = Arc::<AtomicUsize>::default();
            let taken = Arc::clone(&waiting);
            std::thread::Builder::new()
                .name("recordings".into())
                .spawn(move || run(&messages, &taken))?;
            Ok(Disk { inbox, waiting })
        });
        Ok(Self {
            disks: disks.collect::<io::Result<_>>()?,
            next: Arc::default(),
        })
    }

    /// Begins a recording: as many files as the layout has.
    pub fn open(&self, paths: Vec<PathBuf>, layout: Layout) -> Written {
        let recording = self.next.fetch_add(1, Ordering::Relaxed);
        let busy = |disk: &&Disk| disk.waiting.load(Ordering::Relaxed);
        let turn = recording % THREADS;
        let (before, after) = self.disks.split_at(turn);
        let least = after.iter().chain(before).min_by_key(busy);
        let disk = least.unwrap_or(&self.disks[0]).clone();
        let link = Arc::<Link>::default();
        let (back, spare) = channel();
        disk.tell(ToDisk::Open {
            recording,
            paths,
            layout,
            link: Arc::clone(&link),
            spare: back,
        });
        Written {
            disk,
            recording,
            link,
            chunk: Vec::new(),
            spare,
            late: false,
        }
    }
}

impl Written {
    /// Appends a block. Never waits.
    pub fn write(&mut self, block: &Block) {
        if self.late {
            return;
        }
        self.chunk.extend_from_slice(block.samples());
        if self.chunk.len() < CHUNK * block.samples().len() {
            return;
        }
        if self.link.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING {
            self.late = true;
            return;
        }
        let empty = self.spare.try_recv();
        let empty = empty.unwrap_or_else(|_| Vec::with_capacity(CHUNK * 2 * FRAME));
        self.disk.tell(ToDisk::Chunk {
            recording: self.recording,
            samples: std::mem::replace(&mut self.chunk, empty),
        });
    }

    /// Whether nothing more can be written; [`finish`](Self::finish) says why.
    pub fn has_failed(&self) -> bool {
        self.late || self.link.failed.load(Ordering::Relaxed)
    }

    /// Completes the files, then calls `done` with what went wrong, on the disk thread. A recording
    /// whose disk hangs is told to have failed at once.
    pub fn finish(&mut self, done: impl FnOnce(Option<String>) + Send + 'static) {
        let mut done: Finished = Box::new(done);
        if self.late {
            let failure = "the disk has taken nothing for five seconds";
            tracing::error!(failure, "a recording is not whole");
            done(Some(failure.into()));
            done = Box::new(|_| {});
        }
        self.disk.tell(ToDisk::Finish {
            recording: self.recording,
            last: std::mem::take(&mut self.chunk),
            done,
        });
    }
}

struct Wav {
    file: File,
    channels: u16,
    length: u32,
}

impl Wav {
    fn create(path: &Path, channels: u16) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = File::create(path)?;
        file.write_all(&wav_header(channels, None))?;
        Ok(Self {
            file,
            channels,
            length: 0,
        })
    }

    fn append(
        &mut self,
        samples: impl Iterator<Item = i16>,
        bytes: &mut Vec<u8>,
    ) -> io::Result<()> {
        bytes.clear();
        bytes.extend(samples.flat_map(i16::to_le_bytes));
        self.file.write_all(bytes)?;
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.length = self.length.saturating_add(length);
        Ok(())
    }

    fn complete(mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file
            .write_all(&wav_header(self.channels, Some(self.length)))
    }
}

/// A recording as its disk thread has it.
struct Recording {
    wavs: io::Result<Vec<Wav>>,
    link: Arc<Link>,
    spare: Sender<Vec<i16>>,
}

impl Recording {
    fn append(&mut self, samples: &[i16], bytes: &mut Vec<u8>) {
        let Ok(wavs) = &mut self.wavs else { return };
        let files = wavs.len();
        for (at, wav) in wavs.iter_mut().enumerate() {
            let own = samples.iter().copied().skip(at).step_by(files);
            if let Err(error) = wav.append(own, bytes) {
                self.link.failed.store(true, Ordering::Relaxed);
                self.wavs = Err(error);
                return;
            }
        }
    }

    fn complete(self) -> io::Result<()> {
        self.wavs?.into_iter().try_for_each(Wav::complete)
    }
}

fn run(inbox: &Receiver<ToDisk>, waiting: &AtomicUsize) {
    let mut recordings: HashMap<usize, Recording> = HashMap::new();
    let mut bytes = Vec::new();
    while let Ok(message) = inbox.recv() {
        match message {
            ToDisk::Open {
                recording,
                paths,
                layout,
                link,
                spare,
            } => {
                let created = paths
                    .iter()
                    .map(|path| Wav::create(path, layout.channels()));
                let wavs: io::Result<Vec<_>> = created.collect();
                link.failed.store(wavs.is_err(), Ordering::Relaxed);
                recordings.insert(recording, Recording { wavs, link, spare });
            }
            ToDisk::Chunk {
                recording,
                mut samples,
            } => {
                if let Some(recording) = recordings.get_mut(&recording) {
                    recording.append(&samples, &mut bytes);
                    recording.link.waiting.fetch_sub(1, Ordering::Relaxed);
                    samples.clear();
                    // One that has just ended needs no more.
                    let _ = recording.spare.send(samples);
                }
            }
            ToDisk::Finish {
                recording,
                last,
                done,
            } => {
                if let Some(mut recording) = recordings.remove(&recording) {
                    recording.append(&last, &mut bytes);
                    let failure = recording.complete().err().map(|error| error.to_string());
                    if let Some(failure) = &failure {
                        tracing::error!(failure, "a recording is not whole");
                    }
                    done(failure);
                }
            }
        }
        waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;
    use strowger_media::recorder::{Heard, Settings, Tap};
    use strowger_media::wav::Wav;

    fn second(layout: Layout) -> Vec<Block> {
        let mut tap = Tap::new(Settings {
            layout,
            max_duration: None,
            max_silence: None,
        });
        let heard = [100, 7].map(|level| [level; FRAME]);
        let mut blocks = Vec::new();
        for _ in 0..50 {
            let [a, b] = heard.each_ref().map(|frame| Heard {
                frame,
                delay: Duration::ZERO,
            });
            tap.beat(a, b);
            blocks.extend(tap.next_block());
        }
        blocks.extend(std::iter::from_fn(|| tap.last_block()));
        blocks
    }

    /// Ends a recording; answers what its disk says.
    fn finished(mut written: Written) -> Option<String> {
        let (told, failure) = mpsc::channel();
        written.finish(move |failure| told.send(failure).expect("is awaited"));
        let failure = failure.recv_timeout(Duration::from_secs(20));
        failure.expect("the disk answers")
    }

    fn written(writer: &RecordingWriter, paths: Vec<PathBuf>, layout: Layout) -> Option<String> {
        let mut written = writer.open(paths, layout);
        for block in second(layout) {
            written.write(&block);
        }
        finished(written)
    }

    #[test]
    fn each_layout_has_its_files_and_channels() {
        let writer = RecordingWriter::start().expect("threads");
        let folder = tempfile::tempdir().expect("a folder");
        for (layout, expected) in [
            (Layout::Alone, vec![vec![100]]),
            (Layout::Mixed, vec![vec![107]]),
            (Layout::Stereo, vec![vec![100, 7]]),
            (Layout::Separate, vec![vec![100], vec![7]]),
        ] {
            let names = (0..expected.len()).map(|file| format!("deep/{layout:?}-{file}.wav"));
            let paths: Vec<_> = names.map(|name| folder.path().join(name)).collect();
            assert_eq!(written(&writer, paths.clone(), layout), None);
            for (path, levels) in paths.iter().zip(expected) {
                let bytes = std::fs::read(path).expect("is there");
                let wav = Wav::parse(&bytes).expect("is a WAV file");
                assert_eq!(wav.duration(), Duration::from_secs(1));
                for (channel, level) in (0..).zip(levels) {
                    let samples = wav.channel(channel).expect("has the channel");
                    assert_eq!(*samples, [level; 8000], "{layout:?}");
                }
            }
        }
    }

    #[test]
    fn a_full_disk_fails_its_recordings_and_no_others() {
        let writer = RecordingWriter::start().expect("threads");
        let folder = tempfile::tempdir().expect("a folder");
        for turn in 0..2 * THREADS {
            let failure = written(&writer, vec!["/dev/full".into()], Layout::Alone);
            assert!(
                failure.is_some_and(|failure| failure.contains("No space left")),
                "it says why"
            );
            let path = folder.path().join(format!("{turn}.wav"));
            assert_eq!(written(&writer, vec![path], Layout::Stereo), None);
        }
    }

    #[test]
    fn a_disk_that_hangs_fails_its_recordings_and_no_others() {
        let writer = RecordingWriter::start().expect("threads");
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        // Nobody reads it: opening it to write waits.
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo runs").success());
        let mut hanging = writer.open(vec![pipe.clone()], Layout::Stereo);
        let mut seconds = 0;
        while !hanging.has_failed() {
            for block in second(Layout::Stereo) {
                hanging.write(&block);
            }
            seconds += 1;
        }
        assert_eq!(seconds, 6, "it waits for five seconds");
        let failure = finished(hanging);
        assert!(failure.is_some_and(|failure| failure.contains("five seconds")));
        for turn in 0..2 * THREADS {
            let path = folder.path().join(format!("{turn}.wav"));
            assert_eq!(written(&writer, vec![path], Layout::Alone), None);
        }
        drop(File::open(&pipe));
    }
}
