//! What the operator decides: flags and environment, then one TOML file, then defaults; checked
//! once, with every fault named.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use strowger_domain::e164::Country;

/// The settings of `strowger serve` as they are written: each may come from a flag, the
/// environment or the file.
#[derive(Args, Deserialize, Debug, Default, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Folder for the database, audio and recordings [default: ./strowger-data]
    #[arg(long, value_name = "DIR", env = "STROWGER_DATA")]
    pub data: Option<String>,
    /// Address for the portal and the API [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", env = "STROWGER_HTTP")]
    pub http: Option<String>,
    /// Address for SIP over UDP and TCP [default: 127.0.0.1:5060]
    #[arg(long, value_name = "ADDR", env = "STROWGER_SIP")]
    pub sip: Option<String>,
    /// Ports for RTP and RTCP, first-last [default: 16384-32767]
    #[arg(long, value_name = "PORTS", env = "STROWGER_RTP")]
    pub rtp: Option<String>,
    /// Database: `sqlite://FILE` or `postgres://…` [default: strowger.db in the data folder]
    #[arg(long, value_name = "URL", env = "STROWGER_DATABASE")]
    pub database: Option<String>,
    /// The address that peers are told for SIP and RTP, when it isn't the one listened on
    #[arg(long, value_name = "IP", env = "STROWGER_ADVERTISE")]
    pub advertise: Option<String>,
    /// Let pages, webhooks and remote audio reach loopback and private addresses
    #[arg(long, env = "STROWGER_ALLOW_PRIVATE_FETCH", num_args = 0..=1, default_missing_value = "true")]
    pub allow_private_fetch: Option<bool>,
    /// Most simultaneous calls of the whole platform [default: 10000]
    #[arg(long, value_name = "CALLS", env = "STROWGER_CAPACITY")]
    pub capacity: Option<u32>,
    /// How long running calls may go on after SIGTERM, in seconds [default: 60]
    #[arg(long, value_name = "SECONDS", env = "STROWGER_DRAIN_S")]
    pub drain_s: Option<u64>,
    /// Country (ISO 3166) by whose rules national numbers are read [default: GB]
    #[arg(long, value_name = "CODE", env = "STROWGER_COUNTRY")]
    pub country: Option<String>,
    /// Number classes that scheduled calls may use as service number, separated by commas
    /// [default: `uk_geographic,uk_wide,uk_freephone`]
    #[arg(long, value_name = "CLASSES", env = "STROWGER_SCHEDULED_CLASSES")]
    pub scheduled_classes: Option<String>,
    /// Log as text or json [default: text]
    #[arg(long, value_name = "FORMAT", env = "STROWGER_LOG_FORMAT")]
    pub log_format: Option<String>,
    /// What is logged, as `level` or `target=level,…` [default: warn,strowger=info]
    #[arg(long, value_name = "FILTER", env = "STROWGER_LOG")]
    pub log: Option<String>,
}

/// What is logged when nothing is said: of others' code only what is wrong.
const LOG: &str = "warn,strowger=info";

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, one object a line.
    Json,
}

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Data folder.
    pub data: PathBuf,
    /// HTTP listen address.
    pub http: SocketAddr,
    /// SIP listen address.
    pub sip: SocketAddr,
    /// RTP and RTCP ports.
    pub rtp: RangeInclusive<u16>,
    /// Database URL.
    pub database: String,
    /// Address told to peers.
    pub advertise: IpAddr,
    /// The guarded HTTP client may reach private addresses.
    pub allow_private_fetch: bool,
    /// Most simultaneous calls.
    pub capacity: u32,
    /// Time limit of a drain.
    pub drain: Duration,
    /// The country of national numbers.
    pub country: &'static Country,
    /// Classes that scheduled calls may use, as written.
    pub scheduled_classes: Vec<String>,
    /// Log format.
    pub log_format: LogFormat,
    /// Log filter.
    pub log: String,
}

/// Every fault of a configuration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the configuration has {} fault(s):\n  {}", .0.len(), .0.join("\n  "))]
pub struct Faults(pub Vec<String>);

impl Settings {
    /// What is set here, completed by `other`.
    fn or(self, other: Self) -> Self {
        Self {
            data: self.data.or(other.data),
            http: self.http.or(other.http),
            sip: self.sip.or(other.sip),
            rtp: self.rtp.or(other.rtp),
            database: self.database.or(other.database),
            advertise: self.advertise.or(other.advertise),
            allow_private_fetch: self.allow_private_fetch.or(other.allow_private_fetch),
            capacity: self.capacity.or(other.capacity),
            drain_s: self.drain_s.or(other.drain_s),
            country: self.country.or(other.country),
            scheduled_classes: self.scheduled_classes.or(other.scheduled_classes),
            log_format: self.log_format.or(other.log_format),
            log: self.log.or(other.log),
        }
    }
}

impl Config {
    /// Reads the file, if one is named, and checks everything.
    pub fn load(settings: Settings, file: Option<&Path>) -> Result<Self, Faults> {
        let from_file = match file {
            None => Settings::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| Faults(vec![format!("{}: {error}", path.display())]))?;
                toml::from_str(&text).map_err(|error| {
                    Faults(vec![format!(
                        "{}: {}",
                        path.display(),
                        error.to_string().trim()
                    )])
                })?
            }
        };
        Self::check(settings.or(from_file))
    }

    /// Checks everything, and names all that is wrong.
    pub fn check(settings: Settings) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        let data = PathBuf::from(settings.data.unwrap_or_else(|| "./strowger-data".into()));
        let http = address(
            "http",
            settings.http.as_deref().unwrap_or("127.0.0.1:8080"),
            &mut faults,
        );
        let sip = address(
            "sip",
            settings.sip.as_deref().unwrap_or("127.0.0.1:5060"),
            &mut faults,
        );
        let rtp = ports(
            settings.rtp.as_deref().unwrap_or("16384-32767"),
            &mut faults,
        );
        let database = settings
            .database
            .unwrap_or_else(|| format!("sqlite://{}?mode=rwc", data.join("strowger.db").display()));
        if !["sqlite:", "postgres:", "postgresql:"]
            .iter()
            .any(|scheme| database.starts_with(scheme))
        {
            faults.push(format!(
                "database: `{database}` begins with neither sqlite: nor postgres:"
            ));
        }
        let advertise = match settings.advertise.as_deref() {
            None => sip.ip(),
            Some(text) => text.parse().unwrap_or_else(|_| {
                faults.push(format!("advertise: `{text}` is not an IP address"));
                sip.ip()
            }),
        };
        if advertise.is_unspecified() {
            faults.push(
                "advertise: peers can't be told 0.0.0.0 or ::; name the address they reach".into(),
            );
        }
        let capacity = settings.capacity.unwrap_or(10_000);
        if capacity == 0 {
            faults.push("capacity: at least 1 call".into());
        }
        let country = match settings.country.as_deref() {
            None => Country::GB,
            Some(iso) => Country::by_iso(iso).unwrap_or_else(|| {
                faults.push(format!("country: `{iso}` is not a country such as GB"));
                Country::GB
            }),
        };
        let log_format = match settings.log_format.as_deref().unwrap_or("text") {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            other => {
                faults.push(format!("log_format: `{other}` is neither text nor json"));
                LogFormat::Text
            }
        };
        let log = settings.log.unwrap_or_else(|| LOG.into());
        if let Err(error) = log.parse::<tracing_subscriber::EnvFilter>() {
            faults.push(format!("log: `{log}`: {error}"));
        }
        let scheduled_classes = settings
            .scheduled_classes
            .as_deref()
            .unwrap_or("uk_geographic,uk_wide,uk_freephone")
            .split(',')
            .map(|class| class.trim().to_owned())
            .filter(|class| !class.is_empty())
            .collect();
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        Ok(Self {
            data,
            http,
            sip,
            rtp,
            database,
            advertise,
            allow_private_fetch: settings.allow_private_fetch.unwrap_or(false),
            capacity,
            drain: Duration::from_secs(settings.drain_s.unwrap_or(60)),
            country,
            scheduled_classes,
            log_format,
            log,
        })
    }
}

fn address(name: &str, text: &str, faults: &mut Vec<String>) -> SocketAddr {
    text.parse().unwrap_or_else(|_| {
        faults.push(format!(
            "{name}: `{text}` is not an address such as 127.0.0.1:5060"
        ));
        SocketAddr::from(([127, 0, 0, 1], 0))
    })
}

fn ports(text: &str, faults: &mut Vec<String>) -> RangeInclusive<u16> {
    let range = text
        .split_once('-')
        .and_then(|(first, last)| Some((first.trim().parse().ok()?, last.trim().parse().ok()?)));
    match range {
        Some((first, last)) if first >= 1024 && last > first => first..=last,
        _ => {
            faults.push(format!(
                "rtp: `{text}` is not a range such as 16384-32767 (1024 or above)"
            ));
            16384..=32767
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_need_nothing() {
        let config = Config::check(Settings::default()).expect("valid");
        assert_eq!(config.http.to_string(), "127.0.0.1:8080");
        assert_eq!(config.sip.to_string(), "127.0.0.1:5060");
        assert_eq!(config.rtp, 16384..=32767);
        assert!(!config.allow_private_fetch);
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let faults = Config::check(Settings {
            http: Some("nowhere".into()),
            sip: Some("0.0.0.0:5060".into()),
            rtp: Some("9-1".into()),
            database: Some("mysql://x".into()),
            capacity: Some(0),
            log_format: Some("xml".into()),
            ..Settings::default()
        })
        .expect_err("faulty")
        .0;
        for name in [
            "http",
            "rtp",
            "database",
            "advertise",
            "capacity",
            "log_format",
        ] {
            assert!(
                faults.iter().any(|fault| fault.starts_with(name)),
                "{name}: {faults:?}"
            );
        }
        assert_eq!(faults.len(), 6);
    }

    #[test]
    fn a_flag_wins_over_the_file_and_an_unknown_setting_is_refused() {
        let folder = tempfile::tempdir().expect("temp folder");
        let path = folder.path().join("strowger.toml");
        std::fs::write(&path, "http = \"127.0.0.1:1\"\nsip = \"127.0.0.1:2\"\n").expect("written");
        let flags = Settings {
            http: Some("127.0.0.1:3".into()),
            ..Settings::default()
        };
        let config = Config::load(flags, Some(&path)).expect("valid");
        assert_eq!((config.http.port(), config.sip.port()), (3, 2));
        std::fs::write(&path, "htp = \"127.0.0.1:1\"\n").expect("written");
        let faults = Config::load(Settings::default(), Some(&path))
            .expect_err("unknown")
            .0;
        assert!(faults[0].contains("htp"), "{faults:?}");
    }
}
