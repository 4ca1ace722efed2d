import { expect, test } from "vitest";
import { eventOf, matches } from "./shown_event";

const data = JSON.stringify({
  id: "evt_1",
  type: "call.started",
  call: "call_1",
  data: { calling: "+441632960001" },
});

test("a message with an id is an event, and a notice is none", () => {
  expect(eventOf({ id: "evt_1", event: "call.started", data })?.type).toBe("call.started");
  expect(eventOf({ id: "evt_1", event: "stream.ended", data: "{}" })).toBeUndefined();
  expect(eventOf({ id: "evt_1", event: "call.started", data: "{" })).toBeUndefined();
});

test("events are found by the beginning of their type and by what they say", () => {
  const event = eventOf({ id: "evt_1", event: "call.started", data });
  if (event === undefined) throw new Error("it is an event");
  expect(matches(event, { type: "call.*", q: "+4416329" })).toBe(true);
  expect(matches(event, { type: "leg", q: "" })).toBe(false);
  expect(matches(event, { type: "", q: "nobody" })).toBe(false);
});
