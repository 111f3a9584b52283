import * as fs from "node:fs";
import * as path from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";

const DAY_MS = 24 * 60 * 60_000;

/** What is known while a file arrives. `total` is undefined where the server does not say. */
export interface Arrived {
  readonly bytes: number;
  readonly total: number | undefined;
}

/** What is wrong with an address for a model, in one sentence; undefined when it can be tried. */
export function addressProblem(address: string): string | undefined {
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
    return "An address begins with https:// or http://";
  }
  const { username, password } = new URL(address);
  if (username !== "" || password !== "") {
    return "An address that holds a name or a password cannot be fetched";
  }
  return fileName(address) === undefined ? "The address has to end in the name of a .gguf file" : undefined;
}

/** The name that an address gives its file; undefined unless it is a plain one of a GGUF file. */
export function fileName(address: string): string | undefined {
  try {
    const name = decodeURIComponent(new URL(address).pathname.split("/").at(-1) ?? "");
    return /^[\w][\w .+@()-]*\.gguf$/i.test(name) ? name : undefined;
  } catch {
    return undefined; // "%zz"
  }
}

/**
 * Fetches a file into a folder of its own name below `folder`, and returns where it is. It is there only once it is whole
 * and `check`, which is given its path and throws if it is no good, has looked at it. Nothing is ever overwritten, and
 * nothing is left when it fails or is given up through `signal`.
 */
export async function download(
  address: string,
  folder: string,
  signal: AbortSignal,
  onProgress: (arrived: Arrived) => void,
  check: (file: string) => Promise<void>,
): Promise<string> {
  const name = fileName(address);
  if (name === undefined) {
    throw new Error(`${address} names no .gguf file`);
  }
  const own = path.join(folder, name);
  if (fs.existsSync(own)) {
    throw new Error(`${own} is there already`);
  }
  fs.mkdirSync(folder, { recursive: true });
  removeDead(folder);
  const arriving = fs.mkdtempSync(path.join(folder, "arriving-"));
  try {
    const part = path.join(arriving, name);
    await receive(address, part, signal, onProgress);
    await check(part);
    signal.throwIfAborted();
    fs.renameSync(arriving, own); // a folder's renaming, unlike a file's, fails where somebody else was quicker
    return path.join(own, name);
  } finally {
    fs.rmSync(arriving, { recursive: true, force: true });
  }
}

/** Removes what is left of downloads whose VS Code was killed; one that is under way keeps writing. */
function removeDead(folder: string): void {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || !/^arriving-\w{6}$/.test(entry.name)) {
      continue;
    }
    const arriving = path.join(folder, entry.name);
    try {
      const all = [arriving, ...fs.readdirSync(arriving).map((name) => path.join(arriving, name))];
      if (all.every((file) => Date.now() - fs.statSync(file).mtimeMs > DAY_MS)) {
        fs.rmSync(arriving, { recursive: true });
      }
    } catch {
      // another window has just removed it, or it cannot be removed
    }
  }
}

async function receive(address: string, file: string, signal: AbortSignal, onProgress: (arrived: Arrived) => void) {
  const response = await fetch(address, { signal });
  if (!response.ok || response.body === null) {
    throw new Error(`the server answered ${response.status} ${response.statusText}`.trim());
  }
  const said = Number(response.headers.get("content-length") ?? NaN);
  const total = Number.isNaN(said) || response.headers.has("content-encoding") ? undefined : said;
  let bytes = 0;
  const counting = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      onProgress({ bytes, total });
      done(null, chunk);
    },
  });
  const body = Readable.fromWeb(response.body as ReadableStream); // the same, by the names of the DOM and of Node
  await pipeline(body, counting, fs.createWriteStream(file, { flags: "wx" }), { signal });
  if (total !== undefined && bytes !== total) {
    throw new Error(`${bytes} of ${total} bytes arrived`);
  }
}

/** How far it is, for people. */
export function shownProgress({ bytes, total }: Arrived): string {
  const size = (count: number): string =>
    count >= 1e9 ? `${(count / 1e9).toFixed(2)} GB` : `${(count / 1e6).toFixed(1)} MB`;
  return total === undefined ? size(bytes) : `${size(bytes)} of ${size(total)} (${Math.floor((100 * bytes) / total)} %)`;
}

/** Why it failed, in one line: what `fetch` throws hides its cause. */
export function shownFailure(error: unknown): string {
  const { message, cause } = error instanceof Error ? error : new Error(String(error));
  const reason = cause instanceof Error ? (cause.message === "" ? (cause as NodeJS.ErrnoException).code : cause.message) : "";
  return reason === "" || reason === undefined ? message : `${message}: ${reason}`;
}
