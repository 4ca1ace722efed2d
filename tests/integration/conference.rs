//! Callers meet in rooms.

use serde_json::{Value, json};

use crate::harness::{Builder, Line, Phone, Platform, plan};

fn room(properties: Value) -> Value {
    let mut all = json!({ "room": "monday", "tones": false });
    for (name, value) in properties.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    plan("room", None)
        .node("room", "conference", all, json!({ "full": "full" }))
        .play("full", 700, None)
        .build()
}

async fn enters(phone: &Phone, platform: &Platform) -> Line {
    let mut line = platform.called_by(phone).await;
    line.is_answered().await;
    line
}

async fn leave(lines: impl IntoIterator<Item = Line>) {
    for mut line in lines {
        line.hang_up();
        line.is_over().await;
    }
}

#[actix::test]
async fn each_of_three_hears_the_others_and_not_itself() {
    let phone = Phone::start().await;
    let platform = Builder::new(room(json!({})), &phone).start().await;
    let lines = [
        enters(&phone, &platform).await,
        enters(&phone, &platform).await,
        enters(&phone, &platform).await,
    ];
    let tones = [900, 1300, 1900];
    for (line, tone) in lines.iter().zip(tones) {
        line.say(tone);
    }
    for (n, line) in lines.iter().enumerate() {
        let others: Vec<_> = tones.into_iter().filter(|tone| *tone != tones[n]).collect();
        line.sound.hears_all(&others).await;
        let heard = line.sound.heard();
        let last = &heard[heard.len() - 2400..];
        assert!(
            strowger_media::goertzel::level(last, tones[n]) < -40.0,
            "it hears itself"
        );
    }
    // One leaves; the others go on.
    let [a, b, c] = lines;
    leave([c]).await;
    a.hears(1300).await;
    b.hears(900).await;
    leave([a, b]).await;
    assert_eq!(platform.records().await.len(), 3);
    platform.finish().await;
}

#[actix::test]
async fn those_in_the_room_hear_a_tone_when_somebody_joins_and_leaves() {
    let phone = Phone::start().await;
    let platform = Builder::new(room(json!({ "tones": true })), &phone)
        .start()
        .await;
    let a = enters(&phone, &platform).await;
    a.sound.hears_silence().await;
    a.sound.forget();
    let b = enters(&phone, &platform).await;
    crate::harness::eventually("a joining is heard", || async {
        a.sound.heard_something().then_some(())
    })
    .await;
    a.sound.hears_silence().await;
    a.sound.forget();
    leave([b]).await;
    crate::harness::eventually("a leaving is heard", || async {
        a.sound.heard_something().then_some(())
    })
    .await;
    leave([a]).await;
    platform.finish().await;
}

#[actix::test]
async fn a_room_that_is_full_takes_nobody_more() {
    let phone = Phone::start().await;
    let platform = Builder::new(room(json!({ "max_callers": 2 })), &phone)
        .start()
        .await;
    let a = enters(&phone, &platform).await;
    let b = enters(&phone, &platform).await;
    a.say(900);
    b.hears(900).await;
    let mut c = enters(&phone, &platform).await;
    c.hears(700).await;
    c.is_over().await;
    leave([a]).await;
    platform.has_calls(1).await;
    let d = enters(&phone, &platform).await;
    d.say(1300);
    b.hears(1300).await;
    leave([b, d]).await;
    platform.finish().await;
}
