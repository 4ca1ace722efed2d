import { useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api } from "../../api/client";
import { usePages } from "../../api/pages";
import type { NumberPatch, ServiceNumber } from "../../api/types";

export const CLASSES = [
  "uk_geographic",
  "uk_wide",
  "uk_freephone",
  "uk_special",
  "uk_mobile",
  "uk_personal",
  "uk_premium",
  "international",
] as const satisfies readonly ServiceNumber["class"][];

export const STATUSES = ["active", "parked", "suspended"] as const;

/** All numbers of an account: they are searched and exported as a whole. */
export function useNumbers(account: string) {
  return usePages(
    ["numbers", account],
    (cursor) =>
      answer(
        api.GET("/v1/accounts/{account}/numbers", {
          params: { path: { account }, query: { descendants: true, limit: 200, cursor } },
        }),
      ),
    { all: true },
  );
}

export function useCallPlans(account: string) {
  return usePages(
    ["call_plans", account],
    (cursor) =>
      answer(
        api.GET("/v1/accounts/{account}/call_plans", {
          params: { path: { account }, query: { descendants: true, limit: 200, cursor } },
        }),
      ),
    { all: true },
  );
}

export function useChangeNumber({ id: number, account }: ServiceNumber) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: NumberPatch) =>
      answer(
        api.PATCH("/v1/accounts/{account}/numbers/{number}", {
          params: { path: { account, number } },
          body,
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["numbers"] }),
  });
}

export interface NumberFilters {
  q: string;
  class: string;
  status: string;
  plan: string;
}

/** `q` is looked for in the description, and, with only its digits, in the number. */
export function filterNumbers(
  numbers: readonly ServiceNumber[],
  filters: NumberFilters,
): ServiceNumber[] {
  const text = filters.q.trim().toLowerCase();
  // 01632 … is how +44 1632 … is said at home.
  const digits = text.replace(/[\s()+-]/g, "").replace(/^0/, "");
  const isNumber = /^\d+$/.test(digits);
  return numbers.filter(
    (number) =>
      (filters.class === "" || number.class === filters.class) &&
      (filters.status === "" || number.status === filters.status) &&
      (filters.plan === "" || (number.call_plan ?? "none") === filters.plan) &&
      (text === "" ||
        (isNumber && number.number.includes(digits)) ||
        number.description.toLowerCase().includes(text)),
  );
}
