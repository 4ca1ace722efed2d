//! W1 and W2: calls without sound, made by sipp.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;

use crate::Bench;
use crate::machine::{Process, stay_on};
use crate::plans;
use crate::platform::Platform;
use crate::relay::NUMBER;
use crate::report::{Figure, Goal, progress};
use crate::rtp::socket;
use crate::sipp::{Calls, Outcome, Sipp};

/// From answer to BYE.
const HOLD: Duration = Duration::from_millis(100);
/// How long calls may take to be over and written after the last one has begun.
const REST: Duration = Duration::from_secs(45);
/// Fewer failures than this are none.
const FAILURES: f64 = 0.001;
/// Rates that are tried, until one is not sustained.
const LADDER: [u32; 14] = [
    250, 500, 1000, 1500, 2000, 2500, 3000, 4000, 5000, 6000, 8000, 10_000, 12_000, 15_000,
];
const QUICK_LADDER: [u32; 9] = [500, 1000, 2000, 3000, 4000, 6000, 8000, 12_000, 15_000];
/// RFC 3261 §17: transactions are remembered for 32 s; so long a rate must go on for its memory.
const MEMORY: u32 = 35;

fn ladder(bench: &Bench) -> &'static [u32] {
    if bench.quick { &QUICK_LADDER } else { &LADDER }
}

/// What a server did with some seconds of calls.
struct Run {
    calls: u32,
    outcome: Outcome,
    /// Retransmissions of both ends.
    again: u64,
    cpu_ms: f64,
    /// None where nothing is on record.
    records: Option<u64>,
    rested: bool,
}

impl Run {
    fn is_sustained(&self) -> bool {
        let wrong = u64::from(self.calls).saturating_sub(self.outcome.successful);
        wrong as f64 <= f64::from(self.calls) * FAILURES && self.again == 0 && self.rested
    }

    fn cpu_ms_per_call(&self) -> f64 {
        self.cpu_ms / f64::from(self.calls)
    }
}

/// The server of a workload, and who is called by it.
struct Subject {
    platform: Platform,
    called: Option<Sipp>,
    records: u64,
    called_again: u64,
}

impl Subject {
    fn start(bench: &Bench, name: &str, bridged: bool) -> anyhow::Result<Self> {
        let mut platform = Platform::start(&bench.folder, name, bench.cores)?;
        if bridged {
            let port = free_port()?;
            platform.trunk(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
            platform.number(NUMBER, &plans::bridges())?;
            let called = Sipp::answer(&bench.folder, port)?;
            return Ok(Self {
                platform,
                called: Some(called),
                records: 0,
                called_again: 0,
            });
        }
        platform.number(NUMBER, &plans::answers())?;
        Ok(Self {
            platform,
            called: None,
            records: 0,
            called_again: 0,
        })
    }

    fn run(&mut self, folder: &Path, per_second: u32, seconds: u32) -> anyhow::Result<Run> {
        let count = per_second * seconds;
        let calls = Calls {
            remote: self.platform.sip,
            per_second,
            count,
            hold: HOLD,
            overload: false,
        };
        let before = self.platform.process.cpu()?;
        let outcome = Sipp::call(folder, NUMBER, calls)?.finish()?;
        let rested = self.platform.rest(REST)?;
        let cpu = self.platform.process.cpu()?.saturating_sub(before);
        let mut again = outcome.retransmissions;
        if let Some(called) = &self.called {
            // It writes once in a second.
            std::thread::sleep(Duration::from_millis(1100));
            let all = called.outcome()?.retransmissions;
            again += all - self.called_again;
            self.called_again = all;
        }
        let all = self.platform.records()?;
        let records = Some(all - self.records);
        self.records = all;
        Ok(Run {
            calls: count,
            outcome,
            again,
            cpu_ms: cpu.as_secs_f64() * 1000.0,
            records,
            rested,
        })
    }
}

impl Subject {
    /// Some seconds of calls of which some may be refused; and whether none is left.
    fn offer(
        &mut self,
        folder: &Path,
        per_second: u32,
        seconds: u32,
    ) -> anyhow::Result<(Outcome, bool)> {
        let calls = Calls {
            remote: self.platform.sip,
            per_second,
            count: per_second * seconds,
            hold: HOLD,
            overload: true,
        };
        let outcome = Sipp::call(folder, NUMBER, calls)?.finish()?;
        Ok((outcome, self.platform.rest(REST)?))
    }
}

/// W1.
pub(crate) fn answered(bench: &mut Bench) -> anyhow::Result<()> {
    let peers = ("Asterisk 0.88 ms", "Asterisk 1,046/s");
    signalling(bench, "w1", (0.15, 4000.0), peers)
}

/// W2.
pub(crate) fn bridged(bench: &mut Bench) -> anyhow::Result<()> {
    let peers = (
        "rustpbx 2.8 ms (Kamailio 0.57)",
        "rustpbx 355/s (Kamailio 1,125/s)",
    );
    signalling(bench, "w2", (0.30, 2000.0), peers)
}

fn signalling(
    bench: &mut Bench,
    part: &'static str,
    (cost, rate): (f64, f64),
    (peer_cost, peer_rate): (&'static str, &'static str),
) -> anyhow::Result<()> {
    let bridged = part == "w2";
    let (repeats, seconds) = if bench.quick { (1, 3) } else { (3, 8) };
    let mut subject = Subject::start(bench, part, bridged)?;
    // What is made at the first call is no cost of a call.
    subject.run(&bench.folder, 50, 2)?;
    let (mut slow, mut fast) = (Vec::new(), Vec::new());
    for _ in 0..repeats {
        let run = subject.run(&bench.folder, 200, seconds)?;
        note(bench, part, 200, &run);
        slow.push(run.cpu_ms_per_call());
        let run = subject.run(&bench.folder, 1000, seconds)?;
        note(bench, part, 1000, &run);
        if !run.is_sustained() {
            break;
        }
        fast.push(run.cpu_ms_per_call());
    }
    if !fast.is_empty() && !bench.quick {
        let run = subject.run(&bench.folder, 1000, MEMORY)?;
        note(bench, part, 1000, &run);
        let memory = subject.platform.process.peak_kib()? as f64 / 1024.0;
        let what = ("memory after 35 s of 1,000/s", "MiB");
        let figure = Figure::new((part, "mib_at_1000_per_s"), what, vec![memory]);
        bench.report.figure(figure.goal(Goal::AtMost(200.0), ""));
    }
    let step = if bench.quick { 2 } else { 5 };
    let mut most = 0;
    let mut attempts = 0;
    let mut ladder = ladder(bench).iter().copied().peekable();
    while let Some(rate) = ladder.peek().copied() {
        let run = subject.run(&bench.folder, rate, step)?;
        note_to(&mut bench.report, part, rate, &run);
        if run.is_sustained() {
            (most, attempts) = (rate, 0);
            ladder.next();
            continue;
        }
        // A second attempt tells a stumble from a limit; after it, or after calls that never end,
        // nothing more can be learnt from this server.
        attempts += 1;
        if attempts == 2 || !run.rested {
            break;
        }
    }
    let memory = subject.platform.process.peak_kib()? as f64 / 1024.0;
    bench.report.run(part, json!({ "peak_memory_mib": memory }));
    let at_1000 = ("CPU per call, at 1,000/s", "ms");
    let at_200 = ("CPU per call, at 200/s", "ms");
    let (main, other) = if fast.is_empty() {
        (Figure::new((part, "cpu_ms_per_call"), at_200, slow), None)
    } else {
        let other = Figure::new((part, "cpu_ms_per_call_200"), at_200, slow);
        (
            Figure::new((part, "cpu_ms_per_call"), at_1000, fast),
            Some(other),
        )
    };
    bench
        .report
        .figure(main.goal(Goal::AtMost(cost), peer_cost));
    if let Some(other) = other {
        bench.report.figure(other);
    }
    let highest = ("highest rate without failure", "/s");
    let figure = Figure::new((part, "max_per_s"), highest, vec![f64::from(most)]);
    bench
        .report
        .figure(figure.goal(Goal::AtLeast(rate), peer_rate));
    let figure = Figure::new(
        (part, "peak_memory_mib"),
        ("memory at the peak", "MiB"),
        vec![memory],
    );
    bench.report.figure(figure);
    if let Some(called) = subject.called.take() {
        called.stop()?;
    }
    Ok(())
}

fn note(bench: &mut Bench, part: &str, rate: u32, run: &Run) {
    note_to(&mut bench.report, part, rate, run);
}

fn note_to(report: &mut crate::report::Report, part: &str, rate: u32, run: &Run) {
    let Run {
        calls,
        outcome,
        again,
        ..
    } = run;
    let failed = u64::from(*calls).saturating_sub(outcome.successful);
    let cost = run.cpu_ms_per_call();
    progress(&format!(
        "{rate}/s: {calls} calls, {failed} failed, {again} retransmissions, {cost:.3} ms a call{}",
        if run.rested {
            ""
        } else {
            ", calls are left over"
        }
    ));
    if let Some(records) = run.records.filter(|records| *records != u64::from(*calls)) {
        report.note(format!(
            "{} at {rate}/s: {calls} calls, but {records} records",
            part.to_uppercase()
        ));
    }
    report.run(
        part,
        json!({
            "rate": rate, "calls": calls, "failed": failed, "retransmissions": again,
            "cpu_ms_per_call": cost, "records": run.records, "rested": run.rested,
        }),
    );
}

/// Twice as many calls as can be taken: those that are taken complete as well as before, the others
/// are refused.
pub(crate) fn overload(bench: &mut Bench) -> anyhow::Result<()> {
    const SUSTAINED: &str = "sustained";
    let seconds = if bench.quick { 4 } else { 10 };
    let mut subject = Subject::start(bench, "overload", false)?;
    subject.run(&bench.folder, 50, 2)?;
    let mut before = None;
    for rate in [2000, 3000, 4000, 5000, 6000] {
        let (outcome, rested) = subject.offer(&bench.folder, rate, seconds)?;
        let all = outcome.successful == u64::from(rate * seconds);
        tell_offered(bench, SUSTAINED, rate, seconds, &outcome);
        if !(all && outcome.refused == 0 && outcome.retransmissions == 0 && rested) {
            break;
        }
        before = Some((rate, outcome));
    }
    let (rate, before) = before.context("not even 2,000 calls a second are sustained")?;
    let (outcome, rested) = subject.offer(&bench.folder, 2 * rate, seconds)?;
    tell_offered(bench, "twice that", 2 * rate, seconds, &outcome);
    let offered = u64::from(2 * rate * seconds);
    let taken = outcome.successful.saturating_sub(outcome.refused);
    let figures = [
        (
            "overload_sustained",
            "overload: sustained rate",
            "/s",
            f64::from(rate),
            Goal::Absent,
        ),
        (
            "overload_taken",
            "calls taken at twice that",
            "/s",
            taken as f64 / f64::from(seconds),
            Goal::Absent,
        ),
        (
            "overload_broken",
            "neither completed nor refused",
            "calls",
            offered.saturating_sub(outcome.successful) as f64,
            Goal::AtMost(0.0),
        ),
        (
            "overload_ms_before",
            "INVITE to 200, p99 below, sustained",
            "ms",
            before.took_ms(0.99),
            Goal::Absent,
        ),
        (
            "overload_ms",
            "INVITE to 200, p99 below, at twice that",
            "ms",
            outcome.took_ms(0.99),
            // RFC 3261 Table 4: from T1 on the caller sends again.
            Goal::AtMost(500.0),
        ),
        (
            "overload_left",
            "calls left",
            "",
            f64::from(u8::from(!rested)),
            Goal::AtMost(0.0),
        ),
    ];
    for (key, what, unit, value, goal) in figures {
        let figure = Figure::new(("overload", key), (what, unit), vec![value]);
        bench.report.figure(figure.goal(goal, ""));
    }
    Ok(())
}

fn tell_offered(bench: &mut Bench, what: &str, rate: u32, seconds: u32, outcome: &Outcome) {
    let Outcome {
        successful,
        retransmissions,
        refused,
        ..
    } = outcome;
    let p99 = outcome.took_ms(0.99);
    progress(&format!(
        "{what}: {rate}/s for {seconds} s: {successful} completed or refused, {refused} refused, \
         {retransmissions} retransmissions, p99 below {p99} ms"
    ));
    bench.report.run(
        "overload",
        json!({
            "rate": rate, "seconds": seconds, "over": successful, "refused": refused,
            "retransmissions": retransmissions, "p99_ms_below": p99,
        }),
    );
}

/// What sipp can do when sipp answers.
pub(crate) fn limits(bench: &mut Bench) -> anyhow::Result<()> {
    let port = free_port()?;
    let remote = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let seconds = if bench.quick { 2 } else { 4 };
    let (mut most, mut costs) = (0, Vec::new());
    for rate in ladder(bench).iter().copied().filter(|rate| *rate >= 1000) {
        stay_on(bench.cores.server)?;
        let answerer = Sipp::answer(&bench.folder, port);
        stay_on(bench.cores.driver)?;
        let answerer = answerer?;
        let process = Process(answerer.id());
        let before = process.cpu()?;
        let count = rate * seconds;
        let calls = Calls {
            remote,
            per_second: rate,
            count,
            hold: HOLD,
            overload: false,
        };
        let outcome = Sipp::call(&bench.folder, NUMBER, calls)?.finish()?;
        let cpu = process.cpu()?.saturating_sub(before);
        let again = outcome.retransmissions + answerer.stop()?.retransmissions;
        let wrong = u64::from(count).saturating_sub(outcome.successful);
        let cost = cpu.as_secs_f64() * 1000.0 / f64::from(count);
        progress(&format!(
            "{rate}/s: {wrong} failed, {again} retransmissions, {cost:.3} ms a call"
        ));
        let run = json!({ "rate": rate, "failed": wrong, "retransmissions": again, "cpu_ms_per_call": cost });
        bench.report.run("limits", run);
        if wrong as f64 > f64::from(count) * FAILURES || again > 0 {
            break;
        }
        most = rate;
        costs.push(cost);
    }
    let what = ("sipp answers sipp: CPU per call", "ms");
    bench
        .report
        .figure(Figure::new(("limits", "sipp_cpu_ms_per_call"), what, costs));
    let what = ("sipp answers sipp: highest rate", "/s");
    let figure = Figure::new(("limits", "sipp_max_per_s"), what, vec![f64::from(most)]);
    bench.report.figure(figure);
    crate::relay::bare_alone(bench)
}

fn free_port() -> anyhow::Result<u16> {
    Ok(socket(0)?.local_addr()?.port())
}
