//! Overload control (RFC 6357): which new calls are shed when what waits grows old.
//!
//! Work that waits longer than a peer's patience is done for nothing: the peer sends again, and the
//! copies are work too. So the measure of load is the age of the oldest thing that waits, not how
//! much of it there is. From the first age on a growing share of new calls is refused, and from the
//! last age on all of them. The share follows the age, so that what is taken is what can be done,
//! with a short wait before it; and because a refusal is cheap, the rest is refused at any rate.
//!
//! A machine that stood still for a moment is not overloaded: what waited meanwhile is worked off.
//! So nothing is shed before the age has been too high for a while, unless that was so a moment ago.
//!
//! Only INVITEs that start a dialog are shed: whatever belongs to a call that lives is served.

use std::time::{Duration, Instant};

/// The ages between which new calls are shed, when that has lasted for twice the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Below this age every new call is taken.
    pub first: Duration,
    /// From this age on none is. It is less than T1 (RFC 3261 Table 4), so that the answer gets to
    /// the peer before it sends its request again.
    pub last: Duration,
}

impl Patience {
    /// Every new call is taken, however long it waited.
    pub const ENDLESS: Self = Self {
        first: Duration::MAX,
        last: Duration::MAX,
    };

    /// New calls are shed from this age on, and all of them from twice that.
    pub fn from_age(first: Duration) -> Self {
        Self {
            first,
            last: first.saturating_mul(2),
        }
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::from_age(Duration::from_millis(100))
    }
}

/// A dip of the age that is shorter than this ends no overload.
const DIP: Duration = Duration::from_secs(2);

/// Decides which new calls are shed.
#[derive(Debug)]
pub(crate) struct Overload {
    patience: Patience,
    age: Duration,
    /// Since when the age is not below the first one.
    old_since: Option<Instant>,
    /// It has lasted, and is not given up for a dip until then.
    until: Option<Instant>,
    lasts: bool,
    /// Parts of a call, in thousandths, that were to be shed and were not yet.
    owed: u32,
    shed: u64,
}

/// One call, in the parts in which shares are counted.
const WHOLE: u32 = 1_000;

impl Overload {
    pub(crate) fn new(patience: Patience) -> Self {
        Self {
            patience,
            age: Duration::ZERO,
            old_since: None,
            until: None,
            lasts: false,
            owed: 0,
            shed: 0,
        }
    }

    /// Notes how old the oldest thing is that waits.
    pub(crate) fn note(&mut self, age: Duration, now: Instant) {
        self.age = age;
        let first = self.patience.first;
        if age < first {
            self.old_since = None;
            self.lasts = false;
            return;
        }
        let since = *self.old_since.get_or_insert(now);
        let has_lasted = now.saturating_duration_since(since) >= first.saturating_mul(2);
        self.lasts = has_lasted || self.until.is_some_and(|until| now < until);
        if self.lasts {
            self.until = Some(now + DIP);
        }
    }

    /// Whether the new call that has just come is shed.
    pub(crate) fn sheds(&mut self) -> bool {
        let share = self.share();
        if share == 0 {
            self.owed = 0;
            return false;
        }
        self.owed += share;
        let sheds = self.owed >= WHOLE;
        if sheds {
            self.owed -= WHOLE;
            self.shed += 1;
        }
        sheds
    }

    /// How many calls were shed so far.
    pub(crate) fn shed(&self) -> u64 {
        self.shed
    }

    /// The share of new calls to be shed, in thousandths.
    fn share(&self) -> u32 {
        if !self.lasts {
            return 0;
        }
        let Patience { first, last } = self.patience;
        let over = self.age.saturating_sub(first).as_micros();
        let span = last.saturating_sub(first).as_micros().max(1);
        u32::try_from(over * u128::from(WHOLE) / span).map_or(WHOLE, |share| share.min(WHOLE))
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "an arbitrary start of virtual time"
)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    /// How many of 100 new calls are shed at an age.
    fn shed_at(age: Duration) -> usize {
        let mut overload = Overload::new(Patience {
            first: ms(50),
            last: ms(150),
        });
        let now = Instant::now();
        overload.note(age, now);
        overload.note(age, now + ms(200));
        (0..100).filter(|_| overload.sheds()).count()
    }

    #[test]
    fn the_share_that_is_shed_follows_the_age() {
        let ages = [0, 50, 60, 100, 149, 150, 10_000];
        let shed = ages.map(|age| shed_at(ms(age)));
        assert_eq!(shed, [0, 0, 10, 50, 99, 100, 100]);
        assert_eq!(shed_at(Duration::MAX), 100);
    }

    #[test]
    fn what_was_owed_is_forgotten_when_nothing_waits() {
        let mut overload = Overload::new(Patience::default());
        let now = Instant::now();
        overload.note(ms(150), now);
        overload.note(ms(150), now + ms(200));
        assert!(!overload.sheds());
        overload.note(ms(0), now + ms(201));
        assert!(!overload.sheds());
        overload.note(ms(150), now + ms(202));
        assert!(!overload.sheds());
        assert_eq!(overload.shed(), 0);
        assert!(overload.sheds());
    }

    #[test]
    fn what_waited_while_the_machine_stood_still_is_worked_off() {
        let mut overload = Overload::new(Patience::default());
        let now = Instant::now();
        // Nothing was done for 400 ms; then the age falls.
        for (at, age) in [(0, 400), (50, 310), (100, 230), (199, 110)] {
            overload.note(ms(age), now + ms(at));
            assert!(!overload.sheds(), "{at}");
        }
        overload.note(ms(99), now + ms(220));
        assert!(!overload.sheds());
        // The next time counts from its own beginning.
        overload.note(ms(300), now + ms(250));
        assert!(!overload.sheds());
        overload.note(ms(300), now + ms(450));
        assert!(overload.sheds());
    }

    /// A server that takes a quarter of a millisecond for a call and a twentieth of that for a
    /// refusal, in virtual time: gives how many of a second's calls it takes at this rate when it
    /// has settled, and the longest that one of them waited.
    fn served(rate: u64) -> (u64, Duration) {
        let (call, refusal) = (Duration::from_micros(250), Duration::from_micros(12));
        let mut overload = Overload::new(Patience::default());
        let start = Instant::now();
        let mut waiting = VecDeque::new();
        let (mut now, mut came) = (Duration::ZERO, 0);
        let (mut taken, mut longest) = (0, Duration::ZERO);
        while now < ms(10_000) {
            while now.as_micros() >= u128::from(came * 1_000_000 / rate) {
                waiting.push_back(Duration::from_micros(came * 1_000_000 / rate));
                came += 1;
            }
            let Some(arrived) = waiting.pop_front() else {
                now = Duration::from_micros(came * 1_000_000 / rate);
                continue;
            };
            overload.note(now.saturating_sub(arrived), start + now);
            if overload.sheds() {
                now += refusal;
                continue;
            }
            if now > ms(9_000) {
                taken += 1;
                longest = longest.max(now.saturating_sub(arrived));
            }
            now += call;
        }
        (taken, longest)
    }

    #[test]
    fn at_any_rate_a_server_stays_near_its_best_and_calls_wait_less_than_t1() {
        let (taken, longest) = served(3_900);
        assert!(taken >= 3_880 && longest < ms(25), "{taken} {longest:?}");
        for rate in [4_400, 8_000, 20_000, 40_000] {
            let (taken, longest) = served(rate);
            let refused = rate - taken.min(rate);
            let best = 4_000 - refused * 12 / 250;
            assert!(taken * 100 >= best * 97, "{taken} of {best} at {rate}");
            assert!(longest < ms(250), "{longest:?} at {rate}");
        }
    }
}
