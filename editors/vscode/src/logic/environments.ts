import * as fs from "node:fs";
import * as path from "node:path";

const COMPLETE = "complete";
const DAY_MS = 24 * 60 * 60_000;

/**
 * The virtual environments of one version of the server: one for each time it was installed, named by that time. None is
 * ever written to again, nor moved, which an environment does not survive.
 */
export class Environments {
  private readonly folder: string;

  /** They lie below the extension's storage; each version of the extension has its own. */
  constructor(storage: string, version: string) {
    this.folder = path.join(storage, `server-${version}`);
  }

  /** Where one goes that is installed at that time. */
  at(time: number): string {
    return path.join(this.folder, String(time));
  }

  /** The newest that is complete. */
  get current(): string | undefined {
    return this.all().filter(isComplete).sort().at(-1);
  }

  /** From now on it counts. */
  complete(environment: string): void {
    fs.writeFileSync(path.join(environment, COMPLETE), "");
  }

  /** Removes all but the current one, and those that another window may still be installing. */
  async removeOthers(now = Date.now()): Promise<void> {
    const { current } = this;
    for (const other of this.all().filter((environment) => environment !== current)) {
      const isYoung = now - Number(path.basename(other)) < DAY_MS;
      if (isComplete(other) || !isYoung) {
        await remove(other);
      }
    }
  }

  private all(): string[] {
    return fs.existsSync(this.folder) ? fs.readdirSync(this.folder).map((name) => path.join(this.folder, name)) : [];
  }
}

/** Removes a folder, as far as it can be: Windows keeps what still runs, in another window for instance. */
export async function remove(folder: string): Promise<void> {
  await fs.promises.rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
}

function isComplete(environment: string): boolean {
  return fs.existsSync(path.join(environment, COMPLETE));
}
