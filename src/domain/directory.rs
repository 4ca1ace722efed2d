//! Which service number was dialled, whose it is, and which plan answers.
//!
//! The directory is swapped whole, so that a lookup is neither a message nor a query and never sees
//! half of a change. It is made of many small parts that are shared between one directory and the
//! next, so that a change of one number among 100,000 copies a few hundred.

use crate::account::{AccountPath, AccountTree};
use crate::e164::{Country, E164};
use crate::ids::{AccountId, NumberId, PlanId};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use utoipa::ToSchema;

/// Whether a service number takes calls.
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
pub enum NumberStatus {
    /// It does.
    #[default]
    Active,
    /// It waits for its owner: callers are refused.
    Parked,
    /// It was taken out of service: callers are refused.
    Suspended,
}

/// The published version of a plan that answers a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ActivePlan {
    /// The plan.
    pub plan: PlanId,
    /// Its published version.
    pub version: u32,
}

/// A service number as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its identifier.
    pub id: NumberId,
    /// The number.
    pub number: E164,
    /// Its owner.
    pub account: AccountId,
    /// Whether it takes calls.
    pub status: NumberStatus,
    /// Its active plan.
    pub plan: Option<ActivePlan>,
}

/// A service number with its owner's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its identifier.
    pub id: NumberId,
    /// The number.
    pub number: E164,
    /// Its owner, from the root.
    pub path: AccountPath,
    /// Whether it takes calls.
    pub status: NumberStatus,
    /// Its active plan.
    pub plan: Option<ActivePlan>,
}

/// A row that is not in the directory, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryProblem {
    /// Its owner is not in the account tree.
    #[error("number {0} belongs to no account of the tree")]
    NoOwner(NumberId),
    /// Another row has the same number.
    #[error("number {0} is there twice")]
    Twice(NumberId),
}

/// Every service number.
#[derive(Clone, Debug)]
pub struct Directory {
    parts: Vec<Arc<HashMap<E164, Entry>>>,
    country: &'static Country,
}

/// The parts of a directory: at 100,000 numbers each has about 200.
const PARTS: usize = 512;

impl Default for Directory {
    fn default() -> Self {
        Self::empty(Country::GB)
    }
}

impl Directory {
    fn empty(country: &'static Country) -> Self {
        Self {
            parts: vec![Arc::default(); PARTS],
            country,
        }
    }

    /// The directory of these rows, and what could not be taken. National numbers are those of
    /// `country`.
    pub fn build(
        rows: impl IntoIterator<Item = Row>,
        tree: &AccountTree,
        country: &'static Country,
    ) -> (Self, Vec<DirectoryProblem>) {
        let mut directory = Self::empty(country);
        let mut problems = Vec::new();
        for row in rows {
            if let Err(problem) = directory.put(row, tree) {
                problems.push(problem);
            }
        }
        (directory, problems)
    }

    /// Takes a number that is new, or as it is now.
    pub fn put(&mut self, row: Row, tree: &AccountTree) -> Result<(), DirectoryProblem> {
        let Some(path) = tree.path(row.account) else {
            return Err(DirectoryProblem::NoOwner(row.id));
        };
        let Some(part) = self.parts.get_mut(part_of(&row.number)) else {
            return Ok(());
        };
        if part
            .get(&row.number)
            .is_some_and(|known| known.id != row.id)
        {
            return Err(DirectoryProblem::Twice(row.id));
        }
        let entry = Entry {
            id: row.id,
            number: row.number.clone(),
            path: path.clone(),
            status: row.status,
            plan: row.plan,
        };
        Arc::make_mut(part).insert(row.number, entry);
        Ok(())
    }

    /// Forgets these numbers, which are no more.
    pub fn remove(&mut self, gone: &HashSet<NumberId>) {
        if gone.is_empty() {
            return;
        }
        for part in &mut self.parts {
            if part.values().any(|entry| gone.contains(&entry.id)) {
                Arc::make_mut(part).retain(|_, entry| !gone.contains(&entry.id));
            }
        }
    }

    /// The service number.
    pub fn find(&self, number: &E164) -> Option<&Entry> {
        self.parts.get(part_of(number))?.get(number)
    }

    /// The service number that the user part of a SIP URI names: `+44…`, `0044…`, `0…` or `44…`.
    pub fn find_user(&self, user: &str) -> Option<&Entry> {
        self.find(&E164::from_user(user, self.country).ok()?)
    }

    /// The service number, when that account or one below it owns it.
    pub fn find_within(&self, number: &E164, account: AccountId) -> Option<&Entry> {
        self.find(number)
            .filter(|entry| entry.path.is_within(account))
    }

    /// Every service number, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.parts.iter().flat_map(|part| part.values())
    }

    /// The country of national numbers.
    pub fn country(&self) -> &'static Country {
        self.country
    }
}

/// Neighbouring numbers lie in different parts.
fn part_of(number: &E164) -> usize {
    let digits = number.as_str().bytes().filter(u8::is_ascii_digit);
    let value = digits.fold(0_u64, |sum, digit| {
        sum.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))
    });
    usize::try_from(value % PARTS as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Account, AccountKind, AccountStatus, Contact, Limits, Permissions};
    use chrono::DateTime;
    use uuid::Uuid;

    fn account(n: u128) -> AccountId {
        AccountId::from_uuid(Uuid::from_u128(n))
    }

    fn tree() -> AccountTree {
        let row = |n, parent, kind, status| Account {
            id: account(n),
            parent,
            kind,
            name: String::new(),
            reference: None,
            contact: Contact::default(),
            status,
            time_zone: chrono_tz::UTC,
            permissions: Permissions::all(),
            limits: Limits::default(),
            created_at: DateTime::UNIX_EPOCH,
        };
        let rows = [
            row(1, None, AccountKind::Carrier, AccountStatus::Active),
            row(
                2,
                Some(account(1)),
                AccountKind::Customer,
                AccountStatus::Active,
            ),
            row(
                3,
                Some(account(1)),
                AccountKind::Customer,
                AccountStatus::Disabled,
            ),
        ];
        AccountTree::build(rows).0
    }

    fn row(n: u128, number: &str, owner: u128) -> Row {
        Row {
            id: NumberId::from_uuid(Uuid::from_u128(n)),
            number: E164::parse(number).unwrap(),
            account: account(owner),
            status: NumberStatus::Active,
            plan: None,
        }
    }

    #[test]
    fn a_number_is_found_however_the_carrier_sends_it() {
        let rows = [row(1, "+441632960001", 2)];
        let (directory, problems) = Directory::build(rows, &tree(), Country::GB);
        assert_eq!(problems, []);
        for user in [
            "+441632960001",
            "00441632960001",
            "01632960001",
            "441632960001",
        ] {
            let entry = directory.find_user(user).unwrap();
            assert_eq!(entry.path.account(), account(2));
        }
        for user in ["+441632960002", "960001", "alice", "", "1632960001"] {
            assert_eq!(directory.find_user(user), None, "{user}");
        }
    }

    #[test]
    fn a_stranger_does_not_find_the_number() {
        let rows = [row(1, "+441632960001", 2)];
        let (directory, _) = Directory::build(rows, &tree(), Country::GB);
        let number = E164::parse("+441632960001").unwrap();
        assert!(directory.find_within(&number, account(1)).is_some());
        assert!(directory.find_within(&number, account(2)).is_some());
        assert!(directory.find_within(&number, account(3)).is_none());
    }

    #[test]
    fn numbers_without_owner_and_doubles_are_left_out_and_named() {
        let rows = [
            row(1, "+441632960001", 2),
            row(2, "+441632960001", 2),
            row(3, "+441632960003", 9),
            row(4, "+441632960004", 3),
        ];
        let (directory, problems) = Directory::build(rows, &tree(), Country::GB);
        let id = |n| NumberId::from_uuid(Uuid::from_u128(n));
        assert_eq!(
            problems,
            [
                DirectoryProblem::Twice(id(2)),
                DirectoryProblem::NoOwner(id(3))
            ]
        );
        assert_eq!(directory.iter().count(), 2);
    }

    #[test]
    fn a_number_that_changes_changes_in_the_next_directory_only() {
        let rows = (0..2000).map(|n| row(n, &format!("+44163296{n:04}"), 2));
        let (before, problems) = Directory::build(rows, &tree(), Country::GB);
        assert_eq!(problems, []);
        let mut after = before.clone();
        let suspended = Row {
            status: NumberStatus::Suspended,
            ..row(7, "+441632960007", 2)
        };
        after.put(suspended, &tree()).unwrap();
        after.put(row(3000, "+441632963000", 2), &tree()).unwrap();
        let status = |directory: &Directory| directory.find_user("01632960007").unwrap().status;
        assert_eq!(status(&before), NumberStatus::Active);
        assert_eq!(status(&after), NumberStatus::Suspended);
        assert_eq!((before.iter().count(), after.iter().count()), (2000, 2001));
        let shared = before.parts.iter().zip(&after.parts);
        let shared = shared.filter(|(one, other)| Arc::ptr_eq(one, other));
        assert_eq!(shared.count(), PARTS - 2, "only what changed was copied");
        let mut without = after.clone();
        without.remove(&[NumberId::from_uuid(Uuid::from_u128(3000))].into());
        assert_eq!(without.find_user("+441632963000"), None);
        assert_eq!((without.iter().count(), after.iter().count()), (2000, 2001));
        let other = after.put(row(9, "+441632960007", 2), &tree());
        let id = NumberId::from_uuid(Uuid::from_u128(9));
        assert_eq!(other, Err(DirectoryProblem::Twice(id)));
    }
}
