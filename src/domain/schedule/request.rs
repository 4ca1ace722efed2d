//! What a scheduled call must be to be taken, and again to be dialled.

use crate::account::Permissions;
use crate::cause::Cause;
use crate::destination::{Destination, NotPermitted};
use crate::directory::NumberStatus;
use crate::e164::{Country, E164, NumberClass};
use crate::fault::Fault;
use crate::ids::AccountId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use utoipa::ToSchema;

/// The longest that a first party may ring, in seconds.
pub const MAX_RING_S: u32 = 60;
/// The most variables of one call.
const MAX_VARIABLES: usize = 50;
/// The longest name of a variable.
const MAX_NAME: usize = 100;
/// The longest value of a variable.
const MAX_VALUE: usize = 4096;
/// The longest reference.
const MAX_REFERENCE: usize = 255;

/// A request for a scheduled call, as it comes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The service number whose active call plan runs; it is the network CLI.
    #[serde(default)]
    #[schema(required, example = "+441632960001")]
    pub service_number: String,
    /// Whom to call: a number, or a SIP URI where the account may.
    #[serde(default)]
    #[schema(required, example = "+447700900123")]
    pub first_party: String,
    /// The number that is presented; absent: the service number.
    #[serde(default)]
    pub presentation_number: Option<String>,
    /// Not dialled before; absent: now.
    #[serde(default)]
    pub not_before: Option<DateTime<Utc>>,
    /// Not dialled from then on; absent: no end.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
    /// How long the first party may ring; absent: 60 seconds.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 60)]
    pub ring_duration_s: Option<u32>,
    /// Values for the plan's variables.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// The client's own name for it.
    #[serde(default)]
    pub reference: Option<String>,
}

impl Request {
    /// The service number and the presentation number, as far as they can be read: the numbers that
    /// [`Setting::hosted`] must hold when they are hosted.
    pub fn numbers(&self, country: &Country) -> Vec<E164> {
        let texts = [
            Some(&self.service_number),
            self.presentation_number.as_ref(),
        ];
        let texts = texts.into_iter().flatten();
        texts
            .filter_map(|text| E164::read(text, country).ok())
            .collect()
    }
}

/// What was asked for, read and checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Booking {
    /// The service number whose active call plan runs; the network CLI (P-Asserted-Identity).
    pub service_number: E164,
    /// Whom to call.
    pub first_party: Destination,
    /// The presentation CLI (From); null: the service number.
    pub presentation_number: Option<E164>,
    /// Not dialled before.
    #[serde(with = "crate::timestamp")]
    pub not_before: DateTime<Utc>,
    /// Not dialled from then on.
    #[serde(with = "crate::timestamp::optional")]
    pub expires_at: Option<DateTime<Utc>>,
    /// How long the first party may ring, in seconds.
    pub ring_duration_s: u32,
    /// Values for the plan's variables.
    pub variables: BTreeMap<String, String>,
    /// The client's own name for it.
    pub reference: Option<String>,
}

/// Whether the active plan of a number can take a scheduled call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanReadiness {
    /// No plan is active.
    None,
    /// The active plan has faults.
    Invalid,
    /// Its Start node's scheduled branch leads nowhere.
    NoScheduledBranch,
    /// It can.
    Ready,
}

/// What is known of a number that is hosted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hosted {
    /// Whether it takes calls.
    pub status: NumberStatus,
    /// Its active plan.
    pub plan: PlanReadiness,
}

/// Everything by which a request is judged.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The account and all above it are active.
    pub is_active: bool,
    /// The account's effective permissions.
    pub permissions: &'a Permissions,
    /// Of the request's numbers, those hosted here that the account or a descendant owns.
    pub hosted: &'a BTreeMap<E164, Hosted>,
    /// The classes of service numbers for which calls may be scheduled.
    pub classes: &'a BTreeSet<NumberClass>,
    /// The country of national numbers.
    pub country: &'a Country,
    /// The account of the path that has as many queued calls as it may have.
    pub full: Option<AccountId>,
}

/// Reads and checks a request. The error is every reason against it.
pub fn check(
    request: Request,
    setting: &Setting<'_>,
    now: DateTime<Utc>,
) -> Result<Booking, Vec<Fault>> {
    let mut faults = Vec::new();
    let service = number(
        "/service_number",
        &request.service_number,
        setting,
        &mut faults,
    );
    let first_party = first_party(&request.first_party, setting, &mut faults);
    let presentation = request
        .presentation_number
        .as_ref()
        .map(|text| number("/presentation_number", text, setting, &mut faults));
    account_rules(setting, &mut faults);
    if let Some(account) = setting.full {
        let detail = format!("account {account} has as many queued scheduled calls as it may have");
        faults.push(Fault::new("", "too_many_queued", detail));
    }
    if let Some(service) = &service {
        service_rules("/service_number", service, setting, &mut faults);
    }
    if let Some(first_party) = &first_party {
        first_party_rules(first_party, setting, &mut faults);
    }
    if let Some(Some(presentation)) = &presentation {
        presentation_rules(presentation, setting, &mut faults);
    }
    let ring_duration_s = request.ring_duration_s.unwrap_or(MAX_RING_S);
    if !(1..=MAX_RING_S).contains(&ring_duration_s) {
        let detail = format!("the first party may ring for 1 to {MAX_RING_S} seconds");
        faults.push(Fault::new("/ring_duration_s", "out_of_range", detail));
    }
    let not_before = request.not_before.unwrap_or(now);
    if let Some(expires_at) = request.expires_at {
        if expires_at <= now {
            faults.push(Fault::new(
                "/expires_at",
                "in_the_past",
                "it has passed already",
            ));
        } else if expires_at <= not_before {
            let detail = "it must be later than `not_before`";
            faults.push(Fault::new("/expires_at", "before_not_before", detail));
        }
    }
    text_rules(&request, &mut faults);
    match (service, first_party) {
        (Some(service_number), Some(first_party)) if faults.is_empty() => Ok(Booking {
            service_number,
            first_party,
            presentation_number: presentation.flatten(),
            not_before,
            expires_at: request.expires_at,
            ring_duration_s,
            variables: request.variables,
            reference: request.reference,
        }),
        (_, _) => Err(faults),
    }
}

impl Booking {
    /// Checks the rules again when the call is due: every reason why it may not be dialled now.
    pub fn recheck(&self, setting: &Setting<'_>, now: DateTime<Utc>) -> Vec<Fault> {
        let mut faults = Vec::new();
        account_rules(setting, &mut faults);
        service_rules(
            "/service_number",
            &self.service_number,
            setting,
            &mut faults,
        );
        first_party_rules(&self.first_party, setting, &mut faults);
        if let Some(presentation) = &self.presentation_number {
            presentation_rules(presentation, setting, &mut faults);
        }
        if now < self.not_before {
            faults.push(Fault::new(
                "/not_before",
                "too_early",
                "its window has not begun",
            ));
        }
        if self.is_expired(now) {
            faults.push(Fault::new(
                "/expires_at",
                "in_the_past",
                "its window has passed",
            ));
        }
        faults
    }

    /// The cause of a call that was refused when it was due: 21, or 3 where the service number or
    /// its plan cannot take it.
    pub fn refusal(faults: &[Fault]) -> Cause {
        if faults
            .iter()
            .all(|fault| fault.pointer == "/service_number")
        {
            Cause::NoRouteToDestination
        } else {
            Cause::CallRejected
        }
    }

    /// Whether its window has passed.
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// How long the first party may ring.
    pub fn ring(&self) -> Duration {
        Duration::from_secs(u64::from(self.ring_duration_s))
    }

    /// The number that the first party sees.
    pub fn presented(&self) -> &E164 {
        self.presentation_number
            .as_ref()
            .unwrap_or(&self.service_number)
    }
}

fn number(
    pointer: &str,
    text: &str,
    setting: &Setting<'_>,
    faults: &mut Vec<Fault>,
) -> Option<E164> {
    if text.trim().is_empty() {
        faults.push(Fault::new(
            pointer,
            "required",
            "a telephone number is needed",
        ));
        return None;
    }
    match E164::read(text, setting.country) {
        Ok(number) => Some(number),
        Err(error) => {
            faults.push(Fault::new(pointer, "invalid_number", error.to_string()));
            None
        }
    }
}

fn first_party(text: &str, setting: &Setting<'_>, faults: &mut Vec<Fault>) -> Option<Destination> {
    let pointer = "/first_party";
    if text.trim().is_empty() {
        faults.push(Fault::new(
            pointer,
            "required",
            "a telephone number or SIP URI is needed",
        ));
        return None;
    }
    match Destination::read(text, setting.country) {
        Ok(destination) => Some(destination),
        Err(error) => {
            faults.push(Fault::new(
                pointer,
                "invalid_destination",
                error.to_string(),
            ));
            None
        }
    }
}

fn account_rules(setting: &Setting<'_>, faults: &mut Vec<Fault>) {
    if !setting.is_active {
        faults.push(Fault::new(
            "",
            "account_disabled",
            "the account is disabled",
        ));
    }
    if !setting.permissions.scheduled_calls {
        let detail = "the account has no permission for scheduled calls";
        faults.push(Fault::new("", "permission_denied", detail));
    }
}

/// The rules of a service number. A number of a stranger is as unknown as one that does not exist.
fn service_rules(pointer: &str, number: &E164, setting: &Setting<'_>, faults: &mut Vec<Fault>) {
    let Some(hosted) = setting.hosted.get(number) else {
        let detail = "it is not a service number of the account or of an account below it";
        faults.push(Fault::new(pointer, "unknown_number", detail));
        return;
    };
    if !setting.classes.contains(&number.class()) {
        let detail = "calls cannot be scheduled for numbers of this class";
        faults.push(Fault::new(pointer, "number_class_not_allowed", detail));
    }
    match hosted.status {
        NumberStatus::Active => {}
        NumberStatus::Parked | NumberStatus::Suspended => {
            faults.push(Fault::new(
                pointer,
                "number_not_active",
                "the service number is not active",
            ));
        }
    }
    let plan = match hosted.plan {
        PlanReadiness::Ready => return,
        PlanReadiness::None => ("no_call_plan", "the service number has no active call plan"),
        PlanReadiness::Invalid => ("call_plan_invalid", "the active call plan is not valid"),
        PlanReadiness::NoScheduledBranch => (
            "scheduled_branch_not_connected",
            "the Start node of the active call plan has no connected `scheduled_call` branch",
        ),
    };
    faults.push(Fault::new(pointer, plan.0, plan.1));
}

fn first_party_rules(first_party: &Destination, setting: &Setting<'_>, faults: &mut Vec<Fault>) {
    if let Err(refused) = first_party.check(setting.permissions) {
        let code = match refused {
            NotPermitted::Class => "destination_not_permitted",
            NotPermitted::Country => "country_not_permitted",
            NotPermitted::Sip => "sip_not_permitted",
        };
        faults.push(Fault::new("/first_party", code, refused.to_string()));
    }
}

/// A presentation number is hosted and meets the rules of a service number; or the account may
/// present others, and it is 01, 02, 03, 080 or mobile.
fn presentation_rules(number: &E164, setting: &Setting<'_>, faults: &mut Vec<Fault>) {
    let pointer = "/presentation_number";
    let mut against = Vec::new();
    service_rules(pointer, number, setting, &mut against);
    if against.is_empty() {
        return;
    }
    if !setting.permissions.custom_cli {
        faults.extend(against);
    } else if !number.class().is_presentable() {
        let detail = "only 01, 02, 03, 080 and mobile numbers may be presented";
        faults.push(Fault::new(pointer, "presentation_not_allowed", detail));
    }
}

fn text_rules(request: &Request, faults: &mut Vec<Fault>) {
    if request.variables.len() > MAX_VARIABLES {
        let detail = format!("at most {MAX_VARIABLES} variables");
        faults.push(Fault::new("/variables", "too_many", detail));
    }
    for (name, value) in &request.variables {
        // RFC 6901 §3: `~` and `/` are escaped.
        let pointer = format!("/variables/{}", name.replace('~', "~0").replace('/', "~1"));
        if name.is_empty() || name.chars().count() > MAX_NAME {
            let detail = format!("a name has 1 to {MAX_NAME} characters");
            faults.push(Fault::new(pointer.clone(), "invalid_name", detail));
        }
        if value.chars().count() > MAX_VALUE {
            let detail = format!("a value has at most {MAX_VALUE} characters");
            faults.push(Fault::new(pointer, "too_long", detail));
        }
    }
    if request
        .reference
        .as_ref()
        .is_some_and(|text| text.chars().count() > MAX_REFERENCE)
    {
        let detail = format!("at most {MAX_REFERENCE} characters");
        faults.push(Fault::new("/reference", "too_long", detail));
    }
}
