//! One-time passwords by time (RFC 6238): six digits of HMAC-SHA-1, anew each 30 seconds, as the
//! authenticator apps of telephones show them.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use std::fmt;

/// RFC 6238 §4: a new password so often, in seconds.
pub const PERIOD_S: u64 = 30;

/// RFC 4226 §5.3: the digits of a password.
pub const DIGITS: usize = 6;

/// RFC 6238 §5.2: passwords of so many periods before and after now are taken too, for clocks that
/// go wrong and people who type slowly.
const DRIFT: u64 = 1;

/// What the user's app and the platform share: 160 bits, as RFC 4226 §4 recommends.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 20]);

impl Secret {
    /// A secret of these random bytes.
    pub fn new(random: [u8; 20]) -> Self {
        Self(random)
    }

    /// Base 32 without padding (RFC 4648 §6), as apps let people type it.
    pub fn to_base32(&self) -> String {
        base32(&self.0)
    }

    /// Reads what [`Secret::to_base32`] wrote.
    pub fn from_base32(text: &str) -> Option<Self> {
        let mut bits = 0_u32;
        let mut held = 0;
        let mut bytes = Vec::new();
        for letter in text.bytes() {
            let value = ALPHABET.iter().position(|one| *one == letter)?;
            bits = (bits << 5) | u32::try_from(value).ok()?;
            held += 5;
            if held >= 8 {
                held -= 8;
                bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
            }
        }
        bytes.try_into().ok().map(Self)
    }

    /// What an app reads from a picture: `otpauth://totp/…`.
    pub fn to_uri(&self, issuer: &str, user: &str) -> String {
        let (issuer, user) = (percent(issuer), percent(user));
        let secret = self.to_base32();
        format!(
            "otpauth://totp/{issuer}:{user}?secret={secret}&issuer={issuer}&algorithm=SHA1\
             &digits={DIGITS}&period={PERIOD_S}"
        )
    }

    /// The password of a period.
    pub fn password(&self, step: u64) -> String {
        format!("{:06}", self.truncated(step) % 1_000_000)
    }

    /// The period whose password this is, if that is about now and later than `last`: none is taken
    /// twice.
    ///
    /// # Source
    /// RFC 6238 §5.2: "The verifier MUST NOT accept the second attempt of the OTP after the
    /// successful validation has been issued for the first OTP".
    pub fn accepts(&self, password: &str, now: DateTime<Utc>, last: Option<u64>) -> Option<u64> {
        let now = step(now);
        let steps = now.saturating_sub(DRIFT)..=now.saturating_add(DRIFT);
        // Each is compared whole, so that the time tells nothing.
        let mut found = None;
        for step in steps {
            let right = is_same(self.password(step).as_bytes(), password.as_bytes());
            if right && last.is_none_or(|last| last < step) {
                found = Some(step);
            }
        }
        found
    }

    /// RFC 4226 §5.3: 31 bits of the HMAC, from the place that its last four bits name.
    fn truncated(&self, step: u64) -> u32 {
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&self.0) else {
            // HMAC takes keys of any length.
            return 0;
        };
        mac.update(&step.to_be_bytes());
        let hash = mac.finalize().into_bytes();
        let place = usize::from(hash.last().copied().unwrap_or(0) & 0xf);
        let four = hash.iter().skip(place).take(4);
        four.fold(0, |value, byte| (value << 8) | u32::from(*byte)) & 0x7fff_ffff
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The period of a time (RFC 6238 §4.2), counted from 1970.
pub fn step(now: DateTime<Utc>) -> u64 {
    u64::try_from(now.timestamp()).unwrap_or(0) / PERIOD_S
}

/// RFC 4648 §6.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Base 32 without padding (RFC 4648 §6).
pub fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(5) {
        let bits = chunk
            .iter()
            .fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        let bits = bits << (8 * (5 - chunk.len()));
        let letters = (chunk.len() * 8).div_ceil(5);
        for place in 0..letters {
            let value = (bits >> (35 - 5 * place)) & 31;
            let letter = usize::try_from(value).ok().and_then(|at| ALPHABET.get(at));
            text.extend(letter.copied().map(char::from));
        }
    }
    text
}

fn is_same(a: &[u8], b: &[u8]) -> bool {
    let differences = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && differences == 0
}

/// RFC 3986 §2.1, all but the unreserved characters.
fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| match byte {
            byte if plain(byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B and RFC 4226 appendix D.
    fn secret() -> Secret {
        Secret::new(*b"12345678901234567890")
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn the_passwords_are_those_of_rfc_6238_appendix_b() {
        for (seconds, eight) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ] {
            let value = secret().truncated(step(at(seconds)));
            assert_eq!(value % 100_000_000, eight, "{seconds}");
        }
    }

    #[test]
    fn the_passwords_are_those_of_rfc_4226_appendix_d() {
        let six: Vec<_> = (0..10).map(|step| secret().password(step)).collect();
        assert_eq!(
            six,
            [
                "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583",
                "399871", "520489"
            ]
        );
    }

    #[test]
    fn a_password_is_taken_once_and_about_its_time() {
        let (secret, now) = (secret(), at(1_800_000_000));
        let step = step(now);
        for near in [step - 1, step, step + 1] {
            let password = secret.password(near);
            assert_eq!(secret.accepts(&password, now, None), Some(near));
            assert_eq!(secret.accepts(&password, now, Some(near - 1)), Some(near));
            assert_eq!(secret.accepts(&password, now, Some(near)), None);
            assert_eq!(secret.accepts(&password, now, Some(near + 1)), None);
        }
        for far in [0, step - 2, step + 2] {
            assert_eq!(secret.accepts(&secret.password(far), now, None), None);
        }
        for wrong in ["", "0", "00000", "0000000", "abcdef"] {
            assert_eq!(secret.accepts(wrong, now, None), None);
        }
    }

    #[test]
    fn base_32_is_that_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
        let text = secret().to_base32();
        assert_eq!(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(Secret::from_base32(&text), Some(secret()));
        for wrong in ["", "GEZDGNBV", "gezdgnbvgy3tqojqgezdgnbvgy3tqojq"] {
            assert_eq!(Secret::from_base32(wrong), None);
        }
    }

    #[test]
    fn an_app_is_told_all_of_it() {
        assert_eq!(
            secret().to_uri("Strowger & Co", "a@b.example"),
            "otpauth://totp/Strowger%20%26%20Co:a%40b.example\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Strowger%20%26%20Co\
             &algorithm=SHA1&digits=6&period=30"
        );
    }
}
