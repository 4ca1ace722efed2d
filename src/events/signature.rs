//! Signatures of webhooks: Standard Webhooks, symmetric (`v1`).
//!
//! The text that is signed is `id.timestamp.body`, and never the URL: a proxy that changes the
//! address breaks nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What stands before a secret's bytes in base64.
const PREFIX: &str = "whsec_";

/// Bytes of a secret, 192 bits; Standard Webhooks takes 24 to 64.
const SECRET_BYTES: usize = 24;

/// A new secret.
pub fn new_secret() -> String {
    let bytes: [u8; SECRET_BYTES] = rand::random();
    format!("{PREFIX}{}", STANDARD.encode(bytes))
}

/// The value of `webhook-signature`: one signature for each live secret.
///
/// *Units*: the timestamp counts seconds since 1970.
pub fn sign<'a>(
    secrets: impl IntoIterator<Item = &'a str>,
    id: &str,
    timestamp: i64,
    body: &[u8],
) -> String {
    let signatures = secrets.into_iter().filter_map(|secret| {
        let key = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        Some(format!("v1,{signature}"))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    /// *Source*: the Standard Webhooks specification's example.
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let signed = sign(
            ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_secrets_make_two_signatures() {
        let (old, new) = (new_secret(), new_secret());
        assert_ne!(old, new);
        let both = sign([&old[..], &new], "evt_1", 1, b"{}");
        let each: Vec<_> = both.split(' ').collect();
        assert_eq!(each.len(), 2);
        assert_eq!(each[0], sign([&old[..]], "evt_1", 1, b"{}"));
        assert_eq!(each[1], sign([&new[..]], "evt_1", 1, b"{}"));
    }

    /// Whether an example says that a webhook is genuine; none: what runs it isn't here.
    fn says(program: &str, example: &str, signature: &str, body: &str) -> Option<bool> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/webhooks/");
        let child = Command::new(program)
            .arg(format!("{folder}{example}"))
            .env("WEBHOOK_SECRET", SECRET)
            .env("WEBHOOK_ID", "evt_1")
            .env("WEBHOOK_TIMESTAMP", now().to_string())
            .env("WEBHOOK_SIGNATURE", signature)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.ok()?;
        let mut input = child.stdin.take().unwrap();
        input.write_all(body.as_bytes()).unwrap();
        drop(input);
        Some(child.wait().unwrap().success())
    }

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn now() -> i64 {
        crate::net::clock::now().utc.timestamp()
    }

    #[test]
    fn the_examples_that_check_signatures_do() {
        let body = "{\"type\":\"call.ended\",\"name\":\"Zo\u{eb}\"}";
        let other = new_secret();
        for (program, example) in [
            ("sh", "verify.sh"),
            ("python3", "verify.py"),
            ("node", "verify.mjs"),
        ] {
            let right = sign([&other[..], SECRET], "evt_1", now(), body.as_bytes());
            let Some(genuine) = says(program, example, &right, body) else {
                eprintln!("{program} is not here: {example} is not tried");
                continue;
            };
            assert!(genuine, "{example}");
            let changed = body.replace("ended", "begun");
            assert_eq!(
                says(program, example, &right, &changed),
                Some(false),
                "{example}"
            );
            let wrong = sign([&other[..]], "evt_1", now(), body.as_bytes());
            assert_eq!(
                says(program, example, &wrong, body),
                Some(false),
                "{example}"
            );
            let late = sign([SECRET], "evt_1", now() - 3600, body.as_bytes());
            assert_eq!(
                says(program, example, &late, body),
                Some(false),
                "{example}"
            );
        }
    }
}
