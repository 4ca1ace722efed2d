//! The demonstration: a tenant with numbers and a call plan, and a test phone that is called by it.
//!
//! It needs nothing outside of the machine. What it makes it finds again at the next start with the
//! same data folder; only the test phone has a new port each time.

mod manners;
mod plan;
mod tenant;

use std::fs::OpenOptions;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::app::{self, App};
use crate::config::Config;
use crate::phone::{Phone, PhoneConfig, RTP_PORTS};
use crate::sound::media_files::MediaFiles;
use crate::sound::speech;
use crate::telemetry::say;

pub use manners::{B_PARTY, FIRST_PARTY, manners};
use tenant::Tenant;

/// The file of the data folder that says all that a visitor needs, there when all is ready.
const FILE: &str = "demo.json";

/// Its ending while a start is not ready yet: the users of the last start are in it.
const ASIDE: &str = "json.before";

/// How long the installation of a speech program may take.
const INSTALLATION: Duration = Duration::from_mins(2);

/// What `demo.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brochure {
    /// Where the portal and the API are.
    pub http: String,
    /// Where SIP is.
    pub sip: String,
    /// Who may sign in, from the top of the tree downwards; the last one owns the numbers.
    pub users: Vec<Visitor>,
    /// Numbers that can be called.
    pub service_numbers: Vec<String>,
    /// A number that is parked: it answers nobody.
    pub parked_number: String,
    /// Who can be called by a scheduled call.
    pub test_phone: String,
    /// Where the test phone can be called by SIP.
    pub test_phone_sip: String,
}

/// Somebody who may sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    /// The account that the user acts for.
    pub account: String,
    /// Its name.
    pub account_name: String,
    /// What to sign in with.
    pub email: String,
    /// What to sign in with.
    pub password: String,
}

/// The demonstration, prepared: its test phone listens, its tenant is in the database.
pub struct Demo {
    phone: Phone,
    tenant: Tenant,
}

impl Demo {
    /// Makes what is not there yet. Must run inside an actix system, before the platform starts.
    pub async fn prepare(config: &Config) -> anyhow::Result<Self> {
        install_speech().await?;
        let loopback: IpAddr = if config.sip.is_ipv6() {
            Ipv6Addr::LOCALHOST.into()
        } else {
            Ipv4Addr::LOCALHOST.into()
        };
        let place = PhoneConfig {
            sip: SocketAddr::new(loopback, 0),
            advertise: None,
            rtp: RTP_PORTS,
        };
        let (phone, _reports) = Phone::start(place, manners)
            .await
            .context("the test phone")?;
        // Not while another process serves this folder: it would lose its test phone.
        let lock = app::lock(&config.data)?;
        let path = config.data.join(FILE);
        let known = known_visitors(&path)?;
        let store = app::open_store(config).await?;
        let files = MediaFiles::new(&config.data);
        let tenant = tenant::ensure(&store, &files, &known, phone.address)
            .await
            .context("the demonstration tenant")?;
        store.close().await.context("the database was not closed")?;
        drop(lock);
        Ok(Self { phone, tenant })
    }

    /// Says that all is ready: in `demo.json` and on standard output.
    pub fn announce(&self, config: &Config, app: &App) -> anyhow::Result<()> {
        let brochure = Brochure {
            http: format!("http://{}", app.http),
            sip: SocketAddr::new(config.advertise, app.sip.port()).to_string(),
            users: self.tenant.visitors.clone(),
            service_numbers: tenant::NUMBERS
                .iter()
                .map(|number| (*number).to_owned())
                .collect(),
            parked_number: tenant::PARKED.to_owned(),
            test_phone: FIRST_PARTY.to_owned(),
            test_phone_sip: self.phone.address.to_string(),
        };
        let path = config.data.join(FILE);
        write(&path, &brochure).with_context(|| path.display().to_string())?;
        let aside = path.with_extension(ASIDE);
        if aside.exists() {
            std::fs::remove_file(&aside).with_context(|| aside.display().to_string())?;
        }
        say(&words(&brochure, &path))
    }

    /// Ends the test phone.
    pub fn stop(self) {
        self.phone.stop();
    }
}

fn words(brochure: &Brochure, path: &Path) -> String {
    let Brochure {
        http,
        sip,
        test_phone,
        service_numbers,
        ..
    } = brochure;
    let (email, password, account) = match brochure.users.last() {
        Some(user) => (&*user.email, &*user.password, &*user.account_name),
        None => ("", "", ""),
    };
    let body = serde_json::json!({
        "grant_type": "password", "email": email, "password": password,
    });
    let numbers = service_numbers.join(", ");
    let path = path.display();
    format!(
        "
Strowger serves a demonstration tenant.

  Portal         {http}/
  API            {http}/v1/openapi.json
  SIP            {sip}
  Sign in as     {email}  with  {password}
                 ({account}, which owns the numbers; the others are in {path})
  Numbers        {numbers}
  Test phone     {test_phone}

The tour begins with a token:

  curl -s {http}/v1/auth/token -H 'Content-Type: application/json' -d '{body}'
"
    )
}

/// The users of the last start. The file goes aside: it comes back when all is ready.
fn known_visitors(path: &Path) -> anyhow::Result<Vec<Visitor>> {
    let aside = path.with_extension(ASIDE);
    if path.exists() {
        std::fs::rename(path, &aside).with_context(|| path.display().to_string())?;
    }
    let text = match std::fs::read_to_string(&aside) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let users = match serde_json::from_str::<Brochure>(&text) {
        Ok(brochure) => brochure.users,
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "can't be read: users get new passwords");
            Vec::new()
        }
    };
    Ok(users)
}

/// It holds passwords: nobody else may read it.
fn write(path: &Path, brochure: &Brochure) -> anyhow::Result<()> {
    let unfinished = path.with_extension("json.part");
    if unfinished.exists() {
        std::fs::remove_file(&unfinished)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    serde_json::to_writer_pretty(&mut file, brochure)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    Ok(())
}

/// Texts of plans and applications are spoken by a program. The demonstration, and nobody else,
/// installs one.
async fn install_speech() -> anyhow::Result<()> {
    if speech::is_installed() {
        return Ok(());
    }
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let has_apt = Path::new("/usr/bin/apt-get").exists();
    if is_root && has_apt {
        say("Installing flite, which speaks texts (apt-get install flite) …")?;
        let installed = tokio::time::timeout(INSTALLATION, async {
            let install = ["install", "-y", "--no-install-recommends", "flite"];
            // The lists of packages may be missing.
            apt_get(&install).await || (apt_get(&["update"]).await && apt_get(&install).await)
        });
        if matches!(installed.await, Ok(true)) && speech::is_installed() {
            return Ok(());
        }
    }
    say(
        "Texts can't be spoken: neither flite nor espeak-ng is installed, and neither could be \
         installed from here (apt-get install flite).\nThe demonstration's own announcements are \
         recordings and are heard all the same.",
    )
}

async fn apt_get(arguments: &[&str]) -> bool {
    let status = Command::new("/usr/bin/apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status();
    status.await.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::store::AccountScope;

    #[actix::test]
    async fn a_second_start_finds_the_same_tenant_and_users() {
        let folder = tempfile::tempdir().expect("temp folder");
        let settings = Settings {
            data: Some(folder.path().display().to_string()),
            sip: Some("127.0.0.1:0".into()),
            ..Settings::default()
        };
        let config = Config::check(settings).expect("valid");
        let first = Demo::prepare(&config).await.expect("prepared");
        let brochure = Brochure {
            http: String::new(),
            sip: String::new(),
            users: first.tenant.visitors.clone(),
            service_numbers: Vec::new(),
            parked_number: String::new(),
            test_phone: String::new(),
            test_phone_sip: String::new(),
        };
        let path = folder.path().join(FILE);
        write(&path, &brochure).expect("written");
        let mode = std::fs::metadata(&path).expect("is there").mode();
        assert_eq!(mode & 0o777, 0o600);

        let again = Demo::prepare(&config).await.expect("prepared again");
        assert_eq!(again.tenant.visitors, first.tenant.visitors);
        assert_eq!(first.tenant.visitors.len(), 4);
        let store = app::open_store(&config).await.expect("opens");
        let scope = AccountScope::platform();
        assert_eq!(store.all_accounts(&scope).await.expect("accounts").len(), 4);
        let rows = store.directory_rows(&scope).await.expect("numbers");
        assert_eq!(rows.len(), 5);
        assert!(
            rows.iter()
                .all(|row| row.plan.is_some_and(|(_, version)| version == 1))
        );

        // That start did not come to its end: its users are there all the same.
        assert!(!path.exists());
        let third = Demo::prepare(&config).await.expect("prepared once more");
        assert_eq!(third.tenant.visitors, first.tenant.visitors);
        assert_eq!(store.all_accounts(&scope).await.expect("accounts").len(), 4);
        for demo in [first, again, third] {
            demo.stop();
        }
    }
}
