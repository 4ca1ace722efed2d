import type { ServiceNumber } from "../../api/types";
import { filterNumbers } from "./numbers";

const number = (given: Partial<ServiceNumber>) =>
  ({
    status: "active",
    class: "uk_geographic",
    description: "",
    call_plan: null,
    ...given,
  }) as ServiceNumber;

const NUMBERS = [
  number({ id: "num_1", number: "+441632960001", description: "Front desk" }),
  number({ id: "num_2", number: "+448081570001", class: "uk_freephone", call_plan: "plan_1" }),
  number({ id: "num_3", number: "+442079460001", status: "parked" }),
];

const NONE = { q: "", class: "", status: "", plan: "" };

test.each([
  ["nothing", NONE, ["num_1", "num_2", "num_3"]],
  ["a national number with spaces", { ...NONE, q: "01632 960" }, ["num_1"]],
  ["an international number", { ...NONE, q: "+44 808" }, ["num_2"]],
  ["a word of the description", { ...NONE, q: "desk" }, ["num_1"]],
  ["a class", { ...NONE, class: "uk_freephone" }, ["num_2"]],
  ["a status", { ...NONE, status: "parked" }, ["num_3"]],
  ["no call plan", { ...NONE, plan: "none" }, ["num_1", "num_3"]],
  ["all at once", { ...NONE, plan: "none", q: "0001", status: "active" }, ["num_1"]],
])("numbers_are_found_by_%s", (_by, filters, expected) => {
  expect(filterNumbers(NUMBERS, filters).map(({ id }) => id)).toEqual(expected);
});
