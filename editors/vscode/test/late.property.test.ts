import assert from "node:assert/strict";
import { mock, test } from "node:test";
import fc from "fast-check";
import { LateAnswers } from "../src/logic/late";

const PATIENCE_MS = 100;
const PLACES = ["a", "b", "c"] as const;

interface Request {
  readonly place: string;
  readonly number: number;
  readonly resolve: (answer: string) => void;
  readonly reject: (error: Error) => void;
  state: "open" | "cancelled" | "answered";
}

/** An editor whose cursor moves between places, and a server that answers when it likes, be it after a cancel. */
class Session {
  readonly requests: Request[] = [];
  place = "";
  /** What is on the screen: it belongs to `place`. */
  shown = "";
  private asks = 0;
  private waiting = false;
  private readonly late = new LateAnswers<string>(
    (answer) => answer !== "",
    (place) => {
      if (place === this.place) {
        this.ask(true);
      }
    },
    PATIENCE_MS,
  );

  /** The cursor moves, or a letter is typed: VS Code gives up what it waits for, and asks at the new place. */
  go(place: string, explicit: boolean): void {
    this.leave();
    this.place = place;
    this.shown = "";
    this.ask(explicit);
  }

  /** VS Code gives up what it waits for. */
  leave(): void {
    if (this.waiting) {
      this.late.cancel(this.place);
    }
    this.waiting = false;
    this.asks += 1;
  }

  answer(request: Request, text: string): void {
    if (request.state === "open") {
      request.state = "answered";
    }
    request.resolve(text);
  }

  fail(request: Request): void {
    request.state = "cancelled";
    request.reject(new Error("gone"));
  }

  get open(): Request[] {
    return this.requests.filter(({ state }) => state === "open");
  }

  get isWaiting(): boolean {
    return this.waiting;
  }

  private ask(explicit: boolean): void {
    const number = (this.asks += 1);
    const { place } = this;
    this.waiting = true;
    this.late
      .ask(place, () => this.request(place), explicit)
      .catch(() => undefined) // as VS Code does
      .then((answer) => {
        if (number === this.asks) {
          this.waiting = false;
          this.show(place, answer ?? "");
        }
      })
      .catch((error: unknown) => {
        this.wrong = error;
      });
  }

  wrong: unknown;

  private show(place: string, answer: string): void {
    if (answer !== "") {
      const [from, number] = answer.split(" ");
      assert.equal(from, place, "an answer for another place is shown");
      assert.equal(this.requests[Number(number)]?.state, "answered", "an answer to what was given up is shown");
    }
    this.shown = answer;
  }

  private request(place: string): { answer: Promise<string>; cancel: () => void } {
    const { promise, resolve, reject } = withResolvers();
    const request: Request = { place, number: this.requests.length, resolve, reject, state: "open" };
    this.requests.push(request);
    const cancel = (): void => {
      if (request.state === "open") {
        request.state = "cancelled";
      }
    };
    return { answer: promise, cancel };
  }
}

function withResolvers() {
  let resolve: (answer: string) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<string>((yes, no) => {
    [resolve, reject] = [yes, no];
  });
  promise.catch(() => undefined); // nobody may be listening any more
  return { promise, resolve, reject };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

const steps = fc.array(
  fc.oneof(
    fc.record({ does: fc.constant("go" as const), place: fc.constantFrom(...PLACES), explicit: fc.boolean() }),
    fc.record({ does: fc.constant("leave" as const) }),
    fc.record({ does: fc.constantFrom("answer" as const, "nothing" as const, "fail" as const), which: fc.nat(9) }),
    fc.record({ does: fc.constant("wait" as const), ms: fc.constantFrom(1, 60, PATIENCE_MS) }),
  ),
  { maxLength: 25 },
);

test("whatever happens: answers where they belong, one request at a time, no long wait, and the last answer is seen", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const session = new Session();
        for (const step of taken) {
          if (step.does === "go") {
            session.go(step.place, step.explicit);
          } else if (step.does === "leave") {
            session.leave();
          } else if (step.does === "wait") {
            mock.timers.tick(step.ms);
          } else {
            const request = session.requests.at(-1 - step.which);
            if (request !== undefined && step.does === "fail") {
              session.fail(request);
            } else if (request !== undefined) {
              session.answer(request, step.does === "nothing" ? "" : `${request.place} ${request.number}`);
            }
          }
          await settled();
          assert.equal(session.wrong, undefined);
          assert.ok(session.open.length <= 1, "more than one request is under way");
        }
        session.go("a", false);
        await settled();
        mock.timers.tick(PATIENCE_MS);
        await settled();
        assert.equal(session.isWaiting, false, "the editor is kept waiting");
        for (const request of session.open) {
          session.answer(request, `a ${request.number}`);
        }
        await settled();
        await settled();
        assert.equal(session.wrong, undefined);
        assert.match(session.shown, /^a \d+$/, "the answer to the last request is not on the screen");
      }),
      { numRuns: 500 },
    );
  } finally {
    mock.timers.reset();
  }
});
