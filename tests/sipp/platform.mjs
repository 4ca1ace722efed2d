// The program under test, and its API.

import { readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { folder, ours, start, until } from "./processes.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const program = process.env.STROWGER_BIN ?? join(root, "target/debug/strowger");

/** A demonstration on free ports, with a data folder of its own. */
export class Platform {
  static async start(name, address = ours) {
    const platform = new Platform();
    platform.data = join(folder, name);
    platform.log = join(folder, `${name}.log`);
    // One that stands there is of an earlier start with the same data.
    const file = join(platform.data, "demo.json");
    const written = () => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    const before = written();
    platform.process = start(
      program,
      [
        "serve",
        "--demo",
        "--data",
        platform.data,
        "--http",
        "127.0.0.1:0",
        "--sip",
        `${address}:0`,
      ],
      { log: platform.log },
    );
    const ready = await until(() => written() > before || !platform.process.lives(), 60);
    if (!ready || !platform.process.lives()) {
      throw new Error(`the program does not start:\n${platform.process.output()}`);
    }
    platform.demo = JSON.parse(readFileSync(file, "utf8"));
    platform.sip = platform.demo.sip;
    const { email, password } = platform.demo.users.at(-1);
    const wish = { grant_type: "password", email, password };
    platform.token = (await platform.post("/v1/auth/token", wish)).access_token;
    return platform;
  }

  /** A request; its path is below the account's own unless it begins with a slash. */
  async request(method, path, body, headers = {}) {
    const address = path.startsWith("/") ? path : `/v1/accounts/me/${path}`;
    const isBytes = body instanceof Uint8Array;
    return fetch(this.demo.http + address, {
      method,
      headers: {
        ...(body === undefined
          ? {}
          : { "Content-Type": isBytes ? "audio/wav" : "application/json" }),
        ...(this.token === undefined ? {} : { Authorization: `Bearer ${this.token}` }),
        ...headers,
      },
      body: body === undefined || isBytes ? body : JSON.stringify(body),
    });
  }

  async json(method, path, body, headers) {
    const response = await this.request(method, path, body, headers);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  get(path) {
    return this.json("GET", path);
  }

  post(path, body, headers) {
    return this.json("POST", path, body, headers);
  }

  /** What the program says of itself, by the names of Prometheus. */
  async metrics() {
    const text = await (await this.request("GET", "/system/metrics")).text();
    return Object.fromEntries(
      text
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("#"))
        .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]),
    );
  }

  /** How many UDP ports it has open, as the system knows it. */
  udpPorts() {
    const descriptors = `/proc/${this.process.pid}/fd`;
    const inodes = new Set(
      readFileSync("/proc/net/udp", "utf8")
        .split("\n")
        .slice(1)
        .map((line) => `socket:[${line.trim().split(/\s+/)[9]}]`),
    );
    return readdirSync(descriptors).filter((name) => {
      try {
        return inodes.has(readlinkSync(join(descriptors, name)));
      } catch {
        return false;
      }
    }).length;
  }

  /** Asks it to end, and gives its exit status. */
  async stop() {
    this.process.signal("SIGTERM");
    return this.process.ended;
  }
}
