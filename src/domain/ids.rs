//! Typed identifiers: a UUID that knows what it names, written with a prefix (`acc_…`).
//!
//! The shells make version 7 UUIDs, so that identifiers sort by the time at which they were made.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;
use uuid::Uuid;

/// A text that is no identifier of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier of the form {prefix}_ and 32 hexadecimal digits")]
pub struct IdError {
    /// The prefix that was wanted, without its underscore.
    pub prefix: &'static str,
}

fn read(prefix: &'static str, text: &str) -> Result<Uuid, IdError> {
    let digits = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|digits| digits.len() == 32 && !digits.bytes().any(|b| b.is_ascii_uppercase()));
    digits
        .and_then(|digits| Uuid::try_parse(digits).ok())
        .ok_or(IdError { prefix })
}

// One macro in place of fifteen copies: the types differ in their name and prefix only, and a
// generic type would show its marker in every signature and in the published schema.
macro_rules! id {
    ($name:ident, $prefix:literal, $example:literal, $what:literal) => {
        #[doc = concat!("Names ", $what, "; written `", $prefix, "_` and 32 hexadecimal digits.")]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ToSchema)]
        #[schema(value_type = String, example = $example)]
        pub struct $name(Uuid);

        impl $name {
            /// What stands before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// The identifier of this UUID.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID inside.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", $prefix, self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                read($prefix, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    AccountId,
    "acc",
    "acc_01890a5d96a274d9a5b2c3d4e5f60718",
    "an account"
);
id!(
    UserId,
    "usr",
    "usr_01890a5d96a274d9a5b2c3d4e5f60718",
    "a user"
);
id!(
    NumberId,
    "num",
    "num_01890a5d96a274d9a5b2c3d4e5f60718",
    "a service number"
);
id!(
    SwitchId,
    "swi",
    "swi_01890a5d96a274d9a5b2c3d4e5f60718",
    "a switch of a number to another plan at a set time"
);
id!(
    AssignmentId,
    "asg",
    "asg_01890a5d96a274d9a5b2c3d4e5f60718",
    "a line of a number's history"
);
id!(
    PlanId,
    "plan",
    "plan_01890a5d96a274d9a5b2c3d4e5f60718",
    "a call plan"
);
id!(
    CallId,
    "call",
    "call_01890a5d96a274d9a5b2c3d4e5f60718",
    "a call"
);
id!(
    LegId,
    "leg",
    "leg_01890a5d96a274d9a5b2c3d4e5f60718",
    "a leg of a call"
);
id!(
    ScheduledCallId,
    "sch",
    "sch_01890a5d96a274d9a5b2c3d4e5f60718",
    "a scheduled call"
);
id!(
    TrunkId,
    "trk",
    "trk_01890a5d96a274d9a5b2c3d4e5f60718",
    "a trunk to a carrier"
);
id!(
    RouteId,
    "rte",
    "rte_01890a5d96a274d9a5b2c3d4e5f60718",
    "a route"
);
id!(
    AudioId,
    "aud",
    "aud_01890a5d96a274d9a5b2c3d4e5f60718",
    "an audio file"
);
id!(
    RecordingId,
    "rec",
    "rec_01890a5d96a274d9a5b2c3d4e5f60718",
    "a recording"
);
id!(
    ServiceId,
    "svc",
    "svc_01890a5d96a274d9a5b2c3d4e5f60718",
    "a service of an application"
);
id!(
    InstanceId,
    "ins",
    "ins_01890a5d96a274d9a5b2c3d4e5f60718",
    "one run of an application"
);
id!(
    EventId,
    "evt",
    "evt_01890a5d96a274d9a5b2c3d4e5f60718",
    "an event"
);
id!(
    WebhookId,
    "whk",
    "whk_01890a5d96a274d9a5b2c3d4e5f60718",
    "a webhook"
);
id!(
    DeliveryId,
    "dlv",
    "dlv_01890a5d96a274d9a5b2c3d4e5f60718",
    "the delivery of an event to a webhook"
);
id!(
    SessionId,
    "ses",
    "ses_01890a5d96a274d9a5b2c3d4e5f60718",
    "a sign-in and its tokens"
);
id!(
    ApiKeyId,
    "key",
    "key_01890a5d96a274d9a5b2c3d4e5f60718",
    "an API key"
);
id!(
    AuditEntryId,
    "adt",
    "adt_01890a5d96a274d9a5b2c3d4e5f60718",
    "an entry of the audit log"
);
id!(
    MailId,
    "mail",
    "mail_01890a5d96a274d9a5b2c3d4e5f60718",
    "a mail"
);
id!(
    InvitationId,
    "inv",
    "inv_01890a5d96a274d9a5b2c3d4e5f60718",
    "an invitation to become a user"
);

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "acc_01890a5d96a274d9a5b2c3d4e5f60718";

    #[test]
    fn an_identifier_is_read_back_as_it_was_written() {
        let id: AccountId = TEXT.parse().unwrap();
        assert_eq!(id.to_string(), TEXT);
        assert_eq!(format!("{id:?}"), TEXT);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{TEXT}\""));
        assert_eq!(serde_json::from_str::<AccountId>(&json).unwrap(), id);
        assert_eq!(AccountId::from_uuid(id.uuid()), id);
    }

    #[test]
    fn an_identifier_of_another_kind_is_refused() {
        assert_eq!(TEXT.parse::<UserId>(), Err(IdError { prefix: "usr" }));
    }

    #[test]
    fn only_one_spelling_is_an_identifier() {
        let wrong = [
            "",
            "acc_",
            "acc",
            "01890a5d96a274d9a5b2c3d4e5f60718",
            "acc_01890A5D96A274D9A5B2C3D4E5F60718",
            "acc_01890a5d-96a2-74d9-a5b2-c3d4e5f60718",
            "acc_01890a5d96a274d9a5b2c3d4e5f6071",
            "acc_01890a5d96a274d9a5b2c3d4e5f60718 ",
            "acc_g1890a5d96a274d9a5b2c3d4e5f60718",
        ];
        for text in wrong {
            assert!(text.parse::<AccountId>().is_err(), "{text}");
        }
    }
}
