import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { test as base, expect, type Locator, type Page } from "@playwright/test";

export { expect };
export type { Page };

const ROOT = path.resolve(__dirname, "../..");
const BINARY = path.resolve(ROOT, process.env["STROWGER_BIN"] ?? "target/debug/strowger");

/** The demonstration hashes passwords, fills a database and may install a speech program. */
const READY_WITHIN_MS = 180_000;

/** What `serve --demo` writes into its data folder when it is ready. */
interface DemoFile {
  http: string;
  sip: string;
  /** From the top of the tree downwards; the last one owns the numbers. */
  users: DemoUser[];
  service_numbers: string[];
  test_phone: string;
}

export interface DemoUser {
  /** The id of the account that the user acts for. */
  account: string;
  email: string;
  password: string;
}

export interface Demo {
  url: string;
  users: DemoUser[];
  /** Owns the service numbers. */
  owner: DemoUser;
  /** They are active and have a call plan. */
  serviceNumbers: string[];
  /** A number that rings the built-in test phone, which answers and presses 1. */
  testPhone: string;
}

interface Worker {
  demo: Demo;
}

interface Each {
  api: Api;
}

export const test = base.extend<Each, Worker>({
  demo: [
    async ({}, use) => {
      const data = await mkdtemp(path.join(tmpdir(), "strowger-browser-"));
      const program = spawn(
        BINARY,
        ["serve", "--demo", "--data", data, "--http", "127.0.0.1:0", "--sip", "127.0.0.1:0"],
        { stdio: ["ignore", "pipe", "pipe"] },
      );
      const log = collect(program);
      try {
        await use(await ready(program, path.join(data, "demo.json"), log));
      } finally {
        await stop(program);
        await rm(data, { recursive: true, force: true });
      }
    },
    { scope: "worker", timeout: READY_WITHIN_MS + 15_000 },
  ],
  baseURL: async ({ demo }, use) => use(demo.url),
  api: async ({ demo }, use) => use(new Api(demo)),
});

function collect(program: ChildProcess): () => string {
  let text = "";
  const keep = (chunk: Buffer) => (text = (text + chunk.toString()).slice(-8_000));
  program.stdout?.on("data", keep);
  program.stderr?.on("data", keep);
  program.on("error", (error) => keep(Buffer.from(String(error))));
  return () => text;
}

async function ready(program: ChildProcess, file: string, log: () => string): Promise<Demo> {
  let written: DemoFile | undefined;
  let ended = false;
  program.once("close", () => (ended = true));
  await expect
    .poll(
      async () => {
        if (ended) return "ended";
        written = await readFile(file, "utf8").then(
          (text) => JSON.parse(text) as DemoFile,
          () => undefined,
        );
        return written === undefined ? "starting" : "ready";
      },
      { timeout: READY_WITHIN_MS, message: "the program writes demo.json" },
    )
    .not.toBe("starting");
  const owner = written?.users.at(-1);
  if (written === undefined || owner === undefined) {
    throw new Error(`The program did not get ready. Its last words:\n${log()}`);
  }
  return {
    url: written.http,
    users: written.users,
    owner,
    serviceNumbers: written.service_numbers,
    testPhone: written.test_phone,
  };
}

async function stop(program: ChildProcess): Promise<void> {
  if (program.exitCode !== null || program.signalCode !== null) return;
  const ended = new Promise((resolve) => program.once("close", resolve));
  program.kill("SIGTERM");
  const patience = setTimeout(() => program.kill("SIGKILL"), 10_000);
  await ended;
  clearTimeout(patience);
}

export interface Account {
  id: string;
  name: string;
  kind: string;
}

/** The API, as a client of the tests' own, to prepare what a page is then looked at for. */
export class Api {
  readonly #demo: Demo;

  constructor(demo: Demo) {
    this.#demo = demo;
  }

  async token(user: DemoUser): Promise<string> {
    const { email, password } = user;
    const grant = { grant_type: "password", email, password };
    const tokens = await this.#ask<{ access_token: string }>("POST", "/v1/auth/token", {
      body: grant,
    });
    return tokens.access_token;
  }

  /** The account of a user. */
  async account(user: DemoUser): Promise<Account> {
    const me = await this.get<{ account: Account }>(user, "/v1/me");
    return me.account;
  }

  /** The first user of an account that resells to others. */
  async reseller(): Promise<DemoUser> {
    for (const user of this.#demo.users) {
      const account = await this.account(user);
      if (account.kind === "reseller") return user;
    }
    throw new Error("the demonstration has no reseller");
  }

  async get<T>(user: DemoUser, target: string): Promise<T> {
    return this.#ask("GET", target, { token: await this.token(user) });
  }

  async post<T>(user: DemoUser, target: string, body: unknown): Promise<T> {
    return this.#ask("POST", target, { token: await this.token(user), body });
  }

  async patch<T>(user: DemoUser, target: string, body: unknown): Promise<T> {
    return this.#ask("PATCH", target, { token: await this.token(user), body });
  }

  async #ask<T>(
    method: string,
    target: string,
    { token, body }: { token?: string; body?: unknown },
  ): Promise<T> {
    const headers: Record<string, string> = {
      "content-type": "application/json",
    };
    if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await fetch(this.#demo.url + target, {
      method,
      headers,
      ...content,
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${target}: ${answer.status} ${text}`);
    return JSON.parse(text) as T;
  }
}

export async function signIn(page: Page, user: DemoUser): Promise<void> {
  await page.goto("/");
  await page.getByLabel("E-mail address").fill(user.email);
  await page.getByLabel("Password").fill(user.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("navigation", { name: "Pages" })).toBeVisible();
}

/** Goes to a page by the navigation at the side. */
export async function open(page: Page, name: string): Promise<void> {
  const pages = page.getByRole("navigation", { name: "Pages" });
  await pages.getByRole("link", { name, exact: true }).click();
  await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();
}

export function row(page: Page, text: string | RegExp): Locator {
  return page.getByRole("row").filter({ hasText: text });
}

const AXE = createRequire(path.join(ROOT, "web/package.json")).resolve("axe-core/axe.min.js");

/** The rules of WCAG 2.2 AA that can be checked by a program, in light and in dark colours. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(await readFile(AXE, "utf8"));
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    await expectNoViolation(page);
  }
}

async function expectNoViolation(page: Page): Promise<void> {
  const violations = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof import("axe-core") };
    const runOnly = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
    const found = await axe.run(document, { runOnly });
    return found.violations.map(({ id, nodes }) => ({
      id,
      where: nodes.map((node) => node.html),
    }));
  });
  expect(violations).toEqual([]);
}
