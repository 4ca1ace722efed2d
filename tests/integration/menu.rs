//! Callers choose by keys and enter numbers.

use serde_json::{Value, json};
use strowger_domain::cause::Cause;

use crate::harness::{Builder, Phone, Platform, audio, plan};

/// 500 Hz asks; 1 is heard as 1100 Hz; whoever says nothing hears 700 Hz and is asked again, and
/// 1700 Hz at last.
fn menu() -> Value {
    let asks = json!({
        "prompt": [audio(500)],
        "timeout_s": 1,
        "attempts": 2,
        "timeout_prompt": [audio(700)],
        "invalid_prompt": [audio(700)],
    });
    plan("menu", None)
        .node(
            "menu",
            "ivr_menu",
            asks,
            json!({ "1": "one", "no_input": "end", "invalid": "end" }),
        )
        .play("one", 1100, None)
        .play("end", 1700, None)
        .build()
}

async fn kinds(platform: &Platform) -> Vec<(String, String)> {
    let record = platform.record().await;
    assert_eq!(record.cause, Some(Cause::NormalClearing));
    record
        .steps
        .into_iter()
        .map(|step| (step.node, step.branch))
        .collect()
}

#[actix::test]
async fn a_key_ends_the_prompt_and_chooses() {
    let phone = Phone::start().await;
    let platform = Builder::new(menu(), &phone).start().await;
    let mut a = platform.called_by(&phone).await;
    a.is_answered().await;
    a.hears(500).await;
    a.press("1");
    a.hears(1100).await;
    a.is_over().await;
    let steps = kinds(&platform).await;
    assert_eq!(
        steps.last(),
        Some(&("one".to_owned(), "1".to_owned())),
        "{steps:?}"
    );
    platform.finish().await;
}

#[actix::test]
async fn a_caller_who_presses_nothing_is_asked_again_and_leaves_by_no_input() {
    let phone = Phone::start().await;
    let platform = Builder::new(menu(), &phone).start().await;
    let mut a = platform.called_by(&phone).await;
    a.is_answered().await;
    for tone in [500, 700, 500, 1700] {
        a.hears(tone).await;
    }
    a.is_over().await;
    let steps = kinds(&platform).await;
    assert_eq!(
        steps.last(),
        Some(&("end".to_owned(), "no_input".to_owned())),
        "{steps:?}"
    );
    platform.finish().await;
}

#[actix::test]
async fn a_key_that_is_no_choice_is_told_and_may_be_tried_again() {
    let phone = Phone::start().await;
    let platform = Builder::new(menu(), &phone).start().await;
    let mut a = platform.called_by(&phone).await;
    a.is_answered().await;
    a.hears(500).await;
    a.press("7");
    a.hears(700).await;
    a.press("1");
    a.hears(1100).await;
    a.is_over().await;
    platform.finish().await;
}

#[actix::test]
async fn digits_that_are_entered_are_dialled_and_kept_on_record() {
    let mut phone = Phone::start().await;
    let capture = json!({
        "prompt": [audio(500)],
        "min_length": 11,
        "max_length": 11,
        "variable": "@wanted",
        "persist": true,
    });
    let asks = plan("capture", None)
        .node(
            "capture",
            "dtmf_capture",
            capture,
            json!({ "continue": "to", "max_attempts": "to" }),
        )
        .deliver("to", "@wanted", json!({}), json!({}))
        .variable("@wanted", "")
        .build();
    let platform = Builder::new(asks, &phone).start().await;
    let mut a = platform.called_by(&phone).await;
    a.is_answered().await;
    a.hears(500).await;
    a.press("02079460101");
    let mut b = phone.rings().await;
    assert_eq!(b.dialled(), "+442079460101");
    b.refuse(486);
    b.is_over().await;
    a.hang_up();
    a.is_over().await;
    let annotations = platform.record().await.annotations;
    assert_eq!(annotations.len(), 1, "{annotations:?}");
    assert_eq!(annotations[0].value, "02079460101");
    platform.finish().await;
}

#[actix::test]
async fn a_text_is_spoken_and_its_variables_are_replaced() {
    let phone = Phone::start().await;
    let speaks = plan("hello", None)
        .node(
            "hello",
            "play_audio",
            json!({ "sounds": [crate::harness::text("Good morning.")] }),
            json!({}),
        )
        .build();
    let platform = Builder::new(speaks, &phone).start().await;
    let mut a = platform.called_by(&phone).await;
    a.is_answered().await;
    a.is_over().await;
    assert!(a.sound.heard_something());
    let length = a.sound.heard().len() / 8;
    assert!((300..5000).contains(&length), "{length} ms");
    platform.finish().await;
}
