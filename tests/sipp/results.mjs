// Scenarios of sipp, named by what is expected of them, and what the platform says of them after.

import { plan, serve, sound, trunk } from "./plans.mjs";
import { Platform } from "./platform.mjs";
import { freePort, isTaken, ours, until } from "./processes.mjs";
import { check } from "./report.mjs";
import { Party } from "./rtp.mjs";
import { sipp } from "./sipp.mjs";
import { presence } from "./sound.mjs";

const ANNOUNCEMENT = 330;
const MENU = 380;
const CALLER = 700;
const ANSWERER = 1900;
/** These numbers are answered by `uas_b_party`, the others by the scenario at hand. */
const B_PARTIES = "+4477008";
const OTHERS = "+4477007";
/** What the platform proves who it is with, and what it wants to be shown. */
const CREDENTIALS = { username: "strowger", password: "an old relay" };
const INBOUND = { username: "sipp", password: "a new relay" };
/** Calls from this address must authenticate. */
const STRICT = ours.replace(/[0-9]+$/, "254");

/** Everything that the rows of the table share. */
class Bench {
  static async start() {
    const bench = new Bench();
    const platform = await Platform.start("results");
    bench.platform = platform;
    bench.port = await freePort();
    bench.officePort = await freePort();
    await trunk(platform, OTHERS, bench.port, CREDENTIALS);
    await trunk(platform, B_PARTIES, bench.officePort);
    await trunk(platform, "+999", bench.port, {
      ...INBOUND,
      authenticate_inbound: true,
      allowed_sources: [`${STRICT}/32`],
    });
    bench.a = await Party.open(CALLER);
    bench.b = await Party.open(ANSWERER);
    const [announcement, prompt] = [
      await sound(platform, ANNOUNCEMENT, 10),
      await sound(platform, MENU, 2),
    ];
    [bench.menu, bench.hello, bench.nobody, bench.short] = platform.demo.service_numbers;
    const office = ["deliver_call", { destination: B_PARTIES + bench.b.port }];
    const menu = ["ivr_menu", { prompt: [prompt] }, { 1: "office" }];
    await serve(platform, bench.menu, plan({ menu, office }));
    const hello = ["play_audio", { sounds: [announcement] }];
    await serve(platform, bench.hello, plan({ hello }));
    const short = ["play_audio", { sounds: [await sound(platform, ANNOUNCEMENT, 2)] }];
    await serve(platform, bench.short, plan({ short }));
    const ringing = ["deliver_call", { destination: `${OTHERS}00001` }];
    await serve(platform, bench.nobody, plan({ ringing }));
    return bench;
  }

  /** sipp calls a number. */
  calls(scenario, number, { keys = {}, args = [], address = ours } = {}) {
    return sipp(scenario, {
      remote: this.platform.sip,
      address,
      keys: { media: this.a.port, ...keys },
      args: ["-s", number, ...args],
    });
  }

  /** sipp waits for a call. */
  async waits(scenario, { port = this.port, keys = {} } = {}) {
    const process = sipp(scenario, {
      keys: { media: this.b.port, ...keys },
      args: ["-p", String(port)],
    });
    await until(() => isTaken(port) || !process.lives());
    return process;
  }

  /** The latest record, once there are no calls. */
  async record() {
    await until(async () => (await this.platform.get("/system/ready")).live_calls === 0);
    const record = await until(async () => {
      const { items } = await this.platform.get("records?limit=1");
      return items[0]?.id !== this.known && items[0];
    }, 5);
    this.known = record?.id ?? this.known;
    return record;
  }

  /** A scheduled call to sipp; how it ended. */
  async scheduled(more) {
    const { id } = await this.platform.post("scheduled_calls", {
      service_number: this.short,
      first_party: `${OTHERS}00001`,
      ...more,
    });
    return until(async () => {
      const call = await this.platform.get(`scheduled_calls/${id}`);
      return !["queued", "dialling", "ringing", "in_progress"].includes(call.state) && call;
    });
  }
}

/** Whether the party heard this tone so long. */
function heard(party, hertz, milliseconds) {
  const found = presence(party.samples(), hertz);
  const lacks = found.milliseconds < milliseconds || found.foreign > 400;
  return lacks ? [`${hertz} Hz for ${found.milliseconds} ms, ${found.foreign} ms foreign`] : [];
}

/** Which of these are not as expected. */
function differ(found, expected) {
  return Object.entries(expected)
    .filter(([name, value]) => found?.[name] !== value)
    .map(([name, value]) => `${name} is ${found?.[name]}, not ${value}`);
}

const refusedWith = (scenario, number, record) => async (bench) => {
  const process = bench.calls(scenario, number(bench));
  const status = await process.ended;
  const faults = record === undefined ? [] : differ(await bench.record(), record);
  return { process, status, faults };
};

const challengedBy = (scenario) => async (bench) => {
  const process = await bench.waits(scenario);
  const call = await bench.scheduled();
  const faults = differ(call, { state: "completed", cause: "normal_clearing" });
  await bench.record();
  faults.push(...heard(bench.b, ANNOUNCEMENT, 1600));
  return { process, status: await process.ended, faults };
};

/** Each row says how sipp ended, and what else was not as it should be. */
const table = {
  uac_options_expect_200: refusedWith("uac_options_expect_200", () => ""),
  uac_unknown_number_expect_404: refusedWith(
    "uac_unknown_number_expect_404",
    () => "+441632960999",
  ),
  uac_parked_number_expect_480: refusedWith(
    "uac_parked_number_expect_480",
    (bench) => bench.platform.demo.parked_number,
    { sip_status: 480, outcome: "unanswered" },
  ),
  uac_no_common_codec_expect_488: refusedWith(
    "uac_no_common_codec_expect_488",
    (bench) => bench.hello,
    { sip_status: 488, outcome: "failed" },
  ),
  uac_menu_digit_1_expect_bridge: async (bench) => {
    const office = await bench.waits("uas_b_party", { port: bench.officePort });
    bench.a.pressesAt(MENU, "1");
    const process = bench.calls("uac_menu_digit_1_expect_bridge", bench.menu);
    const statuses = [await process.ended, await office.ended];
    const record = await bench.record();
    const steps = record?.steps.map((step) => step.kind).join();
    const faults = [
      ...differ(record, { outcome: "answered", cause: "normal_clearing" }),
      ...differ({ steps }, { steps: "start,ivr_menu,deliver_call" }),
      ...heard(bench.a, ANSWERER, 4000),
      ...heard(bench.b, CALLER, 4000),
    ];
    return { process, status: statuses[0] || statuses[1], faults };
  },
  uac_cancel_expect_487: async (bench) => {
    const office = await bench.waits("uas_no_answer_expect_failed");
    const process = bench.calls("uac_cancel_expect_487", bench.nobody);
    const statuses = [await process.ended, await office.ended];
    const faults = differ(await bench.record(), { outcome: "unanswered" });
    return { process, status: statuses[0] || statuses[1], faults };
  },
  uac_tcp_call_expect_200: async (bench) => {
    const process = bench.calls("uac_tcp_call_expect_200", bench.hello, { args: ["-t", "t1"] });
    const status = await process.ended;
    const faults = differ(await bench.record(), { outcome: "answered", cause: "normal_clearing" });
    return { process, status, faults: [...faults, ...heard(bench.a, ANNOUNCEMENT, 1600)] };
  },
  uac_reinvite_hold_resume_expect_200: async (bench) => {
    const process = bench.calls("uac_reinvite_hold_resume_expect_200", bench.hello);
    const status = await process.ended;
    const faults = differ(await bench.record(), { outcome: "answered", cause: "normal_clearing" });
    const silence = bench.a.longestSilence();
    if (silence < 1800 || silence > 3000) faults.push(`held for ${silence} ms`);
    return { process, status, faults: [...faults, ...heard(bench.a, ANNOUNCEMENT, 3200)] };
  },
  uas_busy_expect_failed_486: async (bench) => {
    const process = await bench.waits("uas_busy_expect_failed_486");
    const call = await bench.scheduled();
    const faults = differ(call, { state: "failed", cause: "user_busy", sip_status: 486 });
    faults.push(...differ(await bench.record(), { outcome: "engaged", sip_status: 486 }));
    return { process, status: await process.ended, faults };
  },
  uas_no_answer_expect_failed: async (bench) => {
    const process = await bench.waits("uas_no_answer_expect_failed");
    const call = await bench.scheduled({ ring_duration_s: 1 });
    const faults = differ(call, { state: "failed", cause: "no_answer" });
    faults.push(...differ(await bench.record(), { outcome: "unanswered" }));
    return { process, status: await process.ended, faults };
  },
  uas_auth_challenge_401_expect_answered: challengedBy("uas_auth_challenge_401_expect_answered"),
  uas_auth_challenge_407_expect_answered: challengedBy("uas_auth_challenge_407_expect_answered"),
  uac_inbound_auth_expect_200: async (bench) => {
    const process = bench.calls("uac_inbound_auth_expect_200", bench.hello, {
      args: ["-au", INBOUND.username, "-ap", INBOUND.password],
      address: STRICT,
    });
    const status = await process.ended;
    const faults = differ(await bench.record(), { outcome: "answered", cause: "normal_clearing" });
    return { process, status, faults: [...faults, ...heard(bench.a, ANNOUNCEMENT, 1600)] };
  },
  uac_inbound_wrong_password_expect_401: async (bench) => {
    const process = bench.calls("uac_inbound_wrong_password_expect_401", bench.hello, {
      args: ["-au", INBOUND.username, "-ap", "guessed"],
      address: STRICT,
    });
    return { process, status: await process.ended, faults: [] };
  },
};

/** While the program goes down: a living call ends as it likes, a new one is refused. */
async function draining(bench) {
  bench.a.forget();
  const living = bench.calls("uac_living_call_expect_200", bench.hello);
  await until(async () => (await bench.platform.get("/system/ready")).live_calls === 1);
  await until(() => bench.a.heard.length > 0);
  const stopped = bench.platform.stop();
  await until(async () => (await bench.platform.request("GET", "/system/ready")).status === 503);
  const refused = bench.calls("uac_draining_expect_503", bench.hello);
  check((await refused.ended) === 0, "uac_draining_expect_503", refused.errors());
  check((await living.ended) === 0, "uac_living_call_expect_200", living.errors());
  check((await stopped) === 0, "the program ends when the last call has ended");
  const again = await Platform.start("results");
  const { items } = await again.get("records?limit=10");
  const record = items.find((item) => item.outcome === "answered");
  const faults = differ(record, { cause: "normal_clearing", called: bench.hello });
  if (!(record?.duration_ms > 5000)) faults.push(`it lasted ${record?.duration_ms} ms`);
  check(faults.length === 0, "the call that lived is on record as it ended", faults.join("; "));
  check((await again.stop()) === 0, "the program starts and ends once more");
}

export async function results() {
  const bench = await Bench.start();
  for (const [name, row] of Object.entries(table)) {
    bench.a.forget();
    bench.b.forget();
    const { process, status, faults } = await row(bench);
    if (status !== 0) faults.push(`sipp ended with ${status}`, process.errors().slice(0, 2000));
    check(faults.length === 0, name, faults.join("; "));
  }
  const metrics = await bench.platform.metrics();
  check(metrics.strowger_rtp_port_pairs_open === 0, "no port is left");
  await draining(bench);
  bench.a.close();
  bench.b.close();
}
