//! The disk thread: writes recordings as WAV, so that a slow disk never delays a packet.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use strowger_media::recorder::{Block, wav_header};

/// Blocks that may wait for the disk: at 100 recordings, 3 s of a disk that does nothing. The queue
/// is one allocation of about 10 MiB.
const QUEUE: usize = 16_384;

type Finished = Box<dyn FnOnce(Option<String>) + Send>;

#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are blocks; boxing them would allocate for each"
)]
enum ToDisk {
    Open {
        file: u64,
        path: PathBuf,
        channels: u16,
    },
    Block {
        file: u64,
        block: Block,
    },
    Finish {
        file: u64,
        lost: u64,
        done: Finished,
    },
}

/// The handle of the disk thread.
#[derive(Clone, Debug)]
pub struct RecordingWriter {
    disk: SyncSender<ToDisk>,
    next: Arc<AtomicU64>,
}

/// One file being written.
#[derive(Debug)]
pub struct Written {
    disk: SyncSender<ToDisk>,
    file: u64,
    lost: u64,
}

impl RecordingWriter {
    /// Starts the thread; it ends when the last handle is gone.
    pub fn start() -> io::Result<Self> {
        let (disk, inbox) = sync_channel(QUEUE);
        std::thread::Builder::new()
            .name("recordings".into())
            .spawn(move || run(&inbox))?;
        Ok(Self {
            disk,
            next: Arc::default(),
        })
    }

    /// Begins a file.
    pub fn open(&self, path: PathBuf, channels: u16) -> Written {
        let file = self.next.fetch_add(1, Ordering::Relaxed);
        let lost = u64::from(
            self.disk
                .try_send(ToDisk::Open {
                    file,
                    path,
                    channels,
                })
                .is_err(),
        );
        Written {
            disk: self.disk.clone(),
            file,
            lost,
        }
    }
}

impl Written {
    /// Appends a block. Never waits: what the disk can't take is counted as lost.
    pub fn write(&mut self, block: Block) {
        if self
            .disk
            .try_send(ToDisk::Block {
                file: self.file,
                block,
            })
            .is_err()
        {
            self.lost += 1;
        }
    }

    /// Completes the file, then calls `done` with what went wrong, on the disk thread.
    pub fn finish(&mut self, done: impl FnOnce(Option<String>) + Send + 'static) {
        let finish = ToDisk::Finish {
            file: self.file,
            lost: self.lost,
            done: Box::new(done),
        };
        if let Err(error) = self.disk.try_send(finish) {
            let message = match error {
                std::sync::mpsc::TrySendError::Full(message)
                | std::sync::mpsc::TrySendError::Disconnected(message) => message,
            };
            if let ToDisk::Finish { done, .. } = message {
                done(Some("the disk does not keep up".into()));
            }
        }
    }
}

struct Wav {
    file: BufWriter<File>,
    channels: u16,
    length: u32,
}

impl Wav {
    fn create(path: &PathBuf, channels: u16) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = BufWriter::with_capacity(64 * 1024, File::create(path)?);
        file.write_all(&wav_header(channels, None))?;
        Ok(Self {
            file,
            channels,
            length: 0,
        })
    }

    fn append(&mut self, block: &Block) -> io::Result<()> {
        for sample in block.samples() {
            self.file.write_all(&sample.to_le_bytes())?;
            self.length = self.length.saturating_add(2);
        }
        Ok(())
    }

    fn complete(mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file
            .write_all(&wav_header(self.channels, Some(self.length)))?;
        self.file.flush()
    }
}

fn run(inbox: &Receiver<ToDisk>) {
    let mut files: HashMap<u64, io::Result<Wav>> = HashMap::new();
    while let Ok(message) = inbox.recv() {
        match message {
            ToDisk::Open {
                file,
                path,
                channels,
            } => {
                files.insert(file, Wav::create(&path, channels));
            }
            ToDisk::Block { file, block } => {
                if let Some(slot) = files.get_mut(&file)
                    && let Ok(wav) = slot
                    && let Err(error) = wav.append(&block)
                {
                    *slot = Err(error);
                }
            }
            ToDisk::Finish { file, lost, done } => {
                let outcome = match files.remove(&file) {
                    None => Some("the disk does not keep up".into()),
                    Some(Err(error)) => Some(error.to_string()),
                    Some(Ok(wav)) => match wav.complete() {
                        Err(error) => Some(error.to_string()),
                        Ok(()) if lost > 0 => Some(format!(
                            "{lost} blocks of 20 ms were lost: the disk is slow"
                        )),
                        Ok(()) => None,
                    },
                };
                if let Some(error) = &outcome {
                    tracing::error!(error, "a recording is not whole");
                }
                done(outcome);
            }
        }
    }
}
