import { onColour } from "./colours";

test("text_on_a_colour_is_what_is_read_better", () => {
  expect(onColour("#0b6b57")).toBe("#ffffff");
  expect(onColour("#ffd400")).toBe("#000000");
});
