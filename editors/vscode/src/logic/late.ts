/** What VS Code waits for an automatic suggestion, less a margin: after about 720 ms it shows no answer any more. */
export const PATIENCE_MS = 600;

interface Request<Answer> {
  readonly place: string;
  readonly answer: Promise<Answer>;
  readonly cancel: () => void;
}

/**
 * Answers that take longer than the editor waits: the editor is told "nothing yet", the server works on, and when its
 * answer is there the editor is made to ask again (`showAt`), which gets that answer at once.
 *
 * A place is a document's version and a position. A request for another place cancels the one before.
 */
export class LateAnswers<Answer> {
  private current: Request<Answer> | undefined;
  private held: { readonly place: string; readonly answer: Answer } | undefined;

  constructor(
    private readonly isWorthShowing: (answer: Answer) => boolean,
    private readonly showAt: (place: string) => void,
    private readonly patienceMs = PATIENCE_MS,
  ) {}

  /** The answer, or undefined when the editor should stop waiting; with `waits`, it is waited for without limit. */
  async ask(
    place: string,
    request: () => { answer: Promise<Answer>; cancel: () => void },
    waits = false,
  ): Promise<Answer | undefined> {
    const held = this.held;
    this.held = undefined;
    if (held?.place === place) {
      return held.answer;
    }
    this.cancel();
    const asked: Request<Answer> = { place, ...request() };
    this.current = asked;
    if (waits) {
      return asked.answer;
    }
    const first = await Promise.race([asked.answer.then((answer) => ({ answer })), after(this.patienceMs)]);
    if (first === undefined) {
      void this.showLater(asked);
    }
    return first?.answer;
  }

  /** Give up the request under way, if it is for that place. */
  cancel(place = this.current?.place): void {
    if (this.current?.place === place) {
      this.current?.cancel();
      this.current = undefined;
    }
  }

  private async showLater(asked: Request<Answer>): Promise<void> {
    const answer = await asked.answer.catch(() => undefined);
    if (answer !== undefined && this.current === asked && this.isWorthShowing(answer)) {
      this.held = { place: asked.place, answer };
      this.showAt(asked.place);
    }
  }
}

function after(milliseconds: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds, undefined));
}
