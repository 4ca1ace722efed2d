use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

/// A moment to count from; nothing depends on when it is.
#[expect(
    clippy::disallowed_methods,
    reason = "only differences to this moment matter"
)]
fn start() -> Instant {
    Instant::now()
}

const LIFETIME: Duration = Duration::from_mins(5);

fn nonces(capacity: usize, now: Instant) -> (Nonces, StdRng) {
    let mut rng = StdRng::seed_from_u64(7);
    (Nonces::new(&mut rng, now, LIFETIME, capacity), rng)
}

fn challenge(nonce: String) -> Challenge {
    Challenge {
        realm: "example.com".to_owned(),
        nonce,
        opaque: None,
        algorithm: Algorithm::Sha256,
        qop_auth: true,
        stale: false,
    }
}

const LOGIN: Login<'_> = Login {
    username: "alice",
    password: "secret",
};
const INVITE: Signed<'_> = Signed {
    method: "INVITE",
    uri: "sip:%2B44@example.com",
};

/// What the far end reads when `challenge` is answered for the `count`th time.
fn answered(challenge: &Challenge, number: u32) -> Credentials {
    let answer = challenge.answer(
        LOGIN,
        INVITE,
        Count {
            number,
            cnonce: "c0ffee",
        },
    );
    Credentials::parse(&answer.expect("answered").to_string()).expect("readable")
}

fn secret(challenge: &Challenge) -> Ha1 {
    Ha1::new(
        challenge.algorithm,
        LOGIN.username,
        &challenge.realm,
        LOGIN.password,
    )
}

/// RFC 7616 §3.9.1.
#[test]
fn the_examples_of_rfc_7616_are_right() {
    for (algorithm, response) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        (
            "SHA-256",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ] {
        let credentials = Credentials::parse(&format!(
            "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
             algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
             nc=00000001, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, \
             response=\"{response}\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        ))
        .expect("readable");
        let ha1 = Ha1::new(
            credentials.algorithm(),
            "Mufasa",
            "http-auth@example.org",
            "Circle of Life",
        );
        assert_eq!(credentials.verify(&ha1, "GET"), Ok(()), "{algorithm}");
        assert_eq!(
            credentials.verify(&ha1, "POST"),
            Err(DigestError::Wrong),
            "{algorithm}"
        );
    }
}

/// RFC 2617 §3.5 without `qop` is RFC 2069 §2.4.
#[test]
fn a_challenge_without_qop_is_answered_as_rfc_2069_says() {
    let challenge = Challenge::parse(
        "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"",
    )
    .expect("readable");
    let credentials = challenge
        .answer(
            Login {
                username: "Mufasa",
                password: "Circle Of Life",
            },
            Signed {
                method: "GET",
                uri: "/dir/index.html",
            },
            Count {
                number: 1,
                cnonce: "unused",
            },
        )
        .expect("answered");
    assert_eq!(credentials.response, "670fd8c2df070c60b045671b8b24ff02");
    assert!(!credentials.to_string().contains("nc="));
}

#[test]
fn counts_beyond_nine_are_hexadecimal_and_right() {
    let now = start();
    let (mut nonces, mut rng) = nonces(8, now);
    let challenge = challenge(nonces.issue(&mut rng, now));
    let ha1 = secret(&challenge);
    for number in 1..=300 {
        let credentials = answered(&challenge, number);
        assert!(
            credentials
                .to_string()
                .contains(&format!("nc={number:08x}"))
        );
        assert_eq!(
            nonces.check(&credentials, &ha1, "INVITE", now),
            Ok(()),
            "{number}"
        );
    }
    assert_eq!(nonces.remembered(), 1);
}

#[test]
fn a_count_is_good_once_also_out_of_order() {
    let now = start();
    let (mut nonces, mut rng) = nonces(8, now);
    let challenge = challenge(nonces.issue(&mut rng, now));
    let ha1 = secret(&challenge);
    let mut check = |number| nonces.check(&answered(&challenge, number), &ha1, "INVITE", now);
    for number in [5, 3, 4, 80, 70, 17] {
        assert_eq!(check(number), Ok(()), "{number}");
        assert_eq!(check(number), Err(DigestError::Stale), "{number} again");
    }
    assert_eq!(check(16), Err(DigestError::Stale), "too far back");
    assert_eq!(check(5), Err(DigestError::Stale), "too far back");
    assert_eq!(check(u32::MAX), Ok(()));
    assert_eq!(check(u32::MAX), Err(DigestError::Stale));
}

#[test]
fn without_qop_a_nonce_is_good_once() {
    let now = start();
    let (mut nonces, mut rng) = nonces(8, now);
    let challenge = Challenge {
        qop_auth: false,
        ..challenge(nonces.issue(&mut rng, now))
    };
    let ha1 = secret(&challenge);
    let credentials = answered(&challenge, 1);
    assert_eq!(credentials.count(), None);
    assert_eq!(nonces.check(&credentials, &ha1, "INVITE", now), Ok(()));
    assert_eq!(
        nonces.check(&credentials, &ha1, "INVITE", now),
        Err(DigestError::Stale)
    );
}

#[test]
fn nonces_grow_old_and_cannot_be_forged() {
    let now = start();
    let (mut nonces, mut rng) = nonces(8, now);
    let challenge = challenge(nonces.issue(&mut rng, now));
    let ha1 = secret(&challenge);
    let late = now + LIFETIME + Duration::from_millis(1);
    let credentials = answered(&challenge, 1);
    assert_eq!(
        nonces.check(&credentials, &ha1, "INVITE", late),
        Err(DigestError::Stale)
    );
    for forged in [
        "",
        "abc",
        "€€€€€€€€€€€€",
        &challenge.nonce.replace('0', "1"),
    ] {
        let forged = Challenge {
            nonce: forged.to_owned(),
            ..challenge.clone()
        };
        let credentials = answered(&forged, 1);
        assert_eq!(
            nonces.check(&credentials, &ha1, "INVITE", now),
            Err(DigestError::Stale)
        );
    }
}

#[test]
fn a_wrong_password_uses_up_nothing() {
    let now = start();
    let (mut nonces, mut rng) = nonces(8, now);
    let challenge = challenge(nonces.issue(&mut rng, now));
    let credentials = answered(&challenge, 1);
    let wrong = Ha1::new(Algorithm::Sha256, "alice", "example.com", "guess");
    assert_eq!(
        nonces.check(&credentials, &wrong, "INVITE", now),
        Err(DigestError::Wrong)
    );
    let old = Ha1::new(Algorithm::Md5, "alice", "example.com", "secret");
    assert_eq!(
        nonces.check(&credentials, &old, "INVITE", now),
        Err(DigestError::Algorithm)
    );
    assert_eq!(nonces.remembered(), 0);
    assert_eq!(
        nonces.check(&credentials, &secret(&challenge), "INVITE", now),
        Ok(())
    );
}

#[test]
fn a_forgotten_nonce_is_stale_and_not_fresh() {
    let now = start();
    let (mut nonces, mut rng) = nonces(2, now);
    let at = |n: u32| now + Duration::from_millis(10) * n;
    let challenges: Vec<Challenge> = (0..3)
        .map(|n| challenge(nonces.issue(&mut rng, at(n))))
        .collect();
    for challenge in &challenges {
        let used = nonces.check(&answered(challenge, 1), &secret(challenge), "INVITE", at(9));
        assert_eq!(used, Ok(()));
    }
    assert_eq!(nonces.remembered(), 2);
    let replays = challenges
        .iter()
        .filter(|challenge| {
            nonces
                .check(&answered(challenge, 1), &secret(challenge), "INVITE", at(9))
                .is_ok()
        })
        .count();
    assert_eq!(replays, 0);
}

#[test]
fn the_uri_is_hashed_as_it_stands() {
    let challenge = challenge("n".to_owned());
    let credentials = answered(&challenge, 1);
    assert_eq!(credentials.uri(), "sip:%2B44@example.com");
    let reprinted = credentials.to_string().replace("%2B44", "+44");
    let reprinted = Credentials::parse(&reprinted).expect("readable");
    assert_eq!(
        reprinted.verify(&secret(&challenge), "INVITE"),
        Err(DigestError::Wrong)
    );
}

#[test]
fn quotes_in_names_come_back_as_they_were() {
    let challenge = Challenge {
        realm: r#"a "quoted\" realm"#.to_owned(),
        ..challenge("n".into())
    };
    let read = Challenge::parse(&challenge.to_string()).expect("readable");
    assert_eq!(read, challenge);
    let login = Login {
        username: r#"o"brien\"#,
        password: "p",
    };
    let answer = read
        .answer(
            login,
            INVITE,
            Count {
                number: 1,
                cnonce: "c",
            },
        )
        .expect("answered");
    assert_eq!(Credentials::parse(&answer.to_string()), Ok(answer));
    let broken = Login {
        username: "a\r\nX: y",
        password: "p",
    };
    let refused = read.answer(
        broken,
        INVITE,
        Count {
            number: 1,
            cnonce: "c",
        },
    );
    assert_eq!(refused, Err(DigestError::LineBreak));
}

#[test]
fn the_first_challenge_that_we_can_answer_is_chosen() {
    let chosen = Challenge::choose([
        r#"Bearer realm="r""#,
        r#"Digest realm="r", nonce="n", algorithm=SHA-512-256, qop="auth""#,
        r#"Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth-int""#,
        r#"Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth""#,
        r#"Digest realm="r", nonce="n", algorithm=MD5, qop="auth""#,
    ])
    .expect("one is good");
    assert_eq!(
        (chosen.algorithm, chosen.qop_auth),
        (Algorithm::Sha256, true)
    );
    assert_eq!(
        Challenge::choose([r#"Basic realm="r""#]),
        Err(DigestError::Scheme)
    );
}

#[test]
fn credentials_that_cannot_be_checked_are_refused_for_their_reason() {
    let good = r#"Digest username="a", realm="r", nonce="n", uri="sip:a", response="0""#;
    assert!(Credentials::parse(good).is_ok());
    let cases = [
        ("NoOneKnowsThisScheme opaque-data=here", DigestError::Scheme),
        ("Digest", DigestError::Scheme),
        ("Digest username=\"a", DigestError::Malformed),
        (
            r#"Digest username="a", realm="r", nonce="n", uri="sip:a""#,
            DigestError::Malformed,
        ),
        (&format!("{good}, realm=\"x\""), DigestError::Malformed),
        (
            &format!("{good}, algorithm=MD5-sess"),
            DigestError::Algorithm,
        ),
        (
            &format!("{good}, qop=auth-int, nc=00000001, cnonce=\"c\""),
            DigestError::Qop,
        ),
        (
            &format!("{good}, qop=auth, nc=1, cnonce=\"c\""),
            DigestError::Malformed,
        ),
        (
            &format!("{good}, qop=auth, nc=+0000001, cnonce=\"c\""),
            DigestError::Malformed,
        ),
        (
            &format!("{good}, qop=auth, nc=00000001"),
            DigestError::Malformed,
        ),
    ];
    for (value, reason) in cases {
        assert_eq!(Credentials::parse(value), Err(reason), "{value}");
    }
}

#[test]
fn stored_secrets_are_as_good_as_passwords() {
    let made = Ha1::new(Algorithm::Md5, "alice", "example.com", "secret");
    assert_eq!(
        Ha1::from_hex(Algorithm::Md5, &made.as_hex().to_uppercase()),
        Some(made.clone())
    );
    assert_eq!(Ha1::from_hex(Algorithm::Sha256, made.as_hex()), None);
    assert!(!format!("{made:?}").contains(made.as_hex()));
}
