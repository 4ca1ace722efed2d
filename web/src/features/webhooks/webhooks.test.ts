import { expect, test } from "vitest";
import type { Webhook } from "../../api/types";
import { healthOf, toTypes } from "./webhooks";

const webhook = { disabled_cause: null, failing_since: null } as Webhook;

test("a webhook's health says why it gets nothing", () => {
  expect(healthOf(webhook).text).toBe("Active");
  expect(healthOf({ ...webhook, failing_since: "2026-07-01T08:00:00.000Z" }).text).toBe("Failing");
  expect(healthOf({ ...webhook, disabled_cause: "by_hand" }).tone).toBe("neutral");
  expect(healthOf({ ...webhook, disabled_cause: "gone" }).tone).toBe("bad");
  expect(healthOf({ ...webhook, disabled_cause: "failing" }).text).toBe(
    "Disabled: failed for a day",
  );
});

test("types may be separated in any way", () => {
  expect(toTypes(" call.*, leg.ended\nrecording.ready ")).toEqual([
    "call.*",
    "leg.ended",
    "recording.ready",
  ]);
  expect(toTypes("  ")).toEqual([]);
});
