// What is started here ends here: every program that a test starts is killed when the test leaves.

import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const running = new Set();

/** Everything that the tests write. */
export const folder = mkdtempSync(join(tmpdir(), "strowger-strangers-"));

function leave() {
  for (const child of running) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
process.on("exit", leave);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(143));

/** Starts a program whose output goes to `log`; `ended` resolves with its exit status. */
export function start(program, args, { log, cwd = folder, env = {} }) {
  const output = openSync(log, "a");
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  running.add(child);
  const ended = new Promise((resolve) => {
    child.on("error", (error) => {
      running.delete(child);
      console.log(`${program}: ${error.message}`);
      resolve(127);
    });
    child.on("exit", (code, signal) => {
      running.delete(child);
      resolve(code ?? signal);
    });
  });
  return {
    pid: child.pid,
    ended,
    signal: (name) => child.kill(name),
    lives: () => running.has(child),
    output: () => readFileSync(log, "utf8"),
  };
}

/** Asks again and again until the answer is true, and gives it; `undefined` when time is over. */
export async function until(question, seconds = 20) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await question();
    if (answer) return answer;
    if (Date.now() > end) return undefined;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Whether somebody listens at this UDP port, as the system knows it. */
export function isTaken(port) {
  const place = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
  return readFileSync("/proc/net/udp", "utf8").includes(place);
}

/**
 * A UDP and TCP port of the loopback interface that nobody has, below those that the system gives
 * to whoever asks for any.
 */
export async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 6_000);
    const server = createServer();
    const socket = createSocket("udp4");
    const free = await Promise.all([
      new Promise((resolve) => {
        server.on("error", () => resolve(false));
        server.listen(port, "127.0.0.1", () => resolve(true));
      }),
      new Promise((resolve) => {
        socket.on("error", () => resolve(false));
        socket.bind(port, "127.0.0.1", () => resolve(true));
      }),
    ]);
    server.close();
    socket.close();
    if (free.every(Boolean)) return port;
  }
}
