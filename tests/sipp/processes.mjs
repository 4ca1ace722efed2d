// What is started here ends here: every program that a test starts is killed when the test leaves.

import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const running = new Set();

const octet = () => 1 + Math.floor(Math.random() * 250);

/**
 * The address of SIP and RTP: one of the loopback interface's 16 million, so that nothing comes here
 * that other programs on this machine still send to a port that was theirs.
 */
export const ours = `127.${octet()}.${octet()}.${octet()}`;

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

/** Whether somebody listens at this UDP port of an address, as the system knows it. */
export function isTaken(port, address = ours) {
  const hex = (number, digits) => number.toString(16).toUpperCase().padStart(digits, "0");
  const octets = address.split(".").reverse().map(Number);
  const place = ` ${octets.map((octet) => hex(octet, 2)).join("")}:${hex(port, 4)} `;
  return readFileSync("/proc/net/udp", "utf8").includes(place);
}

/**
 * A UDP and TCP port of an address, and so many free ones in all from it on, below those that the
 * system gives to whoever asks for any.
 */
export async function freePort(address = ours, count = 1) {
  for (;;) {
    const first = 10_000 + Math.floor(Math.random() * 6_000);
    const ports = Array.from({ length: count }, (_, at) => first + at);
    const free = await Promise.all(ports.map((port) => isFree(port, address)));
    if (free.every(Boolean)) return first;
  }
}

async function isFree(port, address) {
  const server = createServer();
  const socket = createSocket("udp4");
  const free = await Promise.all([
    new Promise((resolve) => {
      server.on("error", () => resolve(false));
      server.listen(port, address, () => resolve(true));
    }),
    new Promise((resolve) => {
      socket.on("error", () => resolve(false));
      socket.bind(port, address, () => resolve(true));
    }),
  ]);
  server.close();
  socket.close();
  return free.every(Boolean);
}
