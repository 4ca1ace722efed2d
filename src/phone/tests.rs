//! Phones that call each other over loopback.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::hearing::Heard;
use super::*;

type Reports = UnboundedReceiver<Report>;

async fn until(
    reports: &mut Reports,
    seen: &mut Vec<Happening>,
    is_it: impl Fn(&Happening) -> bool,
) {
    let search = async {
        while let Some(report) = reports.recv().await {
            let found = is_it(&report.event);
            seen.push(report.event);
            if found {
                return;
            }
        }
    };
    if tokio::time::timeout(Duration::from_secs(20), search)
        .await
        .is_err()
    {
        panic!("it did not come to that: {seen:#?}");
    }
}

fn has_ended(event: &Happening) -> bool {
    matches!(event, Happening::Ended { .. })
}

fn heard(seen: &[Happening]) -> Vec<&Heard> {
    let heard = seen.iter().map(|event| match event {
        Happening::Heard(heard) => Some(heard),
        _ => None,
    });
    heard.flatten().collect()
}

fn calls(phone: &Phone, behaviour: Behaviour) -> Outgoing {
    let to = format!("sip:+447700900200@{}", phone.address);
    Outgoing {
        to,
        from: Some("+441632960001".into()),
        credentials: None,
        behaviour,
    }
}

#[actix::test]
async fn two_phones_hear_each_others_tones_and_keys() {
    let folder = tempfile::tempdir().expect("temp folder");
    let file = folder.path().join("b.wav");
    let record = Record::File(file.clone());
    let manners = move |dialled: &str| {
        assert_eq!(dialled, "+447700900200");
        let say = Say::Tone(800);
        Behaviour {
            say,
            record: record.clone(),
            ..Behaviour::default()
        }
    };
    let (b, mut to_b) = Phone::start(PhoneConfig::default(), manners)
        .await
        .expect("starts");
    let (a, mut to_a) = Phone::start(PhoneConfig::default(), |_| Behaviour::default())
        .await
        .expect("starts");
    let behaviour = Behaviour {
        say: Say::Tone(600),
        press: vec!["12#@0.2".parse().expect("fine")],
        hang_up_after: Some(Duration::from_millis(2500)),
        record: Record::Tones,
        ..Behaviour::default()
    };
    a.call(calls(&b, behaviour)).await.expect("is called");
    let (mut at_a, mut at_b) = (Vec::new(), Vec::new());
    until(&mut to_a, &mut at_a, has_ended).await;
    until(&mut to_b, &mut at_b, has_ended).await;

    assert!(
        heard(&at_a).iter().any(|heard| heard.hertz == [800]),
        "{at_a:#?}"
    );
    assert!(
        heard(&at_b).iter().any(|heard| heard.hertz == [600]),
        "{at_b:#?}"
    );
    let keys: String = at_b
        .iter()
        .filter_map(|event| match event {
            Happening::Digit { digit } => Some(*digit),
            _ => None,
        })
        .collect();
    assert_eq!(keys, "12#");
    let is_invitation = |event: &Happening| match event {
        Happening::Invited { from, .. } => from.starts_with("sip:+441632960001@"),
        _ => false,
    };
    assert!(at_b.iter().any(is_invitation), "{at_b:#?}");
    assert!(
        hearing::tones(&read_wav(&file).expect("is kept"))
            .iter()
            .any(|t| t.hertz == [600])
    );
    for (phone, seen, by_us) in [(&a, &at_a, true), (&b, &at_b, false)] {
        let ended = seen.last().expect("has ended");
        assert!(
            matches!(ended, Happening::Ended { answered: true, q850: 16, by_us: b, .. } if *b == by_us),
            "{ended:?}"
        );
        assert_eq!((phone.calls().await, phone.open_ports()), (0, 0));
    }
    a.stop();
    b.stop();
}

#[actix::test]
async fn a_phone_presses_when_the_far_end_pauses_and_holds_it() {
    let speech: Vec<i16> =
        strowger_media::tone::Generator::new(strowger_media::tone::Tone::Steady { hertz: 500 })
            .take(4000)
            .collect();
    let speech: Arc<[i16]> = speech.into();
    let manners = move |_: &str| Behaviour {
        say: Say::Sound(speech.clone()),
        ..Behaviour::default()
    };
    let (b, mut to_b) = Phone::start(PhoneConfig::default(), manners)
        .await
        .expect("starts");
    let (a, mut to_a) = Phone::start(PhoneConfig::default(), |_| Behaviour::default())
        .await
        .expect("starts");
    let behaviour = Behaviour {
        press: vec!["7@pause".parse().expect("fine")],
        hold: "2.2-2.5".parse().ok(),
        hang_up_after: Some(Duration::from_secs(3)),
        ..Behaviour::default()
    };
    a.call(calls(&b, behaviour)).await.expect("is called");
    let (mut at_a, mut at_b) = (Vec::new(), Vec::new());
    until(&mut to_b, &mut at_b, |event| {
        *event == Happening::Digit { digit: '7' }
    })
    .await;
    assert!(
        at_b.contains(&Happening::Said),
        "the key came before the pause: {at_b:#?}"
    );
    until(&mut to_a, &mut at_a, has_ended).await;
    until(&mut to_b, &mut at_b, has_ended).await;
    assert!(at_a.contains(&Happening::Held { held: false }), "{at_a:#?}");
    let changes = at_b
        .iter()
        .filter(|event| matches!(event, Happening::Changed { .. }))
        .count();
    assert_eq!(changes, 2, "{at_b:#?}");
    assert!(
        !at_a
            .iter()
            .any(|event| matches!(event, Happening::Failed { .. })),
        "{at_a:#?}"
    );
    a.stop();
    b.stop();
}

#[actix::test]
async fn a_refused_call_and_one_that_nobody_answers_end_with_their_status() {
    let manners = |dialled: &str| {
        let refuse = dialled.ends_with("486");
        let answer = if refuse {
            Answer::Refuse(486)
        } else {
            Answer::Never
        };
        Behaviour {
            answer,
            ..Behaviour::default()
        }
    };
    let (b, _) = Phone::start(PhoneConfig::default(), manners)
        .await
        .expect("starts");
    let (a, mut to_a) = Phone::start(PhoneConfig::default(), |_| Behaviour::default())
        .await
        .expect("starts");
    let busy = format!("sip:+447700900486@{}", b.address);
    a.call(Outgoing {
        to: busy,
        ..Outgoing::default()
    })
    .await
    .expect("is called");
    let mut seen = Vec::new();
    until(&mut to_a, &mut seen, has_ended).await;
    let ended = seen.last();
    assert!(
        matches!(
            ended,
            Some(Happening::Ended {
                status: Some(486),
                q850: 17,
                answered: false,
                ..
            })
        ),
        "{seen:#?}"
    );

    a.call(calls(&b, Behaviour::default()))
        .await
        .expect("is called");
    until(&mut to_a, &mut seen, |event| {
        matches!(event, Happening::Ringing { .. })
    })
    .await;
    a.hang_up();
    until(&mut to_a, &mut seen, has_ended).await;
    let ended = seen.last();
    assert!(
        matches!(
            ended,
            Some(Happening::Ended {
                by_us: true,
                answered: false,
                ..
            })
        ),
        "{seen:#?}"
    );
    a.stop();
    b.stop();
}

#[actix::test]
async fn a_phone_that_stops_has_refused_and_hung_up_so_that_the_far_end_knows_it() {
    for (answer, status) in [(Answer::Refuse(486), Some(486)), (Answer::default(), None)] {
        let manners = move |_: &str| Behaviour {
            answer,
            ..Behaviour::default()
        };
        let (b, mut to_b) = Phone::start(PhoneConfig::default(), manners)
            .await
            .expect("starts");
        let (a, mut to_a) = Phone::start(PhoneConfig::default(), |_| Behaviour::default())
            .await
            .expect("starts");
        a.call(calls(&b, Behaviour::default()))
            .await
            .expect("is called");
        let (mut at_a, mut at_b) = (Vec::new(), Vec::new());
        until(&mut to_b, &mut at_b, |event| {
            has_ended(event) || matches!(event, Happening::Answered { .. })
        })
        .await;
        b.hang_up();
        b.settle().await;
        b.stop();
        until(&mut to_a, &mut at_a, has_ended).await;
        let ended = at_a.last();
        assert!(
            matches!(ended, Some(Happening::Ended { status: s, by_us: false, .. }) if *s == status),
            "{at_a:#?}"
        );
        a.stop();
    }
}

#[actix::test]
async fn what_is_no_sip_uri_is_not_called() {
    let (a, _reports) = Phone::start(PhoneConfig::default(), |_| Behaviour::default())
        .await
        .expect("starts");
    for bad in [
        "",
        "+441632960001",
        "sips:a@127.0.0.1",
        "tel:+441632960001",
        "sip:a@no.invalid",
    ] {
        let outgoing = Outgoing {
            to: bad.into(),
            ..Outgoing::default()
        };
        let error = a.call(outgoing).await.expect_err(bad);
        assert!(
            matches!(error, PhoneError::NotSip(_) | PhoneError::NoHost(_)),
            "{bad}: {error}"
        );
    }
    a.stop();
}
