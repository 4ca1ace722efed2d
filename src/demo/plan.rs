//! The demonstration's call plan, with recordings in place of texts: no speech program is needed.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::{Value, json};
use strowger_domain::ids::AudioId;

use super::B_PARTY;

const PLAN: &str = include_str!("../../tests/fixtures/call_plans/welcome_menu.json");

/// A recorded announcement, and the text of the plan in whose place it is heard.
pub(super) struct Announcement {
    /// That text.
    pub(super) text: &'static str,
    /// Its name in the pool.
    pub(super) name: &'static str,
    /// The file.
    pub(super) wav: &'static [u8],
}

pub(super) const ANNOUNCEMENTS: [Announcement; 5] = [
    Announcement {
        text: "Welcome to Strowger, the switching company.",
        name: "Welcome",
        wav: include_bytes!("welcome.wav"),
    },
    Announcement {
        text: "To speak to somebody, press 1. To wait for the next free person, press 2. \
               To join the conference, press 3.",
        name: "Menu",
        wav: include_bytes!("menu.wav"),
    },
    Announcement {
        text: "We heard no key.",
        name: "No key",
        wav: include_bytes!("no_key.wav"),
    },
    Announcement {
        text: "That is not one of the choices.",
        name: "Wrong key",
        wav: include_bytes!("wrong_key.wav"),
    },
    Announcement {
        text: "We are sorry that nobody can take your call. Goodbye.",
        name: "Apology",
        wav: include_bytes!("sorry.wav"),
    },
];

/// The call plan with recordings in place of its texts, and the test phone as its office.
pub(super) fn document(audio: &BTreeMap<&'static str, AudioId>) -> anyhow::Result<Value> {
    let mut plan: Value = serde_json::from_str(PLAN).context("the plan is not JSON")?;
    put_recordings(&mut plan, audio);
    let variables = plan.get_mut("variables").and_then(Value::as_array_mut);
    for variable in variables.into_iter().flatten() {
        if variable["name"] == "@office" {
            variable["default"] = json!(B_PARTY);
        }
    }
    Ok(plan)
}

fn put_recordings(value: &mut Value, audio: &BTreeMap<&'static str, AudioId>) {
    if value["type"] == "text"
        && let Some(id) = value["text"].as_str().and_then(|text| audio.get(text))
    {
        *value = json!({ "type": "audio", "audio": id });
        return;
    }
    match value {
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| put_recordings(value, audio)),
        Value::Object(values) => {
            values
                .values_mut()
                .for_each(|value| put_recordings(value, audio));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_domain::call_plan::plan::Plan;
    use strowger_domain::call_plan::validate;

    #[test]
    fn the_demonstrations_plan_is_valid_and_needs_no_speech_program() {
        let audio = ANNOUNCEMENTS
            .iter()
            .map(|announcement| (announcement.text, AudioId::from_uuid(uuid::Uuid::now_v7())))
            .collect();
        let document = document(&audio).expect("is JSON");
        assert!(
            !document.to_string().contains(r#""type":"text""#),
            "{document:#}"
        );
        assert!(document.to_string().contains(B_PARTY));
        let plan: Plan = serde_json::from_value(document).expect("is a plan");
        let problems = validate::validate(&plan, &validate::Context::permissive());
        assert!(problems.is_empty(), "{problems:?}");
    }
}
