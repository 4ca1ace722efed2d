//! What is wrong with an input document, one entry for each fault.

use serde::Serialize;
use utoipa::ToSchema;

/// One fault of an input: where, which, and in words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct Fault {
    /// Where it stands in the document: a JSON pointer (RFC 6901); empty: the document itself.
    pub pointer: String,
    /// Its stable name, for programs.
    #[schema(value_type = String)]
    pub code: &'static str,
    /// What is wrong, for people.
    pub detail: String,
}

impl Fault {
    /// A fault at a place.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            code,
            detail: detail.into(),
        }
    }
}
