// sipp is the carrier of 100 scheduled calls at once. It signals; ear and mouth of each of the 200
// parties is a UDP port of its own (rtp.mjs), which says a tone that nobody else says. So it is
// known of each party whom it heard, and of each recording who is in it.

import { plan, serve, sound, trunk } from "./plans.mjs";
import { Platform } from "./platform.mjs";
import { freePort, isTaken, until } from "./processes.mjs";
import { check } from "./report.mjs";
import { Party } from "./rtp.mjs";
import { sipp } from "./sipp.mjs";
import { fromWav, presence } from "./sound.mjs";

const CALLS = 100;
const ANNOUNCEMENT = 330;
const MENU = 380;
const FIRST_PARTIES = "+4477009";
const B_PARTIES = "+4477008";
/** Of the six seconds that they talk, so many must be undisturbed. */
const CONVERSATION_MS = 4000;

const over = new Set(["completed", "failed", "cancelled", "expired"]);

/** Prints for how many calls it is true; the first ones for which it is not are shown. */
function all(calls, what, fault) {
  const faults = calls.map(fault).filter((text) => text !== undefined);
  const good = calls.length - faults.length;
  check(good === CALLS, `${what}: ${good} of ${CALLS}`, faults.slice(0, 3).join("; "));
}

/** Why the party did not hear this tone, and only it, for so long. */
function unheard(samples, hertz, milliseconds, most = 400) {
  const heard = presence(samples, hertz);
  if (heard.milliseconds >= milliseconds && heard.foreign <= most) return undefined;
  return `${hertz} Hz for ${heard.milliseconds} ms, ${heard.foreign} ms of something else between`;
}

export async function carrier() {
  const platform = await Platform.start("carrier");
  const ports = [await freePort(), await freePort()];
  await trunk(platform, FIRST_PARTIES, ports[0]);
  await trunk(platform, B_PARTIES, ports[1]);
  const number = platform.demo.service_numbers[0];
  const [announcement, prompt] = [
    await sound(platform, ANNOUNCEMENT, 1),
    await sound(platform, MENU, 2),
  ];
  const nodes = {
    welcome: ["play_audio", { sounds: [announcement] }, { continue: "menu" }],
    menu: ["ivr_menu", { prompt: [prompt], timeout_s: 10 }, { 1: "office" }],
    office: ["deliver_call", { destination: "@office", recording: "separate" }],
  };
  await serve(platform, number, plan(nodes, { "@office": `${B_PARTIES}00000` }));
  const udpPorts = platform.udpPorts();

  const calls = [];
  for (let at = 0; at < CALLS; at += 1) {
    const a = await Party.open(500 + 10 * at);
    const b = await Party.open(1600 + 10 * at);
    a.pressesAt(MENU, "1");
    calls.push({ a, b, firstParty: FIRST_PARTIES + a.port, office: B_PARTIES + b.port });
  }
  const carriers = ["uas_first_party", "uas_b_party"].map((scenario, at) =>
    sipp(scenario, { calls: CALLS, seconds: 90, args: ["-p", String(ports[at])] }),
  );
  await until(
    () => ports.every((port) => isTaken(port)) || !carriers.every((process) => process.lives()),
  );

  let [most, mostPorts] = [0, 0];
  const watch = setInterval(async () => {
    const metrics = await platform.metrics();
    most = Math.max(most, metrics.strowger_calls_live ?? 0);
    mostPorts = Math.max(mostPorts, metrics.strowger_rtp_port_pairs_open ?? 0);
  }, 200);
  const scheduled = await Promise.all(
    calls.map(({ firstParty, office }) =>
      platform.post("scheduled_calls", {
        service_number: number,
        first_party: firstParty,
        variables: { office },
        reference: office,
      }),
    ),
  );
  check(scheduled.length === CALLS, `${CALLS} calls are scheduled at once`);
  const ended = await until(async () => {
    const { items } = await platform.get("scheduled_calls?limit=500");
    return items.every((item) => over.has(item.state)) && items;
  }, 90);
  clearInterval(watch);
  const statuses = await Promise.all(carriers.map((process) => process.ended));
  check(
    statuses.every((status) => status === 0),
    "sipp saw nothing in its 200 calls that it did not expect",
    carriers.map((process) => process.errors().slice(0, 600)).join("\n"),
  );
  check(most === CALLS, `${CALLS} calls lived at the same time`, `${most}`);
  check(mostPorts === 2 * CALLS, `${2 * CALLS} legs had their RTP ports`, `${mostPorts}`);

  const outcomes = new Map((ended ?? []).map((item) => [item.first_party, item]));
  all(calls, "scheduled calls that were completed", ({ firstParty }) => {
    const { state, cause } = outcomes.get(firstParty) ?? {};
    return state === "completed" && cause === "normal_clearing" ? undefined : `${state} ${cause}`;
  });

  const heard = calls.map(({ a, b }) => ({ a, b, byA: a.samples(), byB: b.samples() }));
  all(heard, "first parties that heard the announcement", ({ byA }) =>
    unheard(byA, ANNOUNCEMENT, 600, Infinity),
  );
  all(heard, "first parties that heard their own B-party, and nobody else", ({ byA, b }) =>
    unheard(byA, b.hertz, CONVERSATION_MS),
  );
  all(heard, "B-parties that heard their own first party, and nobody else", ({ byB, a }) =>
    unheard(byB, a.hertz, CONVERSATION_MS),
  );
  all(calls, "parties that were sent nothing but what they had agreed to", ({ a, b }) =>
    [...a.strange, ...b.strange].at(0),
  );

  const records = await until(async () => {
    const { items } = await platform.get("records?limit=500");
    return items.length >= CALLS && items;
  });
  check(records?.length === CALLS, `${CALLS} records`, `${records?.length}`);
  const found = await Promise.all(
    calls.map(async (call) => {
      const { call: id } = outcomes.get(call.firstParty) ?? {};
      const record = records?.find((item) => item.id === id);
      const events = id && (await platform.get(`calls/${id}/events?limit=500`)).items;
      const recordings = await Promise.all(
        (record?.recordings ?? []).map(async (recording) => {
          const answer = await platform.request("GET", `recordings/${recording}/audio`);
          return fromWav(new Uint8Array(await answer.arrayBuffer()));
        }),
      );
      return { ...call, record, events: events ?? [], recordings };
    }),
  );
  all(
    found,
    "records with both legs, in PCMA, and a normal end",
    ({ record, office, firstParty }) => {
      const { outcome, cause, legs = [] } = record ?? {};
      const told = [outcome, cause, ...legs.flatMap(({ address, codec }) => [address, codec])];
      const expected = ["answered", "normal_clearing", firstParty, "PCMA", office, "PCMA"];
      return told.join() === expected.join() ? undefined : told.join(" ");
    },
  );
  all(found, "calls with exactly one call.ended", ({ events }) => {
    const ends = events.filter((event) => event.type === "call.ended").length;
    return ends === 1 ? undefined : `${ends}`;
  });
  const { items } = await platform.get("recordings?limit=500");
  check(items.length === CALLS, `${CALLS} recordings`, `${items.length}`);
  all(
    found,
    "recordings with the first party left and the B-party right",
    ({ a, b, recordings }) => {
      const [recording] = recordings;
      if (recordings.length !== 1 || recording.channels.length !== 2 || recording.rate !== 8000) {
        return `${recordings.length} recordings, ${recording?.channels.length} channels`;
      }
      const [left, right] = recording.channels;
      return unheard(left, a.hertz, CONVERSATION_MS) ?? unheard(right, b.hertz, CONVERSATION_MS);
    },
  );

  const metrics = await platform.metrics();
  const left = [
    "strowger_calls_live",
    "strowger_rtp_port_pairs_open",
    "strowger_actor_failures_total",
  ].filter((name) => (metrics[name] ?? 0) !== 0);
  check(left.length === 0, "no call, port or failed actor is left", left.join());
  const ready = await platform.get("/system/ready");
  check(ready.status === "ready" && ready.live_calls === 0, "the platform counts no call");
  const open = await until(() => platform.udpPorts() === udpPorts);
  check(open, "no UDP port is left", `${udpPorts} before, ${platform.udpPorts()} after`);
  for (const { a, b } of calls) {
    a.close();
    b.close();
  }
  check((await platform.stop()) === 0, "the program ends when it is asked to");
}
