import type { NewScheduledCall } from "../../api/types";
import { toInstant } from "../../lib/format";

/** What stands in the form: text, as it was typed. */
export interface Draft {
  serviceNumber: string;
  firstParty: string;
  presentationNumber: string;
  /** Empty: as soon as possible. Local time of the account's time zone, as is `expiresAt`. */
  notBefore: string;
  expiresAt: string;
  ringDuration: string;
  reference: string;
  variables: readonly Variable[];
}

export interface Variable {
  id: number;
  name: string;
  value: string;
}

export const EMPTY_DRAFT: Draft = {
  serviceNumber: "",
  firstParty: "",
  presentationNumber: "",
  notBefore: "",
  expiresAt: "",
  ringDuration: "",
  reference: "",
  variables: [],
};

/**
 * The request for a draft. What may be dialled is the server's to say: here only the spaces,
 * brackets and hyphens go that people write into numbers.
 */
export function toRequest(draft: Draft, timeZone: string): NewScheduledCall {
  const text = (value: string) => value.trim() || undefined;
  const instant = (value: string) => (value === "" ? undefined : toInstant(value, timeZone));
  const named = draft.variables.filter(({ name, value }) => name.trim() !== "" || value !== "");
  const request: NewScheduledCall = {
    service_number: toDialled(draft.serviceNumber),
    first_party: toDialled(draft.firstParty),
  };
  const presentation = toDialled(draft.presentationNumber);
  if (presentation !== "") request.presentation_number = presentation;
  const notBefore = instant(draft.notBefore);
  if (notBefore !== undefined) request.not_before = notBefore;
  const expiresAt = instant(draft.expiresAt);
  if (expiresAt !== undefined) request.expires_at = expiresAt;
  if (draft.ringDuration !== "") request.ring_duration_s = Number(draft.ringDuration);
  const reference = text(draft.reference);
  if (reference !== undefined) request.reference = reference;
  if (named.length > 0) {
    request.variables = Object.fromEntries(named.map(({ name, value }) => [name.trim(), value]));
  }
  return request;
}

export function toDialled(text: string): string {
  const trimmed = text.trim();
  return /^[+\d\s().-]+$/.test(trimmed) ? trimmed.replace(/[\s().-]/g, "") : trimmed;
}
