import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { Typing, type Place } from "../src/logic/typing";

const at = (line: string, number = 3, document = "a.py"): Place => {
  const [before = "", after = ""] = line.split("|");
  return { document, line: number, before, after };
};

function check(shown: string, texts: string[], then: Place, expected: string[], typed = 0): void {
  const typing = new Typing<string>((text) => text);
  typing.show(at(shown), texts);
  assert.deepEqual(typing.rest(then), { items: expected, typed: expected.length > 0 ? typed : 0 });
}

suite("a suggestion that is being typed", () => {
  test("its rest stays, with those that go on alike", () => {
    check("x = |", ["area(x)", "area(y)", "size"], at("x = a|"), ["area(x)", "area(y)"], 1);
    check("x = |", ["area(x)", "area(y)", "size"], at("x = area(y|"), ["area(y)"], 6);
    check("f(|)", ["x) + 1", "y"], at("f(x|)"), ["x) + 1"], 1);
    check("|", ["if a:\n    b()"], at("if a|"), ["if a:\n    b()"], 4);
  });

  test("until it is there, or something else is", () => {
    check("x = |", ["a"], at("x = a|"), []);
    check("x = |", ["area"], at("x = b|"), []);
    check("x = |", ["area"], at("x = |"), []);
    check("x = a|", ["rea"], at("x = |"), []);
    check("x = |", ["area"], at("y = a|"), []);
    check("f|", ["(x)"], at("f(|)"), []);
  });

  test("on its line alone", () => {
    check("x = |", ["area"], at("x = a|", 4), []);
    check("x = |", ["area"], at("x = a|", 3, "b.py"), []);
  });

  test("and none that is forgotten, or was never shown", () => {
    const typing = new Typing<string>((text) => text);
    assert.deepEqual(typing.rest(at("x|")).items, []);
    typing.show(at("|"), ["xy"]);
    typing.forget();
    assert.deepEqual(typing.rest(at("x|")).items, []);
    typing.show(at("|"), ["xyz"]);
    assert.deepEqual(typing.rest(at("x|")).items, ["xyz"]);
    assert.deepEqual(typing.rest(at("y|")).items, []);
    assert.deepEqual(typing.rest(at("xy|")).items, [], "it was left in between");
  });
});
