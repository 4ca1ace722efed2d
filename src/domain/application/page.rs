//! The pages of an application: their addresses, what they are told and how their requests look.

use crate::call::Origin;
use crate::cause::Cause;
use crate::ids::{CallId, InstanceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use url::Url;
use utoipa::ToSchema;

/// The longest address of a page, with the query that GET adds to it.
const MAX_ADDRESS: usize = 2048;

/// How a page is requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum Method {
    /// `instance_info` stands in the query.
    #[serde(rename = "GET")]
    Get,
    /// `instance_info` is the body.
    #[default]
    #[serde(rename = "POST")]
    Post,
}

/// An address that is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// It cannot be read as a URL.
    #[error("not a URL")]
    NotAUrl,
    /// Another scheme than http or https.
    #[error("only http and https addresses can be requested")]
    Scheme,
    /// Too long.
    #[error("an address has at most 2,048 characters")]
    TooLong,
}

/// A page of an application: an absolute http or https address and how it is requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    url: Url,
    method: Method,
}

impl Page {
    /// The page at an absolute address.
    pub fn new(address: &str, method: Method) -> Result<Self, PageError> {
        Self::check(address, Url::parse(address), method)
    }

    /// The page at an address that may be relative to another page.
    pub fn join(base: &Url, address: &str, method: Method) -> Result<Self, PageError> {
        Self::check(address, base.join(address), method)
    }

    fn check(
        address: &str,
        url: Result<Url, url::ParseError>,
        method: Method,
    ) -> Result<Self, PageError> {
        if address.len() > MAX_ADDRESS {
            return Err(PageError::TooLong);
        }
        let Ok(url) = url else {
            return Err(PageError::NotAUrl);
        };
        if matches!(url.scheme(), "http" | "https") {
            Ok(Self { url, method })
        } else {
            Err(PageError::Scheme)
        }
    }

    /// Its address.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// How it is requested.
    pub fn method(&self) -> Method {
        self.method
    }
}

/// Names one page request within its instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PageNumber(pub u32);

/// Which page of the application is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PageKind {
    /// The first: the call was answered.
    First,
    /// The next page of an action.
    Next,
    /// The error page.
    Error,
    /// The final page: the call is over. Its reply does nothing.
    Final,
}

/// One page request to be made. Its answer is [`super::Input::Page`] with the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Its number.
    pub number: PageNumber,
    /// Which page.
    pub kind: PageKind,
    /// The whole address; for GET with its `instance_info` argument.
    pub url: String,
    /// How.
    pub method: Method,
    /// The body of a POST: `instance_info`, JSON.
    pub body: Option<String>,
}

/// What the web server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageReply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Why a call is over, in the words of the application's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallCause {
    /// All actions were done, or the application or an operator hung up.
    Completed,
    /// The far end hung up.
    HungUp,
    /// Nobody answered.
    NoAnswer,
    /// The called party was busy.
    Busy,
    /// The number cannot be reached.
    Unobtainable,
    /// Anything else: the call was refused, or the application or the platform failed.
    Failed,
}

impl CallCause {
    /// The cause of a call that was not answered.
    pub fn of_refusal(cause: Cause) -> Self {
        match cause {
            Cause::UserBusy => Self::Busy,
            Cause::NormalClearing
            | Cause::NoUserResponding
            | Cause::NoAnswer
            | Cause::SubscriberAbsent
            | Cause::RecoveryOnTimer => Self::NoAnswer,
            Cause::UnallocatedNumber
            | Cause::NoRouteToTransitNetwork
            | Cause::NoRouteToDestination
            | Cause::NumberChanged
            | Cause::ExchangeRoutingError
            | Cause::DestinationOutOfOrder
            | Cause::InvalidNumberFormat => Self::Unobtainable,
            Cause::CallRejected
            | Cause::NonSelectedUserClearing
            | Cause::FacilityRejected
            | Cause::NormalUnspecified
            | Cause::NoCircuit
            | Cause::NetworkOutOfOrder
            | Cause::TemporaryFailure
            | Cause::Congestion
            | Cause::ChannelNotAvailable
            | Cause::ResourceUnavailable
            | Cause::IncomingCallsBarred
            | Cause::BearerNotAuthorized
            | Cause::BearerNotAvailable
            | Cause::ServiceUnavailable
            | Cause::BearerNotImplemented
            | Cause::RestrictedBearerOnly
            | Cause::ServiceNotImplemented
            | Cause::NotInClosedUserGroup
            | Cause::IncompatibleDestination
            | Cause::InvalidMessage
            | Cause::ProtocolError
            | Cause::Interworking => Self::Failed,
        }
    }
}

/// What a page is told of the call.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CallInfo<'a> {
    pub(super) call_id: CallId,
    pub(super) call_direction: &'static str,
    pub(super) call_from: &'a str,
    pub(super) call_to: &'a str,
    pub(super) call_target: &'a str,
    pub(super) call_divert: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) call_attestation: Option<&'static str>,
    pub(super) seconds_call_duration: f64,
    pub(super) call_state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) call_cause: Option<CallCause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) call_raw_cause: Option<&'a str>,
    pub(super) application_parameters: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outbound_parameters: Option<&'a str>,
}

/// `instance_info`: what a page is told.
#[derive(Clone, Debug, Serialize)]
pub(super) struct InstanceInfo<'a> {
    pub(super) application_instance_id: InstanceId,
    pub(super) token: Option<&'a str>,
    pub(super) log_filename: &'a str,
    pub(super) this_call: CallInfo<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) action_result: Option<ActionResult>,
    pub(super) is_notification: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_result: Option<ErrorResult>,
}

/// How an action ended, for its next page.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct ActionResult {
    pub(super) action: &'static str,
    pub(super) result: Value,
    pub(super) interrupted: bool,
}

/// What went wrong, for the error page.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct ErrorResult {
    /// The action that failed; absent: a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<&'static str>,
    pub(super) result: String,
}

impl PageRequest {
    pub(super) fn new(
        number: PageNumber,
        kind: PageKind,
        page: &Page,
        info: &InstanceInfo<'_>,
    ) -> Self {
        // Maps with string keys, strings and numbers: nothing in it can fail.
        let info = serde_json::to_string(info).unwrap_or_default();
        match page.method {
            Method::Post => Self {
                number,
                kind,
                url: page.url.to_string(),
                method: Method::Post,
                body: Some(info),
            },
            Method::Get => {
                let mut url = page.url.clone();
                url.query_pairs_mut().append_pair("instance_info", &info);
                Self {
                    number,
                    kind,
                    url: url.to_string(),
                    method: Method::Get,
                    body: None,
                }
            }
        }
    }
}

/// Seconds with one decimal, as durations are told to pages.
pub(super) fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10.0).round() / 10.0
}

/// The direction of the instance's call.
pub(super) fn direction(origin: Origin) -> &'static str {
    match origin {
        Origin::Inbound => "in",
        Origin::Scheduled | Origin::OutboundService => "out",
    }
}
