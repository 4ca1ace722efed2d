//! What a test phone tells, one JSON object for each happening.

use chrono::{DateTime, Utc};
use serde::Serialize;
use strowger_domain::cause::Cause;

use super::hearing::Heard;

/// Something that happened. The happenings of a call come in their order; `ended` is the last one,
/// and bears the time when the call ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// When.
    #[serde(with = "strowger_domain::timestamp")]
    pub at: DateTime<Utc>,
    /// In which of the phone's calls; they are counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<u64>,
    /// What.
    #[serde(flatten)]
    pub event: Happening,
}

/// See [`Report`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happening {
    /// The phone is ready.
    Listening {
        /// Where it can be called.
        sip: String,
    },
    /// It calls.
    Calling {
        /// Whom.
        to: String,
        /// As whom.
        from: String,
        /// The SIP Call-ID.
        call_id: String,
    },
    /// It is called.
    Invited {
        /// The user part of the request URI: what was dialled.
        dialled: String,
        /// The From URI: the presentation CLI.
        from: String,
        /// The To URI.
        to: String,
        /// The P-Asserted-Identity URIs: the network CLI.
        p_asserted_identity: Vec<String>,
        /// The SIP Call-ID.
        call_id: String,
    },
    /// It rings, here or there.
    Ringing {
        /// The SIP status that said so.
        status: u16,
    },
    /// The call is answered.
    Answered {
        /// What is spoken, by its SDP name; absent while the far end has to say it yet.
        codec: Option<&'static str>,
    },
    /// The phone speaks.
    Saying {
        /// What, in words.
        what: String,
    },
    /// It has said all of its sound.
    Said,
    /// It presses keys.
    Pressed {
        /// Which.
        keys: String,
    },
    /// The far end pressed a key.
    Digit {
        /// Which.
        digit: char,
    },
    /// The first packet of sound has come.
    MediaStarted {
        /// From where.
        from: String,
    },
    /// No sound comes any more.
    MediaLost,
    /// It put the far end on hold, or took it back.
    Held {
        /// Which of the two.
        held: bool,
    },
    /// The far end changed what is spoken, put us on hold, or took us back.
    Changed {
        /// What is spoken now.
        codec: Option<&'static str>,
    },
    /// Something that it was to do could not be done.
    Failed {
        /// Why.
        why: String,
    },
    /// Tones that it heard.
    Heard(Heard),
    /// All that it heard is on record.
    Recorded {
        /// The WAV file, when it is kept.
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<String>,
        /// Its length.
        duration_ms: u64,
        /// Its tones, in their order.
        tones: Vec<Heard>,
    },
    /// The call is over.
    Ended {
        /// Why.
        cause: Cause,
        /// Its number by Q.850.
        q850: u8,
        /// The SIP status that ended it, where there was one.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// It was the phone that ended it.
        by_us: bool,
        /// It had been answered.
        answered: bool,
        /// From the answer to the end.
        duration_ms: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_flat_object() {
        let report = Report {
            at: DateTime::UNIX_EPOCH,
            call: Some(1),
            event: Happening::Heard(Heard {
                from_ms: 0,
                until_ms: 500,
                hertz: vec![600],
            }),
        };
        let expected = serde_json::json!({
            "at": "1970-01-01T00:00:00.000Z", "call": 1, "event": "heard",
            "from_ms": 0, "until_ms": 500, "hertz": [600],
        });
        assert_eq!(serde_json::to_value(report).expect("is JSON"), expected);
    }
}
