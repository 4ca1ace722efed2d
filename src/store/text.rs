//! Enums and documents as the tables keep them: a `snake_case` name, or JSON.

use super::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// What serde writes as a string: the name of a unit variant, a number, an address.
pub(super) fn name<T: Serialize>(value: &T) -> String {
    if let Ok(Value::String(name)) = serde_json::to_value(value) {
        return name;
    }
    debug_assert!(
        false,
        "only what serde writes as a string is kept as a name"
    );
    String::new()
}

/// The variant of a name.
pub(super) fn named<T: DeserializeOwned>(table: &'static str, name: &str) -> Result<T, StoreError> {
    document(table, Value::String(name.to_owned()))
}

/// As [`named`], where the column may be empty.
pub(super) fn maybe_named<T: DeserializeOwned>(
    table: &'static str,
    name: Option<&str>,
) -> Result<Option<T>, StoreError> {
    name.map(|name| named(table, name)).transpose()
}

/// A value as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_else(|error| {
        debug_assert!(false, "a type of ours always has its JSON: {error}");
        Value::Null
    })
}

/// A value from its JSON.
pub(super) fn document<T: DeserializeOwned>(
    table: &'static str,
    value: Value,
) -> Result<T, StoreError> {
    serde_json::from_value(value).map_err(|source| StoreError::Unreadable { table, source })
}

/// A count that the table keeps as a signed number.
pub(super) fn unsigned<T: TryFrom<i64> + Default>(value: impl Into<i64>) -> T {
    T::try_from(value.into()).unwrap_or_default()
}

/// A count as a signed number.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A length of time in milliseconds.
pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
