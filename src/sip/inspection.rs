//! What a server looks at before it looks at what a request is about (RFC 3261 §8.2).

use crate::message::known_method;
use crate::reader::Message;
use crate::uri::Scheme;

/// What a server can do.
#[derive(Debug, Clone, Copy)]
pub struct Abilities {
    /// Methods, for Allow.
    pub methods: &'static [&'static str],
    /// Option tags, for Supported.
    pub extensions: &'static [&'static str],
    /// Media types of bodies, for Accept.
    pub bodies: &'static [&'static str],
}

/// How a request is to be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// Header fields that say what would have been taken.
    pub headers: Vec<(&'static str, String)>,
}

/// Looks at method, Request-URI, extensions and body, in the order of RFC 3261 §8.2.
///
/// An ACK is never answered, so the caller drops it instead.
///
/// # Errors
/// The refusal that the RFC wants.
pub fn inspect(request: &Message, abilities: &Abilities) -> Result<(), Refusal> {
    let method = request.method();
    if !abilities.methods.contains(&method) {
        // RFC 3261 §21.5.2: 501 is for a method that is not known at all, 405 for one that is.
        let status = if known_method(method).is_some() {
            405
        } else {
            501
        };
        return refuse(status, vec![("Allow", abilities.methods.join(", "))]);
    }
    let scheme = request.request_uri().map(crate::uri::Uri::scheme);
    if scheme == Some(Scheme::Other) {
        return refuse(416, Vec::new());
    }
    // RFC 3261 §8.2.2.3: Require is ignored in CANCEL and ACK.
    if !matches!(method, "CANCEL" | "ACK") {
        let unknown: Vec<String> = request
            .header_list("Require")
            .into_iter()
            .filter(|tag| {
                !abilities
                    .extensions
                    .iter()
                    .any(|ours| ours.eq_ignore_ascii_case(tag))
            })
            .collect();
        if !unknown.is_empty() {
            return refuse(420, vec![("Unsupported", unknown.join(", "))]);
        }
    }
    inspect_body(request, abilities)?;
    if method == "INVITE" && !accepts_any(request, abilities) {
        return refuse(406, Vec::new());
    }
    Ok(())
}

fn refuse(status: u16, headers: Vec<(&'static str, String)>) -> Result<(), Refusal> {
    Err(Refusal { status, headers })
}

/// RFC 3261 §8.2.3.
fn inspect_body(request: &Message, abilities: &Abilities) -> Result<(), Refusal> {
    let is_optional = request
        .header("Content-Disposition")
        .is_some_and(|value| value.to_ascii_lowercase().contains("handling=optional"));
    if request.body().is_empty() || is_optional {
        return Ok(());
    }
    let is_plain = request
        .header("Content-Encoding")
        .is_none_or(|encoding| encoding.eq_ignore_ascii_case("identity"));
    if !is_plain {
        return refuse(415, vec![("Accept-Encoding", "identity".to_owned())]);
    }
    if abilities.bodies.iter().any(|body| request.is_of_type(body)) {
        Ok(())
    } else {
        refuse(415, vec![("Accept", abilities.bodies.join(", "))])
    }
}

/// Whether an answer of ours would be taken (RFC 3261 §20.1). Without Accept, it is; an empty one
/// takes nothing.
fn accepts_any(request: &Message, abilities: &Abilities) -> bool {
    if request.header("Accept").is_none() {
        return true;
    }
    request.header_list("Accept").iter().any(|range| {
        let range = range
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        abilities.bodies.iter().any(|ours| {
            range == "*/*"
                || range == *ours
                || range
                    .strip_suffix('*')
                    .is_some_and(|kind| kind.ends_with('/') && ours.starts_with(kind))
        })
    })
}
