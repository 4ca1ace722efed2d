//! The wall clock is set while the platform runs: scheduled calls come when it says so, once, and
//! calls that run notice nothing.
//!
//! The clock belongs to the whole process, so the test runs in one of its own: this binary again.

use std::process::Stdio;

use chrono::{TimeDelta, Utc};
use serde_json::json;
use strowger::net::clock;

use crate::harness::{Builder, Owner, Phone, plan};

const OFFICE: &str = "+442079460101";
const ALONE: &str = "STROWGER_CLOCK_TEST";

#[actix::test]
async fn a_clock_that_is_set_delays_no_call_doubles_none_and_spoils_no_record() {
    if std::env::var_os(ALONE).is_some() {
        return steps().await;
    }
    let name = "clock_steps::a_clock_that_is_set_delays_no_call_doubles_none_and_spoils_no_record";
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(90), child.wait()).await;
    assert!(ended.expect("in time").unwrap().success());
}

async fn steps() {
    let mut phone = Phone::start().await;
    let office = plan("office", Some("bye"))
        .deliver("office", OFFICE, json!({}), json!({}))
        .hang_up("bye", "normal_clearing")
        .build();
    let platform = Builder::new(office, &phone).start().await;
    let mut a = platform.called_by(&phone).await;
    let mut b = phone.rings().await;
    b.answer();
    b.is_acknowledged().await;
    a.is_answered().await;
    let in_an_hour = Utc::now() + TimeDelta::hours(1);
    let due = platform
        .schedule_with(json!({ "first_party": "+447700900101", "not_before": in_an_hour }))
        .await;
    let later = platform
        .schedule_with(json!({
            "first_party": "+447700900102",
            "not_before": in_an_hour + TimeDelta::hours(5),
        }))
        .await;

    clock::step(TimeDelta::hours(2));
    let mut called = phone.rings().await;
    assert_eq!(called.dialled(), "+447700900101");
    called.answer();
    called.is_over().await;
    a.say(900);
    b.hears(900).await;

    // Back again, and further: what was dialled is not dialled again.
    clock::step(TimeDelta::hours(-4));
    b.say(1300);
    a.hears(1300).await;
    let again = platform.schedule("+447700900103").await;
    let mut called = phone.rings().await;
    assert_eq!(called.dialled(), "+447700900103");
    called.answer();
    called.is_over().await;

    a.hang_up();
    a.is_over().await;
    b.is_over().await;
    let records = platform.records().await;
    assert_eq!(records.len(), 3, "{records:#?}");
    for record in &records {
        let ended = record.ended_at.expect("it is over");
        assert!(ended >= record.started_at, "{record:#?}");
        assert!(
            ended - record.started_at < TimeDelta::minutes(10),
            "{record:#?}"
        );
        assert!(record.duration_ms < 600_000, "{record:#?}");
    }
    // Everything is as the store says; nothing else was dialled.
    clock::step(TimeDelta::hours(2));
    let api = platform.api_of(Owner::Customer).await;
    for (id, state) in [(due, "completed"), (later, "queued"), (again, "completed")] {
        let path = format!("/v1/accounts/me/scheduled_calls/{id}");
        let call = api.get(&path).await.is(200);
        assert_eq!(call["state"], state, "{call:#}");
    }
    assert!(phone.is_quiet(), "nobody else is called");
    platform.finish().await;
}
