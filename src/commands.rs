//! The commands of the program, except for the test phone.

use std::io::{BufRead, Write};

use anyhow::{Context as _, bail};
use serde_json::json;
use strowger_domain::account::{
    Account, AccountKind, AccountStatus, Contact, Limits, Permissions, Role,
};
use strowger_domain::ids::{AccountId, AuditEntryId, UserId};
use uuid::Uuid;

use crate::api::passwords;
use crate::app::{self, App};
use crate::config::Config;
use crate::demo::Demo;
use crate::net::clock;
use crate::net::signals::Stop;
use crate::store::audit_log::AuditEntry;
use crate::store::users::{NewUser, User};
use crate::store::{AccountScope, Store, StoreError};
use crate::telemetry::say;

/// The name of the root account when none is given.
const ROOT: &str = "Operator";

/// Why a command failed, each reason once: some errors tell their source themselves.
pub fn reasons(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for reason in error.chain().map(ToString::to_string) {
        if !text.contains(&reason) {
            let colon = if text.is_empty() { "" } else { ": " };
            text.push_str(colon);
            text.push_str(&reason);
        }
    }
    text
}

/// Runs the platform until SIGTERM or SIGINT, with the demonstration where that is asked for.
pub fn serve(config: Config, demo: bool) -> anyhow::Result<()> {
    let system = actix::System::new();
    let (done, outcome) = std::sync::mpsc::channel();
    system.block_on(async move {
        actix::spawn(async move {
            let served = if demo {
                serve_demo(config).await
            } else {
                serve_plain(&config).await
            };
            // The receiver waits below for as long as the system runs.
            let _ = done.send(served);
            actix::System::current().stop();
        });
    });
    // An actor that can't be kept alive stops the system with a code of its own.
    let code = system.run_with_code().context("the actor system")?;
    match outcome.try_recv() {
        Ok(served) => served,
        Err(_nothing) => bail!("a part that can't be missed failed too often (code {code})"),
    }
}

async fn serve_plain(config: &Config) -> anyhow::Result<()> {
    let mut stop = Stop::listen().context("signals can't be heard")?;
    let app = App::start(config).await?;
    if !app.store.has_users(&AccountScope::platform()).await? {
        tracing::warn!("nobody can sign in yet: make the first user by `strowger operator create`");
    }
    stop.asked().await;
    app.stop().await;
    Ok(())
}

async fn serve_demo(mut config: Config) -> anyhow::Result<()> {
    let mut stop = Stop::listen().context("signals can't be heard")?;
    // Pages and webhooks of the tour are served on this machine.
    config.allow_private_fetch = true;
    let demo = Demo::prepare(&config).await?;
    let app = App::start(&config).await?;
    demo.announce(&config, &app)?;
    stop.asked().await;
    app.stop().await;
    demo.stop();
    Ok(())
}

/// Brings the database up to date.
pub fn migrate(config: &Config) -> anyhow::Result<()> {
    actix::System::new().block_on(async {
        let store = app::open_store(config).await?;
        store.close().await.context("the database was not closed")?;
        say(&format!(
            "the database {} is up to date",
            without_password(&config.database)
        ))
    })
}

/// Makes a user of the root account, and the root account with the first one. The password is
/// asked for on standard input when it is absent.
pub fn create_operator(
    config: &Config,
    email: &str,
    password: Option<String>,
    account: Option<&str>,
) -> anyhow::Result<()> {
    let email = email.trim();
    let placed = email
        .split_once('@')
        .is_some_and(|(who, host)| !who.is_empty() && !host.is_empty());
    if !placed || email.chars().any(char::is_whitespace) {
        bail!("`{email}` is not an e-mail address");
    }
    let password = match password {
        Some(password) => password,
        None => ask_for_password()?,
    };
    if let Some(fault) = passwords::fault(&password) {
        bail!("password: {fault}");
    }
    actix::System::new().block_on(async {
        let store = app::open_store(config).await?;
        let root = root_account(&store, account.unwrap_or(ROOT)).await?;
        let user = NewUser {
            id: UserId::from_uuid(Uuid::now_v7()),
            account: root.id,
            email: email.to_owned(),
            name: email.to_owned(),
            role: Role::Administrator,
            password_hash: passwords::hash(&password),
            created_at: clock::now().utc,
        };
        match store.create_user(&AccountScope::platform(), user).await {
            Ok(user) => note(&store, &user).await?,
            Err(StoreError::Taken) => bail!("there is a user with the address {email} already"),
            Err(error) => return Err(error.into()),
        }
        store.close().await.context("the database was not closed")?;
        say(&format!(
            "{email} may sign in as administrator of `{}` ({})",
            root.name, root.id
        ))?;
        match account {
            Some(name) if name.trim() != root.name => say(&format!(
                "the root account was there already: its name stays `{}`, --account is ignored",
                root.name
            )),
            Some(_) | None => Ok(()),
        }
    })
}

/// Notes in the audit log that a user was made from the command line.
async fn note(store: &Store, user: &User) -> anyhow::Result<()> {
    let command_line = "command_line".to_owned();
    let entry = AuditEntry {
        id: AuditEntryId::from_uuid(Uuid::now_v7()),
        account: user.account,
        created_at: user.created_at,
        actor: command_line.clone(),
        actor_name: command_line,
        actor_account: None,
        source: None,
        user_agent: None,
        request_id: None,
        operation: "users.create".to_owned(),
        resource: Some(user.id.to_string()),
        before: None,
        after: Some(json!({"email": user.email, "role": user.role, "password": "changed"})),
    };
    store.note_change(entry).await.context("the audit log")
}

/// The root account; it is made when there is none.
pub(crate) async fn root_account(store: &Store, name: &str) -> anyhow::Result<Account> {
    let scope = AccountScope::platform();
    let accounts = store.all_accounts(&scope).await?;
    if let Some(root) = accounts
        .into_iter()
        .find(|account| account.parent.is_none())
    {
        return Ok(root);
    }
    if name.trim().is_empty() || name.chars().count() > 100 {
        bail!("the name of the root account needs 1 to 100 characters");
    }
    let root = Account {
        id: AccountId::from_uuid(Uuid::now_v7()),
        parent: None,
        kind: AccountKind::Carrier,
        name: name.trim().to_owned(),
        reference: None,
        contact: Contact::default(),
        status: AccountStatus::Active,
        time_zone: chrono_tz::Europe::London,
        permissions: Permissions::all(),
        limits: Limits::default(),
        created_at: clock::now().utc,
    };
    store
        .create_account(&scope, root)
        .await
        .context("the root account")
}

fn ask_for_password() -> anyhow::Result<String> {
    let mut out = std::io::stderr().lock();
    write!(out, "Password: ")
        .and_then(|()| out.flush())
        .context("standard error")?;
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .context("standard input")?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("no password was given");
    }
    Ok(password.to_owned())
}

/// A database URL as it may be shown.
fn without_password(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() => {
            if parsed.set_password(None).is_err() {
                return "(of this URL)".to_owned();
            }
            parsed.to_string()
        }
        Ok(_) | Err(_) => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::store::audit_log::AuditFilter;
    use crate::store::{Paging, Within};

    fn config(folder: &std::path::Path) -> Config {
        let data = Some(folder.display().to_string());
        Config::check(Settings {
            data,
            ..Settings::default()
        })
        .expect("valid")
    }

    #[test]
    fn the_first_operator_makes_the_root_account_and_the_second_joins_it() {
        let folder = tempfile::tempdir().expect("temp folder");
        let config = config(folder.path());
        let create = |email: &str, password: &str| {
            create_operator(
                &config,
                email,
                Some(password.into()),
                Some("Example Carrier"),
            )
        };
        create("a@example.net", "correct horse").expect("first");
        create("b@example.net", "battery staple").expect("second");
        let again = create("A@example.net", "correct horse")
            .expect_err("taken")
            .to_string();
        assert!(again.contains("already"), "{again}");
        for (email, password) in [("nobody", "correct horse"), ("c@example.net", "short")] {
            create(email, password).expect_err(email);
        }
        actix::System::new().block_on(async {
            let store = app::open_store(&config).await.expect("opens");
            let scope = AccountScope::platform();
            let accounts = store.all_accounts(&scope).await.expect("accounts");
            assert_eq!(accounts.len(), 1);
            let (within, filter) = (Within::Account(accounts[0].id), AuditFilter::default());
            let log = store.audit_log(&scope, within, &filter, Paging::default());
            let log = log.await.expect("audit log").items;
            assert_eq!(log.len(), 2);
            assert!(log.iter().all(|entry| entry.actor == "command_line"));
            assert_eq!(
                (accounts[0].kind, &*accounts[0].name),
                (AccountKind::Carrier, "Example Carrier")
            );
            for email in ["a@example.net", "b@example.net"] {
                let user = store.user_by_email(&scope, email).await.expect(email);
                assert_eq!(
                    (user.account, user.role),
                    (accounts[0].id, Role::Administrator)
                );
            }
        });
    }

    #[test]
    fn a_reason_that_tells_its_source_is_told_once() {
        let refused = std::io::Error::other("connection refused");
        let told = anyhow::Error::new(refused).context("connection error: connection refused");
        let error = told.context("the database can't be reached");
        assert_eq!(
            reasons(&error),
            "the database can't be reached: connection error: connection refused"
        );
    }

    #[test]
    fn a_database_url_is_shown_without_its_password() {
        assert_eq!(
            without_password("postgres://u:secret@h/db"),
            "postgres://u@h/db"
        );
        assert_eq!(
            without_password("sqlite://x/y.db?mode=rwc"),
            "sqlite://x/y.db?mode=rwc"
        );
    }
}
