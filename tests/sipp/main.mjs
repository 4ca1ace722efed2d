// The parts: each starts a demonstration of its own, and prints a line for each assertion.

import { baresip } from "./baresip.mjs";
import { carrier } from "./carrier.mjs";
import { check, total } from "./report.mjs";
import { results } from "./results.mjs";

const parts = { carrier, results, baresip };

const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts);
for (const name of chosen) {
  if (!(name in parts)) {
    console.log(`there is no part ${name}, but: ${Object.keys(parts).join(" ")}`);
    process.exit(2);
  }
}
for (const name of chosen) {
  console.log(`\n${name}`);
  const began = Date.now();
  try {
    await parts[name]();
  } catch (error) {
    check(false, name, error.stack);
  }
  console.log(`     ${name} took ${((Date.now() - began) / 1000).toFixed(1)} s`);
}
process.exit(total());
