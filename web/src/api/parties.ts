import type { Call } from "./types";

/** Who is seen to call whom: where the platform dialled, the number that it presented calls. */
export function partiesOf({ origin, calling, called, service_number, legs }: Call): {
  from: string;
  to: string;
} {
  const from = origin === "inbound" ? calling : (legs[0]?.presentation ?? service_number);
  return { from: from ?? "Withheld", to: called };
}
