//! The Reason header (RFC 3326): why a call ends, as a Q.850 cause.

use crate::reader::Message;

/// The Q.850 cause of a message.
pub(crate) fn q850_of(message: &Message) -> Option<u8> {
    message.header_list("Reason").iter().find_map(|value| {
        let mut parts = value.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case("Q.850") {
            return None;
        }
        parts
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("cause"))
            .and_then(|(_, cause)| cause.trim().parse().ok())
            .filter(|cause| *cause <= 127)
    })
}

/// The value of our Reason header.
pub(crate) fn reason_value(q850: u8) -> String {
    format!("Q.850;cause={q850}")
}

/// The header field, when there is a cause.
pub(crate) fn reason_header(q850: Option<u8>) -> Vec<(String, String)> {
    q850.map(|cause| ("Reason".to_owned(), reason_value(cause)))
        .into_iter()
        .collect()
}
