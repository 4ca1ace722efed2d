//! The directions of the house, checked by reading its sources: who may name whom
//! (`src/ARCHITECTURE.md` says why). Tests may name anybody.

#![expect(
    clippy::expect_used,
    reason = "a source that can't be read fails the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The modules of the main package from the bottom of the house to its top, and whom of those
/// below each may name. `supervise`, `telemetry` and `config` may be named by all above them.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("config", &[]),
    ("telemetry", &[]),
    ("supervise", &[]),
    ("net", &[]),
    ("store", &[]),
    ("events", &["net", "store"]),
    ("mail", &["events", "net", "store"]),
    ("sound", &["events"]),
    ("conferences", &["net", "sound"]),
    ("queues", &["net"]),
    ("calls", &["conferences", "queues", "net", "sound", "store"]),
    ("services", &["calls", "events", "net", "store"]),
    ("numbers", &["calls"]),
    (
        "accounts",
        &[
            "numbers",
            "services",
            "calls",
            "queues",
            "conferences",
            "events",
            "net",
            "store",
        ],
    ),
    (
        "scheduler",
        &["accounts", "numbers", "calls", "events", "net", "store"],
    ),
    (
        "api",
        &["accounts", "events", "mail", "sound", "net", "store"],
    ),
    ("phone", &["calls", "net"]),
    (
        "app",
        &[
            "api",
            "scheduler",
            "accounts",
            "services",
            "calls",
            "events",
            "mail",
            "sound",
            "net",
            "store",
        ],
    ),
    ("demo", &["app", "phone", "api", "sound", "net", "store"]),
    ("commands", &["app", "demo", "api", "net", "store"]),
];

/// Named by whoever stands above them.
const GROUND: [&str; 3] = ["config", "telemetry", "supervise"];

/// What only some may name: the name, the files or folders that may, and why.
const ONLY: &[(&str, &[&str], &str)] = &[
    (
        "rsip",
        &["src/sip/message.rs"],
        "it is the vocabulary of what we build; it never sees the network",
    ),
    ("actix_web", &["src/api/"], "only the API serves HTTP"),
    ("actix_http", &["src/api/"], "only the API serves HTTP"),
    ("sea_orm", &["src/store/"], "only the store builds SQL"),
    ("sea_query", &["src/store/"], "only the store builds SQL"),
    ("sqlx", &["src/store/"], "only the store builds SQL"),
    (
        "strowger_entity",
        &["src/store/"],
        "only the store knows tables",
    ),
    (
        "strowger_migration",
        &["src/store/"],
        "only the store knows tables",
    ),
    (
        "reqwest",
        &["src/events/http_client.rs"],
        "only the guarded client calls out",
    ),
    (
        "lettre",
        &["src/mail/smtp.rs"],
        "only mail/smtp.rs speaks to mail servers, at the address that the guarded client checked",
    ),
    ("UdpSocket", &["src/net/"], "only net opens sockets"),
    ("TcpStream", &["src/net/"], "only net opens sockets"),
    ("TcpListener::bind", &["src/net/"], "only net opens sockets"),
    (
        "tokio::net",
        &["src/net/", "src/events/http_client.rs"],
        "only net opens sockets; the guarded client pins what it resolved",
    ),
    ("UnixStream", &["src/net/"], "only net opens sockets"),
    ("UnixListener", &["src/net/"], "only net opens sockets"),
    ("socket2", &["src/net/"], "only net opens sockets"),
    ("mio", &["src/net/"], "only net opens sockets"),
    (
        "Utc::now",
        &["src/net/clock.rs"],
        "net/clock.rs is the clock",
    ),
    ("SystemTime::now", &[], "net/clock.rs is the clock"),
    (
        "strowger_sip",
        &[
            "src/net/",
            "src/calls/",
            "src/accounts/",
            "src/phone/",
            "src/app.rs",
        ],
        "signalling concerns calls",
    ),
    (
        "strowger_media",
        &[
            "src/net/",
            "src/sound/",
            "src/calls/",
            "src/conferences/",
            "src/phone/",
            "src/demo/",
            "src/api/audio.rs",
            "src/config.rs",
        ],
        "sound concerns calls",
    ),
    (
        "AccountScope::platform",
        &[
            "src/store/",
            "src/accounts/",
            "src/scheduler/",
            "src/events/webhooks.rs",
            "src/events/webhooks/",
            "src/api/auth.rs",
            "src/api/usage.rs",
            "src/app.rs",
            "src/demo.rs",
            "src/demo/",
            "src/commands.rs",
            "src/commands/",
        ],
        "a scope comes from a token, or from the actors' own account path",
    ),
    (
        "scope_of",
        &[
            "src/store/",
            "src/services/messages.rs",
            "src/api/auth.rs",
            "src/demo.rs",
            "src/demo/",
        ],
        "a scope comes from a token, or from the actors' own account path",
    ),
];

const PURE: [&str; 3] = ["src/domain", "src/sip", "src/media"];

/// What a pure crate has no use for.
const IMPURE: &[&str] = &[
    "tokio",
    "actix",
    "async",
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "std::io",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "Instant::now",
    "SystemTime::now",
    "Utc::now",
    "rand::rng",
    "thread_rng",
    "tracing",
    "println",
    "eprintln",
];

/// What these files need all the same.
const IMPURE_ALL_THE_SAME: &[(&str, &str)] = &[
    // An `Instant` to count from; only differences to it are ever seen. The second is a test's.
    ("src/domain/call_plan/simulate/world.rs", "Instant::now"),
    ("src/domain/call/mod.rs", "Instant::now"),
];

#[test]
fn the_house_has_no_circle() {
    let order: Vec<&str> = MAY_NAME.iter().map(|(module, _)| *module).collect();
    for (place, (module, below)) in MAY_NAME.iter().enumerate() {
        for named in *below {
            assert!(
                order[..place].contains(named),
                "{module} may not name {named}: it does not stand below"
            );
        }
    }
}

#[test]
fn modules_name_only_what_stands_below_them() {
    let known: BTreeMap<&str, &[&str]> = MAY_NAME.iter().copied().collect();
    let mut faults = BTreeSet::new();
    for source in main_package() {
        let module = source.module[0].as_str();
        if ["main", "lib"].contains(&module) {
            continue;
        }
        let Some(below) = known.get(module) else {
            faults.insert(format!(
                "src/{module}: tests/tidy.rs does not know where it stands"
            ));
            continue;
        };
        for named in source.named_modules() {
            let is_known = known.contains_key(named.as_str());
            let may = named == module
                || GROUND.contains(&named.as_str())
                || below.contains(&named.as_str());
            if is_known && !may {
                faults.insert(format!("{}: {module} names {named}", source.path.display()));
            }
        }
    }
    report(faults);
}

#[test]
fn every_allowed_direction_is_used() {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in main_package() {
        let named = source.named_modules();
        used.entry(source.module[0].clone())
            .or_default()
            .extend(named);
    }
    let mut faults = BTreeSet::new();
    for (module, below) in MAY_NAME {
        let Some(used) = used.get(*module) else {
            continue;
        };
        for named in *below {
            if !used.contains(*named) {
                faults.insert(format!("{module} need not be allowed to name {named}"));
            }
        }
    }
    report(faults);
}

#[test]
fn some_names_have_one_home() {
    let mut faults = BTreeSet::new();
    for source in sources("src") {
        let path = source.path.display().to_string();
        for (name, homes, why) in ONLY {
            let at_home = homes.iter().any(|home| path.starts_with(home));
            if !at_home && source.names(name) {
                faults.insert(format!("{path} names {name}: {why}"));
            }
        }
    }
    report(faults);
}

#[test]
fn pure_crates_know_no_clock_socket_thread_or_file() {
    let mut faults = BTreeSet::new();
    for source in PURE.iter().flat_map(|folder| sources(folder)) {
        let path = source.path.display().to_string();
        for name in IMPURE {
            let excused = IMPURE_ALL_THE_SAME.contains(&(path.as_str(), name));
            if !excused && source.names(name) {
                faults.insert(format!("{path} names {name}"));
            }
        }
    }
    report(faults);
}

#[test]
fn pure_crates_and_tables_depend_on_none_of_ours() {
    let mut faults = BTreeSet::new();
    for folder in PURE.iter().chain(&["entity"]) {
        let manifest = read(&Path::new(folder).join("Cargo.toml"));
        for line in manifest
            .lines()
            .skip_while(|line| *line != "[dependencies]")
        {
            if line.starts_with("strowger") {
                faults.insert(format!("{folder}/Cargo.toml: {line}"));
            }
        }
    }
    report(faults);
}

fn report(faults: BTreeSet<String>) {
    let faults: Vec<_> = faults.into_iter().collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// A source file as the compiler sees it outside of tests: comments and texts are blank.
struct Source {
    path: PathBuf,
    module: Vec<String>,
    code: String,
}

fn main_package() -> Vec<Source> {
    let all = sources("src");
    let is_pure = |source: &Source| PURE.iter().any(|folder| source.path.starts_with(folder));
    all.into_iter().filter(|source| !is_pure(source)).collect()
}

fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(Path::new(folder), &mut found);
    found.sort();
    assert!(!found.is_empty(), "{folder} holds no sources");
    let outside_of_tests = found.into_iter().filter(|path| !is_test(path));
    outside_of_tests.map(Source::read).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(root().join(folder)).expect("a folder of sources");
    for entry in entries {
        let entry = entry.expect("an entry");
        let path = folder.join(entry.file_name());
        if entry.file_type().expect("its type").is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn is_test(path: &Path) -> bool {
    let mut parts = path.iter().map(|part| part.to_string_lossy());
    parts.any(|part| {
        let name = part.trim_end_matches(".rs");
        ["tests", "testing", "benches"].contains(&name) || name.ends_with("_tests")
    })
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).expect("a readable file")
}

impl Source {
    fn read(path: PathBuf) -> Self {
        let mut module: Vec<String> = path
            .with_extension("")
            .iter()
            .skip(1)
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        if module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        let code = without_tests(&without_texts(&read(&path)));
        Self { path, module, code }
    }

    /// Whether the code names this, as a whole word.
    fn names(&self, name: &str) -> bool {
        let mut from = 0;
        while let Some(at) = self.code[from..].find(name).map(|at| at + from) {
            from = at + name.len();
            let before = self.code[..at].chars().next_back();
            let after = self.code[from..].chars().next();
            if !before.is_some_and(is_word) && !after.is_some_and(is_word) {
                return true;
            }
        }
        false
    }

    /// The modules at the top of the crate that the code names, by `crate::` or by `super::`.
    fn named_modules(&self) -> BTreeSet<String> {
        let mut named = BTreeSet::new();
        for (at, _) in self.code.match_indices("crate::") {
            if self.code[..at].chars().next_back().is_some_and(is_word) {
                continue;
            }
            named.extend(first_segments(&self.code[at + "crate::".len()..]));
        }
        let climb = "super::".repeat(self.module.len());
        for (at, _) in self.code.match_indices(&climb) {
            named.extend(first_segments(&self.code[at + climb.len()..]));
        }
        named
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// `a::b` names a; `{a::b, c::{d, e}}` names a and c.
fn first_segments(path: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| is_word(*c)).collect::<String>();
    let Some(group) = path.strip_prefix('{') else {
        return vec![word(path)];
    };
    let (mut found, mut depth, mut element) = (Vec::new(), 0, String::new());
    for character in group.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => found.push(word(std::mem::take(&mut element).trim())),
            _ => element.push(character),
        }
    }
    found.push(word(element.trim()));
    found
}

/// Tests within a file stand at its end.
fn without_tests(code: &str) -> String {
    let end = code.match_indices("#[cfg(test)]").find(|(at, marker)| {
        let what = &code[at + marker.len()..];
        what.find(['{', ';'])
            .is_some_and(|end| what[end..].starts_with('{') && what[..end].contains("mod "))
    });
    code[..end.map_or(code.len(), |(at, _)| at)].to_owned()
}

/// Blanks comments, string texts and characters.
fn without_texts(source: &str) -> String {
    let bytes: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = match rest {
            ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => block_comment(rest),
            ['r', '"', ..] | ['r', '#', '"' | '#', ..] if !ends_in_word(&code) => raw_text(rest),
            ['"', ..] => quoted(rest, '"'),
            ['\'', '\\', ..] => quoted(rest, '\''),
            ['\'', _, '\'', ..] => 3,
            [character, ..] => {
                code.push(*character);
                at += 1;
                continue;
            }
            [] => break,
        };
        code.push(' ');
        at += length;
    }
    code
}

fn ends_in_word(code: &str) -> bool {
    code.chars()
        .next_back()
        .is_some_and(|c| is_word(c) && c != 'b')
}

fn block_comment(text: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        match text[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] if depth == 1 => return at + 2,
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

fn quoted(text: &[char], mark: char) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != mark {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw_text(text: &[char]) -> usize {
    let marks = text[1..].iter().take_while(|c| **c == '#').count();
    let end: String = std::iter::once('"')
        .chain(std::iter::repeat_n('#', marks))
        .collect();
    let body: String = text[marks + 2..].iter().collect();
    let found = body.find(&end).unwrap_or(body.len());
    marks + 2 + body[..found].chars().count() + end.len()
}

#[test]
fn the_reader_of_sources_sees_code_only() {
    let source = r##"
        use crate::{a::b, c::{d, e}}; // crate::comment
        /* crate::block */ let x: &'static str = "crate::text"; let y = r#"crate::"raw"#;
        let z = ('"', '\'', crate::f::g);
    "##;
    let code = without_texts(source);
    let source = Source {
        path: PathBuf::new(),
        module: vec!["here".into(), "below".into()],
        code,
    };
    let named: Vec<_> = source.named_modules().into_iter().collect();
    assert_eq!(named, ["a", "c", "f"]);
    assert!(source.names("str") && !source.names("st"));
}
