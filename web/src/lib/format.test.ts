import { formatDuration, formatNumber, startOfToday, toInstant } from "./format";

test.each([
  ["+441632960001", "+44 1632 960001"],
  ["+442079460123", "+44 20 7946 0123"],
  ["+441134960123", "+44 113 496 0123"],
  ["+443069990001", "+44 306 999 0001"],
  ["+448081570001", "+44 808 157 0001"],
  ["+447700900123", "+44 7700 900123"],
  ["+12025550100", "+12025550100"],
  ["sip:alice@example.com", "sip:alice@example.com"],
])("number_%s_is_written_as_%s", (number, written) => {
  expect(formatNumber(number)).toBe(written);
});

test.each([
  [0, "0:00"],
  [65_400, "1:05"],
  [3_723_000, "1:02:03"],
])("duration_of_%d_ms_is_written_as_%s", (ms, written) => {
  expect(formatDuration(ms)).toBe(written);
});

test.each([
  ["2026-01-15T09:30", "Europe/London", "2026-01-15T09:30:00.000Z"],
  ["2026-07-15T09:30", "Europe/London", "2026-07-15T08:30:00.000Z"],
  ["2026-07-15T09:30", "America/New_York", "2026-07-15T13:30:00.000Z"],
  ["2026-07-15T09:30", "Asia/Kathmandu", "2026-07-15T03:45:00.000Z"],
])("wall_clock_%s_in_%s_is_%s", (local, zone, instant) => {
  expect(toInstant(local, zone)).toBe(instant);
});

test("hour_that_is_repeated_in_autumn_is_its_first_occurrence", () => {
  expect(toInstant("2026-10-25T01:30", "Europe/London")).toBe("2026-10-25T00:30:00.000Z");
});

test("hour_that_is_skipped_in_spring_is_moved_on", () => {
  expect(toInstant("2026-03-29T01:30", "Europe/London")).toBe("2026-03-29T01:30:00.000Z");
});

test("text_that_is_no_time_has_no_instant", () => {
  expect(toInstant("soon", "Europe/London")).toBeUndefined();
});

test("today_begins_at_midnight_of_the_zone", () => {
  const now = new Date("2026-07-15T23:30:00Z");
  expect(startOfToday("Europe/London", now)).toBe("2026-07-15T23:00:00.000Z");
  expect(startOfToday("America/New_York", now)).toBe("2026-07-15T04:00:00.000Z");
});
