//! The PIN of a service number, which telephone services ask of their callers.

use std::fmt;

/// The fewest and the most digits.
pub const DIGITS: (usize, usize) = (4, 10);

/// A text that can't be a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Something else than 4 to 10 digits.
    #[error("write 4 to 10 digits")]
    NotDigits,
    /// The first that anybody would try.
    #[error("choose digits that are not all the same, and that do not count up or down")]
    TooSimple,
}

/// A PIN in the clear. It is never kept so: what is stored is its argon2id hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(String);

impl Pin {
    /// Reads the digits of a new PIN.
    pub fn choose(text: &str) -> Result<Self, PinError> {
        let pin = Self::keyed(text).ok_or(PinError::NotDigits)?;
        let steps: Vec<i32> = pin
            .0
            .as_bytes()
            .windows(2)
            .filter_map(|pair| Some(i32::from(*pair.get(1)?) - i32::from(*pair.first()?)))
            .collect();
        let is_simple = [0, 1, -1]
            .iter()
            .any(|step| steps.iter().all(|each| each == step));
        if is_simple {
            return Err(PinError::TooSimple);
        }
        Ok(pin)
    }

    /// Reads what a caller keyed; `None`: it can't be anybody's PIN, and need not be checked.
    pub fn keyed(text: &str) -> Option<Self> {
        let (fewest, most) = DIGITS;
        let fits = (fewest..=most).contains(&text.len());
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        (fits && digits).then(|| Self(text.to_owned()))
    }

    /// Its digits, to be hashed or compared with a hash.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_has_four_to_ten_digits_that_nobody_guesses_first() {
        for text in ["", "123", "12345678901", "12a4", "１２３４", " 1212"] {
            assert_eq!(Pin::choose(text), Err(PinError::NotDigits), "{text}");
            assert_eq!(Pin::keyed(text), None, "{text}");
        }
        for text in ["0000", "1234", "9876", "2222222222"] {
            assert_eq!(Pin::choose(text), Err(PinError::TooSimple), "{text}");
            assert!(Pin::keyed(text).is_some(), "{text}");
        }
        for text in ["1357", "1212", "0987", "4071982265"] {
            assert_eq!(Pin::choose(text).unwrap().digits(), text);
        }
    }

    #[test]
    fn a_pin_is_never_printed() {
        assert!(!format!("{:?}", Pin::choose("1357")).contains("1357"));
    }
}
