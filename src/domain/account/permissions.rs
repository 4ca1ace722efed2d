//! What an account may do, and how much of it.

use crate::e164::DestinationClass;
use crate::fault::Fault;
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
    /// May present numbers that are not hosted here.
    pub custom_cli: bool,
    /// May call SIP URIs.
    pub sip_destinations: bool,
    /// May create sub accounts where its kind has none by itself (customers).
    pub sub_accounts: bool,
    /// Where it may call.
    pub destination_classes: BTreeSet<DestinationClass>,
}

impl Permissions {
    /// Everything: what the root has.
    pub fn all() -> Self {
        Self {
            scheduled_calls: true,
            outbound_services: true,
            recording: true,
            conferencing: true,
            queues: true,
            custom_cli: true,
            sip_destinations: true,
            sub_accounts: true,
            destination_classes: DestinationClass::ALL.into_iter().collect(),
        }
    }

    fn flags(&self) -> [(&'static str, bool); 8] {
        [
            ("scheduled_calls", self.scheduled_calls),
            ("outbound_services", self.outbound_services),
            ("recording", self.recording),
            ("conferencing", self.conferencing),
            ("queues", self.queues),
            ("custom_cli", self.custom_cli),
            ("sip_destinations", self.sip_destinations),
            ("sub_accounts", self.sub_accounts),
        ]
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
            custom_cli: self.custom_cli && other.custom_cli,
            sip_destinations: self.sip_destinations && other.sip_destinations,
            sub_accounts: self.sub_accounts && other.sub_accounts,
            destination_classes: self
                .destination_classes
                .intersection(&other.destination_classes)
                .copied()
                .collect(),
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
                Fault::new(format!("/{name}"), "exceeds_parent", detail)
            })
            .collect();
        for (index, class) in self.destination_classes.iter().enumerate() {
            if !parent.destination_classes.contains(class) {
                let detail = format!("the parent account may not call `{}`", class.name());
                faults.push(Fault::new(
                    format!("/destination_classes/{index}"),
                    "exceeds_parent",
                    detail,
                ));
            }
        }
        faults
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some(bits: u16, classes: u32) -> Permissions {
        let bit = |n: u16| bits & (1 << n) != 0;
        Permissions {
            scheduled_calls: bit(0),
            outbound_services: bit(1),
            recording: bit(2),
            conferencing: bit(3),
            queues: bit(4),
            custom_cli: bit(5),
            sip_destinations: bit(6),
            sub_accounts: bit(7),
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
