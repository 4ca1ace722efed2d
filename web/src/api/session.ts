import type { Tokens } from "./types";
import { toApiError, unreachable } from "./problem";

export type SessionState = "signed_in" | "signed_out";

/** The refresh token lives as long as the browser tab; the access token only in memory. */
const REFRESH_TOKEN = "strowger.refresh_token";

let accessToken: string | undefined;
let refreshing: Promise<boolean> | undefined;
let notice: string | undefined;
let leftByChoice = false;
const listeners = new Set<() => void>();

export const session = {
  state(): SessionState {
    return sessionStorage.getItem(REFRESH_TOKEN) === null ? "signed_out" : "signed_in";
  },

  /** Why the session ended, when it was not the user who ended it. */
  notice(): string | undefined {
    return notice;
  },

  /** The user signed out here: whoever signs in next begins at home, not on the last page. */
  leftByChoice(): boolean {
    return leftByChoice;
  },

  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },

  /** `code` is that of the authenticator app, where the user has one. */
  async signIn(email: string, password: string, code?: string): Promise<void> {
    const grant: Record<string, string> = { grant_type: "password", email, password };
    if (code !== undefined) grant["code"] = code;
    keep(await requestTokens(grant));
    notice = undefined;
    leftByChoice = false;
    tell();
  },

  signOut(): void {
    const refreshToken = sessionStorage.getItem(REFRESH_TOKEN);
    if (refreshToken !== null) {
      const body = JSON.stringify({ refresh_token: refreshToken });
      // Best effort: the tokens are forgotten here whatever the server answers.
      fetch("/v1/auth/logout", { method: "POST", headers: JSON_HEADERS, body }).catch(() => {});
    }
    notice = undefined;
    leftByChoice = true;
    forget();
  },
};

const JSON_HEADERS = { "content-type": "application/json" };

/** `fetch` with the access token; a token that ran out is renewed once, for all who wait. */
export async function authorisedFetch(request: Request): Promise<Response> {
  if (accessToken === undefined) await refresh();
  const again = request.clone();
  const response = await send(request);
  if (response.status !== 401 || !(await refresh())) return response;
  return send(again);
}

async function send(request: Request): Promise<Response> {
  if (accessToken !== undefined) request.headers.set("authorization", `Bearer ${accessToken}`);
  try {
    return await fetch(request);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw unreachable();
  }
}

function refresh(): Promise<boolean> {
  refreshing ??= renew().finally(() => (refreshing = undefined));
  return refreshing;
}

async function renew(): Promise<boolean> {
  const refreshToken = sessionStorage.getItem(REFRESH_TOKEN);
  if (refreshToken === null) return false;
  try {
    keep(await requestTokens({ grant_type: "refresh_token", refresh_token: refreshToken }));
    return true;
  } catch (error) {
    if (!(error instanceof RefusedTokens)) throw error;
    const isDisabled = error.status === 403;
    notice = isDisabled ? error.message : "Your session has ended. Sign in again to go on.";
    forget();
    return false;
  }
}

/** The server looked at what was offered and gave no tokens for it. */
export class RefusedTokens extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = "RefusedTokens";
    this.status = status;
    this.code = code;
  }
}

async function requestTokens(grant: Record<string, string>): Promise<Tokens> {
  let response: Response;
  try {
    const body = JSON.stringify(grant);
    response = await fetch("/v1/auth/token", { method: "POST", headers: JSON_HEADERS, body });
  } catch {
    throw unreachable();
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer as Tokens;
  const error = toApiError(response.status, answer);
  if (response.status === 429 || response.status >= 500) throw error;
  throw new RefusedTokens(response.status, error.code, error.message);
}

function keep(tokens: Tokens): void {
  accessToken = tokens.access_token;
  if (tokens.refresh_token != null) sessionStorage.setItem(REFRESH_TOKEN, tokens.refresh_token);
}

function forget(): void {
  accessToken = undefined;
  sessionStorage.removeItem(REFRESH_TOKEN);
  tell();
}

function tell(): void {
  for (const listener of listeners) listener();
}
