//! Who may come in, and on which terms: the decisions of the platform's root, without its actor.

use strowger_domain::cause::Cause;
use strowger_domain::cdr::WithheldNumber;
use strowger_domain::directory::{Entry, NumberStatus};
use strowger_domain::e164::{Country, E164};
use strowger_domain::route::Trunk;
use strowger_sip::event::IncomingInvite;
use strowger_sip::uri::Uri;

/// Why an inbound call gets no driver, and what its caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// On record.
    pub cause: Cause,
    /// The SIP status.
    pub status: u16,
}

/// Whether a service number takes an inbound call now. `account_is_active`: its owner and all above it
/// are.
pub fn number(entry: &Entry, account_is_active: bool) -> Result<(), Refused> {
    let unavailable = Refused {
        cause: Cause::NoUserResponding,
        status: 480,
    };
    if !account_is_active || entry.plan.is_none() {
        return Err(unavailable);
    }
    match entry.status {
        NumberStatus::Active => Ok(()),
        NumberStatus::Parked | NumberStatus::Suspended => Err(unavailable),
    }
}

/// Whether a call from a trunk that must authenticate has proved that it knows the password
/// (RFC 8760). Calls from elsewhere need not.
pub fn is_authentic(request: &IncomingInvite, trunk: Option<&Trunk>) -> bool {
    let Some((username, password)) = trunk.and_then(Trunk::inbound_credentials) else {
        return true;
    };
    let credentials = request.credentials.as_ref();
    credentials
        .is_some_and(|offered| offered.username == username && offered.has_password(password))
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Calling {
    /// This number or address.
    Shown(String),
    /// Somebody who withholds it, which may be known all the same.
    Withheld(Option<WithheldNumber>),
}

/// The caller's number or address. The asserted identity is believed from a trunk only
/// (RFC 3325 §6); whoever asked for privacy is withheld (RFC 3323).
pub fn calling(request: &IncomingInvite, trunk: Option<&Trunk>, country: &Country) -> Calling {
    let privacy = request
        .header("Privacy")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let asks_privacy = privacy
        .split(';')
        .any(|word| matches!(word.trim(), "id" | "user" | "full"));
    let asserted = request
        .p_asserted_identity
        .first()
        .filter(|_| trunk.is_some());
    match named(&asserted.unwrap_or(&request.from).uri, country) {
        Some(name) if !asks_privacy => Calling::Shown(name),
        name => Calling::Withheld(name.map(WithheldNumber::new)),
    }
}

/// The number or the address that a URI names; none: nobody.
fn named(uri: &str, country: &Country) -> Option<String> {
    let parsed = Uri::parse(uri).ok()?;
    if parsed.host().eq_ignore_ascii_case("anonymous.invalid") {
        return None;
    }
    let user = parsed.unescaped_user()?;
    if user.eq_ignore_ascii_case("anonymous") {
        return None;
    }
    match E164::from_user(&user, country) {
        Ok(number) => Some(number.to_string()),
        Err(_) => Some(uri.chars().filter(|c| !c.is_control()).take(255).collect()),
    }
}
