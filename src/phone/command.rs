//! `strowger phone`: runs a script, prints what happens.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use strowger_domain::cause::Cause;
use tokio::sync::mpsc::UnboundedReceiver;

use super::arguments::{Arguments, Call, Command, Wait, numbered};
use super::behaviour::Behaviour;
use super::report::{Happening, Report};
use super::{Outgoing, Phone, resolve};
use crate::net::{signals, sip_socket};

/// How long a call may take to end when the phone is stopped.
const LAST: Duration = Duration::from_secs(5);

/// Runs `strowger phone`. An error: the call failed, or could not be tried.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    actix::System::new().block_on(async move {
        match arguments.command {
            Command::Call(call) => place(call).await,
            Command::Wait(wait) => self::wait(wait).await,
        }
    })
}

async fn place(call: Call) -> anyhow::Result<()> {
    let behaviour = call.script.behaviour()?;
    let sip = match call.sip {
        Some(sip) => sip,
        None => near(&call.to).await?,
    };
    let (phone, mut reports) =
        Phone::start(call.script.config(sip), |_| Behaviour::default()).await?;
    let credentials = call.credentials();
    let outgoing = Outgoing {
        to: call.to,
        from: call.from,
        credentials,
        behaviour,
    };
    let number = phone.call(outgoing).await?;
    let ended = follow(&phone, &mut reports, |report| {
        report.call == Some(number) && matches!(report.event, Happening::Ended { .. })
    })
    .await?;
    finish(phone).await;
    match ended.map(|report| report.event) {
        Some(Happening::Ended {
            answered: true,
            cause,
            ..
        }) if is_normal(cause) => Ok(()),
        Some(Happening::Ended {
            answered,
            cause,
            status,
            ..
        }) => {
            let which = if answered {
                "was cut"
            } else {
                "was not answered"
            };
            let status = status.map_or_else(String::new, |status| format!(", SIP {status}"));
            bail!(
                "the call {which}: {} (Q.850 {}{status})",
                cause.text(),
                cause.q850()
            )
        }
        _ => bail!("the phone was stopped before the call had ended"),
    }
}

async fn wait(wait: Wait) -> anyhow::Result<()> {
    let behaviour = Behaviour {
        answer: wait.answer(),
        ..wait.script.behaviour()?
    };
    let taken = AtomicU64::new(0);
    let manners = move |_: &str| {
        let call = taken.fetch_add(1, Ordering::Relaxed) + 1;
        let record = numbered(&behaviour.record, call);
        Behaviour {
            record,
            ..behaviour.clone()
        }
    };
    let (phone, mut reports) = Phone::start(wait.script.config(wait.sip), manners).await?;
    let mut ended = 0;
    follow(&phone, &mut reports, |report| {
        ended += u64::from(matches!(report.event, Happening::Ended { .. }));
        wait.calls.is_some_and(|calls| ended >= calls)
    })
    .await?;
    finish(phone).await;
    Ok(())
}

/// Ends what still runs, and the phone when the far ends have heard of it.
async fn finish(phone: Phone) {
    phone.hang_up();
    phone.settle().await;
    phone.stop();
}

fn is_normal(cause: Cause) -> bool {
    matches!(cause, Cause::NormalClearing | Cause::NormalUnspecified)
}

/// Prints reports until the last one, which is answered. A signal hangs up first.
async fn follow(
    phone: &Phone,
    reports: &mut UnboundedReceiver<Report>,
    mut is_last: impl FnMut(&Report) -> bool,
) -> anyhow::Result<Option<Report>> {
    let mut stop = signals::Stop::listen()?;
    loop {
        let report = tokio::select! {
            report = reports.recv() => report,
            () = stop.asked() => break,
        };
        let Some(report) = report else {
            return Ok(None);
        };
        print(&report)?;
        if is_last(&report) {
            return Ok(Some(report));
        }
    }
    phone.hang_up();
    let deadline = tokio::time::Instant::now() + LAST;
    while phone.calls().await > 0 {
        match tokio::time::timeout_at(deadline, reports.recv()).await {
            Ok(Some(report)) => {
                print(&report)?;
                if is_last(&report) {
                    return Ok(Some(report));
                }
            }
            Ok(None) | Err(_) => break,
        }
    }
    while let Ok(report) = reports.try_recv() {
        print(&report)?;
        if is_last(&report) {
            return Ok(Some(report));
        }
    }
    Ok(None)
}

fn print(report: &Report) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, report).context("standard output")?;
    out.write_all(b"\n")
        .and_then(|()| out.flush())
        .context("standard output")
}

/// A free port of the address from which the host of a URI is reached.
async fn near(uri: &str) -> anyhow::Result<SocketAddr> {
    let (host, port, _) = super::place(uri)?;
    let remote = match resolve(&host, port, true).await {
        Ok(remote) => remote,
        Err(_no_ipv4) => resolve(&host, port, false).await?,
    };
    let local = sip_socket::address_towards(remote)
        .with_context(|| format!("there is no way to {remote}"))?;
    Ok(SocketAddr::new(local, 0))
}
