import { execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Command } from "./discovery";

const END_LIMIT_MS = 2000;
const POLL_MS = 50;

interface Options {
  readonly environment?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
  readonly onLine?: (line: string) => void;
}

/** Runs to the end; what it said last if it fails, of errors if it spoke of any. Aborted, it is over only when all that it has started has ended, too. */
export function run(command: Command, { environment, signal, onLine }: Options = {}): Promise<string | undefined> {
  return new Promise((resolve) => {
    const [program, ...args] = command;
    let last = "";
    let ended = Promise.resolve();
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
      detached: process.platform !== "win32", // a group of its own, to be ended as one
      ...(environment === undefined ? {} : { env: environment }),
    });
    const end = (): void => {
      ended = child.pid === undefined ? ended : endAll(child.pid);
    };
    signal?.addEventListener("abort", end, { once: true });
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on("line", (line) => {
        last = line.trim() === "" || (isError(last) && !isError(line)) ? last : line.trim();
        onLine?.(line);
      });
    }
    child.once("error", (error) => {
      resolve(error.message);
    });
    child.once("close", (code) => {
      signal?.removeEventListener("abort", end);
      void ended.then(() => {
        resolve(code === 0 ? undefined : last === "" ? `exit status ${String(code)}` : last);
      });
    });
  });
}

/** Below its errors pip writes hints, and names of packages. */
function isError(line: string): boolean {
  return /^\s*ERROR: /.test(line);
}

/** Ends a program that leads a group of its own, and whatever it has started. */
async function endAll(pid: number): Promise<void> {
  if (process.platform === "win32") {
    await promisify(execFile)("taskkill", ["/PID", String(pid), "/T", "/F"], { windowsHide: true }).catch(() => undefined);
    return;
  }
  // First the kind way: ninja hands it on to its compilers, which are in groups of their own, and waits for them.
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    let isThere = signalled(-pid, signal);
    for (let waited = 0; isThere && waited < END_LIMIT_MS; waited += POLL_MS) {
      await sleep(POLL_MS);
      isThere = signalled(-pid, 0);
    }
    if (!isThere) {
      return;
    }
  }
}

/** Sends a signal, if there is still something to send it to. */
function signalled(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
