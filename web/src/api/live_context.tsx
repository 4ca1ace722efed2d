import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import { follow, type LiveState } from "./live";

const LiveContext = createContext<LiveState>("connecting");

/** Events of a busy account come in bursts; lists are asked again once for each. */
const BURST_MS = 250;
/** How often an open page asks again while the stream is down, and, to be sure, while it is up. */
const POLL_MS = 2_000;
const RECHECK_MS = 30_000;

/** Which lists an event makes old, by the first word of its type. */
const TOUCHED: Readonly<Record<string, readonly string[]>> = {
  call: ["calls", "records"],
  instance: ["calls"],
  leg: ["calls"],
  number: ["numbers"],
  recording: ["calls", "records", "recordings"],
  scheduled_call: ["scheduled_calls"],
  webhook: ["webhooks"],
};

/** Keeps what is shown for `account` up to date from its event stream. */
export function LiveProvider({ account, children }: { account: string; children: ReactNode }) {
  const queries = useQueryClient();
  const [state, setState] = useState<LiveState>("connecting");

  useEffect(() => {
    const touched = new Set<string>();
    let burst: ReturnType<typeof setTimeout> | undefined;
    const refresh = () => {
      burst = undefined;
      for (const noun of touched) void queries.invalidateQueries({ queryKey: [noun, account] });
      touched.clear();
    };
    const touch = (nouns: readonly string[]) => {
      for (const noun of nouns) touched.add(noun);
      burst ??= setTimeout(refresh, BURST_MS);
    };
    const stop = follow(account, {
      onState: setState,
      onGap: () => touch(Object.values(TOUCHED).flat()),
      onMessage: (message) => touch(TOUCHED[eventType(message.event, message.data)] ?? []),
    });
    return () => {
      stop();
      clearTimeout(burst);
    };
  }, [account, queries]);

  return <LiveContext value={state}>{children}</LiveContext>;
}

function eventType(event: string, data: string): string {
  if (event !== "message") return event.split(".")[0] ?? "";
  try {
    const parsed: unknown = JSON.parse(data);
    if (typeof parsed === "object" && parsed !== null && "type" in parsed) {
      return String(parsed.type).split(".")[0] ?? "";
    }
  } catch {
    // An event that cannot be read touches nothing; the regular check finds what it meant.
  }
  return "";
}

export function useLiveState(): LiveState {
  return useContext(LiveContext);
}

/** How often a page that shows live things asks again by itself. */
export function useLiveInterval(): number {
  return useLiveState() === "live" ? RECHECK_MS : POLL_MS;
}
