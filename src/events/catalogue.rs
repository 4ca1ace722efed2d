//! The catalogue of events: every type that is told, when it is told, and an example of its data.

use serde_json::Value;

/// A call came, or the platform began to dial one.
pub const CALL_STARTED: &str = "call.started";
/// The state of a scheduled call changed.
pub const SCHEDULED_CALL_UPDATED: &str = "scheduled_call.updated";
/// A service number was made, changed, or passed to another account.
pub const NUMBER_UPDATED: &str = "number.updated";
/// An account was made or changed.
pub const ACCOUNT_UPDATED: &str = "account.updated";
/// A webhook gets nothing any more.
pub const WEBHOOK_DISABLED: &str = "webhook.disabled";
/// Somebody tries a webhook.
pub const WEBHOOK_TEST: &str = "webhook.test";

/// A type of event.
#[derive(Debug)]
pub struct EventType {
    /// `subject.fact`.
    pub name: &'static str,
    /// When it is told.
    pub text: &'static str,
    /// Data as they may be, in JSON: with every field that there can be.
    pub example: &'static str,
}

impl EventType {
    /// The type of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|one| one.name == name)
    }

    /// What it is about: `call`, `leg`, `number`.
    pub fn subject(&self) -> &'static str {
        self.name.split('.').next().unwrap_or_default()
    }

    /// Whether it is told of a call, and counted within it.
    pub fn is_of_call(&self) -> bool {
        matches!(self.subject(), "call" | "leg" | "recording")
    }

    /// The example as a value.
    pub fn example(&self) -> Value {
        serde_json::from_str(self.example).unwrap_or_default()
    }
}

/// Whether a list of types names this one; `call.*` names all that begin so, and an empty list all.
pub fn is_named(types: &[String], kind: &str) -> bool {
    types.is_empty() || types.iter().any(|wanted| fits(wanted, kind))
}

/// Whether a type, or a beginning of types (`call.*`), stands in the catalogue.
pub fn is_known(wanted: &str) -> bool {
    CATALOGUE.iter().any(|one| fits(wanted, one.name))
}

fn fits(wanted: &str, kind: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(beginning) => kind.starts_with(beginning),
        None => kind == wanted,
    }
}

/// Every type of event.
pub const CATALOGUE: &[EventType] = &[
    EventType {
        name: CALL_STARTED,
        text: "A call came, or the platform began to dial one.",
        example: r#"{"origin":"inbound","service_number":"+441632960001","calling":"+447700900123","called":"+441632960001"}"#,
    },
    EventType {
        name: "call.ringing",
        text: "The first party of a call rings.",
        example: "{}",
    },
    EventType {
        name: "call.answered",
        text: "The first party of a call is connected.",
        example: "{}",
    },
    EventType {
        name: "call.step",
        text: "A call reached a node of its plan, or an action of its application.",
        example: r#"{"node":"menu","kind":"menu","branch":"1"}"#,
    },
    EventType {
        name: "call.dialling",
        text: "The first party of a call is being dialled.",
        example: r#"{"to":"+447700900123"}"#,
    },
    EventType {
        name: "call.annotated",
        text: "A plan or an application put a value on record.",
        example: r#"{"name":"order","value":"4711"}"#,
    },
    EventType {
        name: "call.queued",
        text: "A call waits in a queue.",
        example: r#"{"queue":"sales","position":1}"#,
    },
    EventType {
        name: "call.dequeued",
        text: "A call no longer waits in a queue: it was connected (outcome `connected`), or it left or was sent away (`left`).",
        example: r#"{"queue":"sales","wait_ms":12000,"outcome":"connected"}"#,
    },
    EventType {
        name: "call.ended",
        text: "A call is over: exactly one for each call, and its last.",
        example: r#"{"cause":"normal_clearing","q850":16,"sip_status":200,"outcome":"answered","duration_ms":61000}"#,
    },
    EventType {
        name: "leg.dialling",
        text: "A party of a call is being dialled.",
        example: r#"{"address":"+447700900123","number":1}"#,
    },
    EventType {
        name: "leg.ringing",
        text: "A party of a call rings.",
        example: r#"{"sip_status":180}"#,
    },
    EventType {
        name: "leg.answered",
        text: "A party of a call answered.",
        example: r#"{"number":1}"#,
    },
    EventType {
        name: "leg.tone",
        text: "A tone was heard from the first party of a call that the platform dialled: busy, congestion, special_information, fax_calling, fax_answering or beep.",
        example: r#"{"tone":"busy"}"#,
    },
    EventType {
        name: "leg.media_lost",
        text: "Nothing has been heard from a party of a call for half a minute.",
        example: "{}",
    },
    EventType {
        name: "leg.ended",
        text: "A party of a call has gone; with how it sounded both ways.",
        example: r#"{"cause":"normal_clearing","q850":16,"sip_status":200,"quality":{"round_trip_ms":31.5,"received":{"loss_percent":0.0,"jitter_ms":2.1,"mos":4.4},"sent":{"loss_percent":0.1,"jitter_ms":3.0,"mos":4.3}}}"#,
    },
    EventType {
        name: "recording.ready",
        text: "A recording is complete and can be read.",
        example: r#"{"recording":"rec_01890a5d96a274d9a5b2c3d4e5f60718","duration_ms":48000}"#,
    },
    EventType {
        name: "recording.failed",
        text: "A recording could not be made.",
        example: r#"{"recording":"rec_01890a5d96a274d9a5b2c3d4e5f60718","failure":"the disk is full"}"#,
    },
    EventType {
        name: "recording.paused",
        text: "What is said is left out of a recording from now on.",
        example: r#"{"recording":"rec_01890a5d96a274d9a5b2c3d4e5f60718","gap":"silent"}"#,
    },
    EventType {
        name: "recording.resumed",
        text: "A recording that was paused goes on.",
        example: r#"{"recording":"rec_01890a5d96a274d9a5b2c3d4e5f60718","gap":null}"#,
    },
    EventType {
        name: SCHEDULED_CALL_UPDATED,
        text: "The state of a scheduled call changed.",
        example: r#"{"scheduled_call":"sch_01890a5d96a274d9a5b2c3d4e5f60718","state":"completed","call":"call_01890a5d96a274d9a5b2c3d4e5f60718","cause":"normal_clearing","failure":null,"sip_status":200,"reference":"4711"}"#,
    },
    EventType {
        name: "instance.updated",
        text: "The state of an application instance changed.",
        example: r#"{"instance":"ins_01890a5d96a274d9a5b2c3d4e5f60718","state":"running"}"#,
    },
    EventType {
        name: "instance.page",
        text: "A page of an application was asked for.",
        example: r#"{"instance":"ins_01890a5d96a274d9a5b2c3d4e5f60718","page":"first_page","address":"https://app.example.com/first"}"#,
    },
    EventType {
        name: NUMBER_UPDATED,
        text: "A service number was made, changed, or given to another account.",
        example: r#"{"number_id":"num_01890a5d96a274d9a5b2c3d4e5f60718","number":"+441632960001","status":"active","call_plan":"plan_01890a5d96a274d9a5b2c3d4e5f60718"}"#,
    },
    EventType {
        name: ACCOUNT_UPDATED,
        text: "An account was made or changed.",
        example: r#"{"account":"acc_01890a5d96a274d9a5b2c3d4e5f60718","name":"Example Ltd","kind":"customer","status":"active"}"#,
    },
    EventType {
        name: WEBHOOK_DISABLED,
        text: "A webhook gets nothing any more: its endpoint answered 410 (`gone`), or took nothing for a day (`failing`).",
        example: r#"{"webhook":"whk_01890a5d96a274d9a5b2c3d4e5f60718","url":"https://app.example.com/events","cause":"failing","failing_since":"2026-07-01T08:00:00.000Z"}"#,
    },
    EventType {
        name: WEBHOOK_TEST,
        text: "Somebody tries a webhook: sent to it alone, and kept nowhere.",
        example: r#"{"webhook":"whk_01890a5d96a274d9a5b2c3d4e5f60718"}"#,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_own_name_a_sentence_and_an_example() {
        let mut names: Vec<_> = CATALOGUE.iter().map(|one| one.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CATALOGUE.len());
        for one in CATALOGUE {
            assert!(one.example().is_object(), "{}", one.name);
            assert!(one.text.ends_with('.'), "{}", one.name);
        }
    }

    #[test]
    fn a_list_of_types_takes_names_and_beginnings() {
        let types = ["call.*".to_owned(), "leg.tone".to_owned()];
        for (kind, named) in [
            ("call.ended", true),
            ("leg.tone", true),
            ("leg.ended", false),
        ] {
            assert_eq!(is_named(&types, kind), named, "{kind}");
            assert!(is_named(&[], kind));
        }
        assert!(is_known("call.*") && is_known("*") && is_known("leg.tone"));
        assert!(!is_known("call.exploded") && !is_known("calls.*") && !is_known(""));
    }
}
