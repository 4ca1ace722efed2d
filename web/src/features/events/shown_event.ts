import type { StreamMessage } from "../../api/event_stream";
import type { PlatformEvent } from "../../api/types";

export type ShownEvent = PlatformEvent;

/** The event of a message; notices of the stream itself, and what cannot be read, are none. */
export function eventOf({ id, event, data }: StreamMessage): ShownEvent | undefined {
  if (id === undefined || event.startsWith("stream.")) return undefined;
  try {
    return JSON.parse(data) as ShownEvent;
  } catch {
    return undefined;
  }
}

/** `type` is the beginning of a type; `q` is looked for in everything that the event says. */
export function matches(event: ShownEvent, { type, q }: { type: string; q: string }): boolean {
  const beginning = type.trim().replace(/\*$/, "");
  const sought = q.trim().toLowerCase();
  return (
    event.type.startsWith(beginning) &&
    (sought === "" || JSON.stringify(event).toLowerCase().includes(sought))
  );
}
