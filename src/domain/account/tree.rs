//! The tree of all accounts: paths, descendants and what holds for each.

use super::{Account, AccountStatus, MAX_DEPTH, Permissions};
use crate::ids::AccountId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The accounts from the root to one account, both included. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountPath {
    above: Arc<[AccountId]>,
    account: AccountId,
}

impl AccountPath {
    /// The path of a root.
    pub fn root(account: AccountId) -> Self {
        Self {
            above: Arc::default(),
            account,
        }
    }

    /// The path of a child of this path's account.
    #[must_use]
    pub fn child(&self, account: AccountId) -> Self {
        Self {
            above: self.iter().collect(),
            account,
        }
    }

    /// The account to which it leads.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The accounts, the root first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = AccountId> + '_ {
        self.above.iter().copied().chain([self.account])
    }

    /// The number of accounts in it.
    pub fn depth(&self) -> usize {
        self.above.len() + 1
    }

    /// Whether the path's account is that account or one of its descendants.
    pub fn is_within(&self, ancestor: AccountId) -> bool {
        self.iter().any(|account| account == ancestor)
    }
}

/// A row that is not in the tree, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeProblem {
    /// Its parent does not exist or is itself not in the tree.
    #[error("account {0} has no parent in the tree")]
    Orphan(AccountId),
    /// Two rows have one identifier.
    #[error("account {0} is there twice")]
    Twice(AccountId),
    /// It stands too deep.
    #[error("account {0} stands deeper than {MAX_DEPTH} levels")]
    TooDeep(AccountId),
}

/// All accounts. Built from rows and swapped whole when a row changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountTree {
    accounts: BTreeMap<AccountId, (Account, AccountPath)>,
    children: BTreeMap<AccountId, BTreeSet<AccountId>>,
}

impl AccountTree {
    /// The tree of these rows, in any order, and what could not be placed.
    pub fn build(rows: impl IntoIterator<Item = Account>) -> (Self, Vec<TreeProblem>) {
        let mut problems = Vec::new();
        let mut waiting: BTreeMap<AccountId, Account> = BTreeMap::new();
        for row in rows {
            if let Some(twice) = waiting.insert(row.id, row) {
                problems.push(TreeProblem::Twice(twice.id));
            }
        }
        let mut below: BTreeMap<Option<AccountId>, Vec<AccountId>> = BTreeMap::new();
        for row in waiting.values() {
            below.entry(row.parent).or_default().push(row.id);
        }
        let mut tree = Self::default();
        let mut ready: Vec<AccountPath> = below
            .get(&None)
            .map(|roots| roots.iter().map(|id| AccountPath::root(*id)).collect())
            .unwrap_or_default();
        while let Some(path) = ready.pop() {
            let id = path.account();
            let Some(account) = waiting.remove(&id) else {
                continue;
            };
            if path.depth() > MAX_DEPTH {
                problems.push(TreeProblem::TooDeep(id));
                continue;
            }
            if let Some(parent) = account.parent {
                tree.children.entry(parent).or_default().insert(id);
            }
            let children = below.get(&Some(id)).into_iter().flatten();
            ready.extend(children.map(|child| path.child(*child)));
            tree.accounts.insert(id, (account, path));
        }
        problems.extend(waiting.into_keys().map(TreeProblem::Orphan));
        (tree, problems)
    }

    /// Takes an account that is new, or as it is now. An account keeps its place in the tree.
    pub fn put(&mut self, account: Account) -> Result<(), TreeProblem> {
        let id = account.id;
        let path = match (self.accounts.get(&id), account.parent) {
            (Some((_, path)), _) => path.clone(),
            (None, None) => AccountPath::root(id),
            (None, Some(parent)) => {
                let above = self.path(parent).ok_or(TreeProblem::Orphan(id))?;
                above.child(id)
            }
        };
        if path.depth() > MAX_DEPTH {
            return Err(TreeProblem::TooDeep(id));
        }
        if let Some(parent) = account.parent {
            self.children.entry(parent).or_default().insert(id);
        }
        self.accounts.insert(id, (account, path));
        Ok(())
    }

    /// The account's row.
    pub fn get(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id).map(|(account, _)| account)
    }

    /// The path from the root to the account.
    pub fn path(&self, id: AccountId) -> Option<&AccountPath> {
        self.accounts.get(&id).map(|(_, path)| path)
    }

    /// Every account, by identifier.
    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values().map(|(account, _)| account)
    }

    /// Its direct children, by identifier.
    pub fn children(&self, id: AccountId) -> impl Iterator<Item = &Account> {
        self.children
            .get(&id)
            .into_iter()
            .flatten()
            .filter_map(|child| self.get(*child))
    }

    /// The account and all accounts below it.
    pub fn within(&self, id: AccountId) -> Vec<AccountId> {
        let mut found = Vec::new();
        let mut next = vec![id];
        while let Some(id) = next.pop() {
            if self.accounts.contains_key(&id) {
                found.push(id);
            }
            next.extend(self.children.get(&id).into_iter().flatten());
        }
        found
    }

    /// Whether `account` is `ancestor` or stands below it.
    pub fn is_within(&self, account: AccountId, ancestor: AccountId) -> bool {
        self.path(account)
            .is_some_and(|path| path.is_within(ancestor))
    }

    /// What the account may do: what every account of its path was granted. An unknown account may
    /// do nothing.
    pub fn effective(&self, id: AccountId) -> Permissions {
        let path = self.path(id).into_iter().flat_map(AccountPath::iter);
        let accounts = path.filter_map(|id| self.get(id));
        Permissions::effective(accounts.map(|account| &account.permissions))
    }

    /// The longest that a call of the account may last: the least of what its path's accounts may.
    pub fn call_duration(&self, id: AccountId) -> Option<Duration> {
        let path = self.path(id).into_iter().flat_map(AccountPath::iter);
        let limits = path.filter_map(|id| self.get(id)?.limits.call_duration_s);
        limits
            .min()
            .map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// How many bytes more the account may store, given what each account does; `None`: nothing on
    /// its path limits it.
    pub fn storage_left(&self, id: AccountId, stored: impl Fn(AccountId) -> u64) -> Option<u64> {
        let path = self.path(id).into_iter().flat_map(AccountPath::iter);
        let limited = path.filter_map(|id| Some((id, self.get(id)?.limits.storage_bytes?)));
        let left = limited.map(|(id, most)| {
            let used = self.within(id).into_iter().map(&stored).sum();
            most.saturating_sub(used)
        });
        left.min()
    }

    /// Whether the account and all accounts above it are active.
    pub fn is_active(&self, id: AccountId) -> bool {
        self.path(id).is_some_and(|path| {
            path.iter()
                .filter_map(|id| self.get(id))
                .all(|a| a.status == AccountStatus::Active)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{AccountKind, Contact, Limits};
    use chrono::DateTime;
    use uuid::Uuid;

    fn id(n: u128) -> AccountId {
        AccountId::from_uuid(Uuid::from_u128(n))
    }

    fn account(n: u128, parent: Option<u128>, kind: AccountKind) -> Account {
        Account {
            id: id(n),
            parent: parent.map(id),
            kind,
            name: format!("account {n}"),
            reference: None,
            contact: Contact::default(),
            status: AccountStatus::Active,
            time_zone: chrono_tz::Europe::London,
            permissions: Permissions::all(),
            limits: Limits::default(),
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    fn rows() -> Vec<Account> {
        vec![
            account(4, Some(3), AccountKind::Customer),
            account(3, Some(2), AccountKind::Reseller),
            account(5, Some(3), AccountKind::Customer),
            account(1, None, AccountKind::Carrier),
            account(2, Some(1), AccountKind::ServiceProvider),
        ]
    }

    #[test]
    fn rows_in_any_order_make_the_tree() {
        let (tree, problems) = AccountTree::build(rows());
        assert_eq!(problems, []);
        let path: Vec<_> = tree.path(id(4)).unwrap().iter().collect();
        assert_eq!(path, [id(1), id(2), id(3), id(4)]);
        assert_eq!(
            tree.children(id(3)).map(|a| a.id).collect::<Vec<_>>(),
            [id(4), id(5)]
        );
        assert!(tree.is_within(id(4), id(2)) && tree.is_within(id(4), id(4)));
        assert!(!tree.is_within(id(4), id(5)));
        let mut all = tree.within(id(2));
        all.sort();
        assert_eq!(all, [id(2), id(3), id(4), id(5)]);
    }

    #[test]
    fn orphans_and_circles_are_left_out_and_named() {
        let mut rows = rows();
        rows.push(account(7, Some(6), AccountKind::Customer));
        rows.push(account(8, Some(9), AccountKind::Customer));
        rows.push(account(9, Some(8), AccountKind::Customer));
        let (tree, problems) = AccountTree::build(rows);
        assert_eq!(tree.iter().count(), 5);
        assert_eq!(problems, [7, 8, 9].map(|n| TreeProblem::Orphan(id(n))));
    }

    #[test]
    fn a_chain_that_is_too_long_ends_at_the_deepest_level() {
        let mut rows = vec![account(1, None, AccountKind::Carrier)];
        rows.extend((2..=9).map(|n| account(n, Some(n - 1), AccountKind::Customer)));
        let (tree, problems) = AccountTree::build(rows);
        assert_eq!(tree.iter().count(), MAX_DEPTH);
        assert_eq!(problems, [TreeProblem::TooDeep(id(9))]);
        let twice = [
            account(1, None, AccountKind::Carrier),
            account(1, None, AccountKind::Carrier),
        ];
        assert_eq!(AccountTree::build(twice).1, [TreeProblem::Twice(id(1))]);
    }

    #[test]
    fn a_revocation_above_holds_below_at_once() {
        let mut rows = rows();
        rows[1].permissions.recording = false;
        let (tree, _) = AccountTree::build(rows);
        assert!(!tree.effective(id(4)).recording);
        assert!(tree.effective(id(2)).recording);
        assert_eq!(tree.effective(id(99)), Permissions::default());
    }

    #[test]
    fn the_storage_that_is_left_is_the_least_of_the_path() {
        let mut rows = rows();
        rows[0].limits.storage_bytes = Some(100);
        rows[1].limits.storage_bytes = Some(120);
        let (tree, _) = AccountTree::build(rows);
        let stored = |account| if account == id(5) { 70 } else { 10 };
        // Account 3 and those below it have 90 bytes, account 4 has 10.
        assert_eq!(tree.storage_left(id(4), stored), Some(30));
        assert_eq!(tree.storage_left(id(4), |_| 1000), Some(0));
        assert_eq!(tree.storage_left(id(2), stored), None);
    }

    #[test]
    fn accounts_below_a_disabled_one_are_not_active() {
        let mut rows = rows();
        rows[1].status = AccountStatus::Disabled;
        let (tree, _) = AccountTree::build(rows);
        assert!(!tree.is_active(id(4)) && tree.is_active(id(2)) && !tree.is_active(id(99)));
    }
}
