//! Drives the release binary under load and measures what it costs. `tests/load/run` starts it.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts and durations become figures with three digits"
)]

mod bare;
mod http;
mod listeners;
mod machine;
mod memory;
mod plans;
mod platform;
mod relay;
mod report;
mod rtp;
mod scheduled;
mod signalling;
mod sipp;
mod soak;
mod sound;
mod ua;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use machine::Cores;
use report::{Report, progress};

/// Who measures, and how thoroughly.
pub(crate) struct Bench {
    cores: Cores,
    quick: bool,
    folder: PathBuf,
    report: Report,
}

type Part = (&'static str, fn(&mut Bench) -> anyhow::Result<()>);

/// In the order in which they run; the soaks only when they are asked for.
const PARTS: [Part; 11] = [
    ("W1", signalling::answered),
    ("W2", signalling::bridged),
    ("W3", relay::relayed),
    ("W4", listeners::prompts),
    ("W5", listeners::conference),
    ("W6", memory::held),
    ("W7", scheduled::started),
    ("overload", signalling::overload),
    ("limits", signalling::limits),
    ("soak-media", soak::media),
    ("soak-setup", soak::setup),
];

const ON_WISH: [&str; 2] = ["soak-media", "soak-setup"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((first, rest)) if first == "bare-relay" => bare::relay(rest),
        _ => measure(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(&format!("tests/load: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &[String]) -> anyhow::Result<()> {
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let wanted: Vec<&String> = arguments
        .iter()
        .filter(|argument| *argument != "--quick")
        .collect();
    for name in &wanted {
        if !PARTS
            .iter()
            .any(|(part, _)| part.eq_ignore_ascii_case(name))
        {
            bail!("there is no part {name}");
        }
    }
    let result = std::env::var_os("STROWGER_LOAD_RESULT").context("start it by tests/load/run")?;
    let cores = Cores::of_machine()?;
    machine::stay_on(cores.driver)?;
    let files = machine::raise_file_limit()?;
    let mut bench = Bench {
        cores,
        quick,
        folder: std::env::temp_dir(),
        report: Report::default(),
    };
    if files < 16_384 {
        let note = format!("only {files} files may be open: large runs will be refused");
        bench.report.note(note);
    }
    let mut failures = 0;
    for (name, part) in PARTS {
        let is_named = wanted.iter().any(|wish| name.eq_ignore_ascii_case(wish));
        if !(is_named || wanted.is_empty() && !ON_WISH.contains(&name)) {
            continue;
        }
        progress(&format!("== {name}"));
        if let Err(error) = part(&mut bench) {
            failures += 1;
            bench
                .report
                .note(format!("{name} could not be measured: {error:#}"));
        }
    }
    let mut out = std::io::stdout();
    writeln!(out, "\n{}", bench.report.table())?;
    let path = PathBuf::from(result);
    bench
        .report
        .write(&path, if quick { "quick" } else { "whole" })?;
    writeln!(out, "All figures are in {}", path.display())?;
    if failures > 0 {
        bail!("{failures} part(s) could not be measured");
    }
    Ok(())
}
