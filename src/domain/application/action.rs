//! The reply of a page: its token and its actions. Every problem is found, each with its place.

use super::actions::connect::{self, Connect};
use super::actions::get_number::{self, GetNumber};
use super::actions::play::{self, Play};
use super::actions::record::{self, Record};
use super::fields::{Fields, Reader};
use crate::fault::Fault;
use serde_json::Value;
use url::Url;

/// The most actions of one reply.
const MAX_ACTIONS: usize = 100;
/// The longest token.
const MAX_TOKEN: usize = 1024;

/// One action of a page.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Plays a list of media.
    Play(Play),
    /// Asks for digits.
    GetNumber(Box<GetNumber>),
    /// Records the far end.
    Record(Record),
    /// Bridges the call to a destination.
    Connect(Box<Connect>),
    /// Ends the call.
    HangUp,
}

impl Action {
    /// Its name in documents.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Play(_) => "play",
            Self::GetNumber(_) => "get_number",
            Self::Record(_) => "record",
            Self::Connect(_) => "connect",
            Self::HangUp => "hang_up",
        }
    }
}

/// What a reply says of the token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Token {
    /// Nothing: it stays as it is.
    #[default]
    Kept,
    /// There is none any more.
    Cleared,
    /// The new one.
    Set(String),
}

/// What a page answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// What to do, in order.
    pub actions: Vec<Action>,
    /// What becomes of the token.
    pub token: Token,
}

/// Reads a page's reply: `{"actions": [{"play": {…}}, …], "token": …}`. Addresses in it are relative
/// to `base`, the page that answered. The error is every problem.
pub fn read_reply(body: &[u8], base: &Url) -> Result<Reply, Vec<Fault>> {
    let document: Value = match serde_json::from_slice(body) {
        Ok(document) => document,
        Err(error) => return Err(vec![Fault::new("", "not_json", error.to_string())]),
    };
    let mut reader = Reader {
        base: base.clone(),
        faults: Vec::new(),
    };
    let reply = read_document(&document, &mut reader);
    match reply {
        Some(reply) if reader.faults.is_empty() => Ok(reply),
        Some(_) | None => Err(reader.faults),
    }
}

fn read_document(document: &Value, reader: &mut Reader) -> Option<Reply> {
    let mut fields = Fields::new(document, "", reader)?;
    let list = fields.required("actions");
    let token = read_token(document, &mut fields);
    fields.finish();
    let mut actions = Vec::new();
    match list.map(|list| list.as_array()) {
        Some(Some(list)) if list.len() > MAX_ACTIONS => {
            reader.fault(
                "/actions",
                "too_many",
                format!("at most {MAX_ACTIONS} actions"),
            );
        }
        Some(Some(list)) => {
            for (index, value) in list.iter().enumerate() {
                actions.extend(read_action(value, &format!("/actions/{index}"), reader));
            }
        }
        Some(None) => reader.fault("/actions", "not_an_array", "an array is needed here"),
        None => {}
    }
    Some(Reply { actions, token })
}

fn read_token(document: &Value, fields: &mut Fields<'_, '_>) -> Token {
    let token = fields.string("token");
    if token.as_ref().is_some_and(|token| token.len() > MAX_TOKEN) {
        fields.fault("token", "too_long", format!("at most {MAX_TOKEN} bytes"));
    }
    match (token, document.get("token")) {
        (Some(token), _) => Token::Set(token),
        (None, Some(_)) => Token::Cleared,
        (None, None) => Token::Kept,
    }
}

/// One action: an object with one property, its name.
fn read_action(value: &Value, pointer: &str, reader: &mut Reader) -> Option<Action> {
    let object = value.as_object();
    let Some((name, properties)) = object
        .filter(|object| object.len() == 1)
        .and_then(|object| object.iter().next())
    else {
        let detail = "an action is an object with one property, its name";
        reader.fault(pointer, "not_an_action", detail);
        return None;
    };
    let inside = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
    match name.as_str() {
        "play" => play::read(properties, &inside, reader, true).map(Action::Play),
        "get_number" => get_number::read(properties, &inside, reader)
            .map(|action| Action::GetNumber(Box::new(action))),
        "record" => record::read(properties, &inside, reader).map(Action::Record),
        "connect" => connect::read(properties, &inside, reader)
            .map(|action| Action::Connect(Box::new(action))),
        "hang_up" => {
            if !properties.is_null() {
                Fields::new(properties, &inside, reader)?.finish();
            }
            Some(Action::HangUp)
        }
        _ => {
            reader.fault(
                &inside,
                "unknown_action",
                format!("there is no action `{name}`"),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests;
