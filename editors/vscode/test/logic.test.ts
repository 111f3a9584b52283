import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { suite, test } from "node:test";
import { coalesced } from "../src/logic/coalesce";
import { Crashes } from "../src/logic/crashes";
import { findServer, installCommands, isNewEnough, onPath, programIn, shown } from "../src/logic/discovery";
import { COMPILING, shownInstalling, whyFailed } from "../src/logic/installing";
import { explained, type Figures } from "../src/logic/report";
import { run } from "../src/logic/run";
import { explicitSettings, toggled, type Inspected } from "../src/logic/settings";
import { statusItem, type Life, type ServerStatus } from "../src/logic/state";

suite("coalesced", () => {
  test("calls during a run share one further run, also after a failure", async () => {
    const ends: { resolve: () => void; reject: (error: Error) => void }[] = [];
    const run = coalesced(() => new Promise((resolve, reject) => ends.push({ resolve, reject })));
    const first = run();
    const [second, third] = [run(), run()];
    assert.equal(ends.length, 1);
    assert.equal(second, third);
    ends[0]?.reject(new Error("broken"));
    await assert.rejects(first, /broken/);
    await new Promise(setImmediate);
    assert.equal(ends.length, 2);
    ends[1]?.resolve();
    await second;
    const fourth = run();
    assert.equal(ends.length, 3);
    ends[2]?.resolve();
    await fourth;
  });
});

suite("crashes", () => {
  test("delays grow; the fifth within three minutes is the last", () => {
    const crashes = new Crashes();
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((time) => crashes.delayAfterCrash(time)),
      [200, 400, 800, 1600, undefined],
    );
    crashes.forget();
    assert.equal(crashes.delayAfterCrash(5), 200);
  });

  test("those of long ago do not count", () => {
    const crashes = new Crashes();
    for (let minute = 0; minute < 20; minute += 1) {
      assert.notEqual(crashes.delayAfterCrash(minute * 60_000), undefined);
    }
  });
});

suite("discovery", () => {
  const environment = "/storage/server-0.1.0/1";
  const own = programIn(environment, "repofill", "linux");
  const searchPath = ["bin", ".", "/usr/bin", "/opt/bin"].join(path.delimiter);

  function check(chosen: string, programs: string[], expected: ReturnType<typeof findServer>): void {
    const found = findServer(chosen, environment, searchPath, "linux", (file) => programs.includes(file));
    assert.deepEqual(found, expected);
  }

  test("the user's choice, else the own environment, else the PATH, else none", () => {
    check("/mine", [own], { command: "/mine", origin: "settings" });
    check("~/mine", [own], { command: path.join(os.homedir(), "mine"), origin: "settings" });
    check("~other/mine", [own], { command: "~other/mine", origin: "settings" });
    check("", [own, "/usr/bin/repofill"], { command: own, origin: "own environment" });
    check("", ["/opt/bin/repofill"], { command: "/opt/bin/repofill", origin: "PATH" });
    check("", [], undefined);
    assert.equal(findServer("", undefined, searchPath, "linux", () => false), undefined);
  });

  test("a program of the opened folder is never found", () => {
    check("", ["bin/repofill", "repofill", "./repofill"], undefined);
    assert.equal(
      onPath("python3", searchPath, () => true),
      "/usr/bin/python3",
    );
  });

  test("the commands to agree to, as one would type them", () => {
    const commands = installCommands("/usr/bin/python3", "/my files/env", "/ext/server", "repofill-0.1.0.whl", "linux");
    assert.deepEqual(commands.map(shown), [
      '/usr/bin/python3 -I -m venv "/my files/env"',
      '"/my files/env/bin/python" -I -m pip install --disable-pip-version-check --constraint /ext/server/constraints.txt /ext/server/repofill-0.1.0.whl',
      '"/my files/env/bin/repofill" --version',
    ]);
  });
});

suite("installing", () => {
  test("runs nothing of the folder that VS Code was started in", async () => {
    const [before, project] = [process.cwd(), fs.mkdtempSync(path.join(os.tmpdir(), "repofill-project-"))];
    fs.writeFileSync(path.join(project, "venv.py"), "raise SystemExit('the project is running')");
    process.chdir(project);
    try {
      const [, ...install] = installCommands("python3", path.join(project, "environment"), "", "", process.platform)[0] ?? [""];
      assert.equal(await run(isNewEnough("python3")), undefined);
      assert.equal(await run(["python3", ...install.slice(0, -1), "--help"]), undefined);
    } finally {
      process.chdir(before);
      fs.rmSync(project, { recursive: true });
    }
  });

  test("why it failed, for people", () => {
    for (const said of [
      "ERROR: Failed building wheel for llama-cpp-python",
      "ERROR: Could not build wheels for llama-cpp-python, which is required to install pyproject.toml-based projects",
      "ERROR: Failed to build installable wheels for some pyproject.toml based projects (llama-cpp-python)",
    ]) {
      assert.equal(whyFailed(said), `llama.cpp could not be compiled, which takes a C++ compiler. ${said}`);
    }
    const missing = "ERROR: No matching distribution found for llama_cpp_python==0.3.36";
    assert.equal(whyFailed(missing), missing);
  });

  const wheel = "  Building wheel for llama-cpp-python (pyproject.toml)";

  test("what pip says, for how long it has, and how long compiling takes", () => {
    assert.equal(shownInstalling("Collecting pygls", 59_999), "Collecting pygls");
    assert.equal(shownInstalling(`${wheel}: started`, 0), `compiling llama.cpp, which takes ${COMPILING}`);
    assert.equal(shownInstalling(`${wheel}: still running...`, 185_000), `compiling llama.cpp, which takes ${COMPILING} (3 min so far)`);
    assert.equal(shownInstalling(`${wheel}: finished with status 'done'`, 60_000), `${wheel.trim()}: finished with status 'done' (1 min so far)`);
  });
});

suite("settings", () => {
  const properties = {
    "repofill.model.path": { scope: "machine" },
    "repofill.suggest.max_items": { scope: "window" },
    "repofill.suggest.enabled": { scope: "window" },
    "repofill.server.command": { scope: "machine" },
  };

  function check(values: Record<string, Inspected>, expected: object): void {
    assert.deepEqual(
      explicitSettings(properties, (name) => values[name]),
      expected,
    );
  }

  test("defaults are not sent, what is set is, the innermost first", () => {
    check({ "repofill.suggest.enabled": {} }, {});
    check(
      {
        "repofill.suggest.enabled": { globalValue: false },
        "repofill.suggest.max_items": { globalValue: 1, workspaceValue: 2, workspaceFolderValue: 3 },
      },
      { suggest: { enabled: false, max_items: 3 } },
    );
  });

  test("no workspace names a model", () => {
    const evil = { workspaceValue: "/evil.gguf", workspaceFolderValue: "/evil.gguf" };
    check({ "repofill.model.path": evil }, {});
    check({ "repofill.model.path": { ...evil, globalValue: "/mine.gguf" } }, { model: { path: "/mine.gguf" } });
  });

  test("the extension's own settings stay here", () => {
    check({ "repofill.server.command": { globalValue: "/x" } }, {});
  });

  test("toggling", () => {
    assert.deepEqual(toggled([], "python"), ["python"]);
    assert.deepEqual(toggled(["markdown", "python"], "python"), ["markdown"]);
  });
});

suite("explained", () => {
  const last: Figures = {
    items: [{ text: "a ``` b\nc", confidence: 0.873, source: "both" }],
    prompt_tokens: 200,
    cached_tokens: 150,
    context: [
      { path: "a|b.py", tokens: 12, form: "whole" },
      { path: "`![](https:/there/\n__x__.py", tokens: 3, form: "whole" },
    ],
    timings_ms: { plan: 1.25, total: 20 },
    deadline_ms: 500,
    model: "small",
  };

  test("says where the text comes from, what was in the prompt, and where time went", () => {
    const text = explained({ files: [], tokens: 0, last }, "python");
    for (const part of [
      "87 % sure, written by the model, and found in the project",
      "````python\na ``` b\nc\n````",
      "200 tokens for `small`, 150 of them (75 %) cached.",
      "| `a\\|b.py`                         | whole | 12     |",
      "| `` `![](https:/there/ __x__.py `` | whole | 3      |",
      "| plan  | 1.3  |",
      "It would show no other file.",
    ]) {
      assert.ok(text.includes(part), `${part} is not in\n${text}`);
    }
  });

  test("nothing yet", () => {
    assert.match(explained({ files: [], tokens: 0, last: null }, ""), /^# No suggestion yet/);
    const none = { ...last, items: [], prompt_tokens: 0 };
    assert.match(explained({ files: [], tokens: 0, last: none }, ""), /Nothing was probable enough[^]*\(0 %\)/);
    assert.match(explained({ files: [], tokens: 0, last: { ...none, deadline_ms: 20 } }, ""), /after 20 ms/);
  });
});

suite("status", () => {
  const status: ServerStatus = {
    ready: true,
    engine: { state: "ready", reason: "" },
    folders: [{ root: "/p", ready: true, files: 7 }],
    model: "small",
    last_ms: 83.6,
  };

  function check(life: Life, off: Parameters<typeof statusItem>[1], text: string, tooltip: RegExp, warns = false): void {
    const shown = statusItem(life, off);
    assert.equal(shown.text, text);
    assert.match(shown.tooltip, tooltip);
    assert.equal(shown.warns, warns);
  }

  test("model, state and latency", () => {
    check({ kind: "running", status }, undefined, "$(sparkle) repofill 84 ms", /Model: small\nState: ready\nProject: 7 files\nLast answer: 84 ms$/);
    check({ kind: "running", status: { ...status, last_ms: null } }, undefined, "$(sparkle) repofill", /none yet/);
    check({ kind: "running", status }, "in this language", "$(circle-slash) repofill 84 ms", /off in this language/);
    check({ kind: "running", status }, "everywhere", "$(circle-slash) repofill 84 ms", /off everywhere/);
  });

  test("what is wrong, and what goes on", () => {
    const failed = { ...status, engine: { state: "failed", reason: "there is no /x.gguf" } };
    check({ kind: "running", status: failed }, undefined, "$(error) repofill", /State: failed, there is no \/x\.gguf/, true);
    const reading = { ...status, folders: [{ root: "/p", ready: false, files: 3 }], last_ms: null };
    check({ kind: "running", status: reading }, undefined, "$(sync~spin) repofill", /3 files, still reading/);
    check({ kind: "failed", reason: "because" }, undefined, "$(error) repofill", /because/, true);
    check({ kind: "missing" }, undefined, "$(warning) repofill", /not installed/, true);
    check({ kind: "installing" }, undefined, "$(sync~spin) repofill", /being installed/);
  });
});
