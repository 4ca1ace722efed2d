// Scenarios of sipp that are named by what is expected of them.

import { Platform } from "./platform.mjs";
import { check } from "./report.mjs";
import { sipp } from "./sipp.mjs";

export async function results() {
  const platform = await Platform.start("results");
  const options = sipp("uac_options_expect_200", { remote: platform.sip });
  check((await options.ended) === 0, "uac_options_expect_200", options.errors());
  check((await platform.stop()) === 0, "the program ends when it is asked to");
}
