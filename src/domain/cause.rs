//! Why a call or a leg ended: Q.850 causes, the one currency between SIP, plans and records.
//!
//! *Source*: ITU-T Q.850 table 1; RFC 3398 §7.2.4.1 and §8.2.6.1 for the mappings to and from SIP.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A cause by ITU-T Q.850.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// 1: the number is not assigned to anybody.
    UnallocatedNumber,
    /// 2: the transit network is not known.
    NoRouteToTransitNetwork,
    /// 3: no way leads to the destination.
    NoRouteToDestination,
    /// 16: one of the parties hung up.
    NormalClearing,
    /// 17: the called party is busy.
    UserBusy,
    /// 18: nothing was heard from the called party.
    NoUserResponding,
    /// 19: it rang and nobody answered.
    NoAnswer,
    /// 20: the mobile is out of reach or switched off.
    SubscriberAbsent,
    /// 21: the called party does not want the call.
    CallRejected,
    /// 22: the called party has another number now.
    NumberChanged,
    /// 25: the call went in a circle.
    ExchangeRoutingError,
    /// 26: another party took the call.
    NonSelectedUserClearing,
    /// 27: the called party's line is out of order.
    DestinationOutOfOrder,
    /// 28: the number is too short, too long or not a number.
    InvalidNumberFormat,
    /// 29: a supplementary service was refused.
    FacilityRejected,
    /// 31: normal, nothing more is known.
    NormalUnspecified,
    /// 34: no circuit or channel is free.
    NoCircuit,
    /// 38: the network is out of order for a longer time.
    NetworkOutOfOrder,
    /// 41: the network failed for a short time.
    TemporaryFailure,
    /// 42: an exchange has too many calls.
    Congestion,
    /// 44: the wanted channel is not free.
    ChannelNotAvailable,
    /// 47: a resource is missing, nothing more is known.
    ResourceUnavailable,
    /// 55: incoming calls are barred.
    IncomingCallsBarred,
    /// 57: the bearer is not permitted.
    BearerNotAuthorized,
    /// 58: the bearer is not there now.
    BearerNotAvailable,
    /// 63: a service or option is not there, nothing more is known.
    ServiceUnavailable,
    /// 65: the bearer is not known: no common codec.
    BearerNotImplemented,
    /// 70: only restricted digital bearers.
    RestrictedBearerOnly,
    /// 79: a service or option is not known, nothing more is known.
    ServiceNotImplemented,
    /// 87: the caller is not a member of the closed user group.
    NotInClosedUserGroup,
    /// 88: the destination cannot take such a call.
    IncompatibleDestination,
    /// 95: an invalid message, nothing more is known.
    InvalidMessage,
    /// 102: a timer ran out.
    RecoveryOnTimer,
    /// 111: a protocol error, nothing more is known.
    ProtocolError,
    /// 127: another network did not say why.
    Interworking,
}

/// How a call went, for its record.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Somebody, or something that was asked for, answered.
    Answered,
    /// It rang, or was given up before anybody answered.
    Unanswered,
    /// The called party was busy.
    Engaged,
    /// Anything else went wrong.
    Failed,
}

impl Outcome {
    /// Its name in documents, rows and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Unanswered => "unanswered",
            Self::Engaged => "engaged",
            Self::Failed => "failed",
        }
    }
}

/// Every cause with its Q.850 value, its SIP status when a call that is not answered yet is refused
/// with it (RFC 3398 §7.2.4.1 and §8.2.6.1), and its words.
///
/// Causes 16 and 26 have no status there; 16 is given 480: a caller who was never answered is told
/// that the call was not taken. 42 is 503 as there; 58 and 65 are the two "no codec" causes.
const TABLE: &[(Cause, u8, u16, &str)] = &[
    (Cause::UnallocatedNumber, 1, 404, "unallocated number"),
    (
        Cause::NoRouteToTransitNetwork,
        2,
        404,
        "no route to transit network",
    ),
    (
        Cause::NoRouteToDestination,
        3,
        404,
        "no route to destination",
    ),
    (Cause::NormalClearing, 16, 480, "normal call clearing"),
    (Cause::UserBusy, 17, 486, "user busy"),
    (Cause::NoUserResponding, 18, 408, "no user responding"),
    (Cause::NoAnswer, 19, 480, "no answer from user"),
    (Cause::SubscriberAbsent, 20, 480, "subscriber absent"),
    (Cause::CallRejected, 21, 403, "call rejected"),
    (Cause::NumberChanged, 22, 410, "number changed"),
    (
        Cause::ExchangeRoutingError,
        25,
        483,
        "exchange routing error",
    ),
    (
        Cause::NonSelectedUserClearing,
        26,
        404,
        "non-selected user clearing",
    ),
    (
        Cause::DestinationOutOfOrder,
        27,
        502,
        "destination out of order",
    ),
    (Cause::InvalidNumberFormat, 28, 484, "invalid number format"),
    (Cause::FacilityRejected, 29, 501, "facility rejected"),
    (Cause::NormalUnspecified, 31, 480, "normal, unspecified"),
    (Cause::NoCircuit, 34, 503, "no circuit available"),
    (Cause::NetworkOutOfOrder, 38, 503, "network out of order"),
    (Cause::TemporaryFailure, 41, 503, "temporary failure"),
    (Cause::Congestion, 42, 503, "switching equipment congestion"),
    (
        Cause::ChannelNotAvailable,
        44,
        503,
        "requested channel not available",
    ),
    (Cause::ResourceUnavailable, 47, 503, "resource unavailable"),
    (Cause::IncomingCallsBarred, 55, 403, "incoming calls barred"),
    (
        Cause::BearerNotAuthorized,
        57,
        403,
        "bearer capability not authorized",
    ),
    (
        Cause::BearerNotAvailable,
        58,
        503,
        "bearer capability not available",
    ),
    (
        Cause::ServiceUnavailable,
        63,
        503,
        "service or option not available",
    ),
    (
        Cause::BearerNotImplemented,
        65,
        488,
        "bearer capability not implemented",
    ),
    (
        Cause::RestrictedBearerOnly,
        70,
        488,
        "only restricted bearer available",
    ),
    (
        Cause::ServiceNotImplemented,
        79,
        501,
        "service or option not implemented",
    ),
    (
        Cause::NotInClosedUserGroup,
        87,
        403,
        "user not member of closed user group",
    ),
    (
        Cause::IncompatibleDestination,
        88,
        503,
        "incompatible destination",
    ),
    (Cause::InvalidMessage, 95, 400, "invalid message"),
    (Cause::RecoveryOnTimer, 102, 504, "recovery on timer expiry"),
    (Cause::ProtocolError, 111, 500, "protocol error"),
    (Cause::Interworking, 127, 500, "interworking"),
];

impl Cause {
    /// Every cause, by its Q.850 value.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    fn row(self) -> (u8, u16, &'static str) {
        TABLE
            .iter()
            .find(|row| row.0 == self)
            .map_or((127, 500, "interworking"), |row| (row.1, row.2, row.3))
    }

    /// The Q.850 cause value.
    pub fn q850(self) -> u8 {
        self.row().0
    }

    /// The cause of a Q.850 value. A value without a name here is the "unspecified" one of its
    /// class, as Q.850 §2.2.5 asks.
    pub fn from_q850(value: u8) -> Self {
        if let Some(row) = TABLE.iter().find(|row| row.1 == value) {
            return row.0;
        }
        match value {
            0..=31 => Self::NormalUnspecified,
            32..=47 => Self::ResourceUnavailable,
            48..=63 => Self::ServiceUnavailable,
            64..=79 => Self::ServiceNotImplemented,
            80..=95 => Self::InvalidMessage,
            96..=111 => Self::ProtocolError,
            112.. => Self::Interworking,
        }
    }

    /// The SIP status with which a call that is not answered yet is refused.
    pub fn sip_status(self) -> u16 {
        self.row().1
    }

    /// The cause of a final SIP status of 300 and above. RFC 3398 §7.2.4.1 and §8.2.6.1.
    ///
    /// 487 answers our own CANCEL: normal clearing. 488 and 606 mean that no codec is common.
    pub fn from_sip_status(status: u16) -> Self {
        match status {
            401 | 402 | 403 | 407 | 603 => Self::CallRejected,
            404 | 485 | 604 => Self::UnallocatedNumber,
            405 => Self::ServiceUnavailable,
            406 | 415 | 501 => Self::ServiceNotImplemented,
            408 | 504 => Self::RecoveryOnTimer,
            300..=399 | 410 => Self::NumberChanged,
            480 => Self::NoUserResponding,
            482 | 483 => Self::ExchangeRoutingError,
            484 => Self::InvalidNumberFormat,
            486 | 600 => Self::UserBusy,
            487 => Self::NormalClearing,
            488 | 606 => Self::BearerNotImplemented,
            400 | 481 | 500 | 503 => Self::TemporaryFailure,
            502 => Self::NetworkOutOfOrder,
            400..=499 | 505 | 513 => Self::Interworking,
            500..=599 => Self::TemporaryFailure,
            600..=699 => Self::CallRejected,
            _ => Self::Interworking,
        }
    }

    /// The outcome of a call that ended with this cause.
    pub fn outcome(self, answered: bool) -> Outcome {
        if answered {
            return Outcome::Answered;
        }
        if self == Self::UserBusy {
            return Outcome::Engaged;
        }
        let unanswered = [
            Self::NormalClearing,
            Self::NoUserResponding,
            Self::NoAnswer,
            Self::SubscriberAbsent,
            Self::NonSelectedUserClearing,
        ];
        if unanswered.contains(&self) {
            Outcome::Unanswered
        } else {
            Outcome::Failed
        }
    }

    /// The cause in words, for logs and people.
    pub fn text(self) -> &'static str {
        self.row().2
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.text(), self.q850())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_found_by_its_q850_value() {
        for cause in Cause::all() {
            assert_eq!(Cause::from_q850(cause.q850()), cause, "{cause}");
        }
    }

    #[test]
    fn an_unknown_value_is_the_unspecified_cause_of_its_class() {
        assert_eq!(Cause::from_q850(0), Cause::NormalUnspecified);
        assert_eq!(Cause::from_q850(46), Cause::ResourceUnavailable);
        assert_eq!(Cause::from_q850(50), Cause::ServiceUnavailable);
        assert_eq!(Cause::from_q850(69), Cause::ServiceNotImplemented);
        assert_eq!(Cause::from_q850(81), Cause::InvalidMessage);
        assert_eq!(Cause::from_q850(101), Cause::ProtocolError);
        assert_eq!(Cause::from_q850(255), Cause::Interworking);
    }

    #[test]
    fn refusals_map_as_rfc_3398_says() {
        let rows = [
            (404, 1),
            (480, 18),
            (486, 17),
            (600, 17),
            (603, 21),
            (408, 102),
            (410, 22),
            (484, 28),
            (482, 25),
            (500, 41),
            (503, 41),
            (502, 38),
            (504, 102),
            (501, 79),
            (405, 63),
            (415, 79),
            (488, 65),
            (487, 16),
        ];
        for (status, value) in rows {
            assert_eq!(Cause::from_sip_status(status).q850(), value, "{status}");
        }
    }

    #[test]
    fn causes_map_to_refusals_as_rfc_3398_says() {
        let rows = [
            (1, 404),
            (3, 404),
            (17, 486),
            (18, 408),
            (19, 480),
            (20, 480),
            (21, 403),
            (22, 410),
            (27, 502),
            (28, 484),
            (29, 501),
            (31, 480),
            (34, 503),
            (41, 503),
            (42, 503),
            (65, 488),
            (79, 501),
            (102, 504),
            (127, 500),
        ];
        for (value, status) in rows {
            assert_eq!(Cause::from_q850(value).sip_status(), status, "{value}");
        }
    }

    #[test]
    fn every_status_has_a_cause_and_every_cause_a_final_status() {
        for status in 0..1000 {
            let _ = Cause::from_sip_status(status);
        }
        for cause in Cause::all() {
            assert!((400..700).contains(&cause.sip_status()), "{cause}");
        }
    }

    #[test]
    fn outcome_tells_busy_from_unanswered_from_failed() {
        assert_eq!(Cause::NormalClearing.outcome(true), Outcome::Answered);
        assert_eq!(Cause::NormalClearing.outcome(false), Outcome::Unanswered);
        assert_eq!(Cause::NoAnswer.outcome(false), Outcome::Unanswered);
        assert_eq!(Cause::UserBusy.outcome(false), Outcome::Engaged);
        assert_eq!(Cause::TemporaryFailure.outcome(false), Outcome::Failed);
    }

    #[test]
    fn a_cause_is_written_by_its_name() {
        assert_eq!(
            serde_json::to_string(&Cause::NoAnswer).unwrap(),
            "\"no_answer\""
        );
    }
}
