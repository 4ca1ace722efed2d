//! What was measured: one table for people, one file for programs.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

/// Which way a goal lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// None is set.
    Absent,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// Part and key of the file.
    key: (&'static str, &'static str),
    what: &'static str,
    unit: &'static str,
    values: Vec<f64>,
    goal: Goal,
    /// The best peer's, of performance.md.
    peer: &'static str,
}

/// Keys of the file, in its order. Those that were not measured are null.
const KEYS: [(&str, &[&str]); 8] = [
    ("w1", &["cpu_ms_per_call", "max_per_s"]),
    ("w2", &["cpu_ms_per_call", "max_per_s"]),
    (
        "w3",
        &[
            "cpu_us_per_packet",
            "ratio_to_bare_relay",
            "calls_per_core",
            "added_ms_p99",
        ],
    ),
    ("w4", &["cpu_us_per_packet"]),
    ("w5", &["members", "cpu_us_per_member_frame", "tick_ms_p99"]),
    ("w6", &["kib_per_call", "kib_per_registration"]),
    ("w7", &["starts_per_s"]),
    (
        "limits",
        &[
            "sipp_cpu_ms_per_call",
            "sipp_max_per_s",
            "bare_relay_cpu_us_per_packet",
        ],
    ),
];

/// All that was measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    figures: Vec<Figure>,
    runs: Map<String, Value>,
    notes: Vec<String>,
}

impl Figure {
    pub(crate) fn new(
        key: (&'static str, &'static str),
        (what, unit): (&'static str, &'static str),
        values: Vec<f64>,
    ) -> Self {
        Self {
            key,
            what,
            unit,
            values,
            goal: Goal::Absent,
            peer: "",
        }
    }

    pub(crate) fn goal(self, goal: Goal, peer: &'static str) -> Self {
        Self { goal, peer, ..self }
    }

    fn is_met(&self) -> Option<bool> {
        let value = median(&self.values)?;
        match self.goal {
            Goal::AtMost(most) => Some(value <= most),
            Goal::AtLeast(least) => Some(value >= least),
            Goal::Absent => None,
        }
    }
}

/// The middle one.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle)?;
    if sorted.len().is_multiple_of(2) {
        sorted
            .get(middle - 1)
            .map(|lower| f64::midpoint(*lower, *upper))
    } else {
        Some(*upper)
    }
}

impl Report {
    pub(crate) fn figure(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    /// Keeps what a run measured besides, for the file.
    pub(crate) fn run(&mut self, part: &str, run: Value) {
        let runs = self.runs.entry(part).or_insert_with(|| json!([]));
        if let Some(runs) = runs.as_array_mut() {
            runs.push(run);
        }
    }

    /// What the reader of the table should know.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The table.
    pub(crate) fn table(&self) -> String {
        let mut lines =
            vec![["", "median", "spread", "goal", "met", "best peer"].map(String::from)];
        for figure in &self.figures {
            let (part, _) = figure.key;
            let value = median(&figure.values);
            let spread = match (lowest(&figure.values), highest(&figure.values)) {
                (Some(low), Some(high)) if figure.values.len() > 1 => {
                    format!("{}-{}", short(low), short(high))
                }
                _ => String::new(),
            };
            let goal = match figure.goal {
                Goal::AtMost(most) => format!("<= {}", short(most)),
                Goal::AtLeast(least) => format!(">= {}", short(least)),
                Goal::Absent => String::new(),
            };
            let met = figure
                .is_met()
                .map_or("", |met| if met { "yes" } else { "NO" });
            let unit = figure.unit;
            lines.push([
                format!("{:<7}{}", part.to_uppercase(), figure.what),
                value.map_or_else(|| "-".into(), |value| format!("{} {unit}", short(value))),
                spread,
                goal,
                met.into(),
                figure.peer.into(),
            ]);
        }
        let mut widths = [0; 6];
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut table = String::new();
        for line in &lines {
            let cells = line.iter().zip(widths);
            let text: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            // Writing to a text can't fail.
            let _ = writeln!(table, "{}", text.join("  ").trim_end());
        }
        for note in &self.notes {
            let _ = writeln!(table, "{note}");
        }
        table
    }

    /// The file: a key is null when it was not measured.
    pub(crate) fn write(&self, path: &Path, mode: &str) -> anyhow::Result<()> {
        let mut file = Map::new();
        for (part, keys) in KEYS {
            let mut values = Map::new();
            for key in keys {
                let found = self
                    .figures
                    .iter()
                    .find(|figure| figure.key == (part, *key));
                let value = found.and_then(|figure| median(&figure.values));
                values.insert((*key).to_owned(), json!(value));
            }
            file.insert(part.to_owned(), values.into());
        }
        let figures: Vec<Value> = self
            .figures
            .iter()
            .map(|figure| {
                json!({
                    "part": figure.key.0, "key": figure.key.1, "what": figure.what,
                    "unit": figure.unit, "values": figure.values, "met": figure.is_met(),
                })
            })
            .collect();
        file.insert("mode".into(), mode.into());
        file.insert("figures".into(), figures.into());
        file.insert("runs".into(), self.runs.clone().into());
        file.insert("notes".into(), json!(self.notes));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut text = serde_json::to_string_pretty(&file)?;
        text.push('\n');
        std::fs::write(path, text).with_context(|| path.display().to_string())
    }
}

fn lowest(values: &[f64]) -> Option<f64> {
    values.iter().copied().min_by(f64::total_cmp)
}

fn highest(values: &[f64]) -> Option<f64> {
    values.iter().copied().max_by(f64::total_cmp)
}

fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Says how far it is, on standard error.
pub(crate) fn progress(text: &str) {
    // Nobody may listen.
    let _ = writeln!(std::io::stderr(), "{text}");
}
