/** A number as people in telephony write it: `+44 1632 960001`. Anything else comes back as is. */
export function formatNumber(text: string): string {
  const national = /^\+44(\d{9,10})$/.exec(text)?.[1];
  if (national === undefined) return text;
  return `+44 ${groupUnitedKingdom(national)}`;
}

/** Ofcom's usual grouping of national numbers. */
function groupUnitedKingdom(national: string): string {
  const cut = (...lengths: number[]) => {
    let at = 0;
    const parts = lengths.map((length) => national.slice(at, (at += length)));
    return [...parts, national.slice(at)].join(" ");
  };
  if (/^2/.test(national)) return cut(2, 4);
  if (/^(11|1.1|3|8|9)/.test(national)) return cut(3, 3);
  return cut(4);
}

/** `1:05`, `1:02:03`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  const minutes = Math.floor(seconds / 60) % 60;
  const hours = Math.floor(seconds / 3600);
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(seconds % 60)}`
    : `${minutes}:${two(seconds % 60)}`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

export function formatDateTime(instant: string, timeZone: string): string {
  return format(instant, timeZone, { dateStyle: "medium", timeStyle: "medium" });
}

export function formatTime(instant: string, timeZone: string): string {
  return format(instant, timeZone, { timeStyle: "medium" });
}

function format(instant: string, timeZone: string, options: Intl.DateTimeFormatOptions): string {
  const date = new Date(instant);
  if (Number.isNaN(date.getTime())) return instant;
  return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: knownZone(timeZone) }).format(
    date,
  );
}

function knownZone(timeZone: string): string {
  try {
    return new Intl.DateTimeFormat("en-GB", { timeZone }).resolvedOptions().timeZone;
  } catch {
    return "UTC";
  }
}

/**
 * The instant that a wall clock in `timeZone` shows as `local` (`2026-11-20T14:30`), as RFC 3339.
 * A time that a change of clocks repeats is its first occurrence; one that it skips is moved on.
 */
export function toInstant(local: string, timeZone: string): string | undefined {
  const wall = Date.parse(`${local}Z`);
  if (Number.isNaN(wall)) return undefined;
  const zone = knownZone(timeZone);
  const day = 86_400_000;
  const candidates = [wall - offsetAt(wall - day, zone), wall - offsetAt(wall + day, zone)];
  const exact = candidates.filter((instant) => instant + offsetAt(instant, zone) === wall);
  const [first = Math.max(...candidates)] = exact;
  return new Date(exact.length > 1 ? Math.min(...exact) : first).toISOString();
}

/** The midnight that today began with in `timeZone`. */
export function startOfToday(timeZone: string, now: Date): string {
  const zone = knownZone(timeZone);
  const local = new Date(now.getTime() + offsetAt(now.getTime(), zone)).toISOString();
  return toInstant(`${local.slice(0, 10)}T00:00`, zone) ?? now.toISOString();
}

/** How far the zone's clocks are ahead of UTC, in milliseconds. */
function offsetAt(instant: number, timeZone: string): number {
  const parts = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  }).formatToParts(instant);
  const part = (type: Intl.DateTimeFormatPartTypes) =>
    Number(parts.find((found) => found.type === type)?.value);
  const shown = Date.UTC(
    part("year"),
    part("month") - 1,
    part("day"),
    part("hour"),
    part("minute"),
    part("second"),
  );
  return shown - Math.floor(instant / 1000) * 1000;
}
