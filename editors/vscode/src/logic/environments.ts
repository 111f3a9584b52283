import * as fs from "node:fs";
import * as path from "node:path";

const VERSION = "server-";
const COMPLETE = "complete";
const DAY_MS = 24 * 60 * 60_000;

/**
 * The virtual environments of the server: one for each time it was installed, named by that time. None is ever written to
 * again, nor moved, which an environment does not survive.
 */
export class Environments {
  private readonly folder: string;

  /** They lie below the extension's storage; each version of the extension has its own. */
  constructor(
    private readonly storage: string,
    version: string,
  ) {
    this.folder = path.join(storage, `${VERSION}${version}`);
  }

  /** Where one goes that is installed at that time. */
  at(time: number): string {
    return path.join(this.folder, String(time));
  }

  /** The newest that is complete, of this version; until there is one, of any other: all servers speak alike. */
  get current(): string | undefined {
    const own = inside(this.folder).filter(isComplete);
    return (own.length > 0 ? own : this.all.filter(isComplete)).sort((one, other) => timeOf(one) - timeOf(other)).at(-1);
  }

  /** Whether the current one is of another version. */
  get isOutdated(): boolean {
    const { current } = this;
    return current !== undefined && path.dirname(current) !== this.folder;
  }

  /** From now on it counts. */
  complete(environment: string): void {
    fs.writeFileSync(path.join(environment, COMPLETE), "");
  }

  /** Removes all but the current one, of every version, and but those that another window may still be installing. */
  async removeOthers(now = Date.now()): Promise<void> {
    const { current } = this;
    for (const other of this.all.filter((environment) => environment !== current)) {
      const isYoung = now - timeOf(other) < DAY_MS;
      if (isComplete(other) || !isYoung) {
        await remove(other);
      }
    }
    for (const version of this.versions) {
      await fs.promises.rmdir(version).catch(() => undefined); // unless something is left in it
    }
  }

  private get versions(): string[] {
    return inside(this.storage).filter((folder) => path.basename(folder).startsWith(VERSION));
  }

  private get all(): string[] {
    return this.versions.flatMap(inside);
  }
}

function timeOf(environment: string): number {
  return Number(path.basename(environment));
}

function inside(folder: string): string[] {
  return fs.existsSync(folder) ? fs.readdirSync(folder).map((name) => path.join(folder, name)) : [];
}

/** Removes a folder, as far as it can be: Windows keeps what still runs, in another window for instance. */
export async function remove(folder: string): Promise<void> {
  await fs.promises.rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
}

function isComplete(environment: string): boolean {
  return fs.existsSync(path.join(environment, COMPLETE));
}
