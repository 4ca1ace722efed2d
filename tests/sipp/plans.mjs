// Call plans and what they need, made through the API.

import { ours } from "./processes.mjs";
import { tone, toWav } from "./sound.mjs";

/** A plan: nodes of `{id: [type, properties, branches]}`; callers come to the one named first. */
export function plan(nodes, variables = {}) {
  const first = Object.keys(nodes)[0];
  const start = ["start", { scheduled_call: true }, { continue: first, scheduled_call: first }];
  return {
    format_version: 1,
    name: "Strangers",
    nodes: Object.entries({ start, ...nodes }).map(([id, [type, properties, branches = {}]]) => ({
      id,
      type,
      name: id,
      position: { x: 0, y: 0 },
      properties,
      branches,
    })),
    variables: Object.entries(variables).map(([name, value]) => ({
      name,
      default: value,
      scope: "call",
    })),
  };
}

/** Uploads a tone; gives the sound of a plan. */
export async function sound(platform, hertz, seconds) {
  const wav = toWav(tone(hertz, seconds));
  const { id } = await platform.post(`audio?name=${hertz}`, new Uint8Array(wav));
  return { type: "audio", audio: id };
}

/** Publishes the plan, and lets the number run it. */
export async function serve(platform, number, document) {
  const created = await platform.post("call_plans", { name: "Strangers", draft: document });
  await platform.post(`call_plans/${created.id}/publish`, { note: "tried by strangers" });
  const { items } = await platform.get("numbers?limit=500");
  const { id } = items.find((item) => item.number === number);
  await platform.json("PATCH", `numbers/${id}`, { call_plan: created.id });
}

/** A trunk to this port, and a route that leads the numbers of the prefix there. */
export async function trunk(platform, prefix, port, more = {}) {
  const made = await platform.post("trunks", {
    name: `sipp ${prefix}`,
    host: `${ours}:${port}`,
    codecs: ["PCMA"],
    ...more,
  });
  await platform.post("routes", { prefix, trunk: made.id });
  return made;
}
