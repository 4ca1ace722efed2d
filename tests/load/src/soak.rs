//! Ten minutes of load that must leave nothing behind.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;

use crate::Bench;
use crate::plans;
use crate::platform::Platform;
use crate::relay::{NUMBER, establish, hang_up, streams};
use crate::report::{Figure, Goal, progress};
use crate::rtp::{Content, Generator, Histogram};
use crate::sound;
use crate::ua::{State, Ua};

/// Between two looks at the server's memory.
const LOOK: Duration = Duration::from_secs(10);
/// How long the last calls may take to be over.
const PATIENCE: Duration = Duration::from_secs(40);

/// How long to go on: `STROWGER_SOAK_SECONDS`, or ten minutes.
fn time(bench: &Bench) -> anyhow::Result<Duration> {
    let default = if bench.quick { 60 } else { 600 };
    let seconds = match std::env::var("STROWGER_SOAK_SECONDS") {
        Ok(text) => text.parse().context("STROWGER_SOAK_SECONDS")?,
        Err(_absent) => default,
    };
    Ok(Duration::from_secs(seconds))
}

/// The server's memory over time.
#[derive(Debug, Default)]
struct Memory(Vec<(f64, f64)>);

impl Memory {
    fn look(&mut self, start: Instant, platform: &Platform) -> anyhow::Result<()> {
        let kib = platform.process.pss_kib()? as f64;
        self.0.push((start.elapsed().as_secs_f64() / 60.0, kib));
        Ok(())
    }

    /// KiB a minute, by least squares over the second half.
    fn slope(&self) -> f64 {
        let half = &self.0[self.0.len() / 2..];
        let count = half.len().max(1) as f64;
        let mean_time = half.iter().map(|(time, _)| time).sum::<f64>() / count;
        let mean_kib = half.iter().map(|(_, kib)| kib).sum::<f64>() / count;
        let (mut covariance, mut variance) = (0.0, 0.0);
        for (time, kib) in half {
            covariance += (time - mean_time) * (kib - mean_kib);
            variance += (time - mean_time).powi(2);
        }
        if variance > 0.0 {
            covariance / variance
        } else {
            0.0
        }
    }
}

/// What should be as it was before.
struct Gauges {
    files: usize,
}

impl Gauges {
    fn before(platform: &mut Platform) -> anyhow::Result<Self> {
        // The connection that asks is open from here on.
        platform.live_calls()?;
        let files = platform.process.open_files()?;
        Ok(Self { files })
    }

    /// Calls, RTP ports and files that are still held.
    fn left(&self, platform: &mut Platform) -> anyhow::Result<f64> {
        platform.rest(PATIENCE)?;
        let calls = platform.live_calls()? as f64;
        let live = platform.metric("strowger_calls_live")?.unwrap_or(0.0);
        let ports = platform
            .metric("strowger_rtp_port_pairs_open")?
            .unwrap_or(0.0);
        let files = platform.process.open_files()?.saturating_sub(self.files) as f64;
        progress(&format!(
            "left: {calls} calls ({live} by gauge), {ports} port pairs, {files} files"
        ));
        Ok(calls + live + ports + files)
    }
}

/// A few calls first: what is made once is there when the gauges are read.
fn warm_up(ua: &mut Ua, platform: &mut Platform, calls: usize) -> anyhow::Result<u64> {
    establish(ua, NUMBER, calls, 2 * calls)?;
    hang_up(ua)?;
    platform.rest(PATIENCE)?;
    ua.serve(platform.sip);
    platform.records()
}

/// Bridged calls with sound, a tenth of them over a bad network.
pub(crate) fn media(bench: &mut Bench) -> anyhow::Result<()> {
    let (calls, time) = (if bench.quick { 200 } else { 1000 }, time(bench)?);
    let mut generator = Generator::new()?;
    let mut ua = Ua::new(&generator.ports)?;
    let mut platform = Platform::start(&bench.folder, "soak-media", bench.cores)?;
    platform.trunk(ua.address())?;
    platform.number(NUMBER, &plans::bridges())?;
    ua.serve(platform.sip);
    let earlier = warm_up(&mut ua, &mut platform, 20)?;
    let gauges = Gauges::before(&mut platform)?;
    establish(&mut ua, NUMBER, calls, 2 * calls)?;
    let mut streams = streams(&ua);
    for stream in streams.iter_mut().filter(|stream| stream.leg / 2 % 10 == 0) {
        stream.is_poor = true;
    }
    let (start, before) = (Instant::now(), platform.process.cpu()?);
    let (mut memory, mut silent, mut worst) = (Memory::default(), 0, 0.0_f64);
    let (mut sent, mut lost, mut withheld, mut late_slices) = (0, 0, 0, 0);
    while start.elapsed() < time {
        let slice = LOOK.min(time.saturating_sub(start.elapsed()));
        let heard = generator.run(&mut streams, Content::Stamp, slice, || ua.turn())?;
        memory.look(start, &platform)?;
        sent += heard.sent;
        lost += heard.sent.saturating_sub(heard.received);
        withheld += heard.withheld;
        late_slices += usize::from(!heard.is_valid());
        silent = silent.max(streams.len() - heard.streams.min(streams.len()));
        let p99 = heard.delay.ms(0.99);
        worst = worst.max(p99);
        progress(&format!(
            "{:.0} s: {} ends talk, {} packets, {:.3} % lost, added p99 {p99:.2} ms, {:.0} MiB, \
             driver behind {:.2} ms",
            start.elapsed().as_secs_f64(),
            ua.count(State::Established),
            heard.sent,
            heard.loss() * 100.0,
            memory.0.last().map_or(0.0, |(_, kib)| kib / 1024.0),
            heard.behind.ms(0.99),
        ));
    }
    if late_slices > 0 {
        let note = format!(
            "soak-media: in {late_slices} slices of 10 s the machine left the driver no time; delays \
             and losses of those are its own"
        );
        bench.report.note(note);
    }
    let cpu = platform.process.cpu()?.saturating_sub(before);
    let gone = 2 * calls - ua.count(State::Established);
    hang_up(&mut ua)?;
    let left = gauges.left(&mut platform)?;
    let records = platform.records()? - earlier;
    let share_lost = lost as f64 / sent.max(1) as f64;
    let cost = cpu.as_secs_f64() * 1e6 / sent.max(1) as f64;
    bench.report.run(
        "soak_media",
        json!({
            "calls": calls, "seconds": time.as_secs(), "packets": sent, "withheld": withheld,
            "loss": share_lost, "ends_lost": gone, "silent_streams": silent, "records": records,
            "cpu_us_per_packet": cost, "left": left, "pss_kib_by_minute": memory.0,
        }),
    );
    let mut tell = |key, what, value: f64, goal| {
        let figure = Figure::new(("soak", key), what, vec![value]);
        bench.report.figure(figure.goal(goal, ""));
    };
    let count = ("media: calls with sound", "calls");
    tell("media_calls", count, calls as f64, Goal::Absent);
    let what = ("media: ends lost or silent", "");
    tell(
        "media_lost",
        what,
        (gone + silent) as f64,
        Goal::AtMost(0.0),
    );
    tell(
        "media_loss",
        ("media: packets lost", "%"),
        share_lost * 100.0,
        Goal::AtMost(0.1),
    );
    let what = ("media: added delay p99, the worst 10 s", "ms");
    tell("media_added_ms_p99", what, worst, Goal::Absent);
    tell(
        "media_cost",
        ("media: CPU per packet", "us"),
        cost,
        Goal::Absent,
    );
    let what = ("media: memory grows", "KiB/min");
    tell("media_slope", what, memory.slope(), Goal::AtMost(256.0));
    let missing = calls as f64 - records as f64;
    tell(
        "media_records",
        ("media: records missing", ""),
        missing.abs(),
        Goal::AtMost(0.0),
    );
    tell(
        "media_left",
        ("media: gauges left", ""),
        left,
        Goal::AtMost(0.0),
    );
    Ok(())
}

/// Calls that are answered, hear a prompt, are bridged and recorded.
pub(crate) fn setup(bench: &mut Bench) -> anyhow::Result<()> {
    let time = time(bench)?;
    let every = Duration::from_millis(5);
    // The prompt takes half a second, the conversation the rest.
    let hold = Duration::from_secs(2);
    let generator = Generator::new()?;
    let mut ua = Ua::new(&generator.ports)?;
    let mut platform = Platform::start(&bench.folder, "soak-setup", bench.cores)?;
    let mut prompt = sound::speech(1);
    prompt.truncate(4000);
    let prompt = platform.audio(&sound::wav(&prompt))?;
    platform.trunk(ua.address())?;
    platform.number(NUMBER, &plans::serves(&prompt))?;
    ua.serve(platform.sip);
    let earlier = warm_up(&mut ua, &mut platform, 20)?;
    let gauges = Gauges::before(&mut platform)?;
    let (start, before) = (Instant::now(), platform.process.cpu()?);
    let (mut memory, mut looked, mut next) = (Memory::default(), start, start);
    let mut active: VecDeque<usize> = VecDeque::new();
    let mut setup = Histogram::new();
    let (mut made, mut failed, mut statuses) = (0_u64, 0_u64, Vec::new());
    let end = start + time;
    while Instant::now() < end + PATIENCE {
        let now = Instant::now();
        if next >= end && active.is_empty() {
            break;
        }
        while next <= now && next < end {
            active.push_back(ua.call(NUMBER)?);
            made += 1;
            next += every;
        }
        ua.turn()?;
        for _ in 0..active.len() {
            let Some(at) = active.pop_front() else { break };
            let call = &ua.calls[at];
            match (call.state, call.answered) {
                (State::Established, Some(answered)) if now - answered >= hold => ua.hang_up(at)?,
                (State::Ended, Some(answered)) => {
                    setup.add(answered - call.invited);
                    continue;
                }
                (State::Ended | State::Failed, _) => {
                    failed += 1;
                    statuses.push(call.status);
                    continue;
                }
                (State::Beginning | State::Established | State::Ending, _) => {}
            }
            active.push_back(at);
        }
        if now - looked >= LOOK {
            looked = now;
            memory.look(start, &platform)?;
            progress(&format!(
                "{:.0} s: {made} calls, {failed} failed, set up in {:.1}/{:.1} ms (p50/p99), {:.0} MiB",
                start.elapsed().as_secs_f64(),
                setup.ms(0.5),
                setup.ms(0.99),
                memory.0.last().map_or(0.0, |(_, kib)| kib / 1024.0),
            ));
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    failed += active.len() as u64;
    let cpu = platform.process.cpu()?.saturating_sub(before);
    let called = ua.calls.iter().filter(|call| call.is_called).count() as u64;
    let left = gauges.left(&mut platform)?;
    let records = platform.records()? - earlier;
    let recordings = platform.count("recordings")? - earlier;
    let cost = cpu.as_secs_f64() * 1000.0 / made.max(1) as f64;
    let (p50, p99) = (setup.ms(0.5), setup.ms(0.99));
    statuses.sort_unstable();
    statuses.dedup();
    bench.report.run(
        "soak_setup",
        json!({
            "calls": made, "seconds": time.as_secs(), "failed": failed, "statuses": statuses,
            "bridged": called, "records": records, "recordings": recordings,
            "retransmissions": ua.retransmissions, "setup_ms_p50": p50, "setup_ms_p99": p99,
            "cpu_ms_per_call": cost, "left": left, "pss_kib_by_minute": memory.0,
        }),
    );
    let mut tell = |key, what, value: f64, goal| {
        let figure = Figure::new(("soak", key), what, vec![value]);
        bench.report.figure(figure.goal(goal, ""));
    };
    tell(
        "setup_calls",
        ("set-up: calls", "calls"),
        made as f64,
        Goal::Absent,
    );
    tell(
        "setup_failed",
        ("set-up: failed", "calls"),
        failed as f64,
        Goal::AtMost(0.0),
    );
    let what = ("set-up: not bridged", "calls");
    tell(
        "setup_unbridged",
        what,
        made.abs_diff(called) as f64,
        Goal::AtMost(0.0),
    );
    let what = ("set-up: records missing or too many", "");
    tell(
        "setup_records",
        what,
        made.abs_diff(records) as f64,
        Goal::AtMost(0.0),
    );
    let what = ("set-up: recordings missing or too many", "");
    tell(
        "setup_recordings",
        what,
        made.abs_diff(recordings) as f64,
        Goal::AtMost(0.0),
    );
    tell(
        "setup_ms_p50",
        ("set-up: INVITE to 200, p50", "ms"),
        p50,
        Goal::Absent,
    );
    tell(
        "setup_ms_p99",
        ("set-up: INVITE to 200, p99", "ms"),
        p99,
        Goal::Absent,
    );
    tell(
        "setup_cost",
        ("set-up: CPU per call", "ms"),
        cost,
        Goal::Absent,
    );
    let what = ("set-up: memory grows", "KiB/min");
    tell("setup_slope", what, memory.slope(), Goal::AtMost(256.0));
    tell(
        "setup_left",
        ("set-up: gauges left", ""),
        left,
        Goal::AtMost(0.0),
    );
    Ok(())
}
