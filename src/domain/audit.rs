//! What an entry of the audit log tells of a change: what was before and after, and nothing secret.

use serde_json::{Map, Value};

/// What stands in place of a secret.
const HIDDEN: &str = "changed";

/// The longest document of an entry, in bytes of its JSON: a draft of a call plan may be longer.
pub const MAX_DOCUMENT: usize = 16 * 1024;

/// Whether a field of this name holds a secret.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let holds = ["password", "secret", "token", "passphrase", "private_key"];
    let is = [
        "pin",
        "code",
        "recovery_codes",
        "otpauth_uri",
        "api_key",
        "authorization",
    ];
    holds.iter().any(|part| name.contains(part)) || is.contains(&&*name)
}

/// The document with something else in place of each secret, however deep.
pub fn without_secrets(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| {
                    let value = if is_hidden(&name, &value) {
                        Value::from(HIDDEN)
                    } else {
                        without_secrets(value)
                    };
                    (name, value)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_secrets).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// A flag such as `has_password`, or that there is none, is no secret. A `key` is one when it is
/// long: a digit of a menu is called so too.
fn is_hidden(name: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::String(text) if name == "key" => text.len() >= 16,
        Value::String(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => is_secret(name),
    }
}

/// The secrets of a document alone, each by its name; `None`: there are none.
pub fn only_secrets(value: &Value) -> Option<Value> {
    let Value::Object(members) = value else {
        return None;
    };
    let mut found = Map::new();
    for (name, value) in members {
        if is_secret(name) && !value.is_boolean() {
            found.insert(name.clone(), Value::from(HIDDEN));
        } else if let Some(below) = only_secrets(value) {
            found.insert(name.clone(), below);
        }
    }
    (!found.is_empty()).then_some(Value::Object(found))
}

/// What differs between two states of one thing, as two merge patches: the second makes the later
/// state of the earlier one, the first takes it back.
///
/// *Source*: RFC 7396, which cannot tell an absent member from null; here null is absent.
pub fn difference(before: &Value, after: &Value) -> Option<(Value, Value)> {
    if before == after {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return Some((before.clone(), after.clone()));
    };
    let (mut was, mut is) = (Map::new(), Map::new());
    for name in old
        .keys()
        .chain(new.keys().filter(|n| !old.contains_key(*n)))
    {
        let (old, new) = (
            old.get(name).unwrap_or(&Value::Null),
            new.get(name).unwrap_or(&Value::Null),
        );
        if let Some((old, new)) = difference(old, new) {
            was.insert(name.clone(), old);
            is.insert(name.clone(), new);
        }
    }
    (!is.is_empty()).then_some((Value::Object(was), Value::Object(is)))
}

/// Adds the members of one document to another.
pub fn with(document: Value, more: Option<Value>) -> Value {
    match (document, more) {
        (Value::Object(mut members), Some(Value::Object(more))) => {
            for (name, value) in more {
                let there = members.remove(&name).unwrap_or(Value::Null);
                let value = if there.is_object() {
                    with(there, Some(value))
                } else {
                    value
                };
                members.insert(name, value);
            }
            Value::Object(members)
        }
        (Value::Null, Some(more)) => more,
        (document, _) => document,
    }
}

/// The document, or how long it would have been when it is longer than [`MAX_DOCUMENT`].
pub fn bounded(value: Value) -> Value {
    let length = value.to_string().len();
    if length <= MAX_DOCUMENT {
        return value;
    }
    serde_json::json!({ "omitted_bytes": length })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_told() {
        let before = json!({"name": "A", "limits": {"calls": 1, "agents": 2}, "list": [1, 2]});
        let after = json!({"name": "A", "limits": {"calls": 3, "agents": 2}, "list": [1]});
        let (was, is) = difference(&before, &after).unwrap();
        assert_eq!(was, json!({"limits": {"calls": 1}, "list": [1, 2]}));
        assert_eq!(is, json!({"limits": {"calls": 3}, "list": [1]}));
        assert_eq!(difference(&before, &before), None);
        let (was, is) = difference(&json!({"a": 1}), &json!({"b": 2})).unwrap();
        assert_eq!(
            (was, is),
            (json!({"a": 1, "b": null}), json!({"a": null, "b": 2}))
        );
    }

    #[test]
    fn no_secret_is_told_but_that_it_changed() {
        let sent = json!({"name": "x", "password": "p4ss", "auth": {"client_secret": "s", "user": "u"},
            "has_password": true, "pin": "1234", "code": "123456", "list": [{"access_token": "t"}], "token": null});
        let told = without_secrets(sent.clone());
        assert_eq!(
            told,
            json!({"name": "x", "password": "changed", "auth": {"client_secret": "changed",
                "user": "u"}, "has_password": true, "pin": "changed", "code": "changed",
                "list": [{"access_token": "changed"}], "token": null})
        );
        assert_eq!(
            only_secrets(&sent),
            Some(
                json!({"password": "changed", "auth": {"client_secret": "changed"},
                "pin": "changed", "code": "changed", "token": "changed"})
            )
        );
        assert_eq!(only_secrets(&json!({"name": "x"})), None);
    }

    #[test]
    fn secrets_are_laid_over_what_was_answered() {
        let answer = json!({"name": "x", "auth": {"user": "u"}});
        let secrets = Some(json!({"password": "changed", "auth": {"client_secret": "changed"}}));
        assert_eq!(
            with(answer, secrets),
            json!({"name": "x", "password": "changed",
                "auth": {"user": "u", "client_secret": "changed"}})
        );
    }

    #[test]
    fn a_long_document_is_told_by_its_length() {
        let long = json!({"nodes": "x".repeat(MAX_DOCUMENT)});
        assert_eq!(bounded(long), json!({"omitted_bytes": MAX_DOCUMENT + 12}));
        assert_eq!(bounded(json!({"a": 1})), json!({"a": 1}));
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<u8>().prop_map(Value::from),
            "[a-c]".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect()))
        })
    }

    fn patched(value: Value, patch: &Value) -> Value {
        let Value::Object(patch) = patch else {
            return patch.clone();
        };
        let mut members = match value {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        for (name, patch) in patch {
            let old = members.remove(name).unwrap_or(Value::Null);
            if !patch.is_null() {
                members.insert(name.clone(), patched(old, patch));
            }
        }
        Value::Object(members)
    }

    proptest! {
        #[test]
        fn the_later_patch_leads_forward_and_the_earlier_one_back(
            before in documents(), after in documents()
        ) {
            // A merge patch can't say "an object with no member left": objects of both sides only.
            prop_assume!(before.is_object() && after.is_object());
            if let Some((was, is)) = difference(&before, &after) {
                prop_assert_eq!(patched(before.clone(), &is), after.clone());
                prop_assert_eq!(patched(after, &was), before);
            }
        }
    }
}
