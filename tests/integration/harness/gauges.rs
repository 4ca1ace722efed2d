//! What lives in the program, as `/system/metrics` tells it.

use std::collections::BTreeMap;

use super::facts::{LOOK, PATIENCE};
use super::process::Process;

/// What must come back to nothing when no call lives; transactions after their last timer.
const EMPTY: [&str; 6] = [
    "strowger_calls_live",
    "strowger_tickets",
    "strowger_rtp_port_pairs_open",
    "strowger_sip_invites",
    "strowger_sip_transactions",
    "strowger_sip_connections",
];

/// What must come back to where it was.
const AS_BEFORE: [&str; 4] = [
    "strowger_actors_live",
    "strowger_tasks_live",
    "process_threads",
    "process_open_fds",
];

/// A snapshot.
pub(crate) type Gauges = BTreeMap<String, f64>;

impl Process {
    /// What lives now.
    pub(crate) async fn gauges(&self) -> Gauges {
        let url = format!("http://{}/system/metrics", self.http);
        // A connection of its own, which is closed again.
        let client = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0);
        let answer = client.build().unwrap().get(url).send().await.unwrap();
        let text = answer.text().await.unwrap();
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let (name, value) = line.rsplit_once(' ')?;
                Some((name.to_owned(), value.parse().ok()?))
            })
            .collect()
    }

    /// Waits until everything is as it was, and answers what there is then.
    #[track_caller]
    pub(crate) fn is_as(&self, before: &Gauges) -> impl Future<Output = Gauges> {
        let place = std::panic::Location::caller();
        async move {
            let deadline = tokio::time::Instant::now() + PATIENCE;
            loop {
                let now = self.gauges().await;
                let value = |of: &Gauges, name: &str| of.get(name).copied().unwrap_or(0.0);
                let is_empty = EMPTY.iter().all(|name| value(&now, name) == 0.0);
                // Pools of threads and connections shrink in their own time.
                let is_back = AS_BEFORE
                    .iter()
                    .all(|name| value(&now, name) <= value(before, name) + 4.0);
                if is_empty && is_back {
                    return now;
                }
                if tokio::time::Instant::now() > deadline {
                    let shown = EMPTY.iter().chain(&AS_BEFORE);
                    let row = |name| (name, value(before, name), value(&now, name));
                    let rows: Vec<_> = shown.map(|name| row(*name)).collect();
                    panic!("{place}: not as it was before: {rows:#?}");
                }
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}
