//! W4 and W5: callers who speak into the server and hear what it makes for them: a prompt, or a
//! conference.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::Bench;
use crate::plans;
use crate::platform::Platform;
use crate::relay::{FULL, NUMBER, busy, establish, hang_up, streams};
use crate::report::{Figure, Goal, progress};
use crate::rtp::{BEAT, Content, Generator, Heard};
use crate::sound;
use crate::ua::Ua;

/// A packet that is later than this is off the beat.
const OFF_BEAT: Duration = Duration::from_millis(5);
/// Of the packets that should come, so many may be missing.
const MISSING: f64 = 0.01;

/// Some seconds of this many callers.
struct Run {
    callers: usize,
    heard: Heard,
    cpu: Duration,
    time: Duration,
}

impl Run {
    fn us_per_packet(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.heard.received.max(1) as f64
    }

    fn us_per_member_frame(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.expected()
    }

    fn expected(&self) -> f64 {
        self.callers as f64 * self.time.as_secs_f64() / BEAT.as_secs_f64()
    }

    fn missing(&self) -> f64 {
        (1.0 - self.heard.received as f64 / self.expected()).max(0.0)
    }

    fn load(&self) -> f64 {
        self.cpu.as_secs_f64() / self.time.as_secs_f64()
    }

    fn is_sustained(&self) -> bool {
        self.missing() < MISSING && self.load() < FULL && self.heard.streams == self.callers
    }
}

/// Callers of one number, who all speak and listen.
struct Audience {
    platform: Platform,
    ua: Ua,
    generator: Generator,
    speech: Vec<u8>,
}

impl Audience {
    fn start(bench: &Bench, name: &str) -> anyhow::Result<Self> {
        let generator = Generator::new()?;
        let mut ua = Ua::new(&generator.ports)?;
        let platform = Platform::start(&bench.folder, name, bench.cores)?;
        ua.serve(platform.sip);
        let speech = sound::a_law(&sound::speech(8));
        Ok(Self {
            platform,
            ua,
            generator,
            speech,
        })
    }

    /// Grows to this many callers, and listens.
    fn run(&mut self, bench: &mut Bench, part: &str, callers: usize) -> anyhow::Result<Run> {
        let time = Duration::from_secs(if bench.quick { 2 } else { 6 });
        establish(&mut self.ua, NUMBER, callers, callers)?;
        let Self {
            platform,
            ua,
            generator,
            speech,
        } = self;
        let mut streams = streams(ua);
        let content = Content::Sound(speech);
        generator.run(&mut streams, content, Duration::from_secs(1), || ua.turn())?;
        generator.drain();
        let (start, before) = (Instant::now(), platform.process.cpu()?);
        let heard = generator.run(&mut streams, content, time, || ua.turn())?;
        let (cpu, time) = (
            platform.process.cpu()?.saturating_sub(before),
            start.elapsed(),
        );
        let run = Run {
            callers,
            heard,
            cpu,
            time,
        };
        let (load, missing) = (run.load(), run.missing());
        let (late, off) = (
            run.heard.late.ms(0.99),
            run.heard.late.share_above(OFF_BEAT),
        );
        let (cost, frame) = (run.us_per_packet(), run.us_per_member_frame());
        let name = "strowger_media_beat_lateness_seconds{quantile=\"0.99\"}";
        let own = platform.metric(name)?.map(|seconds| seconds * 1000.0);
        progress(&format!(
            "{callers} callers: {cost:.2} us a packet, {frame:.2} us a frame, core {:.0} %, \
             missing {:.2} %, late p99 {late:.2} ms, {:.2} % off the beat",
            load * 100.0,
            missing * 100.0,
            off * 100.0
        ));
        if !run.heard.is_valid() {
            let behind = run.heard.behind.ms(0.99);
            bench
                .report
                .note(busy(&part.to_uppercase(), callers, behind));
        }
        bench.report.run(
            part,
            json!({
                "callers": callers, "cpu_us_per_packet": cost, "cpu_us_per_member_frame": frame,
                "load": load, "missing": missing, "streams": run.heard.streams,
                "late_ms_p99": late, "off_beat": off, "own_lateness_ms_p99": own,
                "driver_behind_ms_p99": run.heard.behind.ms(0.99),
            }),
        );
        Ok(run)
    }

    fn end(mut self, bench: &mut Bench, part: &str) -> anyhow::Result<()> {
        hang_up(&mut self.ua)?;
        if !self.platform.rest(Duration::from_secs(20))? {
            bench.report.note(format!(
                "{part}: calls are left over after all were hung up"
            ));
        }
        Ok(())
    }
}

/// W4.
pub(crate) fn prompts(bench: &mut Bench) -> anyhow::Result<()> {
    let mut audience = Audience::start(bench, "w4")?;
    let prompt = audience.platform.audio(&sound::wav(&sound::speech(60)))?;
    audience
        .platform
        .number(NUMBER, &plans::plays(&prompt, 10))?;
    let repeats = if bench.quick { 1 } else { 3 };
    let mut runs = Vec::new();
    for (callers, repeats) in [(100, 1), (200, 1), (400, repeats)] {
        for _ in 0..repeats {
            runs.push(audience.run(bench, "w4", callers)?);
        }
    }
    audience.end(bench, "W4")?;
    let at_400: Vec<&Run> = runs.iter().filter(|run| run.callers == 400).collect();
    if at_400.iter().any(|run| !run.is_sustained()) {
        bench
            .report
            .note("W4: at 400 callers packets are missing, or the core is full".into());
    }
    let costs = at_400.iter().map(|run| run.us_per_packet()).collect();
    let what = ("CPU per packet sent, 400 callers", "us");
    let figure = Figure::new(("w4", "cpu_us_per_packet"), what, costs);
    bench
        .report
        .figure(figure.goal(Goal::AtMost(4.0), "rustpbx 27-29 us"));
    let off = at_400
        .iter()
        .map(|run| run.heard.late.share_above(OFF_BEAT) * 100.0)
        .collect();
    let what = ("packets over 5 ms late, 400 callers", "%");
    let figure = Figure::new(("w4", "off_beat_percent"), what, off);
    bench
        .report
        .figure(figure.goal(Goal::Absent, "Asterisk 10 %"));
    Ok(())
}

/// W5.
pub(crate) fn conference(bench: &mut Bench) -> anyhow::Result<()> {
    let mut audience = Audience::start(bench, "w5")?;
    audience.platform.number(NUMBER, &plans::confers())?;
    let repeats = if bench.quick { 1 } else { 3 };
    let mut best: Vec<Run> = Vec::new();
    let sizes: &[usize] = if bench.quick {
        &[100, 1000]
    } else {
        &[100, 300, 600, 1000]
    };
    for members in sizes.iter().copied() {
        let mut runs = Vec::new();
        for _ in 0..repeats {
            match audience.run(bench, "w5", members) {
                Ok(run) => runs.push(run),
                Err(error) => {
                    bench
                        .report
                        .note(format!("W5 ends below {members} members: {error:#}"));
                    break;
                }
            }
        }
        let sustained = !runs.is_empty() && runs.iter().all(Run::is_sustained);
        // Where not even the smallest room keeps the beat, its figures are told all the same.
        if sustained || best.is_empty() {
            best = runs;
        }
        if !sustained {
            bench
                .report
                .note(format!("W5: a room of {members} does not keep the beat"));
            break;
        }
    }
    audience.end(bench, "W5")?;
    let members = best.first().map_or(0, |run| run.callers);
    let what = ("members of one room that keeps the beat", "members");
    let figure = Figure::new(("w5", "members"), what, vec![members as f64]);
    bench
        .report
        .figure(figure.goal(Goal::AtLeast(1000.0), "Asterisk 100"));
    let costs = best.iter().map(Run::us_per_member_frame).collect();
    let what = ("CPU per member and frame, in that room", "us");
    let figure = Figure::new(("w5", "cpu_us_per_member_frame"), what, costs);
    bench
        .report
        .figure(figure.goal(Goal::AtMost(8.0), "Asterisk 23-24 us"));
    let late = best.iter().map(|run| run.heard.late.ms(0.99)).collect();
    let what = ("lateness of the beat p99, in that room", "ms");
    let figure = Figure::new(("w5", "tick_ms_p99"), what, late);
    bench
        .report
        .figure(figure.goal(Goal::AtMost(5.0), "Asterisk 0.6 ms"));
    Ok(())
}
