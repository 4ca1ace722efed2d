use super::*;
use crate::application::Method;
use crate::call::{Effect as CallEffect, PlayNumber, RecordingNumber, Sound};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

const A: LegNumber = LegNumber::A;
const B: LegNumber = LegNumber(1);

/// An instance with its time, and what it asked for since it was looked at last.
struct Trial {
    instance: Instance,
    now: Now,
    page: PageNumber,
}

fn page(name: &str) -> Page {
    Page::new(&format!("https://app.example.com/{name}"), Method::Post).unwrap()
}

fn settings() -> Settings {
    Settings {
        instance: InstanceId::from_uuid(Uuid::from_u128(1)),
        call: CallId::from_uuid(Uuid::from_u128(2)),
        origin: Origin::OutboundService,
        call_from: "+441632960001".into(),
        call_to: "+447700900001".into(),
        first_page: page("first"),
        final_page: Some(page("final")),
        error_page: Some(page("error")),
        application_parameters: "ap".into(),
        outbound_parameters: Some("op".into()),
        token: Some("start".into()),
        voice: String::new(),
        log_filename: "log".into(),
    }
}

impl Trial {
    fn new(settings: Settings) -> Self {
        let now = Now {
            instant: crate::call::some_instant(),
            utc: chrono::DateTime::UNIX_EPOCH,
        };
        Self {
            instance: Instance::new(settings, now),
            now,
            page: PageNumber(0),
        }
    }

    /// One that has answered its first page with these actions.
    fn acting(actions: impl Into<Value>) -> (Self, Vec<Effect>) {
        let mut trial = Self::new(settings());
        trial.event(Event::Started);
        let effects = trial.reply(json!({ "actions": actions.into() }));
        (trial, effects)
    }

    fn input(&mut self, input: Input) -> Vec<Effect> {
        self.instance.handle(input, self.now);
        let effects: Vec<_> = std::iter::from_fn(|| self.instance.next_effect()).collect();
        for effect in &effects {
            if let Effect::RequestPage(request) = effect {
                self.page = request.number;
            }
        }
        effects
    }

    fn event(&mut self, event: Event) -> Vec<Effect> {
        self.input(Input::Call(event))
    }

    fn reply(&mut self, document: impl Into<Value>) -> Vec<Effect> {
        let body = document.into().to_string().into_bytes();
        self.answer(Ok(PageReply { status: 200, body }))
    }

    fn answer(&mut self, reply: Result<PageReply, String>) -> Vec<Effect> {
        self.input(Input::Page {
            page: self.page,
            reply,
        })
    }

    fn digits(&mut self, digits: &str) -> Vec<Effect> {
        digits
            .chars()
            .flat_map(|digit| self.event(Event::Digit { leg: A, digit }))
            .collect()
    }

    fn played(&mut self, play: u32) -> Vec<Effect> {
        self.event(Event::Played {
            leg: A,
            play: PlayNumber(play),
            failure: None,
        })
    }

    fn pass(&mut self, ms: u64) {
        let by = Duration::from_millis(ms);
        self.now = Now {
            instant: self.now.instant + by,
            utc: self.now.utc + by,
        };
    }

    /// Lets the time pass up to the deadline.
    fn time_out(&mut self) -> Vec<Effect> {
        let deadline = self.instance.deadline().expect("a deadline");
        self.now.instant = self.now.instant.max(deadline);
        self.event(Event::TimedOut)
    }
}

fn info(effect: &Effect) -> Value {
    let Effect::RequestPage(request) = effect else {
        panic!("{effect:?}")
    };
    serde_json::from_str(request.body.as_deref().unwrap()).unwrap()
}

/// Effects in short: what a reader wants to compare.
fn short(effects: &[Effect]) -> Vec<String> {
    effects
        .iter()
        .map(|effect| match effect {
            Effect::Call(CallEffect::Step { kind, .. }) => format!("step {kind}"),
            Effect::Call(CallEffect::Play {
                play,
                sounds,
                repeat,
                ..
            }) => {
                let sounds: Vec<_> = sounds
                    .iter()
                    .map(|sound| match sound {
                        Sound::Text { text, .. } => text.clone(),
                        Sound::File(name) => name.clone(),
                        other => format!("{other:?}"),
                    })
                    .collect();
                let again = if *repeat { " again and again" } else { "" };
                format!("play {} {}{again}", play.0, sounds.join(", "))
            }
            Effect::Call(CallEffect::StopPlay { .. }) => "stop".to_owned(),
            Effect::Call(CallEffect::End { cause }) => format!("end {}", cause.q850()),
            Effect::Call(other) => format!("{other:?}"),
            Effect::RequestPage(request) => {
                let path = request.url.rsplit('/').next().unwrap_or_default();
                format!("page {path}")
            }
            Effect::Done(summary) => {
                format!("done {:?} {}", summary.call_cause, summary.call_raw_cause)
            }
        })
        .collect()
}

fn say(text: &str) -> Value {
    json!({"play": {"play_list": [{"text_to_say": text}]}})
}

#[test]
fn the_first_page_is_told_of_the_call() {
    let mut trial = Trial::new(settings());
    let effects = trial.event(Event::Started);
    assert_eq!(short(&effects), ["page first"]);
    assert_eq!(
        info(&effects[0]),
        json!({
            "application_instance_id": "ins_00000000000000000000000000000001",
            "token": "start",
            "log_filename": "log",
            "this_call": {
                "call_id": "call_00000000000000000000000000000002",
                "call_direction": "out",
                "call_from": "+441632960001",
                "call_to": "+447700900001",
                "call_target": "+447700900001",
                "call_divert": "",
                "seconds_call_duration": 0.0,
                "call_state": "answered",
                "application_parameters": "ap",
                "outbound_parameters": "op",
            },
            "is_notification": false,
        })
    );
}

#[test]
fn the_end_of_the_list_hangs_up_and_asks_for_the_final_page_once() {
    let (mut trial, effects) = Trial::acting(json!([say("Hello")]));
    assert_eq!(short(&effects), ["step play", "play 1 Hello"]);
    trial.pass(2340);
    let effects = trial.played(1);
    assert_eq!(short(&effects), ["end 16", "page final"]);
    let told = info(&effects[1]);
    assert_eq!(told["this_call"]["call_cause"], "completed");
    assert_eq!(told["this_call"]["call_raw_cause"], "200");
    assert_eq!(told["this_call"]["call_state"], "idle");
    assert_eq!(told["this_call"]["seconds_call_duration"], 2.3);
    assert_eq!(
        short(&trial.reply(json!({"actions": [say("ignored")]}))),
        ["done Completed 200"]
    );
    assert!(trial.instance.is_done());
    assert_eq!(
        trial.event(Event::HungUp {
            leg: A,
            cause: Cause::NormalClearing
        }),
        []
    );
}

#[test]
fn a_busy_call_has_a_final_page_and_no_first_one() {
    let mut trial = Trial::new(settings());
    let busy = Event::DialFailed {
        leg: A,
        cause: Cause::UserBusy,
        status: Some(486),
    };
    let effects = trial.event(busy);
    assert_eq!(short(&effects), ["end 17", "page final"]);
    let told = info(&effects[1]);
    assert_eq!(told["this_call"]["call_cause"], "busy");
    assert_eq!(told["this_call"]["call_raw_cause"], "486");
    assert_eq!(
        short(&trial.answer(Err("refused".into()))),
        ["done Busy 486"]
    );
}

#[test]
fn unanswered_calls_are_told_apart() {
    for (cause, status, told) in [
        (Cause::NoAnswer, None, ("no_answer", "480")),
        (Cause::UnallocatedNumber, Some(404), ("unobtainable", "404")),
        (Cause::CallRejected, Some(603), ("failed", "603")),
        (Cause::TemporaryFailure, Some(503), ("failed", "503")),
    ] {
        let mut trial = Trial::new(settings());
        let effects = trial.event(Event::DialFailed {
            leg: A,
            cause,
            status,
        });
        let call = &info(&effects[1])["this_call"];
        assert_eq!(
            (call["call_cause"].as_str(), call["call_raw_cause"].as_str()),
            (Some(told.0), Some(told.1))
        );
    }
}

#[test]
fn the_far_end_may_hang_up_at_any_time() {
    let (mut trial, _) = Trial::acting(json!([say("Hello")]));
    let effects = trial.event(Event::HungUp {
        leg: A,
        cause: Cause::NormalClearing,
    });
    assert_eq!(short(&effects), ["end 16", "page final"]);
    assert_eq!(info(&effects[1])["this_call"]["call_cause"], "hung_up");
    // The play's end comes late.
    assert_eq!(trial.played(1), []);

    let mut trial = Trial::new(settings());
    trial.event(Event::Started);
    let first = trial.page;
    trial.event(Event::HungUp {
        leg: A,
        cause: Cause::NormalClearing,
    });
    // The first page's answer comes late and does nothing.
    let body = br#"{"actions":[]}"#.to_vec();
    let late = Input::Page {
        page: first,
        reply: Ok(PageReply { status: 200, body }),
    };
    assert_eq!(trial.input(late), []);
    assert_eq!(short(&trial.reply(json!({}))), ["done HungUp 200"]);
}

#[test]
fn the_token_of_the_last_reply_is_given_back() {
    let mut trial = Trial::new(settings());
    trial.event(Event::Started);
    let question = json!({"get_number": {"digit_count": 1, "next_page": {"url": "next"}}});
    trial.reply(json!({"token": "mine", "actions": [question.clone()]}));
    let effects = trial.digits("7");
    assert_eq!(info(&effects[0])["token"], "mine");
    trial.reply(json!({"actions": [question.clone()]}));
    assert_eq!(info(&trial.digits("8")[0])["token"], "mine");
    trial.reply(json!({"token": null, "actions": [question]}));
    assert_eq!(info(&trial.digits("9")[0])["token"], Value::Null);
}

#[test]
fn digits_go_to_the_next_page_with_their_result() {
    let (mut trial, effects) = Trial::acting(json!([
        {"get_number": {"prompt": say("Number?"), "next_page": {"url": "/number"}}},
    ]));
    assert_eq!(short(&effects), ["step get_number", "play 1 Number?"]);
    assert_eq!(short(&trial.digits("1")), ["stop"]);
    let effects = trial.digits("23#");
    assert_eq!(short(&effects), ["page number"]);
    assert_eq!(
        info(&effects[0])["action_result"],
        json!({"action": "get_number", "result": {"entered_number": "123"}, "interrupted": false})
    );
}

#[test]
fn digits_typed_ahead_skip_the_prompt() {
    let (mut trial, _) = Trial::acting(json!([
        say("Welcome"),
        {"get_number": {"prompt": say("Number?"), "digit_count": 2, "next_page": {"url": "n"}}},
    ]));
    assert_eq!(short(&trial.digits("4")), ["stop", "step get_number"]);
    let effects = trial.digits("2");
    assert_eq!(
        info(&effects[0])["action_result"]["result"]["entered_number"],
        "42"
    );
    // While the page is awaited, too.
    trial.digits("99");
    let again = json!({"get_number": {"digit_count": 2, "next_page": {"url": "n"}}});
    assert_eq!(
        short(&trial.reply(json!({"actions": [again]}))),
        ["step get_number", "page n"]
    );
}

#[test]
fn a_barge_in_ends_one_play_and_not_the_next() {
    let (mut trial, _) = Trial::acting(json!([say("One"), say("Two")]));
    assert_eq!(
        short(&trial.digits("5")),
        ["stop", "step play", "play 2 Two"]
    );
    assert_eq!(short(&trial.played(1)), [""; 0]);
    assert_eq!(short(&trial.played(2)), ["end 16", "page final"]);
}

#[test]
fn a_play_that_cannot_be_barged_in_goes_on() {
    let fixed = json!({"play": {"play_list": [{"digits": "1"}], "barge_in_on_digit": false}});
    let (mut trial, _) = Trial::acting(json!([fixed]));
    assert_eq!(trial.digits("12"), []);
}

#[test]
fn timeouts_are_answered_by_messages_and_then_by_the_next_action() {
    let (mut trial, _) = Trial::acting(json!([
        {"get_number": {"prompt": say("Number?"), "next_page": {"url": "n"}}},
        say("Goodbye"),
    ]));
    trial.played(1);
    assert_eq!(
        short(&trial.time_out()),
        ["play 2 Sorry, I did not hear that."]
    );
    assert_eq!(trial.digits("1"), [], "the message cannot be barged in");
    assert_eq!(short(&trial.played(2)), ["play 3 Number?"]);
    trial.played(3);
    trial.digits("12");
    assert!(short(&trial.time_out())[0].starts_with("play 4 Please listen"));
    trial.played(4);
    trial.played(5);
    assert_eq!(short(&trial.time_out()), ["step play", "play 6 Goodbye"]);
}

#[test]
fn timers_run_from_the_prompt_and_from_each_digit() {
    let (mut trial, _) = Trial::acting(json!([{"get_number": {
        "next_page": {"url": "n"}, "seconds_timeout": 10,
        "milliseconds_initial_timeout": 7000, "milliseconds_inter_digit_timeout": 2000,
    }}]));
    let start = trial.now.instant;
    let wait = |trial: &Trial| (trial.instance.deadline().unwrap() - start).as_millis();
    assert_eq!(wait(&trial), 7000);
    trial.pass(6000);
    trial.digits("1");
    assert_eq!(wait(&trial), 8000);
    trial.pass(1900);
    trial.digits("2");
    assert_eq!(wait(&trial), 9900);
    trial.pass(1900);
    trial.digits("3");
    assert_eq!(wait(&trial), 10_000, "the whole number has its own timer");
    assert_eq!(trial.event(Event::TimedOut), [], "too early");
}

#[test]
fn invalid_digits_help_and_an_empty_number() {
    let (mut trial, _) = Trial::acting(json!([{"get_number": {
        "prompt": say("Number?"), "next_page": {"url": "n"}, "valid_digits": "123",
        "on_invalid_digit_messages": [say("No.")],
    }}]));
    trial.played(1);
    assert_eq!(
        short(&trial.digits("1*")),
        ["play 2 Number?"],
        "help repeats the prompt"
    );
    trial.played(2);
    assert_eq!(short(&trial.digits("9")), ["play 3 No."]);
    trial.played(3);
    trial.played(4);
    let effects = trial.digits("#");
    assert_eq!(
        short(&effects),
        ["end 16", "page final"],
        "all messages are used up"
    );
}

#[test]
fn a_timeout_of_zero_takes_what_was_typed() {
    let now = json!({"get_number": {"next_page": {"url": "n"}, "seconds_timeout": 0,
        "on_digit_timeout_messages": []}});
    let (mut trial, _) = Trial::acting(json!([say("Hi"), now.clone(), say("Bye")]));
    let effects = trial.digits("5");
    assert_eq!(short(&effects), ["stop", "step get_number", "page n"]);
    let (_, effects) = Trial::acting(json!([now, say("Bye")]));
    assert_eq!(
        short(&effects),
        ["step get_number", "step play", "play 1 Bye"]
    );
}

#[test]
fn a_recording_is_ended_by_a_digit_and_goes_to_its_page() {
    let (mut trial, effects) = Trial::acting(json!([
        {"record": {"next_page": {"url": "kept"}, "beep_on_start": true, "id": "x"}},
    ]));
    assert_eq!(short(&effects), ["step record", "play 1 Tone(Beep)"]);
    let effects = trial.played(1);
    let [Effect::Call(CallEffect::StartRecording(recording))] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(recording.max_duration, Some(Duration::from_mins(1)));
    let stop = CallEffect::StopRecording {
        recording: RecordingNumber(1),
    };
    assert_eq!(trial.digits("1#"), [Effect::Call(stop)]);
    let effects = trial.event(Event::Recorded {
        recording: RecordingNumber(1),
        file: "rest_api/a.wav".into(),
        duration: Duration::from_millis(4260),
        contains_sound: true,
        failure: None,
    });
    assert_eq!(
        info(&effects[0])["action_result"]["result"],
        json!({"filename": "rest_api/a.wav", "contains_sound": true, "seconds_duration": 4.3, "id": "x"})
    );
}

#[test]
fn connect_bridges_the_party_that_answers() {
    let (mut trial, effects) = Trial::acting(json!([
        {"connect": {"destinations": ["441632960002"], "next_page": {"url": "after"}}},
    ]));
    let dial = Effect::Call(CallEffect::Dial(Box::new(call::Dial {
        leg: B,
        destination: "+441632960002".into(),
        ring: Duration::from_secs(30),
        presentation: None,
        early_media: false,
    })));
    assert_eq!(effects[2], dial);
    assert_eq!(short(&effects)[1], "play 1 Tone(Ringing) again and again");
    assert_eq!(trial.event(Event::Ringing { leg: B }), []);
    let bridge = Effect::Call(CallEffect::Bridge { a: A, b: B });
    assert_eq!(trial.event(Event::Answered { leg: B }), [bridge]);
    assert_eq!(trial.digits("1"), []);
    trial.pass(61_000);
    let effects = trial.event(Event::HungUp {
        leg: B,
        cause: Cause::NormalClearing,
    });
    assert_eq!(short(&effects), ["page after"]);
    assert_eq!(
        info(&effects[0])["action_result"]["result"],
        json!({"seconds_connected_duration": 61.0})
    );
}

#[test]
fn connect_that_is_not_answered_goes_on() {
    let connect = json!({"connect": {"destinations": ["sip:b@example.com"],
        "hold_media": {"play": {"play_list": [{"file_to_play": "hold.wav"}]}}}});
    let (mut trial, effects) = Trial::acting(json!([connect, say("Nobody")]));
    assert_eq!(short(&effects)[1], "play 1 hold.wav again and again");
    let broken = Event::Played {
        leg: A,
        play: PlayNumber(1),
        failure: Some("gone".into()),
    };
    assert_eq!(
        short(&trial.event(broken)),
        ["play 2 Tone(Ringing) again and again"]
    );
    let effects = trial.event(Event::DialFailed {
        leg: B,
        cause: Cause::UserBusy,
        status: Some(486),
    });
    assert_eq!(short(&effects), ["stop", "step play", "play 3 Nobody"]);
}

#[test]
fn a_page_that_fails_leads_to_the_error_page_once() {
    let failures: [Result<PageReply, String>; 4] = [
        Err("timeout".into()),
        Ok(PageReply {
            status: 500,
            body: Vec::new(),
        }),
        Ok(PageReply {
            status: 200,
            body: b"<html>".to_vec(),
        }),
        Ok(PageReply {
            status: 200,
            body: br#"{"actions":[{"sing":{}}]}"#.to_vec(),
        }),
    ];
    for failure in failures {
        let mut trial = Trial::new(settings());
        trial.event(Event::Started);
        let effects = trial.answer(failure.clone());
        assert_eq!(short(&effects), ["page error"], "{failure:?}");
        assert!(
            !info(&effects[0])["error_result"]["result"]
                .as_str()
                .unwrap()
                .is_empty()
        );
        let effects = trial.answer(failure);
        assert_eq!(short(&effects), ["end 16", "page final"]);
        assert_eq!(info(&effects[1])["this_call"]["call_cause"], "failed");
        assert_eq!(short(&trial.reply(json!({}))), ["done Failed 200"]);
    }
}

#[test]
fn the_error_pages_actions_run() {
    let mut trial = Trial::new(settings());
    trial.event(Event::Started);
    trial.answer(Err("timeout".into()));
    let effects = trial.reply(json!({"actions": [say("Sorry")]}));
    assert_eq!(short(&effects), ["step play", "play 1 Sorry"]);
    assert_eq!(short(&trial.played(1)), ["end 16", "page final"]);
    let done = trial.reply(json!({}));
    let [Effect::Done(summary)] = done.as_slice() else {
        panic!("{done:?}")
    };
    assert_eq!(summary.call_cause, CallCause::Completed);
    assert_eq!(
        (summary.pages, summary.error.as_deref()),
        (3, Some("timeout"))
    );
}

#[test]
fn a_play_that_fails_leads_to_the_error_page() {
    let (mut trial, _) = Trial::acting(json!([say("Hello")]));
    let failed = Event::Played {
        leg: A,
        play: PlayNumber(1),
        failure: Some("no file".into()),
    };
    let effects = trial.event(failed);
    assert_eq!(
        info(&effects[0])["error_result"],
        json!({"action": "play", "result": "no file"})
    );
}

#[test]
fn a_page_that_never_answers_times_out() {
    let mut trial = Trial::new(settings());
    trial.event(Event::Started);
    assert_eq!(short(&trial.time_out()), ["page error"]);
    assert_eq!(short(&trial.time_out()), ["end 16", "page final"]);
    assert_eq!(short(&trial.time_out()), ["done Failed 200"]);
    assert_eq!(trial.instance.deadline(), None);
}

#[test]
fn pages_by_get_carry_the_same_in_their_query() {
    let first_page = Page::new("http://app.example.com/f?x=1", Method::Get).unwrap();
    let mut trial = Trial::new(Settings {
        first_page,
        ..settings()
    });
    let effects = trial.event(Event::Started);
    let [Effect::RequestPage(request)] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let url = url::Url::parse(&request.url).unwrap();
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    assert_eq!((request.body.as_ref(), pairs[0].0.as_str()), (None, "x"));
    assert_eq!(pairs[1].0, "instance_info");
    let told: Value = serde_json::from_str(&pairs[1].1).unwrap();
    assert_eq!(told["token"], "start");
}

#[test]
fn an_inbound_call_is_answered_when_its_actions_are_there() {
    let mut trial = Trial::new(Settings {
        origin: Origin::Inbound,
        ..settings()
    });
    let effects = trial.event(Event::Started);
    let call = info(&effects[0])["this_call"].clone();
    assert_eq!(
        (call["call_state"].as_str(), call["call_direction"].as_str()),
        (Some("inbound"), Some("in"))
    );
    assert_eq!(
        (
            call["call_attestation"].as_str(),
            call.get("outbound_parameters")
        ),
        (Some(""), None)
    );
    let effects = trial.reply(json!({"actions": [say("Hello")]}));
    assert_eq!(effects[0], Effect::Call(CallEffect::Answer));
}

#[test]
fn an_operator_may_stop_it() {
    let (mut trial, _) = Trial::acting(json!([say("Hello")]));
    let effects = trial.event(Event::Stop {
        cause: Cause::TemporaryFailure,
    });
    assert_eq!(short(&effects), ["end 41", "page final"]);
    assert_eq!(info(&effects[1])["this_call"]["call_cause"], "failed");
}

#[test]
fn without_a_final_page_it_is_done_at_once() {
    let mut trial = Trial::new(Settings {
        final_page: None,
        error_page: None,
        ..settings()
    });
    trial.event(Event::Started);
    let effects = trial.answer(Err("timeout".into()));
    assert_eq!(short(&effects), ["end 16", "done Failed 200"]);
}

fn any_event() -> impl Strategy<Value = Option<Event>> {
    let leg = prop::sample::select(vec![A, B, LegNumber(2)]);
    let play = (0u32..6).prop_map(PlayNumber);
    prop_oneof![
        Just(None),
        Just(Some(Event::Started)),
        prop::sample::select(vec!['0', '5', '*', '#', 'A'])
            .prop_map(|digit| Some(Event::Digit { leg: A, digit })),
        (play, any::<bool>()).prop_map(|(play, fails)| {
            Some(Event::Played {
                leg: A,
                play,
                failure: fails.then(|| "x".into()),
            })
        }),
        leg.clone().prop_map(|leg| Some(Event::Answered { leg })),
        leg.clone().prop_map(|leg| Some(Event::HungUp {
            leg,
            cause: Cause::NormalClearing
        })),
        leg.prop_map(|leg| {
            Some(Event::DialFailed {
                leg,
                cause: Cause::NoAnswer,
                status: None,
            })
        }),
        (0u16..3, any::<bool>()).prop_map(|(recording, fails)| Some(Event::Recorded {
            recording: RecordingNumber(recording),
            file: "f".into(),
            duration: Duration::ZERO,
            contains_sound: false,
            failure: fails.then(|| "x".into()),
        })),
        Just(Some(Event::TimedOut)),
        Just(Some(Event::Stop {
            cause: Cause::NormalClearing
        })),
        Just(Some(Event::QueueLost)),
    ]
}

fn any_reply() -> impl Strategy<Value = Result<PageReply, String>> {
    let action = prop_oneof![
        Just(say("Hi")),
        Just(
            json!({"get_number": {"prompt": say("?"), "digit_count": 2, "next_page": {"url": "n"}}})
        ),
        Just(json!({"get_number": {"seconds_timeout": 0, "next_page": {"url": "n"}}})),
        Just(json!({"record": {"next_page": {"url": "r"}}})),
        Just(json!({"connect": {"destinations": ["441632960002"], "next_page": {"url": "c"}}})),
        Just(json!({"hang_up": {}})),
        Just(json!({"sing": {}})),
    ];
    prop_oneof![
        4 => prop::collection::vec(action, 0..4).prop_map(|actions| {
            let body = json!({"actions": actions}).to_string().into_bytes();
            Ok(PageReply { status: 200, body })
        }),
        1 => Just(Err("gone".to_owned())),
        1 => Just(Ok(PageReply { status: 404, body: Vec::new() })),
    ]
}

proptest! {
    #[test]
    fn any_order_of_events_ends_with_one_end_and_one_final_page(
        steps in prop::collection::vec((any_event(), any_reply(), 0u64..8000), 0..60),
    ) {
        let mut trial = Trial::new(settings());
        let mut all = Vec::new();
        for (event, reply, pause) in steps {
            trial.pass(pause);
            let was_done = trial.instance.is_done();
            let effects = match event {
                Some(event) => trial.event(event),
                None => trial.answer(reply),
            };
            prop_assert!(!was_done || effects.is_empty(), "after done: {:?}", effects);
            all.extend(effects);
        }
        all.extend(trial.event(Event::HungUp { leg: A, cause: Cause::NormalClearing }));
        while trial.instance.deadline().is_some() {
            all.extend(trial.time_out());
        }
        let count = |wanted: fn(&Effect) -> bool| all.iter().filter(|effect| wanted(effect)).count();
        prop_assert_eq!(count(|effect| matches!(effect, Effect::Call(CallEffect::End { .. }))), 1);
        prop_assert_eq!(count(|effect| matches!(effect, Effect::Done(_))), 1);
        prop_assert!(matches!(all.last(), Some(Effect::Done(_))));
        prop_assert_eq!(
            count(|effect| matches!(effect, Effect::RequestPage(r) if r.kind == PageKind::Final)), 1);
        prop_assert!(
            count(|effect| matches!(effect, Effect::RequestPage(r) if r.kind == PageKind::Error)) <= 1);
        prop_assert!(
            count(|effect| matches!(effect, Effect::RequestPage(r) if r.kind == PageKind::First)) <= 1);
        let end = all.iter().position(|e| matches!(e, Effect::Call(CallEffect::End { .. })));
        let after = all.iter().skip(end.unwrap_or(0) + 1);
        prop_assert!(!after.into_iter().any(|effect| matches!(effect, Effect::Call(_))));
    }
}
