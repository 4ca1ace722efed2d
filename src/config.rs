//! What the operator decides: flags and environment, then one TOML file, then defaults; checked
//! once, with every fault named.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use strowger_domain::e164::{Country, NumberClass};
use strowger_media::codec::Codec;

/// The settings of `strowger serve` as they are written: each may come from a flag, the
/// environment or the file. All of them are text until [`Config::check`] reads them, so that what
/// can't be read is named together with the rest.
#[derive(Args, Debug, Default, Clone)]
pub struct Settings {
    /// Folder for the database, audio and recordings [default: ./strowger-data]
    #[arg(long, value_name = "DIR", env = "STROWGER_DATA")]
    pub data: Option<String>,
    /// Address for the portal and the API [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", env = "STROWGER_HTTP")]
    pub http: Option<String>,
    /// Where people find the portal: links in mails lead there [default: http:// and the address]
    #[arg(long, value_name = "URL", env = "STROWGER_PORTAL_URL")]
    pub portal_url: Option<String>,
    /// Address for SIP over UDP and TCP [default: 127.0.0.1:5060]
    #[arg(long, value_name = "ADDR", env = "STROWGER_SIP")]
    pub sip: Option<String>,
    /// Ports for RTP and RTCP, first-last [default: 16384-32767]
    #[arg(long, value_name = "PORTS", env = "STROWGER_RTP")]
    pub rtp: Option<String>,
    /// Threads that handle RTP; an account's calls are all on one [default: half of the cores]
    #[arg(
        long,
        value_name = "THREADS",
        env = "STROWGER_MEDIA_THREADS",
        allow_negative_numbers = true
    )]
    pub media_threads: Option<String>,
    /// Database: `sqlite://FILE` or `postgres://…` [default: strowger.db in the data folder]
    #[arg(long, value_name = "URL", env = "STROWGER_DATABASE")]
    pub database: Option<String>,
    /// The address that peers are told for SIP and RTP, when it isn't the one listened on
    #[arg(long, value_name = "IP", env = "STROWGER_ADVERTISE")]
    pub advertise: Option<String>,
    /// Let pages, webhooks and remote audio reach loopback and private addresses
    #[arg(long, env = "STROWGER_ALLOW_PRIVATE_FETCH", num_args = 0..=1, default_missing_value = "true")]
    pub allow_private_fetch: Option<String>,
    /// Most simultaneous calls of the whole platform [default: 10000]
    #[arg(
        long,
        value_name = "CALLS",
        env = "STROWGER_CAPACITY",
        allow_negative_numbers = true
    )]
    pub capacity: Option<String>,
    /// The longest that a call may last, in seconds; accounts may have less [default: 14400]
    #[arg(
        long,
        value_name = "SECONDS",
        env = "STROWGER_MAX_CALL_S",
        allow_negative_numbers = true
    )]
    pub max_call_s: Option<String>,
    /// A call ends when no sound has come from any party for so many seconds, unless one is on
    /// hold, in a conference or in a queue; 0: never [default: 300]
    #[arg(
        long,
        value_name = "SECONDS",
        env = "STROWGER_LOST_MEDIA_S",
        allow_negative_numbers = true
    )]
    pub lost_media_s: Option<String>,
    /// How long running calls may go on after SIGTERM, in seconds [default: 60]
    #[arg(
        long,
        value_name = "SECONDS",
        env = "STROWGER_DRAIN_S",
        allow_negative_numbers = true
    )]
    pub drain_s: Option<String>,
    /// Estimated round trip to SIP peers in ms, T1 of RFC 3261; T2 and T4 follow it [default: 500]
    #[arg(
        long,
        value_name = "MS",
        env = "STROWGER_SIP_T1_MS",
        allow_negative_numbers = true
    )]
    pub sip_t1_ms: Option<String>,
    /// Age of waiting SIP work in ms from which on new calls are shed; 0: never [default: 100]
    #[arg(
        long,
        value_name = "MS",
        env = "STROWGER_SHED_AFTER_MS",
        allow_negative_numbers = true
    )]
    pub shed_after_ms: Option<String>,
    /// Country (ISO 3166) by whose rules national numbers are read [default: GB]
    #[arg(long, value_name = "CODE", env = "STROWGER_COUNTRY")]
    pub country: Option<String>,
    /// Codecs for calls, the preferred one first, separated by commas
    /// [default: PCMA,PCMU,G722,opus]
    #[arg(long, value_name = "CODECS", env = "STROWGER_CODECS")]
    pub codecs: Option<String>,
    /// Number classes that scheduled calls may use as service number, separated by commas
    /// [default: `uk_geographic,uk_wide,uk_freephone`]
    #[arg(long, value_name = "CLASSES", env = "STROWGER_SCHEDULED_CLASSES")]
    pub scheduled_classes: Option<String>,
    /// File of passwords that nobody may choose: SHA-1 hashes in hexadecimal, one a line, in
    /// ascending order, as Have I Been Pwned gives them
    #[arg(long, value_name = "FILE", env = "STROWGER_BREACHED_PASSWORDS")]
    pub breached_passwords: Option<String>,
    /// Log as text or json [default: text]
    #[arg(long, value_name = "FORMAT", env = "STROWGER_LOG_FORMAT")]
    pub log_format: Option<String>,
    /// What is logged, as `level` or `target=level,…` [default: warn,strowger=info]
    #[arg(long, value_name = "FILTER", env = "STROWGER_LOG")]
    pub log: Option<String>,
    /// Where a setting was written, by its name: faults are told with it.
    #[arg(skip)]
    pub sources: BTreeMap<&'static str, String>,
}

/// One of the settings: its name in the file, and its place.
type Field = (&'static str, fn(&mut Settings) -> &mut Option<String>);

const FIELDS: &[Field] = &[
    ("data", |settings| &mut settings.data),
    ("http", |settings| &mut settings.http),
    ("sip", |settings| &mut settings.sip),
    ("rtp", |settings| &mut settings.rtp),
    ("media_threads", |settings| &mut settings.media_threads),
    ("database", |settings| &mut settings.database),
    ("advertise", |settings| &mut settings.advertise),
    ("allow_private_fetch", |settings| {
        &mut settings.allow_private_fetch
    }),
    ("capacity", |settings| &mut settings.capacity),
    ("max_call_s", |settings| &mut settings.max_call_s),
    ("lost_media_s", |settings| &mut settings.lost_media_s),
    ("drain_s", |settings| &mut settings.drain_s),
    ("portal_url", |settings| &mut settings.portal_url),
    ("sip_t1_ms", |settings| &mut settings.sip_t1_ms),
    ("shed_after_ms", |settings| &mut settings.shed_after_ms),
    ("country", |settings| &mut settings.country),
    ("codecs", |settings| &mut settings.codecs),
    ("scheduled_classes", |settings| {
        &mut settings.scheduled_classes
    }),
    ("breached_passwords", |settings| {
        &mut settings.breached_passwords
    }),
    ("log_format", |settings| &mut settings.log_format),
    ("log", |settings| &mut settings.log),
];

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
    /// Threads that handle RTP.
    pub media_threads: usize,
    /// Database URL.
    pub database: String,
    /// Address told to peers.
    pub advertise: IpAddr,
    /// The guarded HTTP client may reach private addresses.
    pub allow_private_fetch: bool,
    /// Most simultaneous calls.
    pub capacity: u32,
    /// The longest call.
    pub max_call: Duration,
    /// How long a call of which nothing is heard goes on; `None`: for ever.
    pub lost_media: Option<Duration>,
    /// Time limit of a drain.
    pub drain: Duration,
    /// Where people find the portal, without a slash at the end.
    pub portal_url: String,
    /// T1 of SIP, the estimated round trip.
    pub sip_t1: Duration,
    /// From which age of waiting SIP work on new calls are shed; `None`: never.
    pub shed_after: Option<Duration>,
    /// The country of national numbers.
    pub country: &'static Country,
    /// The codecs of calls, the preferred one first; at least one.
    pub codecs: Vec<Codec>,
    /// Classes that scheduled calls may use.
    pub scheduled_classes: BTreeSet<NumberClass>,
    /// Passwords that nobody may choose.
    pub breached_passwords: Option<PathBuf>,
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
    /// Remembers which of the settings were written as flag and which in the environment.
    pub fn name_sources(&mut self, matches: &ArgMatches) {
        for (name, _) in FIELDS {
            if !matches.try_contains_id(name).unwrap_or(false) {
                continue;
            }
            let source = match matches.value_source(name) {
                Some(ValueSource::CommandLine) => format!("--{}", name.replace('_', "-")),
                Some(ValueSource::EnvVariable) => format!("STROWGER_{}", name.to_uppercase()),
                Some(_) | None => continue,
            };
            self.sources.insert(name, source);
        }
    }

    /// Completes what is set by what a file says.
    fn complete(&mut self, path: &Path, faults: &mut Vec<String>) {
        let shown = path.display();
        let table = std::fs::read_to_string(path)
            .map_err(|error| error.to_string())
            .and_then(|text| {
                let table = text.parse::<toml::Table>();
                table.map_err(|error| error.to_string().trim().to_owned())
            });
        let table = match table {
            Ok(table) => table,
            Err(error) => return faults.push(format!("{shown}: {error}")),
        };
        for (key, value) in table {
            let Some((name, place)) = FIELDS.iter().find(|(name, _)| *name == key) else {
                faults.push(format!("{shown}: `{key}` is not a setting"));
                continue;
            };
            match text_of(name, &value) {
                Err(expected) => faults.push(format!(
                    "{shown}: {key}: {expected} is expected, not `{value}`"
                )),
                Ok(text) => {
                    let place = place(self);
                    if place.is_none() {
                        *place = Some(text);
                        self.sources.insert(name, format!("{shown}: {name}"));
                    }
                }
            }
        }
    }
}

/// The settings that are whole numbers.
const NUMBERS: &[&str] = &[
    "capacity",
    "max_call_s",
    "lost_media_s",
    "drain_s",
    "media_threads",
    "sip_t1_ms",
    "shed_after_ms",
];

/// A value of the file as text, as it would be written in a flag; or what is expected.
fn text_of(name: &str, value: &toml::Value) -> Result<String, &'static str> {
    use toml::Value;
    match (name, value) {
        (_, Value::String(text)) => Ok(text.clone()),
        (name, Value::Integer(number)) if NUMBERS.contains(&name) => Ok(number.to_string()),
        (name, _) if NUMBERS.contains(&name) => Err("a whole number"),
        ("allow_private_fetch", Value::Boolean(yes)) => Ok(yes.to_string()),
        ("allow_private_fetch", _) => Err("true or false"),
        ("scheduled_classes" | "codecs", Value::Array(names)) => {
            let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
            names.map(|names| names.join(",")).ok_or(NAMES)
        }
        ("scheduled_classes" | "codecs", _) => Err(NAMES),
        _ => Err("a text"),
    }
}

/// What `scheduled_classes` and `codecs` are in a file.
const NAMES: &str = "a list of texts";

/// What is wrong so far, and where it was written.
struct Checker {
    sources: BTreeMap<&'static str, String>,
    faults: Vec<String>,
}

impl Checker {
    fn fault(&mut self, name: &str, what: impl std::fmt::Display) {
        let source = self.sources.get(name).map_or(name, String::as_str);
        self.faults.push(format!("{source}: {what}"));
    }

    /// The setting as `read` reads it; the default when it is absent or can't be read.
    fn read<T>(
        &mut self,
        name: &str,
        text: Option<&str>,
        default: T,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> T {
        let Some(text) = text else { return default };
        read(text.trim()).unwrap_or_else(|| {
            self.fault(name, format_args!("`{text}` is not {expected}"));
            default
        })
    }
}

impl Config {
    /// Reads the file, if one is named, and checks everything.
    pub fn load(mut settings: Settings, file: Option<&Path>) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        if let Some(path) = file {
            settings.complete(path, &mut faults);
        }
        Self::checked(settings, faults)
    }

    /// Checks everything, and names all that is wrong.
    pub fn check(settings: Settings) -> Result<Self, Faults> {
        Self::checked(settings, Vec::new())
    }

    fn checked(settings: Settings, faults: Vec<String>) -> Result<Self, Faults> {
        let sources = settings.sources;
        let mut checker = Checker { sources, faults };
        let data = PathBuf::from(settings.data.unwrap_or_else(|| "./strowger-data".into()));
        let mut address = |name: &str, text: Option<&str>, port| {
            let default = SocketAddr::from(([127, 0, 0, 1], port));
            let expected = format!("an address such as {default}");
            checker.read(name, text, default, &expected, |text| text.parse().ok())
        };
        let http = address("http", settings.http.as_deref(), 8080);
        let sip = address("sip", settings.sip.as_deref(), 5060);
        let range = "a range such as 16384-32767 (1024 or above)";
        let rtp = checker.read("rtp", settings.rtp.as_deref(), 16384..=32767, range, ports);
        let (text, expected) = (settings.media_threads.as_deref(), "a number from 1 to 256");
        let half = std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2);
        let media_threads = checker.read("media_threads", text, half.max(1), expected, |text| {
            text.parse()
                .ok()
                .filter(|threads| (1..=256).contains(threads))
        });
        let database = settings
            .database
            .unwrap_or_else(|| format!("sqlite://{}?mode=rwc", data.join("strowger.db").display()));
        if !["sqlite:", "postgres:", "postgresql:"]
            .iter()
            .any(|scheme| database.starts_with(scheme))
        {
            let what = format!("`{database}` begins with neither sqlite: nor postgres:");
            checker.fault("database", what);
        }
        let advertise = settings.advertise.as_deref();
        let advertise = checker.read("advertise", advertise, sip.ip(), "an IP address", |text| {
            text.parse().ok()
        });
        if advertise.is_unspecified() {
            let what = "peers can't be told 0.0.0.0 or ::; name the address they reach";
            checker.fault("advertise", what);
        }
        let allow = settings.allow_private_fetch.as_deref();
        let (name, expected) = ("allow_private_fetch", "true or false");
        let allow_private_fetch =
            checker.read(name, allow, false, expected, |text| text.parse().ok());
        let (text, expected) = (settings.capacity.as_deref(), "a number of calls from 1 on");
        let capacity = checker.read("capacity", text, 10_000, expected, |text| {
            text.parse().ok().filter(|calls| *calls > 0)
        });
        let (text, expected) = (
            settings.max_call_s.as_deref(),
            "a number of seconds from 1 on",
        );
        let max_call = checker.read("max_call_s", text, 14_400, expected, |text| {
            text.parse().ok().filter(|seconds| *seconds > 0)
        });
        let expected = "a number of seconds from 0 on";
        let text = settings.lost_media_s.as_deref();
        let lost_media = checker.read("lost_media_s", text, 300, expected, |text| {
            text.parse().ok()
        });
        let text = settings.drain_s.as_deref();
        let drain = checker.read("drain_s", text, 60, expected, |text| text.parse().ok());
        let (text, expected) = (
            settings.portal_url.as_deref(),
            "an address such as https://portal.example.com",
        );
        let portal_url = checker.read(
            "portal_url",
            text,
            format!("http://{http}"),
            expected,
            portal,
        );
        let (text, expected) = (settings.sip_t1_ms.as_deref(), "10 to 10000 milliseconds");
        let sip_t1_ms = checker.read("sip_t1_ms", text, 500, expected, |text| {
            text.parse().ok().filter(|ms| (10..=10_000).contains(ms))
        });
        let (text, expected) = (
            settings.shed_after_ms.as_deref(),
            "0, or 10 to 10000 milliseconds",
        );
        let shed_after_ms = checker.read("shed_after_ms", text, 100, expected, |text| {
            text.parse()
                .ok()
                .filter(|ms| *ms == 0 || (10..=10_000).contains(ms))
        });
        let (text, expected) = (settings.country.as_deref(), "a country such as GB");
        let country = checker.read("country", text, Country::GB, expected, |iso| {
            Country::by_iso(&iso.to_ascii_uppercase())
        });
        let (text, expected) = (settings.log_format.as_deref(), "text or json");
        let log_format =
            checker.read(
                "log_format",
                text,
                LogFormat::Text,
                expected,
                |text| match text {
                    "text" => Some(LogFormat::Text),
                    "json" => Some(LogFormat::Json),
                    _ => None,
                },
            );
        let log = settings.log.unwrap_or_else(|| LOG.into());
        if let Err(error) = log.parse::<tracing_subscriber::EnvFilter>() {
            checker.fault("log", format_args!("`{log}`: {error}"));
        }
        let scheduled_classes = match settings.scheduled_classes {
            None => NumberClass::SCHEDULABLE.into(),
            Some(text) => classes(&text, &mut checker),
        };
        let (text, expected) = (
            settings.codecs.as_deref(),
            "a list of PCMA, PCMU, G722, opus",
        );
        let codecs = checker.read("codecs", text, Codec::ALL.to_vec(), expected, codecs);
        if !checker.faults.is_empty() {
            return Err(Faults(checker.faults));
        }
        Ok(Self {
            data,
            http,
            sip,
            rtp,
            media_threads,
            database,
            advertise,
            allow_private_fetch,
            capacity,
            max_call: Duration::from_secs(max_call),
            lost_media: (lost_media > 0).then(|| Duration::from_secs(lost_media)),
            drain: Duration::from_secs(drain),
            portal_url,
            sip_t1: Duration::from_millis(sip_t1_ms),
            shed_after: (shed_after_ms > 0).then(|| Duration::from_millis(shed_after_ms)),
            country,
            codecs,
            scheduled_classes,
            breached_passwords: settings.breached_passwords.map(PathBuf::from),
            log_format,
            log,
        })
    }
}

fn ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first >= 1024 && last > first).then_some(first..=last)
}

/// Where the portal is, without a slash at the end.
fn portal(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.query().is_none()
        && url.fragment().is_none();
    plain.then(|| text.trim_end_matches('/').to_owned())
}

/// Codecs by their names, each once.
fn codecs(text: &str) -> Option<Vec<Codec>> {
    let mut codecs = Vec::new();
    for name in text.split(',').map(str::trim) {
        let codec = Codec::from_name(name)?;
        if !codecs.contains(&codec) {
            codecs.push(codec);
        }
    }
    Some(codecs)
}

fn classes(text: &str, checker: &mut Checker) -> BTreeSet<NumberClass> {
    let mut classes = BTreeSet::new();
    let names = text.split(',').map(str::trim);
    for name in names.filter(|name| !name.is_empty()) {
        let name: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
            name.into_deserializer();
        match NumberClass::deserialize(name) {
            Ok(class) => {
                classes.insert(class);
            }
            Err(error) => checker.fault("scheduled_classes", error),
        }
    }
    classes
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
            capacity: Some("0".into()),
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

    #[test]
    fn codecs_are_a_list_in_order_and_unknown_ones_are_refused() {
        let config = |text: &str| {
            Config::check(Settings {
                codecs: Some(text.into()),
                ..Settings::default()
            })
        };
        let wideband = config("opus, g722,PCMA,opus").expect("valid").codecs;
        assert_eq!(wideband, [Codec::Opus, Codec::G722, Codec::Pcma]);
        for wrong in ["", "G729", "PCMA,,PCMU"] {
            let faults = config(wrong).expect_err("faulty").0;
            assert!(faults[0].starts_with("codecs: "), "{faults:?}");
        }
        let default = Config::check(Settings::default()).expect("valid");
        assert_eq!(default.codecs, Codec::ALL);
    }

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        settings: Settings,
    }

    fn parsed(words: &[&str]) -> Settings {
        use clap::{CommandFactory, FromArgMatches};
        let words = std::iter::once(&"strowger").chain(words);
        let matches = Program::command().get_matches_from(words);
        let mut settings = Program::from_arg_matches(&matches).expect("fits").settings;
        settings.name_sources(&matches);
        settings
    }

    #[test]
    fn values_of_a_wrong_type_are_named_by_flag_and_key_together_with_the_rest() {
        let folder = tempfile::tempdir().expect("temp folder");
        let path = folder.path().join("strowger.toml");
        let text = "htp = 1\nsip = 5060\ncapacity = \"many\"\nscheduled_classes = [\"uk_wide\", \"x\"]\n\
                    data = [1]\nlog_format = \"xml\"\nrtp = \"20000-20100\"\n";
        std::fs::write(&path, text).expect("written");
        let flags = parsed(&[
            "--drain-s",
            "-1",
            "--http",
            "nowhere",
            "--allow-private-fetch=perhaps",
            "--country",
            "gb",
        ]);
        let faults = Config::load(flags, Some(&path)).expect_err("faulty").0;
        let file = path.display();
        for beginning in [
            "--drain-s: `-1` is not a number of seconds".to_owned(),
            "--http: `nowhere`".to_owned(),
            "--allow-private-fetch: `perhaps` is not true or false".to_owned(),
            format!("{file}: `htp` is not a setting"),
            format!("{file}: sip: a text is expected, not `5060`"),
            format!("{file}: data: a text"),
            format!("{file}: capacity: `many` is not a number"),
            format!("{file}: log_format: `xml` is not text or json"),
            format!("{file}: scheduled_classes: unknown variant `x`, expected one of"),
        ] {
            assert!(
                faults.iter().any(|fault| fault.starts_with(&beginning)),
                "{beginning}: {faults:#?}"
            );
        }
        assert_eq!(faults.len(), 9, "{faults:#?}");
    }

    #[test]
    fn numbers_and_lists_of_the_file_and_a_country_in_small_letters_are_understood() {
        let folder = tempfile::tempdir().expect("temp folder");
        let path = folder.path().join("strowger.toml");
        let text = "capacity = 7\ndrain_s = 0\nallow_private_fetch = true\ncountry = \"gb\"\n\
                    scheduled_classes = [\"uk_wide\", \"uk_mobile\"]\n";
        std::fs::write(&path, text).expect("written");
        let flags = parsed(&["--capacity", "8", "--allow-private-fetch"]);
        let config = Config::load(flags, Some(&path)).expect("valid");
        assert_eq!((config.capacity, config.drain), (8, Duration::ZERO));
        assert!(config.allow_private_fetch);
        assert_eq!(config.country.iso, "GB");
        let expected = [NumberClass::UkWide, NumberClass::UkMobile];
        assert_eq!(config.scheduled_classes, expected.into());
    }
}
