//! The account tree: carrier, service provider, reseller, sub reseller and customer; who may create
//! whom, and what an account may do.

pub mod branding;
mod permissions;
mod role;
mod scopes;
mod sign_in;
mod tree;

pub use branding::{Branding, Font};
pub use permissions::{Agreement, Limits, Permissions};
pub use role::Role;
pub use scopes::{Scope, Scopes, UnknownScope};
pub use sign_in::{Duty, SignInRules};
pub use tree::{AccountPath, AccountTree, TreeProblem};

use crate::ids::AccountId;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The longest path from the root to an account, both included: five levels, and room for sub
/// accounts of customers.
pub const MAX_DEPTH: usize = 8;

/// The level of an account in the tree. Fixed at creation.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// The operator of the platform: the root.
    Carrier,
    /// Holds the pool of numbers and the uppermost limits.
    ServiceProvider,
    /// Sells to sub resellers and customers.
    Reseller,
    /// Sells to customers.
    SubReseller,
    /// Owns and uses numbers.
    Customer,
}

impl AccountKind {
    /// Every kind, from the root downwards.
    pub const ALL: [Self; 5] = [
        Self::Carrier,
        Self::ServiceProvider,
        Self::Reseller,
        Self::SubReseller,
        Self::Customer,
    ];

    /// Whether an account of this kind and with these effective permissions may have a child of
    /// that kind.
    ///
    /// Every kind may create what stands below it; a customer only sub accounts (customers again),
    /// and only when it was granted `sub_accounts`.
    pub fn may_create(self, child: Self, permissions: &Permissions) -> bool {
        match self {
            Self::Customer => child == Self::Customer && permissions.sub_accounts,
            Self::Carrier | Self::ServiceProvider | Self::Reseller | Self::SubReseller => {
                child > self
            }
        }
    }

    /// Whether it may let accounts below it see the numbers of callers who withhold them.
    pub fn may_give_withheld_cli(self) -> bool {
        matches!(self, Self::Carrier | Self::ServiceProvider)
    }

    /// The kinds of children that it may create, from the highest.
    pub fn may_have(self, permissions: &Permissions) -> Vec<Self> {
        Self::ALL
            .into_iter()
            .filter(|child| self.may_create(*child, permissions))
            .collect()
    }
}

/// Whether an account may be used.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// It may.
    #[default]
    Active,
    /// Its users cannot sign in and its calls are refused; so are its descendants'.
    Disabled,
    /// The same for good: it can only be exported and erased.
    Closed,
}

/// Whom the users of the accounts below an account ask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Contact {
    /// The name of a person or a desk.
    pub name: Option<String>,
    /// A telephone number, as it is to be read.
    pub phone: Option<String>,
    /// An e-mail address.
    #[schema(example = "help@example.com")]
    pub email: Option<String>,
}

impl Contact {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.name.is_none() && self.phone.is_none() && self.email.is_none()
    }
}

/// An account, at any level of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// Its identifier.
    pub id: AccountId,
    /// The account above it; none: the root.
    pub parent: Option<AccountId>,
    /// Its level.
    pub kind: AccountKind,
    /// Its name.
    pub name: String,
    /// The parent's own name for it (an account number).
    pub reference: Option<String>,
    /// Whom the users of the accounts below it ask.
    pub contact: Contact,
    /// Whether it may be used.
    pub status: AccountStatus,
    /// IANA time zone of its calendars.
    #[schema(value_type = String, example = "Europe/London")]
    pub time_zone: Tz,
    /// What it was granted. What holds is [`AccountTree::effective`].
    pub permissions: Permissions,
    /// Its own limits. Those of all its ancestors hold too.
    pub limits: Limits,
    /// When it was created.
    #[serde(with = "crate::timestamp")]
    pub created_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_creates_what_stands_below_it() {
        let granted = Permissions::default();
        let may = |kind: AccountKind| kind.may_have(&granted);
        assert_eq!(may(AccountKind::Carrier).len(), 4);
        assert_eq!(
            may(AccountKind::Reseller),
            [AccountKind::SubReseller, AccountKind::Customer]
        );
        assert_eq!(may(AccountKind::SubReseller), [AccountKind::Customer]);
        assert_eq!(may(AccountKind::Customer), []);
    }

    #[test]
    fn a_customer_creates_sub_accounts_only_when_granted() {
        let granted = Permissions {
            sub_accounts: true,
            ..Permissions::default()
        };
        assert_eq!(
            AccountKind::Customer.may_have(&granted),
            [AccountKind::Customer]
        );
    }
}
