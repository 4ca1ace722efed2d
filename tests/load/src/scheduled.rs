//! W7: scheduled calls that are all due at one moment.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use serde_json::json;

use crate::Bench;
use crate::plans;
use crate::platform::Platform;
use crate::relay::NUMBER;
use crate::report::{Figure, Goal, progress};
use crate::rtp::Generator;
use crate::ua::{State, Ua};

/// How long all of them may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// W7.
pub(crate) fn started(bench: &mut Bench) -> anyhow::Result<()> {
    // The API takes 2,000 requests in 10 s.
    let (calls, repeats, lead) = if bench.quick {
        (1000, 1, 10)
    } else {
        (3000, 2, 25)
    };
    let mut rates = Vec::new();
    for _ in 0..repeats {
        // A slow machine needs longer to take the orders.
        let mut leads = [lead, 2 * lead, 4 * lead].into_iter();
        let rate = loop {
            let Some(lead) = leads.next() else {
                bail!("the API takes too long for {calls} scheduled calls");
            };
            if let Some(rate) = run(bench, calls, lead)? {
                break rate;
            }
        };
        rates.push(rate);
    }
    let what = ("scheduled calls started per second", "/s");
    let figure = Figure::new(("w7", "starts_per_s"), what, rates);
    bench
        .report
        .figure(figure.goal(Goal::AtLeast(1000.0), "no peer has them"));
    Ok(())
}

/// Orders calls that are due `lead` seconds from now, and sees them dialled: how many in a second.
/// None: the orders were not in before they were due.
fn run(bench: &mut Bench, calls: usize, lead: u64) -> anyhow::Result<Option<f64>> {
    let generator = Generator::new()?;
    let mut ua = Ua::new(&generator.ports)?;
    let due = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + lead;
    let mut platform = Platform::start(&bench.folder, &format!("w7-{due}"), bench.cores)?;
    platform.trunk(ua.address())?;
    platform.number(NUMBER, &plans::hangs_up())?;
    ua.serve(platform.sip);
    for call in 0..calls {
        let order = json!({
            "service_number": NUMBER,
            "first_party": format!("+4477009{call:05}"),
            "not_before": rfc_3339(due),
        });
        platform.ask("POST", "scheduled_calls", Some(&order))?;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    if now + 1 >= due {
        return Ok(None);
    }
    let before = platform.process.cpu()?;
    let end = Instant::now() + Duration::from_secs(due - now) + PATIENCE;
    while ua.count(State::Ended) < calls && Instant::now() < end {
        // Close enough to see each INVITE when it comes.
        for _ in 0..100 {
            ua.turn()?;
            std::thread::sleep(Duration::from_micros(100));
        }
    }
    let (ended, failed) = (ua.count(State::Ended), ua.count(State::Failed));
    let rested = platform.rest(Duration::from_secs(30))?;
    let cpu = platform.process.cpu()?.saturating_sub(before).as_secs_f64() * 1000.0;
    let records = platform.records()?;
    let first = ua.calls.first().map(|call| call.invited);
    let last = ua.calls.last().map(|call| call.invited);
    let (Some(first), Some(last)) = (first, last) else {
        bail!("no scheduled call was dialled");
    };
    let time = (last - first).as_secs_f64();
    let rate = (ua.calls.len() as f64 - 1.0) / time.max(1e-3);
    let cost = cpu / ua.calls.len() as f64;
    progress(&format!(
        "{} of {calls} dialled in {time:.2} s, {rate:.0}/s, {ended} ended well, {failed} \
             failed, {records} records, {cost:.2} ms a call",
        ua.calls.len()
    ));
    if records != calls as u64 || ended != calls {
        bench.report.note(format!(
            "W7: of {calls} scheduled calls {ended} ended well, with {records} records"
        ));
    }
    bench.report.run(
        "w7",
        json!({
            "calls": calls, "dialled": ua.calls.len(), "ended": ended, "failed": failed,
            "records": records, "starts_per_s": rate, "cpu_ms_per_call": cost,
            "retransmissions": ua.retransmissions, "rested": rested,
        }),
    );
    Ok(Some(rate))
}

/// Seconds since 1970 as RFC 3339 writes them.
fn rfc_3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days to a civil date, in years that begin in March (H. Hinnant, chrono-compatible dates).
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::rfc_3339;

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        assert_eq!(rfc_3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc_3339(1_795_197_030), "2026-11-20T17:50:30Z");
    }
}
