//! What an account may do, and how much of it.

use super::AccountKind;
use crate::call_plan::nodes::Kind;
use crate::e164::{Country, DestinationClass};
use crate::fault::Fault;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// What an account was granted. Everything is refused unless granted.
///
/// An account's permissions can never exceed its parent's: a grant that does is refused
/// ([`Permissions::exceeding`]), and what holds is the intersection along the path
/// ([`Permissions::effective`]), so that a revocation above takes effect at once below.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a grant of its own, named in the API"
)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Permissions {
    /// May create scheduled calls.
    pub scheduled_calls: bool,
    /// May start outbound services.
    pub outbound_services: bool,
    /// May record calls.
    pub recording: bool,
    /// May use conferences.
    pub conferencing: bool,
    /// May use queues.
    pub queues: bool,
    /// May have agents.
    pub agents: bool,
    /// May have its files delivered by FTP.
    pub ftp: bool,
    /// May have API keys for its own programs.
    pub api_access: bool,
    /// May present numbers that are not hosted here.
    pub custom_cli: bool,
    /// The agreement by which it presents such numbers; needed for `custom_cli`.
    pub custom_cli_agreement: Option<Agreement>,
    /// Is shown the numbers of callers who withhold them. Only a service provider gives it, and no
    /// customer has it.
    pub withheld_cli: bool,
    /// May call SIP URIs.
    pub sip_destinations: bool,
    /// May create sub accounts where its kind has none by itself (customers).
    pub sub_accounts: bool,
    /// The node types that its call plans may have, beside `start`; null: every one.
    pub node_types: Option<BTreeSet<String>>,
    /// Where it may call.
    pub destination_classes: BTreeSet<DestinationClass>,
    /// Of these classes, only the numbers of these countries (ISO 3166, `GB`); null: of every one.
    pub countries: Option<BTreeSet<String>>,
}

/// The agreement by which an account may present numbers that are not hosted here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// The day on which it was signed.
    #[schema(example = "2026-05-01")]
    pub signed_on: NaiveDate,
    /// Where the document is found.
    #[schema(example = "CLI-2026-0142")]
    pub document: String,
}

/// The longest reference of a document, in characters.
const LONGEST_REFERENCE: usize = 200;

impl Permissions {
    /// Everything: what the root has.
    pub fn all() -> Self {
        Self {
            scheduled_calls: true,
            outbound_services: true,
            recording: true,
            conferencing: true,
            queues: true,
            agents: true,
            ftp: true,
            api_access: true,
            custom_cli: true,
            custom_cli_agreement: None,
            withheld_cli: true,
            sip_destinations: true,
            sub_accounts: true,
            node_types: None,
            destination_classes: DestinationClass::ALL.into_iter().collect(),
            countries: None,
        }
    }

    fn flags(&self) -> [(&'static str, bool); 12] {
        [
            ("scheduled_calls", self.scheduled_calls),
            ("outbound_services", self.outbound_services),
            ("recording", self.recording),
            ("conferencing", self.conferencing),
            ("queues", self.queues),
            ("agents", self.agents),
            ("ftp", self.ftp),
            ("api_access", self.api_access),
            ("custom_cli", self.custom_cli),
            ("withheld_cli", self.withheld_cli),
            ("sip_destinations", self.sip_destinations),
            ("sub_accounts", self.sub_accounts),
        ]
    }

    /// Whether a call plan may have nodes of this type.
    pub fn may_use_node(&self, node_type: &str) -> bool {
        let listed = |types: &BTreeSet<String>| types.contains(node_type);
        node_type == "start" || self.node_types.as_ref().is_none_or(listed)
    }

    /// Whether numbers of this country may be called. Codes for the world, which belong to none, are
    /// a matter of their class.
    pub fn may_call_country(&self, country: &Country) -> bool {
        let listed = |countries: &BTreeSet<String>| countries.contains(country.iso);
        country.iso == Country::WORLD || self.countries.as_ref().is_none_or(listed)
    }

    /// What both allow.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self {
            scheduled_calls: self.scheduled_calls && other.scheduled_calls,
            outbound_services: self.outbound_services && other.outbound_services,
            recording: self.recording && other.recording,
            conferencing: self.conferencing && other.conferencing,
            queues: self.queues && other.queues,
            agents: self.agents && other.agents,
            ftp: self.ftp && other.ftp,
            api_access: self.api_access && other.api_access,
            custom_cli: self.custom_cli && other.custom_cli,
            // Each account has its own.
            custom_cli_agreement: other.custom_cli_agreement.clone(),
            withheld_cli: self.withheld_cli && other.withheld_cli,
            sip_destinations: self.sip_destinations && other.sip_destinations,
            sub_accounts: self.sub_accounts && other.sub_accounts,
            node_types: narrower(self.node_types.as_ref(), other.node_types.as_ref()),
            destination_classes: &self.destination_classes & &other.destination_classes,
            countries: narrower(self.countries.as_ref(), other.countries.as_ref()),
        }
    }

    /// What holds for the last account of a path from the root. An empty path allows nothing.
    #[must_use]
    pub fn effective<'a>(path: impl IntoIterator<Item = &'a Self>) -> Self {
        path.into_iter()
            .fold(None, |held: Option<Self>, own| {
                Some(held.map_or_else(|| own.clone(), |held| held.intersection(own)))
            })
            .unwrap_or_default()
    }

    /// Every grant that goes beyond what the parent may (its effective permissions). Pointers are
    /// relative to the permissions document.
    pub fn exceeding(&self, parent: &Self) -> Vec<Fault> {
        let flags = self.flags().into_iter().zip(parent.flags());
        let mut faults: Vec<Fault> = flags
            .filter(|((_, own), (_, above))| *own && !*above)
            .map(|((name, _), _)| {
                let detail = format!("the parent account has no permission `{name}` to give");
                Fault::new(format!("/{name}"), EXCEEDS, detail)
            })
            .collect();
        for (index, node_type) in self.node_types.iter().flatten().enumerate() {
            if !parent.may_use_node(node_type) {
                let detail = format!("the parent account may not use `{node_type}`");
                let pointer = format!("/node_types/{index}");
                faults.push(Fault::new(pointer, EXCEEDS, detail));
            }
        }
        for (index, class) in self.destination_classes.iter().enumerate() {
            if !parent.destination_classes.contains(class) {
                let detail = format!("the parent account may not call `{}`", class.name());
                let pointer = format!("/destination_classes/{index}");
                faults.push(Fault::new(pointer, EXCEEDS, detail));
            }
        }
        for (index, country) in self.countries.iter().flatten().enumerate() {
            let listed = parent.countries.as_ref();
            if listed.is_some_and(|countries| !countries.contains(country)) {
                let detail = format!("the parent account may not call `{country}`");
                let pointer = format!("/countries/{index}");
                faults.push(Fault::new(pointer, EXCEEDS, detail));
            }
        }
        faults
    }

    /// What is wrong with the document itself, as that of an account of this kind; what it was granted
    /// `before` stays its own.
    pub fn faults(&self, kind: AccountKind, before: &Self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let agreement = "/custom_cli_agreement";
        let had_none = before.custom_cli && before.custom_cli_agreement.is_none();
        match &self.custom_cli_agreement {
            None if self.custom_cli && !had_none => {
                let detail = "custom CLI needs the date and the document of its agreement";
                faults.push(Fault::new(agreement, "missing", detail));
            }
            Some(Agreement { document, .. })
                if document.trim().is_empty() || document.chars().count() > LONGEST_REFERENCE =>
            {
                let detail = format!("write 1 to {LONGEST_REFERENCE} characters");
                let pointer = format!("{agreement}/document");
                faults.push(Fault::new(pointer, "bad_length", detail));
            }
            Some(_) | None => {}
        }
        if self.withheld_cli && !before.withheld_cli && kind == AccountKind::Customer {
            let detail = "customers are never shown withheld numbers";
            faults.push(Fault::new("/withheld_cli", "not_for_customers", detail));
        }
        for (index, node_type) in self.node_types.iter().flatten().enumerate() {
            if !Kind::NAMES.contains(&node_type.as_str()) {
                let detail = format!("there is no node type `{node_type}`");
                let pointer = format!("/node_types/{index}");
                faults.push(Fault::new(pointer, "unknown_value", detail));
            }
        }
        for (index, country) in self.countries.iter().flatten().enumerate() {
            if country == Country::WORLD || Country::by_iso(country).is_none() {
                let detail = format!("`{country}` is no ISO 3166 code of a country");
                let pointer = format!("/countries/{index}");
                faults.push(Fault::new(pointer, "unknown_value", detail));
            }
        }
        faults
    }
}

/// The code of a grant beyond the parent's.
const EXCEEDS: &str = "exceeds_parent";

/// What two lists allow, where no list allows everything.
fn narrower(
    one: Option<&BTreeSet<String>>,
    other: Option<&BTreeSet<String>>,
) -> Option<BTreeSet<String>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one & other),
        (list, None) | (None, list) => list.cloned(),
    }
}

/// How much of it an account may use at a time. Null: no limit of its own; those of its ancestors
/// hold in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Calls at the same time, those of its descendants included.
    pub calls: Option<u32>,
    /// New calls in any second, those of its descendants included.
    pub calls_per_second: Option<u32>,
    /// Scheduled calls being dialled or talking at the same time, those of its descendants included.
    pub scheduled_in_progress: Option<u32>,
    /// Scheduled calls that wait, those of its descendants included.
    pub scheduled_queued: Option<u32>,
    /// The longest that one of its calls, or of its descendants', may last, in seconds.
    pub call_duration_s: Option<u32>,
    /// Agents signed in at the same time, those of its descendants included.
    pub agents: Option<u32>,
    /// Bytes of its recordings and audio files, those of its descendants included.
    pub storage_bytes: Option<u64>,
    /// Requests to the API in any minute, those of its descendants included.
    pub requests_per_minute: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some(bits: u16, classes: u32) -> Permissions {
        let bit = |n: u16| bits & (1 << n) != 0;
        let list = |all: &[&str]| {
            let listed = all
                .iter()
                .enumerate()
                .filter(|(n, _)| classes & (1 << n) != 0);
            Some(listed.map(|(_, one)| (*one).to_owned()).collect())
        };
        Permissions {
            scheduled_calls: bit(0),
            outbound_services: bit(1),
            recording: bit(2),
            conferencing: bit(3),
            queues: bit(4),
            custom_cli: bit(5),
            sip_destinations: bit(6),
            sub_accounts: bit(7),
            agents: bit(8),
            ftp: bit(9),
            api_access: bit(10),
            withheld_cli: bit(11),
            custom_cli_agreement: None,
            node_types: list(&Kind::NAMES).filter(|_| bit(12)),
            countries: list(&["GB", "FR", "DE", "US"]).filter(|_| bit(13)),
            destination_classes: DestinationClass::ALL
                .into_iter()
                .enumerate()
                .filter(|(n, _)| classes & (1 << n) != 0)
                .map(|(_, class)| class)
                .collect(),
        }
    }

    #[test]
    fn a_grant_beyond_the_parents_is_named() {
        let parent = some(0b1, 0b1);
        let child = some(0b11, 0b11);
        let pointers: Vec<_> = child
            .exceeding(&parent)
            .into_iter()
            .map(|f| f.pointer)
            .collect();
        assert_eq!(pointers, ["/outbound_services", "/destination_classes/1"]);
    }

    #[test]
    fn no_list_allows_everything_and_a_list_only_what_the_parents_has() {
        let list = |all: &[&str]| Some(all.iter().map(|one| (*one).to_owned()).collect());
        let parent = Permissions {
            node_types: list(&["queue", "day"]),
            countries: list(&["GB"]),
            ..Permissions::all()
        };
        let child = Permissions {
            node_types: list(&["day", "if"]),
            countries: list(&["FR", "GB"]),
            ..Permissions::all()
        };
        let pointers: Vec<_> = child
            .exceeding(&parent)
            .into_iter()
            .map(|f| f.pointer)
            .collect();
        assert_eq!(pointers, ["/node_types/1", "/countries/0"]);
        assert_eq!(Permissions::all().exceeding(&parent), []);
        let held = parent.intersection(&child);
        assert!(held.may_use_node("day") && held.may_use_node("start"));
        assert!(!held.may_use_node("queue") && !held.may_use_node("if"));
        let france = Country::by_iso("FR").unwrap();
        assert!(held.may_call_country(Country::GB) && !held.may_call_country(france));
    }

    #[test]
    fn custom_cli_needs_an_agreement_and_withheld_numbers_are_not_for_customers() {
        let mut wanted = Permissions {
            node_types: Some(["teleport".to_owned()].into()),
            countries: Some(["XX".to_owned()].into()),
            ..Permissions::all()
        };
        let pointers = |wanted: &Permissions, kind| {
            let faults = wanted.faults(kind, &Permissions::default()).into_iter();
            faults.map(|f| f.pointer).collect::<Vec<_>>()
        };
        assert_eq!(
            pointers(&wanted, AccountKind::Customer),
            [
                "/custom_cli_agreement",
                "/withheld_cli",
                "/node_types/0",
                "/countries/0"
            ]
        );
        wanted.custom_cli_agreement =
            serde_json::from_str(r#"{"signed_on":"2026-05-01","document":"CLI-1"}"#).unwrap();
        wanted.node_types = None;
        wanted.countries = None;
        assert_eq!(pointers(&wanted, AccountKind::Reseller), [""; 0]);
    }

    #[test]
    fn an_unknown_permission_is_an_error() {
        assert!(serde_json::from_str::<Permissions>(r#"{"fly":true}"#).is_err());
    }

    #[test]
    fn nothing_is_allowed_on_an_empty_path() {
        assert_eq!(Permissions::effective([]), Permissions::default());
    }

    proptest! {
        #[test]
        fn effective_permissions_never_exceed_any_account_of_the_path(
            path in prop::collection::vec((any::<u16>(), any::<u32>()), 1..6),
        ) {
            let path: Vec<_> = path.into_iter().map(|(a, b)| some(a, b)).collect();
            let held = Permissions::effective(&path);
            for own in &path {
                prop_assert_eq!(held.exceeding(own), vec![]);
            }
        }
    }
}
