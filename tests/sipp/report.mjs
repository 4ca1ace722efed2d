// One line for each assertion, and how many held.

let passed = 0;
let failed = 0;

/** Prints what was expected, and whether it came so. */
export function check(holds, what, otherwise = "") {
  if (holds) passed += 1;
  else failed += 1;
  const detail = holds || otherwise === "" ? "" : `: ${otherwise}`;
  console.log(`${holds ? "ok  " : "FAIL"} ${what}${detail}`);
  return holds;
}

/** The last line; gives the exit status. */
export function total() {
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}
