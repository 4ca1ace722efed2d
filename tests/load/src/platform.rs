//! The program under test, in a folder of its own, with a tenant that nothing limits.

use std::fs::File;
use std::net::{SocketAddr, SocketAddrV4};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::http::{Http, Request};
use crate::machine::{Cores, Process, stay_on};

const EMAIL: &str = "load@example.test";
const PASSWORD: &str = "as much as it can bear";
/// Below the ports that the system gives to who asks for any.
const RTP_PORTS: &str = "10000-32767";
/// No limit of ours shall be what is measured.
const CAPACITY: &str = "200000";

/// The program, and its API in the name of the operator.
pub(crate) struct Platform {
    pub(crate) sip: SocketAddrV4,
    pub(crate) process: Process,
    child: Child,
    http: Http,
    token: String,
    account: String,
}

impl Platform {
    /// Starts the program on the server's core.
    pub(crate) fn start(folder: &Path, name: &str, cores: Cores) -> anyhow::Result<Self> {
        let program = std::env::var_os("STROWGER_BIN").context("STROWGER_BIN is not set")?;
        let data = folder.join(name);
        std::fs::create_dir_all(&data)?;
        let log = data.join("log");
        let made = Command::new(&program)
            .args([
                "operator",
                "create",
                "--email",
                EMAIL,
                "--password",
                PASSWORD,
            ])
            .arg("--data")
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .status()
            .with_context(|| format!("{} can't be started", program.to_string_lossy()))?;
        if !made.success() {
            bail!("no operator could be made:\n{}", tail(&log));
        }
        stay_on(cores.server)?;
        let child = Command::new(&program)
            .args(["serve", "--http", "127.0.0.1:0", "--sip", "127.0.0.1:0"])
            .args(["--rtp", RTP_PORTS, "--capacity", CAPACITY, "--drain-s", "0"])
            .args(["--log", "warn,strowger::app=info", "--log-format", "json"])
            .arg("--data")
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn();
        stay_on(cores.driver)?;
        let mut child = child.context("the server can't be started")?;
        let process = Process(child.id());
        let (http, sip) = match ready(&mut child, &log) {
            Ok(addresses) => addresses,
            Err(error) => {
                end(&mut child);
                return Err(error);
            }
        };
        let mut platform = Self {
            sip,
            process,
            child,
            http: Http::new(http),
            token: String::new(),
            account: String::new(),
        };
        platform.sign_in()?;
        platform.make_tenant()?;
        Ok(platform)
    }

    fn sign_in(&mut self) -> anyhow::Result<()> {
        let wish = json!({ "grant_type": "password", "email": EMAIL, "password": PASSWORD });
        let body = wish.to_string();
        let (status, text) = self.http.send(&Request {
            method: "POST",
            path: "/v1/auth/token",
            token: None,
            content_type: "application/json",
            body: body.as_bytes(),
        })?;
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        let token = answer["access_token"].as_str();
        token
            .with_context(|| format!("signing in: {status} {text}"))?
            .clone_into(&mut self.token);
        Ok(())
    }

    /// A customer below the operator, with all that the operator may.
    fn make_tenant(&mut self) -> anyhow::Result<()> {
        let root = self.json("GET", "/v1/accounts/me", None)?;
        let mut permissions = root["permissions"].clone();
        // These are given by agreement, or not to customers.
        for name in ["custom_cli", "withheld_cli"] {
            permissions[name] = json!(false);
        }
        let customer = json!({
            "kind": "customer",
            "name": "Load",
            "permissions": permissions,
        });
        let made = self.json("POST", "/v1/accounts/me/children", Some(&customer))?;
        text(&made, "id")?.clone_into(&mut self.account);
        Ok(())
    }

    fn bytes(
        &mut self,
        (method, path): (&str, &str),
        (content_type, body): (&str, &[u8]),
    ) -> anyhow::Result<String> {
        for attempt in 0..20 {
            let (status, text) = self.http.send(&Request {
                method,
                path,
                token: Some(&self.token),
                content_type,
                body,
            })?;
            match status {
                200..=299 => return Ok(text),
                // A token is good for some minutes, a bucket of requests for some seconds.
                401 if attempt == 0 => self.sign_in()?,
                429 => std::thread::sleep(Duration::from_secs(1)),
                _ => bail!("{method} {path}: {status} {text}"),
            }
        }
        bail!("{method} {path}: the server never has time for it")
    }

    fn json(&mut self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let body = body.map_or_else(String::new, Value::to_string);
        let text = self.bytes((method, path), ("application/json", body.as_bytes()))?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{method} {path}: no JSON"))
    }

    /// A request below the tenant's account.
    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let path = format!("/v1/accounts/{}/{path}", self.account);
        self.json(method, &path, body)
    }

    /// Gives the tenant a number whose calls run this plan.
    pub(crate) fn number(&mut self, number: &str, plan: &Value) -> anyhow::Result<()> {
        let draft = json!({ "name": number, "draft": plan });
        let made = self.ask("POST", "call_plans", Some(&draft))?;
        let id = text(&made, "id")?;
        let note = json!({ "note": "" });
        self.ask("POST", &format!("call_plans/{id}/publish"), Some(&note))?;
        let number = json!({ "number": number, "call_plan": id });
        self.ask("POST", "numbers", Some(&number))?;
        Ok(())
    }

    /// Leads all numbers to a peer on this machine.
    pub(crate) fn trunk(&mut self, peer: SocketAddrV4) -> anyhow::Result<()> {
        let trunk = json!({ "name": "peer", "host": peer.to_string(), "codecs": ["PCMA"] });
        let made = self.ask("POST", "trunks", Some(&trunk))?;
        let route = json!({ "prefix": "+", "trunk": text(&made, "id")? });
        self.ask("POST", "routes", Some(&route))?;
        Ok(())
    }

    /// Uploads a WAV file; the sound of a plan.
    pub(crate) fn audio(&mut self, wav: &[u8]) -> anyhow::Result<Value> {
        let path = format!("/v1/accounts/{}/audio?name=prompt", self.account);
        let made = self.bytes(("POST", &path), ("audio/wav", wav))?;
        let made: Value = serde_json::from_str(&made)?;
        Ok(json!({ "type": "audio", "audio": text(&made, "id")? }))
    }

    /// Calls that live now.
    pub(crate) fn live_calls(&mut self) -> anyhow::Result<u64> {
        let ready = self.json("GET", "/system/ready", None)?;
        Ok(ready["live_calls"].as_u64().unwrap_or(0))
    }

    /// A figure that the program tells of itself, by its name with labels.
    pub(crate) fn metric(&mut self, name: &str) -> anyhow::Result<Option<f64>> {
        let all = self.bytes(("GET", "/system/metrics"), ("", &[]))?;
        Ok(all.lines().find_map(|line| {
            let (key, value) = line.rsplit_once(' ')?;
            (key == name).then(|| value.parse().ok()).flatten()
        }))
    }

    /// Waits until no call lives and the processor is left alone: all is written then.
    pub(crate) fn rest(&mut self, most: Duration) -> anyhow::Result<bool> {
        let end = Instant::now() + most;
        while self.live_calls()? > 0 {
            if Instant::now() > end {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        while Instant::now() < end {
            let before = self.process.cpu()?;
            std::thread::sleep(Duration::from_millis(300));
            if self.process.cpu()?.saturating_sub(before) <= Duration::from_millis(20) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many records of ended calls the store holds.
    pub(crate) fn records(&mut self) -> anyhow::Result<u64> {
        self.count("records")
    }

    /// How many items a list has.
    pub(crate) fn count(&mut self, list: &str) -> anyhow::Result<u64> {
        let (mut count, mut cursor) = (0, String::new());
        loop {
            let page = self.ask("GET", &format!("{list}?limit=500{cursor}"), None)?;
            count += page["items"].as_array().map_or(0, Vec::len) as u64;
            let Some(next) = page["next_cursor"].as_str() else {
                return Ok(count);
            };
            cursor = format!("&cursor={next}");
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Ends a process of ours, whatever it is doing.
pub(crate) fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

fn ready(child: &mut Child, log: &Path) -> anyhow::Result<(SocketAddr, SocketAddrV4)> {
    let end = Instant::now() + Duration::from_mins(1);
    while Instant::now() < end && child.try_wait()?.is_none() {
        let lines = std::fs::read_to_string(log)?;
        for line in lines.lines() {
            let entry: Value = serde_json::from_str(line).unwrap_or_default();
            if entry["message"] == "strowger is ready" {
                let http = text(&entry, "http")?.parse().context("http")?;
                let sip = text(&entry, "sip")?.parse().context("sip")?;
                return Ok((http, sip));
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("the server does not start:\n{}", tail(log))
}

fn text<'a>(value: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    let found = value[name].as_str();
    found.with_context(|| format!("`{name}` is missing in {value}"))
}

fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
