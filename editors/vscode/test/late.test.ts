import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { LateAnswers } from "../src/logic/late";

const PATIENCE_MS = 20;

/** A server whose answers come when the test says so. */
class Asked {
  cancelled = false;
  resolve: (answer: string) => void = () => undefined;
  reject: (error: Error) => void = () => undefined;
  readonly answer = new Promise<string>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  readonly request = () => ({
    answer: this.answer,
    cancel: () => {
      this.cancelled = true;
    },
  });
}

function setUp() {
  const shown: string[] = [];
  const late = new LateAnswers<string>(
    (answer) => answer !== "",
    (place) => shown.push(place),
    PATIENCE_MS,
  );
  return { shown, late };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 2 * PATIENCE_MS));

suite("late answers", () => {
  test("an answer in time is the answer, and nothing is shown again", async () => {
    const { shown, late } = setUp();
    const asked = new Asked();
    asked.resolve("text");
    assert.equal(await late.ask("a", asked.request), "text");
    await settled();
    assert.deepEqual(shown, []);
  });

  test("a late one makes the editor ask again, which gets it without the server being asked", async () => {
    const { shown, late } = setUp();
    const asked = new Asked();
    assert.equal(await late.ask("a", asked.request), undefined);
    assert.equal(asked.cancelled, false);
    asked.resolve("text");
    await settled();
    assert.deepEqual(shown, ["a"]);
    assert.equal(await late.ask("a", () => assert.fail("asked again"), true), "text");
    const again = new Asked();
    again.resolve("more");
    assert.equal(await late.ask("a", again.request, true), "more");
  });

  test("typing on cancels it, and it is never shown", async () => {
    const { shown, late } = setUp();
    const [first, second] = [new Asked(), new Asked()];
    await late.ask("a", first.request);
    const asking = late.ask("b", second.request);
    assert.equal(first.cancelled, true);
    first.resolve("old");
    second.resolve("new");
    assert.equal(await asking, "new");
    await settled();
    assert.deepEqual(shown, []);
  });

  test("a held answer is not given for another place, nor kept for later", async () => {
    const { late } = setUp();
    const [first, second, third] = [new Asked(), new Asked(), new Asked()];
    await late.ask("a", first.request);
    first.resolve("for a");
    await settled();
    second.resolve("for b");
    assert.equal(await late.ask("b", second.request), "for b");
    third.resolve("for a, anew");
    assert.equal(await late.ask("a", third.request), "for a, anew");
  });

  test("an empty or failed late answer shows nothing", async () => {
    const { shown, late } = setUp();
    const [first, second] = [new Asked(), new Asked()];
    await late.ask("a", first.request);
    first.resolve("");
    await settled();
    await late.ask("b", second.request);
    second.reject(new Error("gone"));
    await settled();
    assert.deepEqual(shown, []);
  });

  test("who asked is answered, however long it takes", async () => {
    const { shown, late } = setUp();
    const asked = new Asked();
    const asking = late.ask("a", asked.request, true);
    await settled();
    asked.resolve("text");
    assert.equal(await asking, "text");
    assert.deepEqual(shown, []);
  });

  test("cancelling one place leaves another alone", async () => {
    const { late } = setUp();
    const asked = new Asked();
    const asking = late.ask("b", asked.request);
    late.cancel("a");
    assert.equal(asked.cancelled, false);
    late.cancel("b");
    assert.equal(asked.cancelled, true);
    asked.resolve("text");
    await asking;
  });
});
