//! Opening hours: days of the week, times of day, time zones with summer time, and when the answer
//! changes next.

use chrono::{
    DateTime, Datelike, Days, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Timelike, Utc,
    Weekday,
};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// How far ahead a change is looked for: a week, and a day on both sides for time zones.
const HORIZON_DAYS: u64 = 9;

/// A day of the week.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

impl Day {
    /// Every day, from Monday.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// The day at that time in that zone.
    pub fn at(time: DateTime<Utc>, zone: Tz) -> Self {
        match time.with_timezone(&zone).weekday() {
            Weekday::Mon => Self::Monday,
            Weekday::Tue => Self::Tuesday,
            Weekday::Wed => Self::Wednesday,
            Weekday::Thu => Self::Thursday,
            Weekday::Fri => Self::Friday,
            Weekday::Sat => Self::Saturday,
            Weekday::Sun => Self::Sunday,
        }
    }
}

/// A text that is no time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time of day such as 09:30")]
pub struct ClockTimeError;

/// A time of day to the minute, `00:00` to `24:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, example = "09:30", pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]
pub struct ClockTime(u16);

impl ClockTime {
    /// The start of a day.
    pub const MIDNIGHT: Self = Self(0);
    /// The end of a day.
    pub const END: Self = Self(24 * 60);

    /// Minutes since midnight.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

impl FromStr for ClockTime {
    type Err = ClockTimeError;

    fn from_str(text: &str) -> Result<Self, ClockTimeError> {
        let [h1, h2, b':', m1, m2] = text.as_bytes() else {
            return Err(ClockTimeError);
        };
        let digits = [h1, h2, m1, m2];
        if !digits.iter().all(|b| b.is_ascii_digit()) {
            return Err(ClockTimeError);
        }
        let [h1, h2, m1, m2] = digits.map(|b| u16::from(b - b'0'));
        let (hour, minute) = (10 * h1 + h2, 10 * m1 + m2);
        let time = Self(60 * hour + minute);
        if minute < 60 && time <= Self::END {
            Ok(time)
        } else {
            Err(ClockTimeError)
        }
    }
}

impl fmt::Display for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Serialize for ClockTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClockTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// From a time of day, included, to another, excluded. An end that is not later than the start lies
/// on the next day (`22:00` to `06:00`); equal ends are a whole day.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(deny_unknown_fields)]
pub struct TimeRange {
    /// The first minute.
    pub from: ClockTime,
    /// The minute after the last.
    pub to: ClockTime,
}

impl TimeRange {
    /// Whether it passes midnight.
    pub fn is_overnight(&self) -> bool {
        self.to <= self.from
    }

    /// Whether it holds that minute of the day, on whatever day it began.
    pub fn contains(&self, minute: u16) -> bool {
        let (from, to) = (self.from.0, self.to.0);
        if self.is_overnight() {
            minute >= from || minute < to
        } else {
            (from..to).contains(&minute)
        }
    }
}

/// The local minute of the day at that time in that zone.
pub fn minute_of_day(time: DateTime<Utc>, zone: Tz) -> u16 {
    let local = time.with_timezone(&zone);
    u16::try_from(local.hour() * 60 + local.minute()).unwrap_or(0)
}

/// Days of the week and times of day at which something is open. No ranges: the whole day. A range
/// that passes midnight belongs to the day on which it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// The days.
    pub days: BTreeSet<Day>,
    /// The times of these days.
    #[serde(default)]
    pub ranges: Vec<TimeRange>,
}

impl Hours {
    /// Whether it is open at that time in that zone.
    pub fn is_open(&self, time: DateTime<Utc>, zone: Tz) -> bool {
        let local = time.with_timezone(&zone);
        let minute = minute_of_day(time, zone);
        let today = self.has(local.weekday());
        let yesterday = self.has(local.weekday().pred());
        if self.ranges.is_empty() {
            return today;
        }
        self.ranges.iter().any(|range| {
            if range.is_overnight() {
                (today && minute >= range.from.0) || (yesterday && minute < range.to.0)
            } else {
                today && range.contains(minute)
            }
        })
    }

    /// When the answer changes next; none: it never does.
    pub fn next_change(&self, time: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let now = self.is_open(time, zone);
        let mut moments = self.boundaries(time, zone);
        moments.extend(offset_changes(time, zone));
        moments.retain(|moment| *moment > time);
        moments.sort_unstable();
        moments
            .into_iter()
            .find(|moment| self.is_open(*moment, zone) != now)
    }

    fn has(&self, weekday: Weekday) -> bool {
        let index = usize::try_from(weekday.num_days_from_monday()).unwrap_or(0);
        Day::ALL
            .get(index)
            .is_some_and(|day| self.days.contains(day))
    }

    /// Every moment of the next week at which a local clock shows a start or an end of a range.
    fn boundaries(&self, time: DateTime<Utc>, zone: Tz) -> Vec<DateTime<Utc>> {
        let mut minutes: BTreeSet<u16> = self
            .ranges
            .iter()
            .flat_map(|range| [range.from.0, range.to.0])
            .collect();
        minutes.insert(0);
        let first = time.with_timezone(&zone).date_naive();
        let mut moments = Vec::new();
        for ahead in 0..=HORIZON_DAYS {
            let Some(date) = first.checked_add_days(Days::new(ahead)) else {
                break;
            };
            let midnight = date.and_time(NaiveTime::MIN);
            for minute in &minutes {
                let local = midnight + TimeDelta::minutes(i64::from(*minute));
                moments.extend(moments_of(local, zone));
            }
        }
        moments
    }
}

/// The moments at which clocks of the zone show a local time: one; two when clocks go back; none
/// when they go forward over it (the change itself is among [`offset_changes`]).
fn moments_of(local: NaiveDateTime, zone: Tz) -> Vec<DateTime<Utc>> {
    let found = zone.from_local_datetime(&local);
    let times = [found.earliest(), found.latest()];
    times
        .into_iter()
        .flatten()
        .map(|time| time.with_timezone(&Utc))
        .collect()
}

/// The moments of the next days at which the zone's offset from UTC changes.
fn offset_changes(time: DateTime<Utc>, zone: Tz) -> Vec<DateTime<Utc>> {
    let offset = |at: DateTime<Utc>| {
        zone.offset_from_utc_datetime(&at.naive_utc())
            .fix()
            .local_minus_utc()
    };
    let mut changes = Vec::new();
    let mut start = time;
    for _ in 0..=HORIZON_DAYS {
        let Some(end) = start.checked_add_signed(TimeDelta::days(1)) else {
            break;
        };
        if offset(start) != offset(end) {
            let (mut before, mut after) = (start, end);
            while after - before > TimeDelta::seconds(1) {
                let middle = before + (after - before) / 2;
                if offset(middle) == offset(start) {
                    before = middle;
                } else {
                    after = middle;
                }
            }
            // Zones change on whole seconds; the search may have begun between two.
            changes.push(after.with_nanosecond(0).unwrap_or(after));
        }
        start = end;
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Europe::London;
    use proptest::prelude::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn range(from: &str, to: &str) -> TimeRange {
        TimeRange {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        }
    }

    fn office() -> Hours {
        Hours {
            days: Day::ALL[..5].iter().copied().collect(),
            ranges: vec![range("09:00", "17:30")],
        }
    }

    #[test]
    fn times_of_day_are_read_strictly() {
        for (text, minutes) in [
            ("00:00", 0),
            ("09:30", 570),
            ("23:59", 1439),
            ("24:00", 1440),
        ] {
            assert_eq!(text.parse::<ClockTime>().unwrap().minutes(), minutes);
            assert_eq!(text.parse::<ClockTime>().unwrap().to_string(), text);
        }
        for text in [
            "", "9:30", "24:01", "12:60", "12-30", "1a:00", "12:30:00", "+1:00",
        ] {
            assert_eq!(text.parse::<ClockTime>(), Err(ClockTimeError), "{text}");
        }
    }

    #[test]
    fn office_hours_follow_summer_time() {
        // 2026-03-29 01:00 UTC: clocks in London go forward.
        assert!(office().is_open(utc("2026-03-27T09:00:00Z"), London));
        assert!(!office().is_open(utc("2026-03-27T08:30:00Z"), London));
        assert!(office().is_open(utc("2026-03-30T08:30:00Z"), London));
        let friday_evening = utc("2026-03-27T18:00:00Z");
        let opens = office().next_change(friday_evening, London);
        assert_eq!(opens, Some(utc("2026-03-30T08:00:00Z")));
        let closes = office().next_change(opens.unwrap(), London);
        assert_eq!(closes, Some(utc("2026-03-30T16:30:00Z")));
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let hours = Hours {
            days: [Day::Friday].into(),
            ranges: vec![range("22:00", "06:00")],
        };
        assert!(!hours.is_open(utc("2026-01-02T05:00:00Z"), London));
        assert!(hours.is_open(utc("2026-01-02T22:00:00Z"), London));
        assert!(hours.is_open(utc("2026-01-03T05:59:00Z"), London));
        assert!(!hours.is_open(utc("2026-01-03T22:00:00Z"), London));
        let closes = hours.next_change(utc("2026-01-02T23:00:00Z"), London);
        assert_eq!(closes, Some(utc("2026-01-03T06:00:00Z")));
    }

    #[test]
    fn a_range_inside_the_lost_hour_does_not_open_that_day() {
        let hours = Hours {
            days: Day::ALL.into(),
            ranges: vec![range("01:15", "01:45")],
        };
        let saturday = utc("2026-03-28T12:00:00Z");
        assert_eq!(
            hours.next_change(saturday, London),
            Some(utc("2026-03-30T00:15:00Z"))
        );
    }

    #[test]
    fn a_range_inside_the_repeated_hour_opens_twice() {
        let hours = Hours {
            days: Day::ALL.into(),
            ranges: vec![range("01:15", "01:45")],
        };
        let mut at = utc("2026-10-25T00:00:00Z");
        let mut changes = Vec::new();
        for _ in 0..4 {
            at = hours.next_change(at, London).unwrap();
            changes.push(at.format("%H:%M").to_string());
        }
        assert_eq!(changes, ["00:15", "00:45", "01:15", "01:45"]);
    }

    #[test]
    fn what_is_always_or_never_open_does_not_change() {
        let always = Hours {
            days: Day::ALL.into(),
            ranges: vec![],
        };
        let now = utc("2026-07-01T12:00:00Z");
        assert!(always.is_open(now, London) && !Hours::default().is_open(now, London));
        assert_eq!(always.next_change(now, London), None);
        assert_eq!(Hours::default().next_change(now, London), None);
        let whole = Hours {
            days: Day::ALL.into(),
            ranges: vec![range("00:00", "24:00")],
        };
        assert_eq!(whole.next_change(now, London), None);
    }

    fn any_range() -> impl Strategy<Value = TimeRange> {
        (0u16..=1440, 0u16..=1440).prop_map(|(from, to)| TimeRange {
            from: ClockTime(from),
            to: ClockTime(to),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn the_next_change_is_the_first_minute_with_another_answer(
            days in prop::collection::btree_set(prop::sample::select(Day::ALL.to_vec()), 0..7),
            ranges in prop::collection::vec(any_range(), 0..4),
            start in 0i64..366 * 24 * 60,
            zone in prop::sample::select(vec![
                London, chrono_tz::America::New_York, chrono_tz::Australia::Lord_Howe,
                chrono_tz::Asia::Kathmandu, chrono_tz::UTC,
            ]),
        ) {
            let hours = Hours { days, ranges };
            let start = utc("2026-01-01T00:00:00Z") + TimeDelta::minutes(start);
            let now = hours.is_open(start, zone);
            let minutes = (1..7 * 24 * 60).map(|minute| start + TimeDelta::minutes(minute));
            let first = minutes.into_iter().find(|at| hours.is_open(*at, zone) != now);
            let change = hours.next_change(start, zone);
            match first {
                Some(first) => prop_assert_eq!(change, Some(first)),
                None => prop_assert!(change.is_none_or(|at| at >= start + TimeDelta::days(7))),
            }
        }
    }
}
