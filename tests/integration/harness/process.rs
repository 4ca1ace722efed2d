//! The program itself, as a process of its own that can be killed.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use strowger::app;
use strowger::config::Config;
use strowger::store::Store;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::api::Api;
use super::facts::in_time;
use super::platform::Builder;
use super::seed::{Owner, PASSWORD, Seeded, email};

/// A seeded data folder, and the program that runs on it.
pub(crate) struct Process {
    pub(crate) config: Config,
    pub(crate) seeded: Seeded,
    pub(crate) http: SocketAddr,
    pub(crate) sip: SocketAddr,
    child: Child,
    files: Option<u32>,
    _folder: TempDir,
}

impl Builder {
    /// Seeds the data folder and starts the program on it.
    pub(crate) async fn spawn(self) -> Process {
        let files = self.files;
        let (config, seeded, folder) = self.plant().await;
        let (child, http, sip) = serve(&config, files).await;
        Process {
            config,
            seeded,
            http,
            sip,
            child,
            files,
            _folder: folder,
        }
    }
}

async fn serve(config: &Config, files: Option<u32>) -> (Child, SocketAddr, SocketAddr) {
    let program = env!("CARGO_BIN_EXE_strowger");
    let mut command = match files {
        None => Command::new(program),
        Some(files) => {
            let mut shell = Command::new("sh");
            let limited = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
            shell.args(["-c", &limited, program]);
            shell
        }
    };
    let mut child = command
        .arg("serve")
        .arg("--data")
        .arg(&config.data)
        .args(["--http", &config.http.to_string()])
        .args(["--sip", &config.sip.to_string()])
        .args([
            "--rtp",
            &format!("{}-{}", config.rtp.start(), config.rtp.end()),
        ])
        .args(["--drain-s", &config.drain.as_secs().to_string()])
        .args(["--sip-t1-ms", &config.sip_t1.as_millis().to_string()])
        .args(["--shed-after-ms", "0"])
        .arg(format!(
            "--allow-private-fetch={}",
            config.allow_private_fetch
        ))
        .args(["--log-format", "json"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program starts");
    let stderr = child.stderr.take().expect("is piped");
    let mut lines = BufReader::new(stderr).lines();
    let ready = async {
        let mut seen = Vec::new();
        while let Some(line) = lines.next_line().await.expect("can be read") {
            let entry: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if entry["message"] == "strowger is ready" {
                let place = |name: &str| entry[name].as_str().unwrap().parse().unwrap();
                return (place("http"), place("sip"));
            }
            seen.push(line);
        }
        panic!("the program ended: {seen:#?}");
    };
    let (http, sip) = in_time("the program is ready", ready).await;
    // Its log is read to the end, so that it never waits for us.
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            if std::env::var_os("STROWGER_TEST_LOG").is_some() {
                eprintln!("{line}");
            }
        }
    });
    (child, http, sip)
}

impl Process {
    /// Signs in as the customer.
    pub(crate) async fn api(&self) -> Api {
        Api::sign_in(self.http, &email(Owner::Customer), PASSWORD).await
    }

    /// Ends it as a crash does.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.expect("it ran");
    }

    /// Starts it again on the same data and the same ports.
    pub(crate) async fn start_again(&mut self) {
        self.config.http = self.http;
        self.config.sip = self.sip;
        let (child, http, sip) = serve(&self.config, self.files).await;
        (self.child, self.http, self.sip) = (child, http, sip);
    }

    /// Asks it to end, as the system does.
    pub(crate) async fn terminate(&self) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(sent.expect("there is `kill`").success());
    }

    /// Waits until it has ended by itself; answers whether it says that all went well.
    pub(crate) async fn has_ended(&mut self) -> bool {
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        ended.expect("it ends in time").expect("it ran").success()
    }

    /// Its database.
    pub(crate) async fn store(&self) -> Store {
        app::open_store(&self.config).await.unwrap()
    }
}
