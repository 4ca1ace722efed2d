import { EMPTY_DRAFT, toDialled, toRequest } from "./draft";
import { progressOf } from "./scheduled_calls";

test("what_was_left_empty_is_not_sent", () => {
  const draft = { ...EMPTY_DRAFT, serviceNumber: "+441632960001", firstParty: "+447700900123" };
  expect(toRequest(draft, "Europe/London")).toEqual({
    service_number: "+441632960001",
    first_party: "+447700900123",
  });
});

test("times_are_those_of_the_accounts_zone", () => {
  const draft = { ...EMPTY_DRAFT, notBefore: "2026-07-01T09:00", expiresAt: "2026-07-01T10:00" };
  expect(toRequest(draft, "Europe/London")).toMatchObject({
    not_before: "2026-07-01T08:00:00.000Z",
    expires_at: "2026-07-01T09:00:00.000Z",
  });
});

test("ring_duration_and_variables_are_sent_as_they_were_typed", () => {
  const variables = [
    { id: 1, name: " order ", value: "42" },
    { id: 2, name: "", value: "" },
  ];
  const draft = { ...EMPTY_DRAFT, ringDuration: "90", variables };
  expect(toRequest(draft, "UTC")).toMatchObject({
    ring_duration_s: 90,
    variables: { order: "42" },
  });
});

test.each([
  [" +44 (0)1632 960-001 ", "+4401632960001"],
  ["01632 960001", "01632960001"],
  ["sip:alice@example.com", "sip:alice@example.com"],
  ["not a number", "not a number"],
])("number_typed_as_%s_is_dialled_as_%s", (typed, dialled) => {
  expect(toDialled(typed)).toBe(dialled);
});

const reached = (call: Parameters<typeof progressOf>[0]) =>
  progressOf(call).flatMap(({ state, isReached }) => (isReached ? [state] : []));

test("completed_call_has_come_all_the_way", () => {
  const call = { state: "completed", call: "call_1", answered_at: "2026-01-01T00:00:00Z" } as const;
  expect(reached(call)).toEqual(["queued", "dialling", "ringing", "in_progress", "completed"]);
});

test("ringing_call_is_on_its_way", () => {
  expect(reached({ state: "ringing", call: "call_1", answered_at: null })).toEqual([
    "queued",
    "dialling",
    "ringing",
  ]);
});

test("failed_call_shows_only_where_it_came", () => {
  expect(reached({ state: "failed", call: "call_1", answered_at: null })).toEqual([
    "queued",
    "dialling",
    "failed",
  ]);
  expect(reached({ state: "cancelled", call: null, answered_at: null })).toEqual([
    "queued",
    "cancelled",
  ]);
});
