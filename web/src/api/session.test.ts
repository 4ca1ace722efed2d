import { beforeEach, vi } from "vitest";

type Handler = (path: string, request: Request) => Response;

/** Stands in for the server; what it was asked is kept. */
function serve(handler: Handler): string[] {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (input: string | Request, init?: RequestInit) => {
    const target = typeof input === "string" ? new URL(input, "http://portal.test") : input;
    const request = new Request(target, init);
    const { pathname } = new URL(request.url);
    asked.push(`${request.method} ${pathname}`);
    return Promise.resolve(handler(pathname, request));
  });
  return asked;
}

const json = (status: number, body: unknown) => Response.json(body, { status });

const tokens = (count: number) => ({
  access_token: `access-${count}`,
  token_type: "Bearer",
  refresh_token: `refresh-${count}`,
  expires_in_s: 900,
});

const ask = () => new Request("http://portal.test/v1/me");

/** The session as it is when the page has just been loaded. */
async function freshSession() {
  vi.resetModules();
  return import("./session");
}

beforeEach(() => sessionStorage.clear());

test("token_that_ran_out_is_renewed_once_for_all_who_wait", async () => {
  const { authorisedFetch, session } = await freshSession();
  let issued = 0;
  const asked = serve((path, request) => {
    if (path === "/v1/auth/token") return json(200, tokens(++issued));
    const isNew = request.headers.get("authorization") === "Bearer access-2";
    return json(isNew ? 200 : 401, {});
  });
  await session.signIn("alice@example.com", "secret");
  const answers = await Promise.all([authorisedFetch(ask()), authorisedFetch(ask())]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  expect(asked.filter((request) => request === "POST /v1/auth/token")).toHaveLength(2);
});

test("reloaded_page_goes_on_with_the_refresh_token", async () => {
  sessionStorage.setItem("strowger.refresh_token", "refresh-0");
  const { authorisedFetch, session } = await freshSession();
  const asked = serve((path) => json(200, path === "/v1/auth/token" ? tokens(1) : {}));
  expect(session.state()).toBe("signed_in");
  expect((await authorisedFetch(ask())).status).toBe(200);
  expect(asked).toEqual(["POST /v1/auth/token", "GET /v1/me"]);
});

test("refused_refresh_token_ends_the_session_and_says_so", async () => {
  sessionStorage.setItem("strowger.refresh_token", "stolen");
  const { authorisedFetch, session } = await freshSession();
  serve(() => json(401, { title: "no", code: "refresh_token_reused" }));
  const heard: string[] = [];
  session.subscribe(() => heard.push(session.state()));
  await authorisedFetch(ask());
  expect(heard).toContain("signed_out");
  expect(session.notice()).toContain("Your session has ended");
});

test("server_that_is_away_does_not_end_the_session", async () => {
  sessionStorage.setItem("strowger.refresh_token", "refresh-0");
  const { authorisedFetch, session } = await freshSession();
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("offline")));
  await expect(authorisedFetch(ask())).rejects.toThrow("The server cannot be reached");
  expect(session.state()).toBe("signed_in");
});
