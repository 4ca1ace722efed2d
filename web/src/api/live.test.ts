import { afterEach, beforeEach, vi } from "vitest";
import type { LiveState } from "./live";

beforeEach(() => {
  vi.useFakeTimers();
  sessionStorage.clear();
});

afterEach(() => vi.useRealTimers());

/** A server whose streams the test writes and cuts. */
class Streams {
  readonly requests: Request[] = [];
  isDown = false;
  #open: ReadableStreamDefaultController<Uint8Array> | undefined;

  readonly fetch = (request: Request): Promise<Response> => {
    this.requests.push(request);
    if (this.isDown) return Promise.resolve(new Response(null, { status: 503 }));
    const body = new ReadableStream<Uint8Array>({ start: (stream) => void (this.#open = stream) });
    request.signal.addEventListener("abort", () => this.#open?.error(request.signal.reason));
    return Promise.resolve(new Response(body));
  };

  write(text: string): void {
    this.#open?.enqueue(new TextEncoder().encode(text));
  }

  cut(): void {
    this.#open?.close();
  }
}

async function following(streams: Streams) {
  vi.stubGlobal("fetch", streams.fetch);
  vi.resetModules();
  const { follow } = await import("./live");
  const seen = { states: [] as LiveState[], messages: [] as string[], gaps: 0 };
  const stop = follow("acc_1", {
    onState: (state) => seen.states.push(state),
    onMessage: ({ event, data }) => seen.messages.push(`${event} ${data}`),
    onGap: () => (seen.gaps += 1),
  });
  await vi.advanceTimersByTimeAsync(0);
  return { seen, stop };
}

test("lost_stream_is_resumed_after_the_last_event_that_was_seen", async () => {
  const streams = new Streams();
  const { seen, stop } = await following(streams);
  streams.write("id: evt_7\nevent: call.ended\ndata: {}\n\n");
  await vi.advanceTimersByTimeAsync(0);
  streams.cut();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(seen.messages).toEqual(["call.ended {}"]);
  expect(seen.states).toEqual(["connecting", "live", "polling", "live"]);
  expect(streams.requests.map((request) => request.headers.get("last-event-id"))).toEqual([
    null,
    "evt_7",
  ]);
  expect(seen.gaps).toBe(0);
  stop();
});

test("stream_lost_before_its_first_event_leaves_a_gap", async () => {
  const streams = new Streams();
  const { seen, stop } = await following(streams);
  streams.cut();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(seen.gaps).toBe(1);
  stop();
});

test("pages_poll_while_the_stream_is_down_and_follow_when_it_is_back", async () => {
  const streams = new Streams();
  streams.isDown = true;
  const { seen, stop } = await following(streams);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(seen.states.at(-1)).toBe("polling");
  expect(streams.requests.length).toBeLessThan(8);
  streams.isDown = false;
  await vi.advanceTimersByTimeAsync(20_000);
  expect(seen.states.at(-1)).toBe("live");
  stop();
});

test("silent_stream_is_taken_for_dead", async () => {
  const streams = new Streams();
  const { seen, stop } = await following(streams);
  await vi.advanceTimersByTimeAsync(59_000);
  streams.write(": still here\n\n");
  await vi.advanceTimersByTimeAsync(59_000);
  expect(streams.requests).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(streams.requests).toHaveLength(2);
  expect(seen.states.slice(0, 3)).toEqual(["connecting", "live", "polling"]);
  stop();
});

test("nothing_is_told_after_the_end", async () => {
  const streams = new Streams();
  const { seen, stop } = await following(streams);
  stop();
  await vi.advanceTimersByTimeAsync(30_000);
  expect(seen.states).toEqual(["connecting", "live"]);
  expect(streams.requests).toHaveLength(1);
});
