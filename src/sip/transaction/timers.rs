//! One queue of deadlines for everything that an endpoint owns.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Instant;

/// The deadlines of many owners, each with at most one. Arming and disarming cost the logarithm of
/// their number; nothing is ever searched.
#[derive(Debug)]
pub(crate) struct Schedule<K> {
    queue: BTreeSet<(Instant, K)>,
    armed: HashMap<K, Instant>,
}

impl<K: Copy + Ord + Hash> Schedule<K> {
    pub(crate) fn new() -> Self {
        Self {
            queue: BTreeSet::new(),
            armed: HashMap::new(),
        }
    }

    /// Sets or takes away the deadline of an owner.
    pub(crate) fn set(&mut self, owner: K, at: Option<Instant>) {
        if self.armed.get(&owner).copied() == at {
            return;
        }
        if let Some(old) = self.armed.remove(&owner) {
            self.queue.remove(&(old, owner));
        }
        if let Some(at) = at {
            self.armed.insert(owner, at);
            self.queue.insert((at, owner));
        }
    }

    /// Takes the owner whose deadline came first, if it has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let &(at, owner) = self.queue.first()?;
        if at > now {
            return None;
        }
        self.queue.pop_first();
        self.armed.remove(&owner);
        Some(owner)
    }

    /// The earliest deadline.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    pub(crate) fn len(&self) -> usize {
        self.armed.len()
    }
}

/// The earlier of two deadlines that may be absent.
pub(crate) fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn owners_come_in_the_order_of_their_deadlines_and_once() {
        #[expect(
            clippy::disallowed_methods,
            reason = "an arbitrary start of virtual time"
        )]
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut schedule = Schedule::new();
        schedule.set(1, Some(after(30)));
        schedule.set(2, Some(after(10)));
        schedule.set(3, Some(after(20)));
        schedule.set(1, Some(after(5)));
        schedule.set(3, None);
        assert_eq!(schedule.deadline(), Some(after(5)));
        assert_eq!(schedule.pop_due(after(4)), None);
        assert_eq!(schedule.pop_due(after(30)), Some(1));
        assert_eq!(schedule.pop_due(after(30)), Some(2));
        assert_eq!(schedule.pop_due(after(30)), None);
        assert_eq!(schedule.len(), 0);
    }
}
