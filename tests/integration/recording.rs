//! Conversations are recorded, and recordings are read by those who may.

use std::time::Duration;

use serde_json::{Value, json};
use strowger_domain::account::Permissions;
use strowger_media::goertzel;
use strowger_media::wav::Wav;

use crate::harness::{Builder, Owner, Phone, Platform, plan};

const OFFICE: &str = "+442079460101";

fn recorded(mode: &str) -> Value {
    plan("office", None)
        .deliver(
            "office",
            OFFICE,
            json!({ "recording": mode }),
            json!({ "continue": "after" }),
        )
        .play("after", 500, None)
        .build()
}

/// A says 900 Hz, B says 1300 Hz; B hangs up, and A stays for a moment.
async fn talk(platform: &Platform, phone: &mut Phone) {
    let mut a = platform.called_by(phone).await;
    let mut b = phone.rings().await;
    b.answer();
    b.is_acknowledged().await;
    a.is_answered().await;
    a.say(900);
    b.say(1300);
    a.hears(1300).await;
    b.hears(900).await;
    a.hears(1300).await;
    b.hang_up();
    b.is_over().await;
    a.hears(500).await;
    a.is_over().await;
}

async fn audio(platform: &Platform) -> Vec<u8> {
    let record = platform.record().await;
    assert_eq!(record.recordings.len(), 1, "{record:#?}");
    let path = format!("/v1/accounts/me/recordings/{}", record.recordings[0]);
    let about = platform.api.get(&path).await.is(200);
    let answer = platform.api.get(&format!("{path}/audio")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(about["size_bytes"], answer.bytes.len());
    let wav = Wav::parse(&answer.bytes).expect("is a WAV file");
    let length = u64::try_from(wav.duration().as_millis()).unwrap();
    assert_eq!(about["duration_ms"], length);
    assert!(length > 500, "{length} ms");
    answer.bytes
}

fn last_half(samples: &[i16]) -> &[i16] {
    &samples[samples.len() / 2..]
}

#[actix::test]
async fn a_separate_recording_holds_each_party_in_a_channel_of_its_own() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(recorded("separate"), &phone).start().await;
    talk(&platform, &mut phone).await;
    let bytes = audio(&platform).await;
    let wav = Wav::parse(&bytes).unwrap();
    let (left, right) = (wav.channel(0).unwrap(), wav.channel(1).unwrap());
    assert!(goertzel::hears(last_half(&left), 900) && !goertzel::hears(last_half(&left), 1300));
    assert!(goertzel::hears(last_half(&right), 1300) && !goertzel::hears(last_half(&right), 900));
    platform.finish().await;
}

#[actix::test]
async fn a_mixed_recording_holds_both_parties_and_nothing_of_what_follows() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(recorded("mixed"), &phone).start().await;
    talk(&platform, &mut phone).await;
    let bytes = audio(&platform).await;
    let wav = Wav::parse(&bytes).unwrap();
    assert!(wav.channel(1).is_none());
    let samples = wav.mono();
    let sound = last_half(&samples);
    assert!(goertzel::hears(sound, 900) && goertzel::hears(sound, 1300));
    assert!(!goertzel::hears(sound, 500));
    platform.finish().await;
}

#[actix::test]
async fn each_party_may_have_a_file_of_its_own() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(recorded("files"), &phone).start().await;
    talk(&platform, &mut phone).await;
    let record = platform.record().await;
    assert_eq!(record.recordings.len(), 2, "{record:#?}");
    let mut lengths = Vec::new();
    for (recording, own, other) in [
        (record.recordings[0], 900, 1300),
        (record.recordings[1], 1300, 900),
    ] {
        let path = format!("/v1/accounts/me/recordings/{recording}/audio");
        let bytes = platform.api.get(&path).await.bytes;
        let wav = Wav::parse(&bytes).expect("is a WAV file");
        assert!(wav.channel(1).is_none());
        let samples = wav.mono();
        lengths.push(samples.len());
        let sound = last_half(&samples);
        assert!(goertzel::hears(sound, own) && !goertzel::hears(sound, other));
    }
    assert_eq!(lengths[0], lengths[1]);
    platform.finish().await;
}

#[actix::test]
async fn what_is_said_while_a_recording_is_paused_is_not_on_it() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(recorded("mixed"), &phone).start().await;
    let mut a = platform.called_by(&phone).await;
    let mut b = phone.rings().await;
    b.answer();
    b.is_acknowledged().await;
    a.is_answered().await;
    a.say(900);
    b.hears(900).await;
    let call = platform.calls().await[0].id;
    let act = async |action: &str| {
        let path = format!("/v1/accounts/me/calls/{call}/actions");
        let answer = platform.api.post(&path, &json!({ "action": action })).await;
        answer.is(202);
    };
    act("pause_recording").await;
    a.say(1700);
    b.hears(1700).await;
    a.say(1300);
    b.hears(1300).await;
    act("resume_recording").await;
    b.sound.goes_on(Duration::from_secs(1)).await;
    b.hang_up();
    b.is_over().await;
    a.is_over().await;
    let bytes = audio(&platform).await;
    let samples = Wav::parse(&bytes).unwrap().mono();
    let heard = |hertz| {
        let beats = samples.chunks_exact(800);
        beats.filter(|beat| goertzel::hears(beat, hertz)).count()
    };
    assert!(heard(900) > 0 && heard(1300) > 5 && heard(1700) == 0);
    let events = platform.events_of(call).await;
    for event in ["recording.paused", "recording.resumed", "recording.ready"] {
        assert!(events.iter().any(|kind| kind == event), "{events:?}");
    }
    platform.finish().await;
}

#[actix::test]
async fn an_account_that_may_not_record_connects_its_callers_all_the_same() {
    let mut phone = Phone::start().await;
    let no_recording = Permissions {
        recording: false,
        ..Permissions::all()
    };
    let platform = Builder::new(recorded("mixed"), &phone)
        .permissions(Owner::Reseller, no_recording)
        .start()
        .await;
    talk(&platform, &mut phone).await;
    assert!(platform.record().await.recordings.is_empty());
    platform.finish().await;
}

#[actix::test]
async fn a_recording_is_removed_with_its_file() {
    let mut phone = Phone::start().await;
    let platform = Builder::new(recorded("mixed"), &phone).start().await;
    talk(&platform, &mut phone).await;
    audio(&platform).await;
    let id = platform.record().await.recordings[0];
    let path = format!("/v1/accounts/me/recordings/{id}");
    let stranger = platform.api_of(Owner::Stranger).await;
    stranger.get(&format!("{path}/audio")).await.is(404);
    platform.api.delete(&path).await.is(204);
    platform.api.get(&format!("{path}/audio")).await.is(404);
    platform.finish().await;
}
