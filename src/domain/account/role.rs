//! Roles: named sets of scopes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Permissions, Scope, Scopes};

/// What a user may do in its account and below.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, accounts and users included.
    Administrator,
    /// Numbers, plans and calls, but neither accounts nor users.
    Standard,
    /// Reads only.
    ReadOnly,
}

/// What everybody may see.
const READ_ONLY: Scopes = Scopes::of(&[
    Scope::AccountsRead,
    Scope::UsersRead,
    Scope::NumbersRead,
    Scope::CallPlansRead,
    Scope::AudioRead,
    Scope::ScheduledCallsRead,
    Scope::ServicesRead,
    Scope::CallsRead,
    Scope::RecordingsRead,
    Scope::TrunksRead,
    Scope::RoutesRead,
    Scope::EventsRead,
]);

/// What those change who work with numbers, plans and calls.
const STANDARD: Scopes = READ_ONLY.union(Scopes::of(&[
    Scope::NumbersWrite,
    Scope::CallPlansWrite,
    Scope::AudioWrite,
    Scope::ScheduledCallsWrite,
    Scope::InstancesWrite,
    Scope::CallsWrite,
]));

impl Role {
    /// The scopes of whoever has this role.
    pub const fn scopes(self) -> Scopes {
        match self {
            Self::Administrator => Scopes::all(),
            Self::Standard => STANDARD,
            Self::ReadOnly => READ_ONLY,
        }
    }
}

impl Permissions {
    /// The scopes that a key of an account with these effective permissions can have: what the
    /// account itself may not do, none of its keys permits.
    pub fn scopes(&self) -> Scopes {
        if !self.api_access {
            return Scopes::NONE;
        }
        let mut refused = Vec::new();
        if !self.scheduled_calls {
            refused.push(Scope::ScheduledCallsWrite);
        }
        if !self.outbound_services {
            refused.extend([Scope::ServicesWrite, Scope::InstancesWrite]);
        }
        Scopes::all().difference(Scopes::of(&refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_holds_the_one_below_it() {
        let [all, standard, reads] =
            [Role::Administrator, Role::Standard, Role::ReadOnly].map(Role::scopes);
        assert_eq!(all, Scopes::all());
        assert_eq!(standard.intersection(all), standard);
        assert_eq!(reads.intersection(standard), reads);
        assert!(reads.iter().all(|scope| scope.name().ends_with(":read")));
        assert!(!standard.has(Scope::ApiKeysRead) && !standard.has(Scope::UsersWrite));
    }

    #[test]
    fn what_an_account_may_not_do_its_keys_may_not() {
        let account = Permissions {
            scheduled_calls: false,
            ..Permissions::all()
        };
        let refused = Scopes::all().difference(account.scopes());
        assert_eq!(refused, Scopes::of(&[Scope::ScheduledCallsWrite]));
    }
}
