import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answer, api, download } from "../../api/client";
import { useLiveInterval } from "../../api/live_context";
import { usePages } from "../../api/pages";
import type { Call, Leg } from "../../api/types";
import { toInstant } from "../../lib/format";
import type { Tone } from "../../ui/badge";

export type Outcome = NonNullable<Call["outcome"]>;

export const ORIGINS = [
  "inbound",
  "scheduled",
  "outbound_service",
] as const satisfies readonly Call["origin"][];

export const OUTCOME_TONES: Readonly<Record<Outcome, Tone>> = {
  answered: "good",
  unanswered: "busy",
  engaged: "busy",
  failed: "bad",
};

export const STATE_TONES: Readonly<Record<Call["state"], Tone>> = {
  dialling: "busy",
  ringing: "busy",
  in_progress: "good",
  ended: "neutral",
};

function fetchLiveCalls(account: string) {
  return (cursor: string | undefined) =>
    answer(
      api.GET("/v1/accounts/{account}/calls", {
        params: {
          path: { account },
          query: { state: "live", descendants: true, limit: 100, cursor },
        },
      }),
    );
}

export function useLiveCalls(account: string) {
  const refetchInterval = useLiveInterval();
  return usePages(["calls", account, "live"], fetchLiveCalls(account), { refetchInterval });
}

export interface RecordFilters {
  number: string;
  origin: string;
  /** Days, `2026-11-20`, of the account's time zone; both are within what is asked for. */
  from: string;
  to: string;
}

export function fetchRecords(
  account: string,
  timeZone: string,
  filters: RecordFilters,
  limit: number,
) {
  const midnight = (day: string) => (day === "" ? undefined : toInstant(`${day}T00:00`, timeZone));
  const query = {
    number: filters.number.replace(/[\s()-]/g, "") || undefined,
    origin: (filters.origin || undefined) as Call["origin"] | undefined,
    "created_at[gte]": midnight(filters.from),
    "created_at[lt]": midnight(nextDay(filters.to)),
    descendants: true,
    limit,
  };
  return (cursor: string | undefined) =>
    answer(
      api.GET("/v1/accounts/{account}/records", {
        params: { path: { account }, query: { ...query, cursor } },
      }),
    );
}

export function nextDay(day: string): string {
  const instant = Date.parse(`${day}T00:00Z`);
  return Number.isNaN(instant) ? "" : new Date(instant + 86_400_000).toISOString().slice(0, 10);
}

export function useRecords(account: string, timeZone: string, filters: RecordFilters) {
  const refetchInterval = useLiveInterval();
  return usePages(["records", account, filters], fetchRecords(account, timeZone, filters, 50), {
    refetchInterval,
  });
}

/** One call, live or ended: its record is the same resource. */
export function useCall(account: string, call: string) {
  const refetchInterval = useLiveInterval();
  return useQuery({
    queryKey: ["calls", account, call],
    queryFn: () =>
      answer(
        api.GET("/v1/accounts/{account}/calls/{call}", { params: { path: { account, call } } }),
      ),
    refetchInterval: ({ state: { data } }) => (data?.state === "ended" ? false : refetchInterval),
  });
}

export function useHangUp(account: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (call: string) =>
      answer(
        api.POST("/v1/accounts/{account}/calls/{call}/actions", {
          params: { path: { account, call } },
          body: { action: "hang_up" },
        }),
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: ["calls", account] }),
  });
}

export function useRecording(account: string, recording: string) {
  return useQuery({
    queryKey: ["recordings", account, recording],
    queryFn: () =>
      answer(
        api.GET("/v1/accounts/{account}/recordings/{recording}", {
          params: { path: { account, recording } },
        }),
      ),
  });
}

export function fetchAudio(account: string, recording: string): Promise<Blob> {
  return download(`/v1/accounts/${account}/recordings/${recording}/audio`);
}

export interface Stretch {
  part: "dialling" | "ringing" | "answered";
  /** Shares of the whole axis, 0 to 1. */
  from: number;
  to: number;
}

export interface Axis {
  lengthMs: number;
  legs: { leg: Leg; stretches: Stretch[] }[];
}

/** Puts a call's legs on one time axis; what has not ended goes on until `now`. */
export function toAxis(call: Pick<Call, "started_at" | "ended_at" | "legs">, now: number): Axis {
  const begin = Date.parse(call.started_at);
  const end = call.ended_at == null ? now : Date.parse(call.ended_at);
  const lengthMs = Math.max(end - begin, 1);
  const share = (instant: number) => Math.min(Math.max((instant - begin) / lengthMs, 0), 1);
  const legs = call.legs.map((leg) => {
    const marks = [
      { part: "dialling", at: leg.started_at },
      { part: "ringing", at: leg.ringing_at },
      { part: "answered", at: leg.answered_at },
    ] as const;
    const reached = marks.flatMap(({ part, at }) =>
      at == null ? [] : [{ part, at: Date.parse(at) }],
    );
    const last = leg.ended_at == null ? end : Date.parse(leg.ended_at);
    const stretches = reached.map(({ part, at }, index) => ({
      part,
      from: share(at),
      to: share(reached[index + 1]?.at ?? last),
    }));
    return { leg, stretches };
  });
  return { lengthMs, legs };
}
