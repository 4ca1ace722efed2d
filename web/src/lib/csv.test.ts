import { toCsv } from "./csv";

test("cells_with_commas_quotes_or_line_ends_are_quoted", () => {
  expect(toCsv(["a", "b"], [['say "hi", now', "two\nlines"]])).toBe(
    'a,b\r\n"say ""hi"", now","two\nlines"\r\n',
  );
});

test("absent_values_are_empty", () => {
  expect(toCsv(["a", "b", "c"], [[null, undefined, 0]])).toBe("a,b,c\r\n,,0\r\n");
});

test("numbers_stay_as_they_are_and_formulas_are_disarmed", () => {
  expect(toCsv(["a"], [["+441632960001"], ["=1+1"], ["@SUM(A1)"], ["-5"]])).toBe(
    "a\r\n+441632960001\r\n'=1+1\r\n'@SUM(A1)\r\n-5\r\n",
  );
});
