import createClient from "openapi-fetch";
import type { paths } from "./schema";
import { toApiError, unreachable } from "./problem";
import { authorisedFetch } from "./session";

/** Typed by the server's own description: a path or field that it does not have is an error. */
export const api = createClient<paths>({
  baseUrl: window.location.origin,
  fetch: authorisedFetch,
});

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of a success; everything else is thrown as the one error type. */
export async function answer<T>(pending: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await pending;
  if (!response.ok) throw toApiError(response.status, error);
  return data as T;
}

/** A file behind the token, such as a recording, as an object that a page can play. */
export async function download(path: string): Promise<Blob> {
  const response = await authorisedFetch(new Request(new URL(path, window.location.origin)));
  if (!response.ok) {
    const body: unknown = await response.json().catch(() => undefined);
    throw toApiError(response.status, body);
  }
  try {
    return await response.blob();
  } catch {
    throw unreachable();
  }
}

/** Puts a file behind the token; `null` removes what is there. */
export async function sendFile(path: string, file: File | null): Promise<void> {
  const request = new Request(
    new URL(path, window.location.origin),
    file === null
      ? { method: "DELETE" }
      : { method: "PUT", body: file, headers: { "content-type": file.type } },
  );
  const response = await authorisedFetch(request);
  if (!response.ok) {
    const body: unknown = await response.json().catch(() => undefined);
    throw toApiError(response.status, body);
  }
}
