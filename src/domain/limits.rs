//! Admission: how many calls, and how many new calls a second, each account of a path may have.
//!
//! Every admitted call holds a [`Ticket`], which must be given back by value.

use crate::account::{AccountPath, Limits};
use crate::cause::Cause;
use crate::ids::AccountId;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// The time over which new calls are counted.
const SECOND: Duration = Duration::from_secs(1);

/// One limit of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Limit {
    /// Calls at the same time.
    Calls,
    /// New calls in any second.
    CallsPerSecond,
}

/// Why a call was not admitted: which account of its path has reached which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("account {account} has reached its limit of {most} {}", .limit.unit())]
pub struct Refusal {
    /// The account, nearest to the root.
    pub account: AccountId,
    /// The limit.
    pub limit: Limit,
    /// Its value.
    pub most: u32,
}

impl Limit {
    fn unit(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::CallsPerSecond => "new calls a second",
        }
    }
}

impl Refusal {
    /// What the caller is told: no channel is free, or too much at once.
    pub fn cause(&self) -> Cause {
        match self.limit {
            Limit::Calls => Cause::NoCircuit,
            Limit::CallsPerSecond => Cause::Congestion,
        }
    }
}

/// The right to one call. Neither copied nor made elsewhere; give it back.
#[must_use = "a ticket that is not given back counts for ever"]
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket {
    number: u64,
}

#[derive(Clone, Debug, Default)]
struct Usage {
    limits: Limits,
    calls: u32,
    /// The admissions of the last second, the oldest first; kept only where they are limited.
    recent: VecDeque<Instant>,
}

/// The calls of all accounts.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    usage: BTreeMap<AccountId, Usage>,
    held: BTreeMap<u64, AccountPath>,
    last: u64,
}

impl Admission {
    /// Sets an account's own limits. Calls above a lowered limit go on.
    pub fn set(&mut self, account: AccountId, limits: Limits) {
        let usage = self.usage.entry(account).or_default();
        usage.limits = limits;
        if limits.calls_per_second.is_none() {
            usage.recent.clear();
        }
    }

    /// Forgets the accounts that are not to be kept, unless they have calls.
    pub fn retain(&mut self, keep: impl Fn(AccountId) -> bool) {
        self.usage
            .retain(|account, usage| usage.calls > 0 || keep(*account));
    }

    /// Admits one call of the last account of a path, or says who has reached what. A refused call
    /// counts nowhere.
    pub fn admit(&mut self, path: &AccountPath, now: Instant) -> Result<Ticket, Refusal> {
        for account in path.iter() {
            let Some(usage) = self.usage.get_mut(&account) else {
                continue;
            };
            while usage
                .recent
                .front()
                .is_some_and(|at| now.saturating_duration_since(*at) >= SECOND)
            {
                usage.recent.pop_front();
            }
            if let Some(most) = usage.limits.calls.filter(|most| usage.calls >= *most) {
                return Err(Refusal {
                    account,
                    limit: Limit::Calls,
                    most,
                });
            }
            let new = u32::try_from(usage.recent.len()).unwrap_or(u32::MAX);
            if let Some(most) = usage.limits.calls_per_second.filter(|most| new >= *most) {
                return Err(Refusal {
                    account,
                    limit: Limit::CallsPerSecond,
                    most,
                });
            }
        }
        for account in path.iter() {
            let usage = self.usage.entry(account).or_default();
            usage.calls += 1;
            if usage.limits.calls_per_second.is_some() {
                usage.recent.push_back(now);
            }
        }
        self.last += 1;
        self.held.insert(self.last, path.clone());
        Ok(Ticket { number: self.last })
    }

    /// Takes a ticket back: its call is over. Answers whose channels are free again.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "who gives it back must not keep it"
    )]
    pub fn give_back(&mut self, ticket: Ticket) -> Option<AccountPath> {
        let path = self.held.remove(&ticket.number)?;
        for account in path.iter() {
            if let Some(usage) = self.usage.get_mut(&account) {
                usage.calls = usage.calls.saturating_sub(1);
            }
        }
        Some(path)
    }

    /// How many calls more an account may have; none: as many as those above it.
    pub fn free(&self, account: AccountId) -> Option<u32> {
        let usage = self.usage.get(&account)?;
        Some(usage.limits.calls?.saturating_sub(usage.calls))
    }

    /// The calls of an account and all below it.
    pub fn calls(&self, account: AccountId) -> u32 {
        self.usage.get(&account).map_or(0, |usage| usage.calls)
    }

    /// Those of them that were admitted within the last second, where that is limited.
    pub fn new_calls(&self, account: AccountId, now: Instant) -> u32 {
        let is_new = |at: &&Instant| now.saturating_duration_since(**at) < SECOND;
        let recent = self.usage.get(&account).map(|usage| usage.recent.iter());
        let new = recent.into_iter().flatten().filter(is_new).count();
        u32::try_from(new).unwrap_or(u32::MAX)
    }

    /// Tickets that were not given back yet. Zero when no call lives.
    pub fn held(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::some_instant;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn id(n: u128) -> AccountId {
        AccountId::from_uuid(Uuid::from_u128(n))
    }

    fn limits(calls: Option<u32>, calls_per_second: Option<u32>) -> Limits {
        Limits {
            calls,
            calls_per_second,
            ..Limits::default()
        }
    }

    #[test]
    fn a_refusal_tells_which_account_has_reached_which_limit() {
        let now = some_instant();
        let root = AccountPath::root(id(1));
        let (left, right) = (root.child(id(2)), root.child(id(3)));
        let mut admission = Admission::default();
        admission.set(id(1), limits(Some(2), None));
        admission.set(id(2), limits(Some(1), None));
        let first = admission.admit(&left, now).unwrap();
        let refusal = admission.admit(&left, now).unwrap_err();
        assert_eq!(
            refusal,
            Refusal {
                account: id(2),
                limit: Limit::Calls,
                most: 1
            }
        );
        assert_eq!(refusal.cause().sip_status(), 503);
        let second = admission.admit(&right, now).unwrap();
        let refusal = admission.admit(&right, now).unwrap_err();
        assert_eq!((refusal.account, admission.calls(id(1))), (id(1), 2));
        admission.give_back(first);
        admission.give_back(second);
        assert_eq!((admission.calls(id(1)), admission.held()), (0, 0));
    }

    #[test]
    fn new_calls_are_counted_over_any_second() {
        let start = some_instant();
        let path = AccountPath::root(id(1));
        let mut admission = Admission::default();
        admission.set(id(1), limits(None, Some(2)));
        let at = |ms| start + Duration::from_millis(ms);
        let mut tickets = vec![admission.admit(&path, at(0)).unwrap()];
        tickets.push(admission.admit(&path, at(600)).unwrap());
        let refusal = admission.admit(&path, at(999)).unwrap_err();
        assert_eq!(
            (refusal.limit, refusal.cause()),
            (Limit::CallsPerSecond, Cause::Congestion)
        );
        tickets.push(admission.admit(&path, at(1000)).unwrap());
        assert!(admission.admit(&path, at(1500)).is_err());
        assert_eq!(admission.held(), tickets.len());
    }

    #[test]
    fn a_ticket_that_comes_back_tells_whose_channel_is_free() {
        let mut admission = Admission::default();
        let path = AccountPath::root(id(1)).child(id(2));
        admission.set(id(1), limits(Some(2), None));
        assert_eq!(
            (admission.free(id(1)), admission.free(id(2))),
            (Some(2), None)
        );
        let ticket = admission.admit(&path, some_instant()).unwrap();
        assert_eq!((admission.free(id(1)), admission.held()), (Some(1), 1));
        assert_eq!(admission.give_back(ticket), Some(path));
        assert_eq!((admission.free(id(1)), admission.held()), (Some(2), 0));
    }

    #[test]
    fn calls_above_a_lowered_limit_go_on() {
        let now = some_instant();
        let path = AccountPath::root(id(1));
        let mut admission = Admission::default();
        let tickets: Vec<_> = (0..3)
            .map(|_| admission.admit(&path, now).unwrap())
            .collect();
        admission.set(id(1), limits(Some(1), None));
        assert!(admission.admit(&path, now).is_err());
        for ticket in tickets {
            admission.give_back(ticket);
        }
        let last = admission.admit(&path, now).unwrap();
        admission.give_back(last);
    }

    proptest! {
        #[test]
        fn limits_hold_for_every_account_at_every_moment(
            caps in prop::collection::vec((prop::option::of(0u32..4), prop::option::of(0u32..4)), 5),
            steps in prop::collection::vec((0usize..4, 0u64..400, any::<bool>()), 0..80),
        ) {
            // 0 is the root; 1 and 2 stand below it; 3 and 4 below 1.
            let root = AccountPath::root(id(0));
            let one = root.child(id(1));
            let paths = [root.clone(), one.clone(), root.child(id(2)), one.child(id(3)), one.child(id(4))];
            let mut admission = Admission::default();
            for (n, (calls, rate)) in caps.iter().enumerate() {
                admission.set(id(n as u128), limits(*calls, *rate));
            }
            let mut now = some_instant();
            let mut held: Vec<(usize, Ticket)> = Vec::new();
            let mut admitted: Vec<(usize, Instant)> = Vec::new();
            for (which, pause, give_back) in steps {
                now += Duration::from_millis(pause);
                if give_back && !held.is_empty() {
                    admission.give_back(held.swap_remove(which % held.len()).1);
                } else if let Ok(ticket) = admission.admit(&paths[which], now) {
                    held.push((which, ticket));
                    admitted.push((which, now));
                }
                for (n, (calls, rate)) in caps.iter().enumerate() {
                    let below = |which: usize| paths[which].is_within(id(n as u128));
                    let live = held.iter().filter(|(which, _)| below(*which)).count();
                    prop_assert_eq!(admission.calls(id(n as u128)) as usize, live);
                    prop_assert!(calls.is_none_or(|most| live <= most as usize));
                    let new = admitted.iter()
                        .filter(|(which, at)| below(*which) && now - *at < SECOND).count();
                    prop_assert!(rate.is_none_or(|most| new <= most as usize));
                }
            }
            for (_, ticket) in held {
                admission.give_back(ticket);
            }
            prop_assert_eq!(admission.held(), 0);
        }
    }
}
