//! One target under mutation: its seeds, its rounds, and what becomes of an input that fails.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::mutant::Mutator;

/// Mutants of a run that is not bounded by time.
const MUTANTS: u64 = 1_000;
/// Inputs with an outcome that was not seen before, kept to be mutated further.
const KEPT: usize = 2_000;
/// An input that takes longer than this, each of three times, fails: its cost is not bounded by its
/// length. The machine may be busy, so it is a hundred times what any should take.
const TOO_LONG: Duration = Duration::from_secs(5);

/// A reader under test.
pub(crate) struct Target {
    /// Its folder below `corpus/`.
    pub(crate) name: &'static str,
    /// Further folders of seeds, from the root of the repository.
    pub(crate) seeds: &'static [&'static str],
    /// Words that mean something to it.
    pub(crate) words: &'static [&'static [u8]],
    /// Reads an input, and panics when something about it is wrong. The outcome says in what way it
    /// was taken: inputs with a new one are mutated further.
    pub(crate) check: fn(&[u8], &mut StdRng) -> u64,
}

/// The outcome of a check, from whatever tells outcomes apart.
pub(crate) fn outcome(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

thread_local! {
    /// Panics of this thread are not told: an input that fails is being made smaller.
    static SILENT: Cell<bool> = const { Cell::new(false) };
}

fn silence_when_asked() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !SILENT.get() {
                before(info);
            }
        }));
    });
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

impl Target {
    /// Reads all seeds, then mutants, as many as the environment allows.
    pub(crate) fn run(&self) {
        silence_when_asked();
        let seed = setting("STROWGER_FUZZ_SEED").unwrap_or(1);
        let seconds = setting("STROWGER_FUZZ_SECONDS");
        let mut rng = StdRng::seed_from_u64(seed);
        let mut known = self.corpus();
        let seeds = known.len();
        assert!(seeds > 0, "{} has no seeds", self.name);
        let mut outcomes = HashSet::new();
        let mut slowest = Duration::ZERO;
        for input in &known {
            outcomes.insert(self.attempt(input, &mut rng, &mut slowest));
        }
        let mutator = Mutator { words: self.words };
        let start = Instant::now();
        let mut mutants = 0_u64;
        while seconds.map_or(mutants < MUTANTS, |seconds| {
            !mutants.is_multiple_of(64) || start.elapsed() < Duration::from_secs(seconds)
        }) {
            let input = mutator.mutant(&known, &mut rng);
            let is_new = outcomes.insert(self.attempt(&input, &mut rng, &mut slowest));
            if is_new && known.len() < seeds + KEPT && input.len() <= 16 * 1024 {
                known.push(input);
            }
            mutants += 1;
        }
        eprintln!(
            "{}: {mutants} mutants of {seeds} seeds in {:.1} s, {} outcomes, the slowest took {:.1} ms; \
             STROWGER_FUZZ_SEED={seed}",
            self.name,
            start.elapsed().as_secs_f64(),
            outcomes.len(),
            slowest.as_secs_f64() * 1000.0,
        );
    }

    /// Reads one input.
    pub(crate) fn read(&self, input: &[u8]) {
        let mut took = Duration::ZERO;
        self.attempt(input, &mut StdRng::seed_from_u64(1), &mut took);
    }

    fn folder(&self) -> PathBuf {
        root().join("tests/fuzz/corpus").join(self.name)
    }

    fn corpus(&self) -> Vec<Vec<u8>> {
        let folders = self.seeds.iter().map(|folder| root().join(folder));
        let mut paths: Vec<_> = folders
            .chain([self.folder()])
            .filter_map(|folder| fs::read_dir(folder).ok())
            .flatten()
            .map(|entry| entry.expect("readable").path())
            .filter(|path| path.is_file())
            .collect();
        paths.sort();
        paths
            .iter()
            .map(|path| fs::read(path).expect("readable"))
            .collect()
    }

    /// Checks an input; one that fails is kept.
    fn attempt(&self, input: &[u8], rng: &mut StdRng, slowest: &mut Duration) -> u64 {
        // Whoever makes it smaller draws the same numbers.
        let luck = rng.random();
        let start = Instant::now();
        let outcome = match catch_unwind(AssertUnwindSafe(|| self.check_with(input, luck))) {
            Ok(outcome) => outcome,
            Err(panic) => {
                self.keep(&self.smaller(input, luck));
                resume_unwind(panic);
            }
        };
        let took = start.elapsed();
        *slowest = took.max(*slowest);
        if took > TOO_LONG {
            let is_quick = |_| {
                let again = Instant::now();
                self.check_with(input, luck);
                again.elapsed() < TOO_LONG
            };
            if !(0..2).any(is_quick) {
                self.keep(input);
                panic!(
                    "{}: an input of {} octets takes {took:?}",
                    self.name,
                    input.len()
                );
            }
        }
        outcome
    }

    fn check_with(&self, input: &[u8], luck: u64) -> u64 {
        (self.check)(input, &mut StdRng::seed_from_u64(luck))
    }

    /// Leaves out of a failing input whatever it fails without.
    fn smaller(&self, input: &[u8], luck: u64) -> Vec<u8> {
        SILENT.set(true);
        let fails =
            |input: &[u8]| catch_unwind(AssertUnwindSafe(|| self.check_with(input, luck))).is_err();
        let mut small = input.to_vec();
        let mut length = small.len() / 2;
        let mut attempts = 0;
        while length > 0 && attempts < 2_000 {
            let mut at = 0;
            while at < small.len() && attempts < 2_000 {
                let mut without = small.clone();
                without.drain(at..(at + length).min(small.len()));
                attempts += 1;
                if fails(&without) {
                    small = without;
                } else {
                    at += length;
                }
            }
            length /= 2;
        }
        SILENT.set(false);
        small
    }

    fn keep(&self, input: &[u8]) {
        let path = self.folder().join(format!("crash-{:016x}", outcome(input)));
        eprintln!("input: {}", input.escape_ascii());
        match fs::create_dir_all(self.folder()).and_then(|()| fs::write(&path, input)) {
            Ok(()) => eprintln!("kept as {}", path.display()),
            Err(error) => eprintln!("{} can't be kept: {error}", path.display()),
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_failing_input_is_found_again_without_what_it_fails_without() {
    silence_when_asked();
    let target = Target {
        name: "none",
        seeds: &[],
        words: &[],
        check: |bytes, _| {
            assert!(!bytes.contains(&b'x'));
            0
        },
    };
    assert_eq!(target.smaller(b"abcdefgxhijk", 1), b"x");
}
