/** One fault of a request: where in its body, and what is wrong there. */
export interface Fault {
  pointer: string;
  code: string;
  detail: string;
}

/** The one error type of the portal: what the server refused, or that it could not be asked. */
export class ApiError extends Error {
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  readonly code: string;
  readonly faults: readonly Fault[];
  readonly requestId: string | undefined;

  constructor(
    status: number,
    code: string,
    message: string,
    faults: readonly Fault[] = [],
    requestId?: string,
  ) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.faults = faults;
    this.requestId = requestId;
  }
}

export function unreachable(): ApiError {
  return new ApiError(0, "unreachable", "The server cannot be reached. Check your connection.");
}

/** Reads an answer that is no success, by RFC 9457 where it keeps to it. */
export function toApiError(status: number, body: unknown): ApiError {
  const problem = isRecord(body) ? body : {};
  const text = (name: string) => {
    const value = problem[name];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const faults = Array.isArray(problem["errors"]) ? problem["errors"].flatMap(toFault) : [];
  const message = text("detail") ?? text("title") ?? plainWords(status);
  return new ApiError(status, text("code") ?? "unknown", message, faults, text("request_id"));
}

function toFault(value: unknown): Fault[] {
  if (!isRecord(value)) return [];
  const { pointer, code, detail } = value;
  return [
    {
      pointer: typeof pointer === "string" ? pointer : "",
      code: typeof code === "string" ? code : "invalid",
      detail: typeof detail === "string" ? detail : "This value is not accepted.",
    },
  ];
}

function plainWords(status: number): string {
  if (status === 404) return "This does not exist, or is not yours to see.";
  if (status === 403) return "Your role does not allow this.";
  if (status === 429) return "Too many requests. Wait a moment, then try again.";
  if (status >= 500) return "The server could not do this. Try again in a moment.";
  return `The server refused this (status ${status}).`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Sorts the faults of a refused form to its fields, by the first segment of their JSON pointers
 * (RFC 6901); what belongs to no field of the form is kept in `others`.
 */
export function faultsByField<Name extends string>(
  error: unknown,
  fields: readonly Name[],
): { fields: Partial<Record<Name, string>>; others: string[] } {
  const sorted: { fields: Partial<Record<Name, string>>; others: string[] } = {
    fields: {},
    others: [],
  };
  if (!(error instanceof ApiError)) {
    if (error instanceof Error) sorted.others.push(error.message);
    return sorted;
  }
  for (const { pointer, detail } of error.faults) {
    const [, segment = ""] = pointer.split("/");
    const name = fields.find((field) => field === segment);
    const told = toSentence(detail);
    if (name === undefined) {
      sorted.others.push(told);
    } else {
      const earlier = sorted.fields[name];
      sorted.fields[name] = earlier === undefined ? told : `${earlier} ${told}`;
    }
  }
  if (error.faults.length === 0) sorted.others.push(error.message);
  return sorted;
}

/** The server tells faults as parts of a sentence, as programs do. */
function toSentence(detail: string): string {
  const text = detail.charAt(0).toUpperCase() + detail.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
