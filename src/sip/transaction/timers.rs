//! One queue of deadlines for everything that an endpoint owns.

use std::collections::BTreeSet;
use std::time::Instant;

/// The deadlines of many owners, each with at most one. Arming and disarming cost the logarithm of
/// their number; nothing is ever searched, because each owner keeps what it is [`Armed`] for.
#[derive(Debug)]
pub(crate) struct Schedule<K> {
    queue: BTreeSet<(Instant, K)>,
}

/// The deadline of an owner that stands in the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Armed(Option<Instant>);

impl Armed {
    /// Its deadline has been taken from the queue.
    pub(crate) fn fired(&mut self) {
        self.0 = None;
    }
}

impl<K: Copy + Ord> Schedule<K> {
    pub(crate) fn new() -> Self {
        Self {
            queue: BTreeSet::new(),
        }
    }

    /// Sets or takes away the deadline of an owner.
    pub(crate) fn set(&mut self, owner: K, armed: &mut Armed, at: Option<Instant>) {
        if armed.0 == at {
            return;
        }
        if let Some(old) = std::mem::replace(&mut armed.0, at) {
            self.queue.remove(&(old, owner));
        }
        if let Some(at) = at {
            self.queue.insert((at, owner));
        }
    }

    /// Takes the owner whose deadline came first, if it has come: it is to note that it
    /// [fired](Armed::fired).
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (at, _) = self.queue.first()?;
        if *at > now {
            return None;
        }
        self.queue.pop_first().map(|(_, owner)| owner)
    }

    /// The earliest deadline.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
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
        let mut armed = [Armed::default(); 3];
        schedule.set(1, &mut armed[0], Some(after(30)));
        schedule.set(2, &mut armed[1], Some(after(10)));
        schedule.set(3, &mut armed[2], Some(after(20)));
        schedule.set(1, &mut armed[0], Some(after(5)));
        schedule.set(3, &mut armed[2], None);
        assert_eq!(schedule.deadline(), Some(after(5)));
        assert_eq!(schedule.pop_due(after(4)), None);
        assert_eq!(schedule.pop_due(after(30)), Some(1));
        assert_eq!(schedule.pop_due(after(30)), Some(2));
        assert_eq!(schedule.pop_due(after(30)), None);
        assert_eq!(schedule.len(), 0);
    }
}
