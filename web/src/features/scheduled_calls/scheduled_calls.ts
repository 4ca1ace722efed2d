import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answer, api } from "../../api/client";
import { useLiveInterval } from "../../api/live_context";
import { usePages } from "../../api/pages";
import type { NewScheduledCall, ScheduledCall } from "../../api/types";
import type { Tone } from "../../ui/badge";

export type State = ScheduledCall["state"];

export const STATES = [
  "queued",
  "dialling",
  "ringing",
  "in_progress",
  "completed",
  "failed",
  "cancelled",
  "expired",
] as const satisfies readonly State[];

export const TONES: Readonly<Record<State, Tone>> = {
  queued: "info",
  dialling: "busy",
  ringing: "busy",
  in_progress: "good",
  completed: "neutral",
  failed: "bad",
  cancelled: "neutral",
  expired: "bad",
};

/** The call is being made or talked on right now. */
export function isUnderWay(state: State): boolean {
  return state === "dialling" || state === "ringing" || state === "in_progress";
}

function isOver(state: State): boolean {
  return state !== "queued" && !isUnderWay(state);
}

export interface Step {
  state: State;
  isReached: boolean;
  isCurrent: boolean;
}

const WAY: readonly State[] = ["queued", "dialling", "ringing", "in_progress", "completed"];

/** The states on the way of a call, up to where it came; another end takes the last place. */
export function progressOf(call: Pick<ScheduledCall, "state" | "answered_at" | "call">): Step[] {
  const { state } = call;
  const failed = isOver(state) && state !== "completed";
  const way = failed ? [...WAY.slice(0, -1), state] : WAY;
  const at = way.indexOf(state);
  const wasReached = (step: State, index: number) => {
    if (!failed || index === at) return index <= at;
    if (step === "queued") return true;
    if (step === "dialling") return call.call != null;
    return step === "in_progress" || step === "ringing" ? call.answered_at != null : false;
  };
  return way.map((step, index) => ({
    state: step,
    isReached: wasReached(step, index),
    isCurrent: index === at,
  }));
}

export interface ScheduledCallFilters {
  state: string;
  service_number: string;
  reference: string;
}

export function fetchScheduledCalls(account: string, filters: ScheduledCallFilters, limit: number) {
  const query = {
    state: (filters.state || undefined) as State | undefined,
    service_number: filters.service_number || undefined,
    reference: filters.reference || undefined,
    descendants: true,
    limit,
  };
  return (cursor: string | undefined) =>
    answer(
      api.GET("/v1/accounts/{account}/scheduled_calls", {
        params: { path: { account }, query: { ...query, cursor } },
      }),
    );
}

export function useScheduledCalls(account: string, filters: ScheduledCallFilters) {
  const refetchInterval = useLiveInterval();
  return usePages(
    ["scheduled_calls", account, "list", filters],
    fetchScheduledCalls(account, filters, 50),
    { refetchInterval },
  );
}

export function useScheduledCall(account: string, id: string) {
  const refetchInterval = useLiveInterval();
  return useQuery({
    queryKey: ["scheduled_calls", account, id],
    queryFn: () =>
      answer(
        api.GET("/v1/accounts/{account}/scheduled_calls/{scheduled_call}", {
          params: { path: { account, scheduled_call: id } },
        }),
      ),
    refetchInterval: ({ state: { data } }) =>
      data && isOver(data.state) ? false : refetchInterval,
  });
}

/** `key` names the attempt: sent twice, it still makes one call. */
export function useCreateScheduledCall(account: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ body, key }: { body: NewScheduledCall; key: string }) =>
      answer(
        api.POST("/v1/accounts/{account}/scheduled_calls", {
          params: { path: { account }, header: { "Idempotency-Key": key } },
          body,
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["scheduled_calls", account] }),
  });
}

export function useCancelScheduledCall(account: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) =>
      answer(
        api.DELETE("/v1/accounts/{account}/scheduled_calls/{scheduled_call}", {
          params: { path: { account, scheduled_call: id } },
        }),
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: ["scheduled_calls", account] }),
  });
}

/** The account's numbers, offered while a service number is typed. */
export function useServiceNumbers(account: string) {
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
