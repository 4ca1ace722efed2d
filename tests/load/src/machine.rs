//! The machine: cores, limits, and what a process has used of it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

/// Ticks of `/proc/PID/stat` in a second: `USER_HZ` of Linux on every machine that we run on.
const TICKS: u64 = 100;

/// Who runs where: the server alone on one core, whoever drives it on the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    pub(crate) server: usize,
    pub(crate) driver: usize,
}

impl Cores {
    /// The last and the first core that we may use.
    pub(crate) fn of_machine() -> anyhow::Result<Self> {
        let may = sched_getaffinity(Pid::from_raw(0)).context("the cores of this machine")?;
        let cores: Vec<usize> = (0..CpuSet::count())
            .filter(|core| may.is_set(*core).unwrap_or(false))
            .collect();
        match cores[..] {
            [driver, .., server] => Ok(Self { server, driver }),
            [] | [_] => bail!("two cores are needed: one for the server, one for who drives it"),
        }
    }
}

/// Keeps this thread, and what it starts from now on, on one core.
pub(crate) fn stay_on(core: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(core).context("a core")?;
    sched_setaffinity(Pid::from_raw(0), &set).context("the thread can't be kept on its core")
}

/// Lets this process and its children open as many files as the system permits.
pub(crate) fn raise_file_limit() -> anyhow::Result<u64> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).context("the limit of open files")?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).context("the limit of open files")?;
    Ok(most)
}

/// A process as the system accounts for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    fn read(self, file: &str) -> anyhow::Result<String> {
        let path = PathBuf::from(format!("/proc/{}/{file}", self.0));
        std::fs::read_to_string(&path).with_context(|| format!("{}: it has ended", path.display()))
    }

    /// User and system time so far, of all its threads.
    pub(crate) fn cpu(self) -> anyhow::Result<Duration> {
        let stat = self.read("stat")?;
        // The name in parentheses may hold anything; utime and stime are 12th and 13th after it.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u64>().unwrap_or(0))
            .sum();
        Ok(Duration::from_millis(ticks * 1000 / TICKS))
    }

    /// Proportional set size, in KiB.
    pub(crate) fn pss_kib(self) -> anyhow::Result<u64> {
        kib(&self.read("smaps_rollup")?, "Pss:")
    }

    /// The most memory that was resident at any time, in KiB.
    pub(crate) fn peak_kib(self) -> anyhow::Result<u64> {
        kib(&self.read("status")?, "VmHWM:")
    }

    /// Files and sockets that it has open.
    pub(crate) fn open_files(self) -> anyhow::Result<usize> {
        let folder = format!("/proc/{}/fd", self.0);
        Ok(std::fs::read_dir(folder).context("its open files")?.count())
    }
}

fn kib(text: &str, name: &str) -> anyhow::Result<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("the system does not tell {name}"))
}
