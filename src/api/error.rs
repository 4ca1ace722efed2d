//! What the API answers when it does not do what was asked: RFC 9457 problem details.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use strowger_domain::fault::Fault;

use crate::accounts::messages::Unavailable;
use crate::store::StoreError;

macro_rules! codes {
    ($($variant:ident | $code:literal | $status:literal | $text:literal)*) => {
        /// The catalogue of problems: code, HTTP status and text, a row each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $(#[doc = $text] $variant),* }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// What it means.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

// A macro, so that a code, its status and its text are one row and cannot drift apart.
codes! {
    MalformedJson        | "malformed_json"         | 400 | "The body is not JSON."
    MalformedQuery       | "malformed_query"        | 400 | "The query string cannot be read."
    MalformedBody        | "malformed_body"         | 400 | "The body cannot be read."
    Unauthenticated      | "unauthenticated"        | 401 | "An access token is needed."
    TokenInvalid         | "token_invalid"          | 401 | "The access token is not valid, or its time is over."
    ApiKeyInvalid        | "api_key_invalid"        | 401 | "The API key is not valid, not from here, or its time is over."
    WrongCredentials     | "wrong_credentials"      | 401 | "The e-mail address or the password is wrong."
    MfaRequired          | "mfa_required"           | 401 | "A code of your authenticator app, or a recovery code, is needed."
    WrongMfaCode         | "wrong_mfa_code"         | 401 | "The code is wrong, or was used before."
    WrongServicePassword | "wrong_service_password" | 401 | "The service name or its password is wrong."
    LinkInvalid          | "link_invalid"           | 401 | "The link was used before, or its time is over. Ask for a new one."
    RefreshInvalid       | "refresh_token_invalid"  | 401 | "The refresh token is not valid, or its time is over."
    RefreshReused        | "refresh_token_reused"   | 401 | "The refresh token was used before: this sign-in has ended. Sign in again."
    AccountDisabled      | "account_disabled"       | 403 | "This account is disabled. Ask whoever provides it to you."
    AccountClosed        | "account_closed"         | 403 | "This account is closed. It can only be exported and erased."
    UserDisabled         | "user_disabled"          | 403 | "Your user is disabled. Ask your administrator."
    PasswordExpired      | "password_expired"       | 403 | "Your password is too old. Choose a new one first."
    MfaNotEnrolled       | "mfa_not_enrolled"       | 403 | "Your account requires an authenticator app. Set it up first."
    Forbidden            | "forbidden"              | 403 | "Your role does not permit this."
    NotFound             | "not_found"              | 404 | "There is no such thing."
    MethodNotAllowed     | "method_not_allowed"     | 405 | "This path does not take this method."
    Conflict             | "conflict"               | 409 | "This contradicts what is there."
    Taken                | "taken"                  | 409 | "The name, number or address is in use already."
    InUse                | "in_use"                 | 409 | "Something else still refers to it."
    LimitReached         | "limit_reached"          | 409 | "The account, or one above it, has reached a limit."
    NoMailServer         | "no_mail_server"         | 409 | "No mail server is set for the account or any above it."
    NotQueued            | "not_queued"             | 409 | "The scheduled call is no longer queued."
    InProgress           | "request_in_progress"    | 409 | "A request with this Idempotency-Key is still being carried out."
    PreconditionFailed   | "precondition_failed"    | 412 | "Somebody else has changed it: read it again."
    TooLarge             | "too_large"              | 413 | "The body is too large."
    UnsupportedMedia     | "unsupported_media_type" | 415 | "The body is of another media type than this takes."
    RangeNotSatisfiable  | "range_not_satisfiable"  | 416 | "The range lies outside of the file."
    Invalid              | "invalid"                | 422 | "The input has faults."
    KeyReused            | "idempotency_key_reused" | 422 | "The Idempotency-Key belongs to another request."
    PreconditionRequired | "precondition_required"  | 428 | "Send `If-Match` with the `ETag` that you have read."
    TooManyRequests      | "too_many_requests"      | 429 | "Too many requests: wait as long as Retry-After says."
    Internal             | "internal"               | 500 | "Something failed here. The request's id leads to the reason."
    Unavailable          | "unavailable"            | 503 | "This cannot be done now. Try again a little later."
    NoChannel            | "no_channel"             | 503 | "The account has as many calls as it may have. Try again a little later."
    TimedOut             | "timed_out"              | 504 | "It took too long."
}

/// A refusal on its way out.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", code.name())]
pub struct Problem {
    /// Which.
    pub code: Code,
    /// More than the code's own text.
    pub detail: Option<String>,
    /// The faults of the input.
    pub errors: Vec<Fault>,
    /// Headers of the answer (`Retry-After`, `Allow`).
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// RFC 9457 problem details.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// A stable URI of the kind of problem.
    #[schema(example = "urn:strowger:problem:invalid")]
    #[serde(rename = "type")]
    kind: String,
    /// Its short text.
    title: String,
    /// The HTTP status.
    status: u16,
    /// The stable name of the kind of problem.
    #[schema(example = "invalid")]
    code: String,
    /// What is special about this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Names this request in the operator's log.
    request_id: String,
    /// Every fault of the input.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self {
            code,
            detail: None,
            errors: Vec::new(),
            headers: Vec::new(),
        }
    }
}

impl Problem {
    /// Adds what is special about this one.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds a header of the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The input has these faults.
    pub fn invalid(errors: Vec<Fault>) -> Self {
        Self {
            errors,
            ..Code::Invalid.into()
        }
    }

    /// The input has one fault.
    pub fn fault(pointer: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::invalid(vec![Fault::new(pointer, code, detail)])
    }

    /// The answer, which names its request.
    pub fn answer(&self, request_id: &str) -> HttpResponse {
        let body = ProblemBody {
            kind: format!("urn:strowger:problem:{}", self.code.name()),
            title: self.code.text().to_owned(),
            status: self.code.status(),
            code: self.code.name().to_owned(),
            detail: self.detail.clone(),
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
        };
        let mut answer = HttpResponse::build(self.status_code());
        for (name, value) in &self.headers {
            answer.append_header((name.clone(), value.clone()));
        }
        if self.code.status() == 401 && self.headers.is_empty() {
            answer.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"strowger\""));
        }
        answer.insert_header((header::CACHE_CONTROL, "no-store"));
        answer
            .content_type("application/problem+json")
            .body(serde_json::to_vec(&body).unwrap_or_default())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        // The outermost middleware writes it again with the request's id.
        self.answer("")
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Code::NotFound.into(),
            StoreError::Taken => Code::Taken.into(),
            StoreError::Referred => Code::InUse.into(),
            StoreError::Stale => Code::PreconditionFailed.into(),
            StoreError::TokenInvalid => Code::RefreshInvalid.into(),
            StoreError::TokenReused => Code::RefreshReused.into(),
            StoreError::Unkeepable => {
                Self::from(Code::MalformedBody).detail("A text holds the character U+0000.")
            }
            StoreError::Unreadable { .. } | StoreError::Database(_) => {
                let passing = error.is_passing();
                tracing::error!(error = &error as &dyn std::error::Error, "a query failed");
                if passing {
                    Code::Unavailable.into()
                } else {
                    Code::Internal.into()
                }
            }
        }
    }
}

impl From<Unavailable> for Problem {
    fn from(_unavailable: Unavailable) -> Self {
        Self::from(Code::Unavailable).header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }
}

/// Collects every fault of an input.
#[derive(Debug, Default)]
pub struct Faults {
    all: Vec<Fault>,
    /// So many of them are faults of shape: where they stand, the input holds stand-ins.
    of_shape: usize,
}

impl Faults {
    /// Begins with the faults of a document's shape.
    pub fn of_shape(faults: Vec<Fault>) -> Self {
        Self {
            of_shape: faults.len(),
            all: faults,
        }
    }

    /// Notes a fault, unless it is one of a stand-in.
    pub fn add(&mut self, pointer: &str, code: &'static str, detail: impl Into<String>) {
        self.note(Fault::new(pointer, code, detail));
    }

    fn note(&mut self, fault: Fault) {
        let covers = |known: &Fault| {
            let rest = fault.pointer.strip_prefix(&known.pointer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if !self.all.iter().take(self.of_shape).any(covers) {
            self.all.push(fault);
        }
    }

    /// Notes the faults of a part of the document, which stands at `pointer`.
    pub fn extend(&mut self, pointer: &str, faults: Vec<Fault>) {
        for fault in faults {
            self.note(Fault {
                pointer: format!("{pointer}{}", fault.pointer),
                ..fault
            });
        }
    }

    /// Notes a fault unless all is well.
    pub fn check(&mut self, well: bool, pointer: &str, code: &'static str, detail: &str) {
        if !well {
            self.add(pointer, code, detail);
        }
    }

    /// Checks the length of a text, in characters, and that it holds no control character.
    pub fn text(&mut self, pointer: &str, text: &str, shortest: usize, longest: usize) {
        let length = text.trim().chars().count();
        if length < shortest || length > longest {
            let detail = format!("write {shortest} to {longest} characters");
            self.add(pointer, "bad_length", detail);
        }
        let plain = !text.chars().any(|c| c.is_control() && c != '\n');
        self.check(
            plain,
            pointer,
            "control_character",
            "leave out control characters",
        );
    }

    /// Checks that a number lies within its range.
    pub fn range(&mut self, pointer: &str, value: u32, (least, most): (u32, u32)) {
        if value < least || value > most {
            self.add(pointer, "out_of_range", format!("choose {least} to {most}"));
        }
    }

    /// Keeps the value of a result, or notes its error.
    pub fn take<T, E: std::fmt::Display>(
        &mut self,
        pointer: &str,
        code: &'static str,
        result: Result<T, E>,
    ) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(pointer, code, error.to_string());
                None
            }
        }
    }

    /// Whether none was found.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of them.
    pub fn into_list(self) -> Vec<Fault> {
        self.all
    }

    /// The problem that holds all faults, if there is one.
    pub fn finish(self) -> Result<(), Problem> {
        if self.all.is_empty() {
            Ok(())
        } else {
            Err(Problem::invalid(self.all))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_name_and_an_error_status() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!((400..600).contains(&code.status()), "{code:?}");
        }
    }

    #[test]
    fn every_code_is_answered_somewhere() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/api");
        let mut text = String::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
        for code in Code::ALL {
            assert!(text.contains(&format!("Code::{code:?}")), "{code:?}");
        }
    }

    #[test]
    fn all_faults_of_an_input_are_told_at_once() {
        let mut faults = Faults::default();
        faults.text("/name", "", 1, 10);
        faults.range("/ring_duration_s", 61, (1, 60));
        faults.check(true, "/x", "never", "never");
        let problem = faults.finish().unwrap_err();
        let pointers: Vec<_> = problem
            .errors
            .iter()
            .map(|fault| &fault.pointer[..])
            .collect();
        assert_eq!(pointers, ["/name", "/ring_duration_s"]);
    }
}
