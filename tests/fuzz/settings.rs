//! The operator's file of settings.

use std::fs;

use strowger::config::{Config, Settings};
use tempfile::TempDir;

use crate::fuzzer::{Target, outcome};

const WORDS: &[&[u8]] = &[
    b"=",
    b"\"",
    b"'",
    b"\"\"\"",
    b"[",
    b"]",
    b"[[",
    b"{",
    b"}",
    b"#",
    b"\n",
    b".",
    b",",
    b"\\",
    b"true",
    b"nan",
    b"inf",
    b"-inf",
    b"0x",
    b"1979-05-27T07:32:00Z",
    b"data",
    b"sip",
    b"rtp",
    b"capacity = 1\n",
    b"log = \"\"\n",
    b"0.0.0.0:5060",
    b"::1",
    b"uk_wide",
    b"\xff",
    b"\\u0000",
    b"\xef\xbb\xbf",
    b"1-2",
    b"16384-32767",
    b"strowger=",
    b"[{",
    b"%",
];

thread_local! {
    static FOLDER: TempDir = tempfile::tempdir().expect("a folder");
}

/// The faults, or what was understood.
fn check(bytes: &[u8]) -> Vec<String> {
    let path = FOLDER.with(|folder| folder.path().join("strowger.toml"));
    fs::write(&path, bytes).expect("can be written");
    match Config::load(Settings::default(), Some(&path)) {
        Ok(config) => {
            assert!(config.capacity > 0 && !config.rtp.is_empty() && *config.rtp.start() >= 1024);
            assert!(!config.advertise.is_unspecified());
            vec![format!("{:?}", config.log_format)]
        }
        Err(faults) => {
            assert!(!faults.0.is_empty());
            let file = path.display().to_string();
            let words = |fault: &String| {
                let fault = fault.replace(&file, "");
                fault.split_whitespace().take(2).collect::<String>()
            };
            faults.0.iter().map(words).collect()
        }
    }
}

#[test]
fn any_file_of_settings_is_understood_or_its_faults_are_named() {
    Target {
        name: "settings",
        seeds: &[],
        words: WORDS,
        check: |bytes, _| outcome(check(bytes)),
    }
    .run();
}
