//! Builds the portal before the program that carries it.
//!
//! A plain edit of Rust code never comes here: Cargo runs this again only when the portal's own
//! sources change. A machine without Node.js, without a registry or with a read-only tree still
//! builds the program; it then has no portal, and the build says so.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

/// What the portal is made of, relative to `web/`.
const SOURCES: [&str; 6] = [
    "src",
    "public",
    "index.html",
    "package.json",
    "package-lock.json",
    "vite.config.ts",
];

/// The oldest Node.js that Vite 8 runs on.
const NODE_AT_LEAST: (u32, u32) = (20, 19);

fn main() {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(PathBuf::new, PathBuf::from);
    let web = root.join("web");
    let dist = web.join("dist");

    println!("cargo:rerun-if-env-changed=STROWGER_PORTAL");
    println!("cargo:rerun-if-changed=web/build.rs");
    for source in SOURCES.iter().filter(|source| web.join(source).exists()) {
        println!("cargo:rerun-if-changed=web/{source}");
    }
    if let Err(error) = fs::create_dir_all(&dist) {
        warn(&format!("{} cannot be made ({error}).", dist.display()));
    }
    if std::env::var("STROWGER_PORTAL").is_ok_and(|portal| portal == "off") {
        return;
    }
    match build(&web, &dist) {
        Ok(()) => println!("cargo:rerun-if-changed=web/dist/index.html"),
        Err(reason) => {
            warn(&reason);
            if dist.join("index.html").exists() {
                warn("The program carries the portal of an earlier build.");
            } else {
                warn(
                    "The portal is left out; everything else is built. To have it: install \
                     Node.js 20.19 or later with npm, then `touch web/index.html` and build again. \
                     STROWGER_PORTAL=off silences this.",
                );
            }
        }
    }
}

fn build(web: &Path, dist: &Path) -> Result<(), String> {
    let page = dist.join("index.html");
    let sources = SOURCES
        .iter()
        .filter_map(|source| newest(&web.join(source)))
        .max()
        .ok_or("The portal's sources are not here.")?;
    if modified(&page).is_some_and(|built| built >= sources) {
        return Ok(());
    }
    check_node()?;
    if packages_are_stale(web) {
        npm(
            web,
            &[
                "ci",
                "--include=dev",
                "--prefer-offline",
                "--fetch-retries=1",
                "--fetch-timeout=60000",
            ],
        )?;
    }
    npm(web, &["run", "build"])?;
    // Cargo reruns this script when a watched file is newer than the script's last start. The
    // page is watched so that removing it brings it back, hence it must not look newer.
    File::options()
        .write(true)
        .open(&page)
        .and_then(|file| file.set_modified(sources))
        .map_err(|error| format!("{} was not built ({error}).", page.display()))
}

fn check_node() -> Result<(), String> {
    let output = Command::new("node")
        .arg("--version")
        .output()
        .map_err(|error| format!("Node.js is not installed ({error})."))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.trim().trim_start_matches('v');
    let mut numbers = version
        .split('.')
        .map(|number| number.parse::<u32>().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < NODE_AT_LEAST {
        return Err(format!("Node.js {version} is too old for the portal."));
    }
    Ok(())
}

/// npm notes in `node_modules/.package-lock.json` what it installed.
fn packages_are_stale(web: &Path) -> bool {
    let installed = modified(&web.join("node_modules/.package-lock.json"));
    installed.is_none() || installed < modified(&web.join("package-lock.json"))
}

fn npm(web: &Path, arguments: &[&str]) -> Result<(), String> {
    let called = format!("npm {}", arguments.join(" "));
    let output = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
        .args(arguments)
        .current_dir(web)
        .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
        .output()
        .map_err(|error| format!("`{called}` cannot be started ({error})."))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "`{called}` in web/ failed: {}",
        last_lines(&output)
    ))
}

fn last_lines(output: &Output) -> String {
    let text = if output.stderr.is_empty() {
        &output.stdout
    } else {
        &output.stderr
    };
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .rev()
        .take(5)
        .collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}

fn newest(path: &Path) -> Option<SystemTime> {
    if !path.is_dir() {
        return modified(path);
    }
    let entries: io::Result<Vec<_>> = fs::read_dir(path).and_then(Iterator::collect);
    entries
        .ok()?
        .iter()
        .filter_map(|entry| newest(&entry.path()))
        .max()
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path)
        .and_then(|metadata| metadata.modified())
        .ok()
}

fn warn(text: &str) {
    println!("cargo:warning={text}");
}
