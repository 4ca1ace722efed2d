//! The numbers of callers who withhold them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The number or address of a caller who withheld it (RFC 3323). Whatever writes it, writes it
/// masked, unless it was revealed: so it is masked wherever nobody thought of it.
#[derive(Clone, PartialEq, Eq)]
pub struct WithheldNumber {
    number: String,
    revealed: bool,
}

/// The last digits, which tell subscribers apart.
const MASKED: usize = 6;

impl WithheldNumber {
    /// A number that the caller withheld.
    pub fn new(number: impl Into<String>) -> Self {
        Self {
            number: number.into(),
            revealed: false,
        }
    }

    /// The same for a reader who may see it.
    #[must_use]
    pub fn reveal(self) -> Self {
        Self {
            revealed: true,
            ..self
        }
    }

    /// The number itself: for the store alone.
    pub fn number(&self) -> &str {
        &self.number
    }
}

impl fmt::Display for WithheldNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.revealed {
            return f.write_str(&self.number);
        }
        if !self.number.starts_with('+') {
            return f.write_str("******");
        }
        let shown = self.number.chars().count().saturating_sub(MASKED);
        for (place, c) in self.number.chars().enumerate() {
            write!(f, "{}", if place < shown { c } else { '*' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for WithheldNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for WithheldNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WithheldNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_masked_wherever_it_is_written_unless_it_was_revealed() {
        let number = WithheldNumber::new("+447700900123");
        assert_eq!(number.to_string(), "+447700******");
        assert_eq!(format!("{number:?}"), "+447700******");
        let json = |number: &WithheldNumber| serde_json::to_string(number).unwrap();
        assert_eq!(json(&number), "\"+447700******\"");
        assert_eq!(json(&number.reveal()), "\"+447700900123\"");
        let address = WithheldNumber::new("sip:alice@example.com");
        assert_eq!(address.to_string(), "******");
    }
}
