//! A property that is a literal, or a variable that is read when a call comes to the node.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A literal value, or the name of a variable (`"@name"`) whose value is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting<T> {
    /// The value itself.
    Literal(T),
    /// A variable's name, with its `@`.
    Variable(String),
}

impl<T> Setting<T> {
    /// The literal, when it is one.
    pub fn literal(&self) -> Option<&T> {
        match self {
            Self::Literal(value) => Some(value),
            Self::Variable(_) => None,
        }
    }
}

impl<T: Default> Default for Setting<T> {
    fn default() -> Self {
        Self::Literal(T::default())
    }
}

impl From<u32> for Setting<u32> {
    fn from(value: u32) -> Self {
        Self::Literal(value)
    }
}

impl From<&str> for Setting<String> {
    fn from(text: &str) -> Self {
        if text.starts_with('@') {
            Self::Variable(text.to_owned())
        } else {
            Self::Literal(text.to_owned())
        }
    }
}

impl<T: Serialize> Serialize for Setting<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Literal(value) => value.serialize(serializer),
            Self::Variable(name) => name.serialize(serializer),
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Setting<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match value {
            Value::String(text) if text.starts_with('@') => Ok(Self::Variable(text)),
            other => T::deserialize(other)
                .map(Self::Literal)
                .map_err(D::Error::custom),
        }
    }
}
