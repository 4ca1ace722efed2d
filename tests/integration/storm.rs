//! Everybody does anything at any time: afterwards nothing is left, and every call has one record.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use strowger::accounts::platform::{Child, ProvokePanic};
use strowger::accounts::root::AddressOf;
use strowger::conferences::messages::RoomName;
use strowger::queues::messages::QueueName;
use strowger::supervise;
use strowger_media::Direction;
use strowger_media::codec::Codec;
use tokio::task::JoinHandle;

use crate::harness::{Builder, CUSTOMER_NUMBER, Caller, Line, Owner, Phone, Platform, audio, plan};

const OFFICE: &str = "+442079460101";
const CALLS: u64 = 60;

/// A menu to an office, a queue and a conference.
fn everything() -> Value {
    let prompt = json!({ "prompt": [audio(500)], "timeout_s": 1, "attempts": 1 });
    let keys = json!({ "1": "office", "2": "queue", "3": "room", "max_attempts": "sorry" });
    let queue =
        json!({ "queue": "q", "destinations": [OFFICE], "max_connected": 3, "max_wait_s": 2 });
    plan("menu", Some("menu"))
        .node("menu", "ivr_menu", prompt, keys)
        .deliver(
            "office",
            OFFICE,
            json!({ "recording": "mixed", "ring_duration_s": 5 }),
            json!({ "busy": "sorry" }),
        )
        .node("queue", "queue", queue, json!({ "timeout": "sorry" }))
        .node("room", "conference", json!({ "room": "r" }), json!({}))
        .play("sorry", 700, None)
        .build()
}

async fn pause(rng: &mut StdRng, longest: u64) {
    tokio::time::sleep(Duration::from_millis(rng.random_range(0..longest))).await;
}

/// Takes what comes until the line is over, at most for a while.
async fn until_over(line: &mut Line, longest: u64) -> bool {
    let over = line.until("it is over", |event| event.is_terminal().then_some(()));
    tokio::time::timeout(Duration::from_millis(longest), over)
        .await
        .is_ok()
}

async fn behave(mut line: Line, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    if line.request.is_some() {
        match rng.random_range(0..8) {
            0 => return line.refuse(486),
            1 => {
                line.ring();
                pause(&mut rng, 400).await;
                return line.refuse(603);
            }
            // Dropped in the hand: that refuses it too.
            2 => return,
            _ => {
                line.ring();
                pause(&mut rng, 400).await;
                line.answer();
            }
        }
    }
    for _ in 0..rng.random_range(0..5) {
        if until_over(&mut line, rng.random_range(1..500)).await {
            return;
        }
        if line.agreed.is_none() {
            continue;
        }
        match rng.random_range(0..5) {
            0 => line.press("1"),
            1 => line.press("2"),
            2 => line.press("3#*"),
            3 => {
                let held = [
                    Direction::SendOnly,
                    Direction::SendReceive,
                    Direction::Inactive,
                ];
                let direction = held[rng.random_range(0..held.len())];
                let codec = [Codec::Pcma, Codec::Pcmu][rng.random_range(0..2)];
                line.reinvite(direction, &[codec]);
            }
            _ => line.say(900),
        }
    }
    if rng.random_range(0..4) > 0 {
        line.hang_up();
        until_over(&mut line, 5000).await;
    }
}

#[actix::test]
async fn nothing_is_left_whatever_callers_and_called_do() {
    storm(false).await;
}

#[actix::test]
async fn nothing_is_left_whatever_fails_beside_it() {
    storm(true).await;
}

/// A panic in one of the actors, in turn; none of them so often that its parent gives up.
async fn fail(platform: &Platform, turn: u64) {
    let app = platform.app();
    let account = platform.seeded.accounts[&Owner::Customer];
    let child = |child| app.root.do_send(ProvokePanic::Child(account, child));
    match turn {
        0 | 9 => app.root.do_send(ProvokePanic::Platform),
        1 | 7 => app.root.do_send(ProvokePanic::Account(account)),
        2 | 8 => child(Child::Number(platform.seeded.numbers[CUSTOMER_NUMBER])),
        3 => child(Child::Queue(QueueName("q".into()))),
        4 => child(Child::Conference(RoomName("r".into()))),
        5 | 10 => app.scheduler.do_send(supervise::ProvokePanic),
        6 => app.media.provoke_panic(),
        11 => app.signalling.endpoint().do_send(supervise::ProvokePanic),
        _ => {}
    }
    let live = platform
        .api
        .get("/v1/accounts/me/calls?state=live")
        .await
        .is(200);
    let calls = live["items"].as_array().unwrap();
    if let Some(call) = calls.last() {
        let call = AddressOf(call["id"].as_str().unwrap().parse().unwrap());
        if let Some(address) = app.root.send(call).await.unwrap() {
            address.do_send(supervise::ProvokePanic);
        }
    }
}

async fn storm(with_failures: bool) {
    // Another storm: STROWGER_STORM_SEED.
    let seed: u64 = std::env::var("STROWGER_STORM_SEED").map_or(1896, |seed| seed.parse().unwrap());
    let phone = Phone::start().await;
    let mut carrier = Phone::start().await;
    let platform = Builder::new(everything(), &carrier).start().await;
    let taking: JoinHandle<()> = actix::spawn(async move {
        let mut manner = seed + 1_000_000;
        while let Some(line) = carrier.next_call().await {
            manner += 1;
            actix::spawn(behave(line, manner));
        }
    });
    let mut rng = StdRng::seed_from_u64(seed);
    let mut parties = Vec::new();
    let mut scheduled = Vec::new();
    for n in 0..CALLS {
        let line = phone
            .call(CUSTOMER_NUMBER, platform.sip, Caller::default())
            .await;
        parties.push(actix::spawn(behave(line, seed + n)));
        if n % 3 == 0 {
            scheduled.push(platform.schedule(&format!("+44770090{n:04}")).await);
        }
        pause(&mut rng, 40).await;
        if with_failures && n % 5 == 4 {
            fail(&platform, n / 5).await;
        }
        if n % 10 == 0 {
            let live = platform
                .api
                .get("/v1/accounts/me/calls?state=live")
                .await
                .is(200);
            if let Some(id) = live["items"][0]["id"].as_str() {
                let path = format!("/v1/accounts/me/calls/{id}/actions");
                let answer = platform
                    .api
                    .post(&path, &json!({ "action": "hang_up" }))
                    .await;
                assert!(matches!(answer.status, 202 | 409), "{}", answer.body);
            }
        }
    }
    for party in parties {
        party.await.expect("it behaves");
    }
    // Those who stay for ever are hung up by an operator.
    for _ in 0..100 {
        let live = platform
            .api
            .get("/v1/accounts/me/calls?state=live")
            .await
            .is(200);
        let ids = live["items"].as_array().unwrap().clone();
        if ids.is_empty() {
            break;
        }
        for call in ids {
            let path = format!(
                "/v1/accounts/me/calls/{}/actions",
                call["id"].as_str().unwrap()
            );
            platform
                .api
                .post(&path, &json!({ "action": "hang_up" }))
                .await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for id in scheduled {
        let path = format!("/v1/accounts/me/scheduled_calls/{id}");
        let is_final = |call: &Value| call["state"] == "completed" || call["state"] == "failed";
        platform.api.until(path, "it is final", is_final).await;
    }
    let records = platform.records().await;
    let all = CALLS + CALLS.div_ceil(3);
    if with_failures {
        // Whoever came while nobody was there to take the call was refused.
        assert!(
            records.len() as u64 > all / 2 && records.len() as u64 <= all,
            "{}",
            records.len()
        );
    } else {
        assert_eq!(records.len() as u64, all, "one record for each call");
    }
    platform.finish().await;
    taking.abort();
}
