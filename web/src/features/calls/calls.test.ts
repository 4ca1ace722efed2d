import type { Leg } from "../../api/types";
import { nextDay, toAxis } from "./calls";

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString();

const leg = (given: Partial<Leg>) =>
  ({ ringing_at: null, answered_at: null, ended_at: null, ...given }) as Leg;

test("legs_stand_on_one_axis", () => {
  const axis = toAxis(
    {
      started_at: at(0),
      ended_at: at(20),
      legs: [
        leg({ started_at: at(0), ringing_at: at(2), answered_at: at(5), ended_at: at(20) }),
        leg({ started_at: at(10), ended_at: at(15) }),
      ],
    },
    0,
  );
  expect(axis.lengthMs).toBe(20_000);
  expect(axis.legs.map(({ stretches }) => stretches)).toEqual([
    [
      { part: "dialling", from: 0, to: 0.1 },
      { part: "ringing", from: 0.1, to: 0.25 },
      { part: "answered", from: 0.25, to: 1 },
    ],
    [{ part: "dialling", from: 0.5, to: 0.75 }],
  ]);
});

test("live_call_goes_on_until_now", () => {
  const call = { started_at: at(0), ended_at: null, legs: [leg({ started_at: at(0) })] };
  expect(toAxis(call, Date.parse(at(7))).lengthMs).toBe(7_000);
});

test("call_without_length_still_has_an_axis", () => {
  const call = { started_at: at(0), ended_at: at(0), legs: [leg({ started_at: at(0) })] };
  expect(toAxis(call, 0).legs[0]?.stretches).toEqual([{ part: "dialling", from: 0, to: 0 }]);
});

test("last_day_asked_for_is_within_the_result", () => {
  expect(nextDay("2026-02-28")).toBe("2026-03-01");
  expect(nextDay("")).toBe("");
});
