//! A PostgreSQL server of this test process: made by `initdb` in a temporary folder, started once,
//! and stopped when the process ends, however it ends.

use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

struct Server {
    port: u16,
    /// Stops the server and removes its folder when our end of its standard input closes: when this
    /// process ends. Never dropped, as statics are not.
    _guard: Child,
}

static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();

/// Makes a database and answers its address.
pub(super) async fn create_database(name: &str) -> Result<String, String> {
    let server = SERVER.get_or_init(start).as_ref().map_err(Clone::clone)?;
    let address = format!("postgres://strowger@127.0.0.1:{}", server.port);
    let mut options = ConnectOptions::new(format!("{address}/postgres"));
    options.max_connections(1).sqlx_logging(false);
    let admin = Database::connect(options)
        .await
        .map_err(|error| format!("cannot connect to the test's PostgreSQL: {error}"))?;
    admin
        .execute_unprepared(&format!("CREATE DATABASE {name}"))
        .await
        .map_err(|error| format!("cannot create a database: {error}"))?;
    admin
        .close()
        .await
        .map_err(|error| format!("cannot close a connection: {error}"))?;
    Ok(format!("{address}/{name}"))
}

fn start() -> Result<Server, String> {
    let programs = programs().ok_or(
        "PostgreSQL is not installed: these tests need its server programs (Debian: \
         `apt-get install postgresql`). STROWGER_SKIP_POSTGRES=1 leaves them out.",
    )?;
    let folder = super::folder("postgres");
    let user = unprivileged_user()?;
    if let Some(user) = &user {
        run(Command::new("chown").arg(user).arg(&folder))?;
    }
    let data = folder.join("data");
    let program = |name: &str| as_user(user.as_deref(), &programs.join(name), &folder);
    run(program("initdb")?
        .args([
            "--username=strowger",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
        ])
        .args(["--no-sync", "-D"])
        .arg(&data))?;
    let guard = guard(program("pg_ctl")?.arg("-D").arg(&data), &folder)?;
    let port = free_port()?;
    let options = format!(
        "-F -h 127.0.0.1 -p {port} -k {} -c max_connections=300 -c synchronous_commit=off \
         -c full_page_writes=off",
        folder.display()
    );
    let log = folder.join("log");
    let started = run(program("pg_ctl")?
        .args(["start", "-w", "-t", "60", "-D"])
        .arg(&data)
        .arg("-l")
        .arg(&log)
        .arg("-o")
        .arg(options));
    started.map_err(|problem| {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        format!("{problem}\n{log}")
    })?;
    Ok(Server {
        port,
        _guard: guard,
    })
}

/// The folder with the newest server programs: Debian keeps them out of the path.
fn programs() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut found: Vec<(u32, PathBuf)> = debian
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("initdb").exists())
        .collect();
    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).find(|folder| folder.join("initdb").exists());
    found.pop().map(|(_, folder)| folder).or(in_path)
}

/// PostgreSQL refuses to run as root: who it runs as then. `None`: as we are.
fn unprivileged_user() -> Result<Option<String>, String> {
    if output(Command::new("id").arg("-u"))? != "0" {
        return Ok(None);
    }
    let known = |user: &&str| output(Command::new("id").arg("-u").arg(user)).is_ok();
    let user = ["postgres", "nobody"].into_iter().find(known);
    let user = user.ok_or("PostgreSQL does not run as root, and there is no user `nobody`")?;
    Ok(Some(user.to_owned()))
}

fn as_user(user: Option<&str>, program: &Path, folder: &Path) -> Result<Command, String> {
    let mut command = match user {
        None => Command::new(program),
        Some(user) => {
            let group = output(Command::new("id").arg("-g").arg(user))?;
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid", user, "--regid", &group, "--clear-groups", "--"])
                .arg(program);
            command
        }
    };
    command.current_dir(folder);
    Ok(command)
}

/// A shell that waits for its standard input to end, stops the server and removes the folder. An
/// interrupt from the keyboard must not end it first.
fn guard(pg_ctl: &Command, folder: &Path) -> Result<Child, String> {
    const SCRIPT: &str = r#"trap '' INT TERM HUP; folder=$1; shift
read -r _; cd /; "$@" stop -m immediate; rm -rf "$folder""#;
    Command::new("sh")
        .args(["-c", SCRIPT, "strowger-test-postgres"])
        .arg(folder)
        .arg(pg_ctl.get_program())
        .args(pg_ctl.get_args())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot start sh: {error}"))
}

fn free_port() -> Result<u16, String> {
    std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}"))
}

/// Runs a program to its end. Its output is not read: a server that it leaves behind would keep the
/// pipe open.
fn run(command: &mut Command) -> Result<(), String> {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if !status.success() {
        return Err(format!("{command:?} failed: {status}"));
    }
    Ok(())
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?} failed: {}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
