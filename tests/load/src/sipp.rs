//! sipp as caller and as called.

use std::fs::File;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::platform::end;

/// A run of sipp, kept on the core of who starts it.
pub(crate) struct Sipp {
    child: Child,
    statistics: PathBuf,
    log: PathBuf,
    end: Instant,
}

/// How long the last calls may take to be over.
const LEFT_OVER: Duration = Duration::from_secs(12);

/// What sipp says of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) successful: u64,
    pub(crate) retransmissions: u64,
    /// With 503; part of those that are successful. Told by the scenario of overload only.
    pub(crate) refused: u64,
    /// From INVITE to 200: how many took less than so many milliseconds, and no less than those
    /// before; the last ones without an end. The same.
    pub(crate) took: Vec<(f64, u64)>,
}

impl Outcome {
    /// Less than so many milliseconds for this share of the calls that were answered.
    pub(crate) fn took_ms(&self, share: f64) -> f64 {
        let all: u64 = self.took.iter().map(|(_, calls)| calls).sum();
        let mut seen = 0;
        for (end, calls) in &self.took {
            seen += calls;
            if seen as f64 >= all as f64 * share {
                return *end;
            }
        }
        f64::NAN
    }
}

/// Calls to make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calls {
    pub(crate) remote: SocketAddrV4,
    pub(crate) per_second: u32,
    pub(crate) count: u32,
    pub(crate) hold: Duration,
    /// More than can be taken are expected: some are refused.
    pub(crate) overload: bool,
}

impl Sipp {
    /// Calls a number.
    pub(crate) fn call(folder: &Path, number: &str, calls: Calls) -> anyhow::Result<Self> {
        let most =
            Duration::from_secs(u64::from(calls.count / calls.per_second.max(1))) + LEFT_OVER;
        let arguments = [
            ("-s", number.to_owned()),
            ("-r", calls.per_second.to_string()),
            ("-m", calls.count.to_string()),
            ("-l", calls.count.to_string()),
            ("-d", calls.hold.as_millis().to_string()),
        ];
        let scenario = if calls.overload {
            "uac_overload"
        } else {
            "uac"
        };
        let mut sipp = Self::start(folder, scenario, &arguments, Some(calls.remote))?;
        sipp.end = Instant::now() + most;
        Ok(sipp)
    }

    /// Waits for calls at this port, and answers them.
    pub(crate) fn answer(folder: &Path, port: u16) -> anyhow::Result<Self> {
        let sipp = Self::start(folder, "uas", &[("-p", port.to_string())], None)?;
        let end = Instant::now() + Duration::from_secs(10);
        let bound = format!(":{port:04X} ");
        while !std::fs::read_to_string("/proc/net/udp")?.contains(&bound) {
            if Instant::now() > end {
                bail!("sipp does not listen: {}", sipp.words());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(sipp)
    }

    fn start(
        folder: &Path,
        scenario: &str,
        arguments: &[(&str, String)],
        remote: Option<SocketAddrV4>,
    ) -> anyhow::Result<Self> {
        let scenarios = std::env::var("STROWGER_LOAD_SCENARIOS")
            .context("STROWGER_LOAD_SCENARIOS is not set")?;
        let name = format!("{scenario}-{:?}", Instant::now())
            .replace(|c: char| !c.is_ascii_alphanumeric(), "");
        let (statistics, log) = (
            folder.join(format!("{name}.csv")),
            folder.join(format!("{name}.log")),
        );
        let mut command = Command::new("sipp");
        command
            .arg("-sf")
            .arg(format!("{scenarios}/{scenario}.xml"))
            .args([
                "-i",
                "127.0.0.1",
                "-mi",
                "127.0.0.1",
                "-nostdin",
                "-key",
                "media",
                "40000",
            ])
            .args(["-buff_size", "4194304", "-trace_stat", "-fd", "1", "-stf"])
            .arg(&statistics);
        for (name, value) in arguments {
            command.args([name, value.as_str()]);
        }
        if let Some(remote) = remote {
            command.arg(remote.to_string());
        }
        let output = File::create(&log)?;
        let child = command
            .current_dir(folder)
            .env("TERM", "dumb")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .context("sipp can't be started")?;
        Ok(Self {
            child,
            statistics,
            log,
            end: Instant::now(),
        })
    }

    /// Waits until all its calls are over. Those that are not in time have failed.
    pub(crate) fn finish(mut self) -> anyhow::Result<Outcome> {
        while self.child.try_wait()?.is_none() {
            if Instant::now() > self.end {
                return self.stop();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.outcome()
    }

    /// Asks it to end, and waits a little for that: it writes its last line then.
    pub(crate) fn stop(mut self) -> anyhow::Result<Outcome> {
        let id = i32::try_from(self.child.id()).context("a process's number")?;
        kill(Pid::from_raw(id), Signal::SIGUSR1).context("sipp can't be ended")?;
        let limit = Instant::now() + Duration::from_secs(2);
        while self.child.try_wait()?.is_none() && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(20));
        }
        end(&mut self.child);
        self.outcome()
    }

    /// What it says of itself so far, a second late at most.
    pub(crate) fn outcome(&self) -> anyhow::Result<Outcome> {
        let text = std::fs::read_to_string(&self.statistics).unwrap_or_default();
        let mut lines = text.lines();
        let (Some(names), Some(last)) = (lines.next(), lines.next_back()) else {
            bail!("sipp did nothing: {}", self.words());
        };
        let values: Vec<&str> = last.split(';').collect();
        let value = |name: &str| {
            let at = names.split(';').position(|found| found == name)?;
            values.get(at)?.parse().ok()
        };
        let total = |name: &str| value(name).with_context(|| format!("sipp does not tell {name}"));
        let took = names.split(';').filter_map(|name| {
            let (_, end) = name.split_once("ResponseTimeRepartition1_")?;
            let end = end.strip_prefix('<').map(str::parse);
            Some((
                end.and_then(Result::ok).unwrap_or(f64::INFINITY),
                value(name)?,
            ))
        });
        Ok(Outcome {
            successful: total("SuccessfulCall(C)")?,
            retransmissions: total("Retransmissions(C)")?,
            refused: value("Refused(C)").unwrap_or_default(),
            took: took.collect(),
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn words(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}
