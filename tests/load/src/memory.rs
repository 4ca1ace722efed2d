//! W6: what an established call keeps in memory, beside what its sockets keep in the system.

use std::time::Duration;

use serde_json::json;

use crate::Bench;
use crate::plans;
use crate::platform::Platform;
use crate::relay::{NUMBER, establish, hang_up};
use crate::report::{Figure, Goal, progress};
use crate::rtp::Generator;
use crate::ua::Ua;

/// Calls before, so that what is made once is there.
const WARM_UP: usize = 20;

/// W6.
pub(crate) fn held(bench: &mut Bench) -> anyhow::Result<()> {
    let calls = if bench.quick { 500 } else { 1000 };
    let mut costs = Vec::new();
    for bridged in [false, true] {
        let generator = Generator::new()?;
        let mut ua = Ua::new(&generator.ports)?;
        let name = if bridged { "w6-bridged" } else { "w6" };
        let mut platform = Platform::start(&bench.folder, name, bench.cores)?;
        let plan = if bridged {
            plans::bridges()
        } else {
            plans::answers()
        };
        platform.trunk(ua.address())?;
        platform.number(NUMBER, &plan)?;
        ua.serve(platform.sip);
        let ends = |calls: usize| if bridged { 2 * calls } else { calls };
        establish(&mut ua, NUMBER, WARM_UP, ends(WARM_UP))?;
        platform.live_calls()?;
        settle(&mut platform, &mut ua)?;
        let (before, files) = (platform.process.pss_kib()?, platform.process.open_files()?);
        establish(&mut ua, NUMBER, WARM_UP + calls, ends(WARM_UP + calls))?;
        settle(&mut platform, &mut ua)?;
        let (held, opened) = (platform.process.pss_kib()?, platform.process.open_files()?);
        hang_up(&mut ua)?;
        let rested = platform.rest(Duration::from_secs(20))?;
        let after = platform.process.pss_kib()?;
        let cost = held.saturating_sub(before) as f64 / calls as f64;
        let sockets = opened.saturating_sub(files) as f64 / calls as f64;
        progress(&format!(
            "{calls} calls{}: {cost:.1} KiB and {sockets:.1} files each; {before} KiB before, \
             {held} with them, {after} after",
            if bridged { " of two legs" } else { "" },
        ));
        bench.report.run(
            "w6",
            json!({
                "bridged": bridged, "calls": calls, "kib_per_call": cost, "files_per_call": sockets,
                "pss_kib_before": before, "pss_kib_held": held, "pss_kib_after": after,
                "rested": rested,
            }),
        );
        costs.push(cost);
    }
    let [answered, bridged] = costs[..] else {
        return Ok(());
    };
    let what = ("memory per established call", "KiB");
    let figure = Figure::new(("w6", "kib_per_call"), what, vec![answered]);
    bench
        .report
        .figure(figure.goal(Goal::AtMost(24.0), "rtpengine 50 KB, media only"));
    let what = ("memory per bridged call, two legs", "KiB");
    let figure = Figure::new(("w6", "kib_per_bridged_call"), what, vec![bridged]);
    bench
        .report
        .figure(figure.goal(Goal::Absent, "Asterisk 0.5 MB"));
    let what = ("memory per registration: there is no registrar yet", "KiB");
    let figure = Figure::new(("w6", "kib_per_registration"), what, Vec::new());
    bench.report.figure(figure.goal(Goal::AtMost(2.0), ""));
    Ok(())
}

/// Waits until nothing is under way: what belongs to the setting-up of calls is gone then.
fn settle(platform: &mut Platform, ua: &mut Ua) -> anyhow::Result<()> {
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(100));
        ua.turn()?;
    }
    platform.live_calls()?;
    Ok(())
}
