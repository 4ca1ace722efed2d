// Runs sipp with one of the scenarios.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { folder, ours, start } from "./processes.mjs";

const scenarios = join(dirname(fileURLToPath(import.meta.url)), "scenarios");
let runs = 0;

/**
 * Starts sipp. `remote`: whom to call, absent: it waits to be called. `keys`: values of the
 * scenario's `[name]`s.
 */
export function sipp(scenario, { remote, calls = 1, seconds = 30, ...more } = {}) {
  const { keys = {}, args = [], address = ours } = more;
  runs += 1;
  const name = join(folder, `${scenario}-${runs}`);
  const all = ["-sf", join(scenarios, `${scenario}.xml`), "-m", String(calls), "-nostdin"]
    .concat(["-i", address, "-mi", ours, "-timeout", `${seconds}s`, "-timeout_error"])
    .concat(["-trace_err", "-error_file", `${name}.errors`])
    .concat(Object.entries(keys).flatMap(([key, value]) => ["-key", key, String(value)]))
    .concat(args)
    .concat(remote === undefined ? [] : [remote]);
  const process = start("sipp", all, { log: `${name}.log`, env: { TERM: "dumb" } });
  return {
    ...process,
    /** What it complained of. */
    errors: () => (existsSync(`${name}.errors`) ? readFileSync(`${name}.errors`, "utf8") : ""),
  };
}
