//! How a time is written in JSON: RFC 3339, UTC, always with milliseconds
//! (`2026-10-25T01:30:00.000Z`). Use with `#[serde(with = "…")]`.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The time as text.
pub fn text(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Writes a time.
pub fn serialize<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(time))
}

/// Reads a time with any offset.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    DateTime::<Utc>::deserialize(deserializer)
}

/// The same for a time that may be absent.
pub mod optional {
    use super::{DateTime, Deserialize, Deserializer, Serialize, Serializer, Utc, text};

    /// Writes a time or null.
    pub fn serialize<S: Serializer>(
        time: &Option<DateTime<Utc>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.as_ref().map(text).serialize(serializer)
    }

    /// Reads a time or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<DateTime<Utc>>, D::Error> {
        Option::<DateTime<Utc>>::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Row {
        #[serde(with = "crate::timestamp")]
        at: DateTime<Utc>,
        #[serde(with = "crate::timestamp::optional")]
        end: Option<DateTime<Utc>>,
    }

    #[test]
    fn a_time_has_milliseconds_also_when_they_are_zero() {
        let row: Row =
            serde_json::from_str(r#"{"at":"2026-10-25T02:30:00+01:00","end":null}"#).unwrap();
        assert_eq!(
            serde_json::to_string(&row).unwrap(),
            r#"{"at":"2026-10-25T01:30:00.000Z","end":null}"#
        );
    }
}
