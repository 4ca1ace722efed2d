import { type StreamMessage, StreamReader } from "./event_stream";
import { toApiError } from "./problem";
import { authorisedFetch } from "./session";

/** `live`: events arrive. `polling`: the stream is down, pages ask again by themselves. */
export type LiveState = "connecting" | "live" | "polling";

/** The first wait before the stream is tried again; it doubles with each failure. */
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** A stream that says nothing for so long, not even a comment, is taken for dead. */
const SILENCE_MS = 60_000;

interface LiveHandlers {
  onMessage: (message: StreamMessage) => void;
  onState: (state: LiveState) => void;
  /** Events may have been missed that the server will not repeat. */
  onGap: () => void;
}

/**
 * Follows an account's events until the returned function is called. `EventSource` cannot carry
 * a bearer token, hence `fetch`; a lost connection is resumed by `Last-Event-ID`.
 */
export function follow(account: string, handlers: LiveHandlers): () => void {
  const stop = new AbortController();
  const onState = (state: LiveState) => {
    if (!stop.signal.aborted) handlers.onState(state);
  };
  void run(account, { ...handlers, onState }, stop.signal);
  return () => stop.abort();
}

async function run(account: string, handlers: LiveHandlers, stopped: AbortSignal): Promise<void> {
  const position: Position = { lastId: undefined, waitMs: FIRST_WAIT_MS, connected: false };
  handlers.onState("connecting");
  while (!stopped.aborted) {
    try {
      await readOnce(account, handlers, position, stopped);
    } catch {
      // Whatever went wrong, the answer is the same: poll meanwhile and try again.
    }
    handlers.onState("polling");
    await wait(position.waitMs * (0.75 + Math.random() / 2), stopped);
    position.waitMs = Math.min(position.waitMs * 2, LONGEST_WAIT_MS);
  }
}

interface Position {
  lastId: string | undefined;
  waitMs: number;
  connected: boolean;
}

async function readOnce(
  account: string,
  handlers: LiveHandlers,
  position: Position,
  stopped: AbortSignal,
): Promise<void> {
  const silence = new AbortController();
  const signal = AbortSignal.any([stopped, silence.signal]);
  let alarm = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    const headers = new Headers({ accept: "text/event-stream" });
    if (position.lastId !== undefined) headers.set("last-event-id", position.lastId);
    const url = new URL(`/v1/accounts/${account}/events?descendants=true`, window.location.origin);
    const response = await authorisedFetch(
      new Request(url, { headers, signal, cache: "no-store" }),
    );
    if (!response.ok || response.body === null) throw toApiError(response.status, undefined);
    handlers.onState("live");
    if (position.connected && position.lastId === undefined) handlers.onGap();
    position.connected = true;
    position.waitMs = FIRST_WAIT_MS;

    const reader = new StreamReader();
    const decoder = new TextDecoder();
    const body = response.body.getReader();
    for (;;) {
      const { done, value } = await body.read();
      if (done) return;
      clearTimeout(alarm);
      alarm = setTimeout(() => silence.abort(), SILENCE_MS);
      const chunk = reader.read(decoder.decode(value, { stream: true }));
      if (chunk.retryMs !== undefined) position.waitMs = chunk.retryMs;
      for (const message of chunk.messages) {
        position.lastId = message.id ?? position.lastId;
        handlers.onMessage(message);
      }
    }
  } finally {
    clearTimeout(alarm);
  }
}

function wait(ms: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stopped.aborted) resolve();
    const alarm = setTimeout(resolve, ms);
    stopped.addEventListener("abort", () => {
      clearTimeout(alarm);
      resolve();
    });
  });
}
