import { ApiError, faultsByField, toApiError } from "./problem";

test("faults_are_sorted_to_their_fields_and_none_is_lost", () => {
  const error = toApiError(422, {
    title: "The request has faults",
    code: "invalid",
    errors: [
      { pointer: "/first_party", code: "not_a_number", detail: "This is no number." },
      { pointer: "/variables/name", code: "too_long", detail: "The name is too long." },
      { pointer: "/elsewhere", code: "x", detail: "Something else." },
      { pointer: "/first_party", code: "not_permitted", detail: "not permitted either" },
    ],
  });
  expect(faultsByField(error, ["first_party", "variables"])).toEqual({
    fields: {
      first_party: "This is no number. Not permitted either.",
      variables: "The name is too long.",
    },
    others: ["Something else."],
  });
});

test("refusal_without_faults_is_told_as_a_whole", () => {
  const error = toApiError(409, { title: "Conflict", detail: "It has begun already." });
  expect(faultsByField(error, ["a"])).toEqual({ fields: {}, others: ["It has begun already."] });
});

test("answer_that_is_no_problem_document_gets_plain_words", () => {
  const error = toApiError(502, "<html>");
  expect(error).toBeInstanceOf(ApiError);
  expect(error.message).toBe("The server could not do this. Try again in a moment.");
});
