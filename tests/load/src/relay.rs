//! W3: bridged calls with sound both ways, and a bare relay at the same rate.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::json;

use crate::Bench;
use crate::bare::Bare;
use crate::machine::Process;
use crate::plans;
use crate::platform::Platform;
use crate::report::{Figure, Goal, progress};
use crate::rtp::{Content, Generator, Heard, Stream};
use crate::ua::{State, Ua};

/// Whom callers call.
pub(crate) const NUMBER: &str = "+441632960001";
/// New calls in a second while they are set up.
const PER_SECOND: u32 = 150;
/// How long a call may take to be set up.
const PATIENCE: Duration = Duration::from_secs(20);
/// Calls that are tried, until the server's core is full.
const LADDER: [usize; 11] = [100, 200, 400, 600, 800, 1000, 1250, 1500, 2000, 3000, 4000];
const QUICK_LADDER: [usize; 3] = [100, 400, 800];
/// The goals hold from this many calls on.
const MAIN: usize = 400;
/// The bare relay answers at once, or rests so long after each pass; the cheaper one is the measure.
const RESTS: [Duration; 2] = [Duration::ZERO, Duration::from_micros(500)];
/// A core that is busier than this is full.
pub(crate) const FULL: f64 = 0.97;
/// Packets that are lost by a server that can't follow.
const LOSS: f64 = 0.001;

/// Some seconds of sound at a number of calls.
struct Run {
    calls: usize,
    heard: Heard,
    cpu: Duration,
    time: Duration,
}

impl Run {
    fn us_per_packet(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.heard.sent.max(1) as f64
    }

    fn load(&self) -> f64 {
        self.cpu.as_secs_f64() / self.time.as_secs_f64()
    }

    fn is_sustained(&self) -> bool {
        self.load() < FULL && self.heard.loss() < LOSS
    }

    fn tell(&self, bench: &mut Bench, who: &str) {
        let Self { calls, heard, .. } = self;
        let (load, cost, loss) = (self.load(), self.us_per_packet(), heard.loss());
        let (p50, p99) = (heard.delay.ms(0.5), heard.delay.ms(0.99));
        let behind = heard.behind.ms(0.99);
        progress(&format!(
            "{who}, {calls} calls: {cost:.2} us a packet, core {:.0} %, lost {:.3} %, \
             added {p50:.2}/{p99:.2} ms (p50/p99), driver behind {behind:.2} ms",
            load * 100.0,
            loss * 100.0
        ));
        if !heard.is_valid() {
            bench.report.note(busy("W3", *calls, behind));
        }
        bench.report.run(
            "w3",
            json!({
                "who": who, "calls": calls, "cpu_us_per_packet": cost, "load": load,
                "packets": heard.sent, "loss": loss, "disordered": heard.disordered,
                "added_ms_p50": p50, "added_ms_p99": p99, "driver_behind_ms_p99": behind,
            }),
        );
    }
}

/// A warning: the figures of a run are those of a busy machine.
pub(crate) fn busy(part: &str, calls: usize, behind_ms: f64) -> String {
    format!(
        "{part}, {calls} calls: the driver was {behind_ms:.0} ms behind (p99), something else ran on \
         its core; delays and losses are not the server's, costs are not to be compared"
    )
}

/// Plays for a while, and tells what it cost the process.
fn play(
    generator: &mut Generator,
    streams: &mut [Stream],
    process: Process,
    time: Duration,
    mut each_beat: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Run> {
    let calls = streams.len() / 2;
    // Sockets, caches and whoever waits for the first packet come to rest first.
    generator.run(
        streams,
        Content::Stamp,
        Duration::from_millis(500),
        &mut each_beat,
    )?;
    generator.drain();
    let (start, before) = (Instant::now(), process.cpu()?);
    let heard = generator.run(streams, Content::Stamp, time, &mut each_beat)?;
    let cpu = process.cpu()?.saturating_sub(before);
    // Of this time the last tenth of a second is silent.
    let time = start.elapsed().saturating_sub(Duration::from_millis(100));
    Ok(Run {
        calls,
        heard,
        cpu,
        time,
    })
}

/// Sets up calls to a number, so many in a second, until this many ends talk.
pub(crate) fn establish(
    ua: &mut Ua,
    number: &str,
    calls: usize,
    ends: usize,
) -> anyhow::Result<()> {
    let mut next = Instant::now();
    let mut made = ua.calls.iter().filter(|call| !call.is_called).count();
    let mut last = Instant::now();
    while ua.count(State::Established) < ends {
        let now = Instant::now();
        while made < calls && next <= now {
            ua.call(number)?;
            made += 1;
            next += Duration::from_secs(1) / PER_SECOND;
            last = now;
        }
        ua.turn()?;
        if let Some(failed) = ua.calls.iter().find(|call| call.state == State::Failed) {
            let beside = ua.count(State::Established);
            bail!(
                "a call was refused with {} while {beside} ends talked",
                failed.status
            );
        }
        if now.saturating_duration_since(last) > PATIENCE {
            let beside = ua.count(State::Established);
            bail!(
                "of {ends} ends only {beside} talk after {} s",
                PATIENCE.as_secs()
            );
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    Ok(())
}

/// Ends all calls, and waits until they are over.
pub(crate) fn hang_up(ua: &mut Ua) -> anyhow::Result<()> {
    let callers: Vec<usize> = (0..ua.calls.len())
        .filter(|at| !ua.calls[*at].is_called)
        .collect();
    for some in callers.chunks(20) {
        for at in some {
            ua.hang_up(*at)?;
        }
        ua.turn()?;
        std::thread::sleep(Duration::from_millis(20));
    }
    let end = Instant::now() + PATIENCE;
    while ua.count(State::Ended) < ua.calls.len() && Instant::now() < end {
        ua.turn()?;
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// A stream for every end that talks.
pub(crate) fn streams(ua: &Ua) -> Vec<Stream> {
    let mut streams: Vec<Stream> = ua
        .calls
        .iter()
        .filter(|call| call.state == State::Established)
        .filter_map(|call| Some(Stream::new(call.leg, call.remote?)))
        .collect();
    streams.sort_by_key(|stream| stream.leg);
    streams
}

/// W3.
pub(crate) fn relayed(bench: &mut Bench) -> anyhow::Result<()> {
    let mut generator = Generator::new()?;
    let mut ua = Ua::new(&generator.ports)?;
    let mut platform = Platform::start(&bench.folder, "w3", bench.cores)?;
    platform.trunk(ua.address())?;
    platform.number(NUMBER, &plans::bridges())?;
    ua.serve(platform.sip);
    let ladder: &[usize] = if bench.quick { &QUICK_LADDER } else { &LADDER };
    let time = Duration::from_secs(if bench.quick { 2 } else { 4 });
    let mut runs: Vec<Run> = Vec::new();
    for calls in ladder.iter().copied() {
        if let Err(error) = establish(&mut ua, NUMBER, calls, 2 * calls) {
            bench
                .report
                .note(format!("W3 ends below {calls} calls: {error:#}"));
            break;
        }
        let repeats = if calls == MAIN && !bench.quick { 3 } else { 1 };
        let mut full = false;
        for _ in 0..repeats {
            let mut talking = streams(&ua);
            let process = platform.process;
            let run = play(&mut generator, &mut talking, process, time, || ua.turn())?;
            run.tell(bench, "strowger");
            full |= !run.is_sustained();
            runs.push(run);
        }
        if full {
            break;
        }
    }
    hang_up(&mut ua)?;
    if !platform.rest(Duration::from_secs(20))? {
        bench
            .report
            .note("W3: calls are left over after all were hung up".into());
    }
    drop(platform);

    let mut levels = vec![main_level(&runs)];
    levels.extend(at_70(&runs).map(|run| run.calls));
    levels.dedup();
    let mut bare_runs = Vec::new();
    for calls in levels {
        for rest in RESTS {
            bare_runs.push(bare(bench, &mut generator, calls, (time, rest))?);
        }
    }
    figures(bench, &runs, &bare_runs);
    Ok(())
}

/// The bare relay at a number of calls.
fn bare(
    bench: &mut Bench,
    generator: &mut Generator,
    calls: usize,
    (time, rest): (Duration, Duration),
) -> anyhow::Result<Run> {
    let relay = Bare::start(bench.cores, &generator.ports, rest)?;
    let mut streams: Vec<Stream> = (0..2 * calls as u32)
        .map(|leg| {
            let port = relay.ports[leg as usize % 2];
            Stream::new(leg, SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
        })
        .collect();
    let run = play(generator, &mut streams, relay.process, time, || Ok(()))?;
    let who = if rest.is_zero() {
        "bare relay"
    } else {
        "bare relay that rests"
    };
    run.tell(bench, who);
    Ok(run)
}

/// The bare relay of the limits, where W3 is not measured.
pub(crate) fn bare_alone(bench: &mut Bench) -> anyhow::Result<()> {
    let mut generator = Generator::new()?;
    let time = Duration::from_secs(4);
    let mut costs = Vec::new();
    for _ in 0..if bench.quick { 1 } else { 3 } {
        let mut least = f64::INFINITY;
        let runs = RESTS.map(|rest| bare(bench, &mut generator, MAIN, (time, rest)));
        for run in runs {
            least = least.min(run?.us_per_packet());
        }
        costs.push(least);
    }
    let what = ("bare relay, 400 calls: CPU per packet", "us");
    let key = ("limits", "bare_relay_cpu_us_per_packet");
    bench.report.figure(Figure::new(key, what, costs));
    Ok(())
}

/// The goals' number of calls; where they are too many, the most that there were.
fn main_level(runs: &[Run]) -> usize {
    let reached = runs.iter().map(|run| run.calls).max().unwrap_or(0);
    MAIN.min(reached)
}

/// The run that is nearest to 70 % of the core, and not much beyond.
fn at_70(runs: &[Run]) -> Option<&Run> {
    runs.iter()
        .rfind(|run| run.load() <= 0.75 && run.is_sustained())
}

fn figures(bench: &mut Bench, runs: &[Run], bare_runs: &[Run]) {
    let at = |calls: usize, runs: &[Run]| -> Vec<f64> {
        let those = runs.iter().filter(|run| run.calls == calls);
        those.map(Run::us_per_packet).collect()
    };
    let main = main_level(runs);
    let costs = at(main, runs);
    let bare = at(main, bare_runs).into_iter().min_by(f64::total_cmp);
    let ratios = bare.map(|bare| costs.iter().map(|cost| cost / bare).collect());
    if main < MAIN {
        bench
            .report
            .note(format!("W3: costs are those of {main} calls"));
    }
    let report = &mut bench.report;
    let what = ("CPU per packet, 400 calls", "us");
    let figure = Figure::new(("w3", "cpu_us_per_packet"), what, costs);
    report.figure(figure.goal(Goal::AtMost(4.0), "rtpengine 6.4 us"));
    let what = ("against the bare relay, 400 calls", "times");
    let figure = Figure::new(
        ("w3", "ratio_to_bare_relay"),
        what,
        ratios.unwrap_or_default(),
    );
    report.figure(figure.goal(Goal::AtMost(1.5), ""));
    let sustained = runs.iter().filter(|run| run.is_sustained());
    let most = sustained.map(|run| run.calls).max().unwrap_or(0);
    let what = ("calls on one core (a step of the ladder)", "calls");
    let figure = Figure::new(("w3", "calls_per_core"), what, vec![most as f64]);
    report.figure(figure.goal(Goal::AtLeast(1400.0), "rtpengine 1,400"));
    if let Some(run) = at_70(runs) {
        let what = ("added delay p99, nearest below 75 % load", "ms");
        let figure = Figure::new(("w3", "added_ms_p99"), what, vec![run.heard.delay.ms(0.99)]);
        report.figure(figure.goal(Goal::AtMost(1.0), "Asterisk 0.4-0.6 ms"));
        let (calls, load) = (run.calls, run.load() * 100.0);
        report.note(format!(
            "W3: added delay is that of {calls} calls, {load:.0} % of the core"
        ));
        let bare = bare_runs.iter().find(|bare| bare.calls == calls);
        if let Some(bare) = bare {
            let what = ("the same through the bare relay", "ms");
            let delay = bare.heard.delay.ms(0.99);
            report.figure(Figure::new(("w3", "bare_ms_p99"), what, vec![delay]));
        }
    }
}
