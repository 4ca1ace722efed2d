use super::*;
use crate::application::{Media, Method};
use crate::destination::Destination;
use proptest::prelude::*;
use serde_json::json;
use std::time::Duration;

fn base() -> Url {
    Url::parse("https://app.example.com/calls/first?v=1").unwrap()
}

fn read(document: &Value) -> Result<Reply, Vec<(String, &'static str)>> {
    read_reply(document.to_string().as_bytes(), &base()).map_err(|faults| {
        faults
            .into_iter()
            .map(|fault| (fault.pointer, fault.code))
            .collect()
    })
}

fn only(document: &Value) -> Action {
    let mut actions = read(document).unwrap().actions;
    assert_eq!(actions.len(), 1);
    actions.remove(0)
}

#[test]
fn play_knows_text_files_urls_and_digits() {
    let action = only(&json!({"actions": [{"play": {"play_list": [
        {"text_to_say": "Hello", "tts_voice": "Amy", "text_is_private": true},
        {"file_to_play": "prompts/hello.wav"},
        {"file_to_play": {"url": "../media/hello.wav"}},
        {"digits": "12#"},
    ]}}]}));
    let Action::Play(play) = action else {
        panic!("{action:?}")
    };
    assert!(play.barge_in);
    assert_eq!(
        play.list,
        [
            Media::Text {
                text: "Hello".into(),
                voice: "Amy".into(),
                private: true
            },
            Media::File("prompts/hello.wav".into()),
            Media::Url("https://app.example.com/media/hello.wav".into()),
            Media::Digits("12#".into()),
        ]
    );
}

#[test]
fn get_number_has_its_documented_defaults() {
    let action = only(&json!({"actions": [{"get_number": {"next_page": {"url": "next"}}}]}));
    let Action::GetNumber(question) = action else {
        panic!("{action:?}")
    };
    assert_eq!(
        question.next_page.url().as_str(),
        "https://app.example.com/calls/next"
    );
    assert_eq!(question.next_page.method(), Method::Post);
    assert_eq!((question.digit_count, question.end_digit), (0, Some('#')));
    assert_eq!(
        (question.help_digit, question.valid_digits.as_str()),
        (Some('*'), "0123456789")
    );
    assert_eq!(question.timeout, Duration::from_secs(30));
    assert_eq!(question.inter_digit_timeout, Some(Duration::from_secs(5)));
    assert_eq!(question.initial_timeout, Some(Duration::from_secs(5)));
    let said = |play: &Play| match play.list.as_slice() {
        [Media::Text { text, .. }] => (text.clone(), play.barge_in),
        list => panic!("{list:?}"),
    };
    let timeouts: Vec<_> = question.timeout_messages.iter().map(said).collect();
    assert_eq!(
        timeouts[0],
        ("Sorry, I did not hear that.".to_owned(), false)
    );
    assert_eq!((timeouts.len(), question.invalid_messages.len()), (2, 2));
}

#[test]
fn timers_of_zero_and_less_are_off() {
    let action = only(&json!({"actions": [{"get_number": {
        "next_page": {"url": "https://other.example.com/x", "method": "GET"},
        "milliseconds_inter_digit_timeout": -1, "seconds_timeout": 0, "digit_count": 4,
        "end_digit": "", "help_digit": "",
    }}]}));
    let Action::GetNumber(question) = action else {
        panic!("{action:?}")
    };
    assert_eq!(
        (question.inter_digit_timeout, question.initial_timeout),
        (None, None)
    );
    assert_eq!(
        (question.timeout, question.end_digit),
        (Duration::ZERO, None)
    );
    assert_eq!(
        (question.help_digit, question.next_page.method()),
        (None, Method::Get)
    );
}

#[test]
fn record_and_connect_have_their_documented_defaults() {
    let reply = read(&json!({"actions": [
        {"record": {"next_page": {"url": "r"}}},
        {"connect": {"destinations": ["44-1632-960002"]}},
        {"connect": {"destinations": ["alice@example.com"], "call_from": "441632960001",
                     "hold_media": {"play": {"play_list": [{"file_to_play": "hold.wav"}]}},
                     "pass_early_media": true, "seconds_answer_timeout": 10,
                     "next_page": {"url": "c"}}},
        {"hang_up": {}},
    ], "token": "t1"}))
    .unwrap();
    let [
        Action::Record(record),
        Action::Connect(first),
        Action::Connect(second),
        Action::HangUp,
    ] = reply.actions.as_slice()
    else {
        panic!("{reply:?}")
    };
    assert_eq!(
        (record.barge_in_digits.as_str(), record.beep_on_start),
        ("#", false)
    );
    assert_eq!(record.max_duration, Duration::from_mins(1));
    assert_eq!(record.max_silence, Duration::from_secs(3));
    assert_eq!(first.destination.to_string(), "+441632960002");
    assert_eq!(
        (first.answer_timeout, &first.next_page),
        (Duration::from_secs(30), &None)
    );
    assert_eq!(
        second.destination,
        Destination::Sip("sip:alice@example.com".into())
    );
    assert_eq!(second.call_from.as_deref(), Some("+441632960001"));
    assert!(second.pass_early_media && second.hold_media.is_some());
    assert_eq!(reply.token, Token::Set("t1".into()));
}

#[test]
fn a_token_is_kept_set_or_cleared() {
    assert_eq!(read(&json!({"actions": []})).unwrap().token, Token::Kept);
    assert_eq!(
        read(&json!({"actions": [], "token": null})).unwrap().token,
        Token::Cleared
    );
}

#[test]
fn every_problem_is_named_with_its_place() {
    let faults = read(&json!({
        "actions": [
            {"sing": {}},
            {"play": {"play_list": [{"text_to_say": "a", "digits": "1"}, {"file_to_play": "../x"}],
                      "louder": true}},
            {"play": {"play_list": []}},
            {"get_number": {"end_digit": "", "digit_count": 33, "prompt": {"say": "x"}}},
            {"record": {"next_page": {"url": "ftp://x/y"}, "barge_in_digits": "x"}},
            {"connect": {"destinations": ["1", "2"], "next_page": {"url": "x", "method": "PUT"}}},
            {"connect": {"destinations": ["+4"], "secondary_call": {}}},
            {"play": {}, "hang_up": {}},
            7,
        ],
        "token": 5,
        "surprise": 1,
    }))
    .unwrap_err();
    let expected = [
        ("/token", "not_a_string"),
        ("/surprise", "unknown_property"),
        ("/actions/0/sing", "unknown_action"),
        ("/actions/1/play/louder", "unknown_property"),
        ("/actions/1/play/play_list/0", "not_media"),
        (
            "/actions/1/play/play_list/1/file_to_play",
            "invalid_file_name",
        ),
        ("/actions/2/play/play_list", "out_of_range"),
        ("/actions/3/get_number/next_page", "required"),
        ("/actions/3/get_number/prompt/play", "required"),
        ("/actions/3/get_number/prompt/say", "unknown_property"),
        ("/actions/3/get_number/digit_count", "out_of_range"),
        ("/actions/3/get_number/end_digit", "required"),
        ("/actions/4/record/next_page/url", "invalid_url"),
        ("/actions/4/record/barge_in_digits", "not_digits"),
        ("/actions/5/connect/destinations", "not_one_destination"),
        ("/actions/5/connect/next_page/method", "not_a_method"),
        ("/actions/6/connect/destinations/0", "invalid_destination"),
        ("/actions/6/connect/secondary_call", "unsupported"),
        ("/actions/7", "not_an_action"),
        ("/actions/8", "not_an_action"),
    ];
    let faults: Vec<_> = faults
        .iter()
        .map(|(pointer, code)| (pointer.as_str(), *code))
        .collect();
    assert_eq!(faults, expected);
}

#[test]
fn what_is_not_a_reply_is_refused() {
    for (body, code) in [
        ("", "not_json"),
        ("<html>", "not_json"),
        ("[]", "not_an_object"),
        ("{}", "required"),
        (r#"{"actions":{}}"#, "not_an_array"),
    ] {
        let faults = read_reply(body.as_bytes(), &base()).unwrap_err();
        assert_eq!(
            faults.iter().map(|fault| fault.code).collect::<Vec<_>>(),
            [code],
            "{body}"
        );
    }
    let many = json!({"actions": vec![json!({"hang_up": {}}); 101]});
    assert_eq!(
        read(&many).unwrap_err(),
        [("/actions".to_owned(), "too_many")]
    );
}

proptest! {
    #[test]
    fn reading_never_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_reply(&body, &base());
    }

    #[test]
    fn a_reply_with_any_values_is_read_or_refused_with_a_place(
        name in prop::sample::select(vec!["play", "get_number", "record", "connect", "hang_up"]),
        property in prop::sample::select(vec![
            "play_list", "next_page", "prompt", "digit_count", "end_digit", "destinations",
            "hold_media", "call_from", "on_digit_timeout_messages", "format", "id",
        ]),
        value in prop::sample::select(vec![
            json!(null), json!(-1), json!(1e300), json!(""), json!("é/~"), json!([]), json!([[]]),
            json!({}), json!({"play": {}}), json!({"url": "//"}), json!([{"play": 1}]), json!(true),
        ]),
    ) {
        let document = json!({"actions": [{name: {property: value}}]});
        if let Err(faults) = read(&document) {
            for (pointer, _) in faults {
                prop_assert!(pointer.starts_with("/actions/0/"), "{}", pointer);
            }
        }
    }
}

#[test]
fn every_example_of_the_reference_is_a_reply() {
    let reference = include_str!("../README.md");
    let examples: Vec<_> = reference
        .split("```json\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .collect();
    assert!(examples.len() >= 5);
    for example in examples {
        assert!(
            read_reply(example.as_bytes(), &base()).is_ok(),
            "{example}: {:?}",
            read_reply(example.as_bytes(), &base())
        );
    }
}
