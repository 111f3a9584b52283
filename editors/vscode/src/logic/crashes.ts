const LIMIT = 5;
const WINDOW_MS = 3 * 60_000;
const FIRST_DELAY_MS = 200;

/** How often the server may die before it is left alone. */
export class Crashes {
  private times: number[] = [];

  /** Milliseconds to wait before starting it again; undefined at the fifth crash within three minutes. */
  delayAfterCrash(now: number): number | undefined {
    this.times = [...this.times.filter((time) => now - time < WINDOW_MS), now];
    return this.times.length < LIMIT ? FIRST_DELAY_MS * 2 ** (this.times.length - 1) : undefined;
  }

  forget(): void {
    this.times = [];
  }
}
