//! Our answers to the challenges of the far end (RFC 3261 §22.2, §22.3).

use crate::command::Credentials;
use crate::digest::{Challenge, Count, Login, Signed};
use crate::reader::Message;
use crate::transaction::Transactions;

/// The header field that answers a 401 or 407. `None`: it holds no challenge that we can answer.
pub(super) fn authorization_for(
    response: &Message,
    credentials: &Credentials,
    method: &str,
    uri: &str,
    tx: &mut Transactions,
) -> Option<(String, String)> {
    let (asked, answered) = match response.status()? {
        401 => ("WWW-Authenticate", "Authorization"),
        407 => ("Proxy-Authenticate", "Proxy-Authorization"),
        _ => return None,
    };
    let values: Vec<_> = response.header_values(asked).collect();
    let challenge = Challenge::choose(values.iter().map(AsRef::as_ref)).ok()?;
    let login = Login {
        username: &credentials.username,
        password: &credentials.password,
    };
    let cnonce = tx.word();
    let count = Count {
        number: 1,
        cnonce: &cnonce,
    };
    let answer = challenge
        .answer(login, Signed { method, uri }, count)
        .ok()?;
    Some((answered.to_owned(), answer.to_string()))
}
