import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as path from "node:path";
import { after, before, suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Editor, until } from "./editor";

const BODY = "total = amount * price\n    total += total * tax\n    return total";
const TABBED = "fees = price + amount\n\tfees -= fees * tax\n\treturn fees";
const START = "def second(shape):\n    ";
const TYPED = "outline = shape.width * shape.he";
const REST = "ight + shape.border_thickness";
const FILES = {
  "shapes.py": `def first(shape):\n    ${TYPED}${REST}\n    return outline\n`,
  "costs.py": `def cost(amount, price, tax):\n    ${BODY}\n`,
  "fees.py": `def fees(amount, price, tax):\n\t${TABBED}\n`,
  "words.py": 'greeting = "Grüße, 😀 👩‍💻 Welt"\n',
  "calls.py": 'total = collected([name, "alpha"], beta).rounded(3)\n'.repeat(2),
  "loads.py": "def load_data(count):\n    return list(range(count))\n",
};
/** Everything the server has an idea of is offered, and waited for however busy this machine is. */
const EAGER = { "repofill.suggest.min_confidence": 0, "repofill.suggest.max_items": 10, "repofill.suggest.deadline_ms": 60_000 };

/** On a machine that has never compiled llama.cpp. */
const INSTALLING_LIMIT_MS = 1_200_000;

suite("suggestions", () => {
  let editor: Editor;

  before(async () => {
    editor = await Editor.start({ files: FILES, settings: EAGER });
    await editor.open("shapes.py");
    await editor.status(/State: ready/);
  });
  after(() => editor.stop());

  let count = 0;

  /** Opens a new file with this text, runs the steps, and wants no message to have popped up. Removes the file. */
  async function within(text: string, steps: (name: string) => Promise<void>): Promise<void> {
    count += 1;
    const name = editor.create(`new${count}.py`, text);
    await editor.open(name);
    try {
      await steps(name);
      assert.deepEqual(await editor.messages(), []);
    } catch (error) {
      await editor.page.screenshot({ path: `out/e2e/failed-${name}.png` });
      throw error;
    }
    await editor.close(name);
    fs.rmSync(editor.file(name));
  }

  test("ghost text is seen, Tab inserts it as shown, and one undo takes it back", () =>
    within(START, async (name) => {
      await editor.type(TYPED);
      await editor.cycleTo(REST);
      await editor.press("Tab");
      await editor.noSuggestion();
      await editor.saved(name, `${START}${TYPED}${REST}`);
      await editor.press("Control+Z");
      await editor.saved(name, `${START}${TYPED}`);
    }));

  test("what is typed of it stays typed, the rest stays a suggestion", () =>
    within(START, async (name) => {
      await editor.type(TYPED);
      await editor.cycleTo(REST);
      await editor.type(REST.slice(0, 7));
      await editor.cycleTo(REST.slice(7));
      await editor.press("Tab");
      await editor.saved(name, `${START}${TYPED}${REST}`);
    }));

  test("word by word", () =>
    within(START, async (name) => {
      await editor.type(TYPED);
      await editor.cycleTo(REST);
      await editor.press("Control+ArrowRight");
      const rest = await editor.suggestion((text) => text !== REST && REST.endsWith(text));
      const word = REST.slice(0, -rest.length);
      assert.match(word, /^ight ?$/);
      await editor.saved(name, `${START}${TYPED}${word}`);
    }));

  test("line by line", () =>
    within("def cost_again(amount, price, tax):", async (name) => {
      const [first, second, third] = BODY.split("\n    ") as [string, string, string];
      await editor.press("Enter");
      await editor.cycleTo(BODY);
      await editor.page.screenshot({ path: "out/e2e/ghost-text.png", clip: { x: 304, y: 38, width: 620, height: 140 } });
      await editor.press("Control+Alt+ArrowRight");
      await editor.suggestion((text) => text.trim() === `${second}\n    ${third}`);
      await editor.press("Escape");
      await editor.noSuggestion();
      await editor.saved(name, `def cost_again(amount, price, tax):\n    ${first}\n`);
      await editor.press("Tab"); // which is as ever
      await editor.saved(name, `def cost_again(amount, price, tax):\n    ${first}\n    `);
    }));

  test("a line, then with Tab the rest, which begins with an indentation", () =>
    within("def cost_again(amount, price, tax):", async (name) => {
      const [, second, third] = BODY.split("\n    ") as [string, string, string];
      await editor.press("Enter");
      await editor.cycleTo(BODY);
      await editor.press("Control+Alt+ArrowRight");
      await editor.suggestion((text) => text.trim() === `${second}\n    ${third}`);
      await editor.press("Tab");
      await editor.saved(name, `def cost_again(amount, price, tax):\n    ${BODY}`);
    }));

  test("other suggestions are a key away, and the one shown is the one inserted", () =>
    within(START, async (name) => {
      await editor.type(TYPED);
      const first = await editor.suggestion();
      await editor.press("Alt+]");
      const second = await editor.suggestion((text) => text !== "" && text !== first);
      await editor.press("Alt+[");
      await editor.suggestion((text) => text === first);
      await editor.press("Alt+]");
      await editor.suggestion((text) => text === second);
      await editor.press("Tab");
      await editor.saved(name, `${START}${TYPED}${second}`);
    }));

  test("Escape dismisses it", () =>
    within(START, async (name) => {
      await editor.type(TYPED);
      await editor.suggestion();
      await editor.press("Escape");
      await editor.noSuggestion();
      await sleep(1500);
      assert.equal(await editor.ghost(), "");
      await editor.saved(name, `${START}${TYPED}`);
    }));

  test("switched off in a language, and on again", () =>
    within(START, async (name) => {
      await editor.type(TYPED);
      await editor.suggestion();
      await editor.command("Toggle Suggestions for This Language");
      await editor.status(/off in this language/);
      await editor.type("i");
      await sleep(2000);
      assert.equal(await editor.ghost(), "");
      await editor.command("Toggle Suggestions for This Language");
      await editor.status(/Last answer: \d+ ms$/);
      await editor.type("g");
      await editor.cycleTo(REST.slice(2));
      await editor.press("Escape");
      await editor.saved(name, `${START}${TYPED}ig`);
    }));

  test("fast typing loses nothing, and the suggestion belongs to where it ends", () =>
    within(START, async (name) => {
      const lines = [...Array<string>(8).fill("sums = shape.width + 1"), TYPED];
      await editor.type(lines.join("\n"), 4);
      const ghost = await editor.suggestion();
      await editor.press("Tab");
      await editor.saved(name, `${START}${lines.join("\n    ")}${ghost}`); // VS Code indents like the line before
    }));

  test("emoji before the cursor and inside of the suggestion", () =>
    within('# 😀👩‍💻é\nname = "😀👩‍💻"; other_', async (name) => {
      await editor.type("greeting = ");
      await editor.page.keyboard.insertText('"Grü');
      await editor.cycleTo("ße, 😀 👩‍💻 Welt"); // VS Code has closed the string
      await editor.press("Tab");
      await editor.saved(name, '# 😀👩‍💻é\nname = "😀👩‍💻"; other_greeting = "Grüße, 😀 👩‍💻 Welt"');
    }));

  test("a file with tabs gets tabs", () =>
    within("if True:\n\tpass\n\n\ndef fees_again(amount, price, tax):", async (name) => {
      await editor.press("Enter");
      await editor.cycleTo(TABBED.replaceAll("\t", "    ")); // as it is drawn
      await editor.press("Tab");
      await editor.saved(name, `if True:\n\tpass\n\n\ndef fees_again(amount, price, tax):\n\t${TABBED}`);
    }));

  test("a file with CRLF gets CRLF", () =>
    within("import costs\r\n\r\n\r\ndef cost_again(amount, price, tax):", async (name) => {
      await editor.press("Enter");
      await editor.cycleTo(BODY);
      await editor.press("Tab");
      const body = `\n    ${BODY}`.replaceAll("\n", "\r\n");
      await editor.saved(name, `import costs\r\n\r\n\r\ndef cost_again(amount, price, tax):${body}`);
    }));

  test("a bracket that the editor closed is not closed twice", () =>
    within(START, async (name) => {
      await editor.type("rows = list(range(co");
      const ghost = await editor.suggestion();
      await editor.press("Tab");
      await editor.saved(name, `${START}rows = list(range(co${ghost}))`);
      assert.doesNotMatch(ghost, /\)$/);
    }));

  test("a suggestion goes on behind brackets and quotes that the editor closed", () =>
    within(START, async (name) => {
      await editor.type("total = collected([name, \"al");
      await editor.cycleTo("pha, beta.rounded(3)"); // around what the editor closed
      await editor.press("Tab");
      await editor.saved(name, `${START}total = collected([name, "alpha"], beta).rounded(3)`);
      await editor.press("Control+Z");
      await editor.saved(name, `${START}total = collected([name, "al"])`);
    }));

  test("an answer that comes after VS Code stopped waiting is shown all the same", () =>
    within(START, async (name) => {
      await editor.type(TYPED.slice(0, -1));
      await editor.suggestion();
      const model = editor.model();
      assert.ok(model !== undefined);
      process.kill(model, "SIGSTOP");
      try {
        await editor.press("Escape");
        await editor.type(" ");
        await sleep(1000); // by then VS Code has asked there, and what was suggested is none that is being typed
        await editor.press("Backspace");
        await editor.type(TYPED.slice(-1));
        await sleep(2500);
        assert.equal(await editor.ghost(), "");
      } finally {
        process.kill(model, "SIGCONT");
      }
      const ghost = await editor.suggestion();
      await editor.press("Tab");
      await editor.saved(name, `${START}${TYPED}${ghost}`);
    }));

  test("the last suggestion explains itself", () =>
    within(START, async () => {
      await editor.type(TYPED);
      await editor.cycleTo(REST);
      await editor.command("Explain the Last Suggestion");
      const preview = editor.page.frameLocator("iframe.webview.ready").frameLocator("iframe#active-frame");
      await preview.locator("h2", { hasText: /\d+ % sure, (copied|written)/ }).first().waitFor();
      await preview.locator("code", { hasText: REST }).first().waitFor();
      await preview.locator("td", { hasText: "total" }).waitFor();
      await editor.page.screenshot({ path: "out/e2e/explanation.png" });
      await editor.command("View: Close Editor");
      await preview.locator("h2").first().waitFor({ state: "detached" });
    }));

  test("a killed model process, then a killed server, are back without a word", () =>
    within(START, async (name) => {
      await editor.type(TYPED);
      await editor.suggestion();
      const [model, server] = [editor.model(), editor.server()];
      assert.ok(model !== undefined);
      process.kill(model, "SIGKILL");
      await editor.type("i");
      await until("another model process", () => ![undefined, model].includes(editor.model()));
      await editor.type("g");
      await editor.suggestion();
      process.kill(server, "SIGKILL");
      await until("another server", () => editor.processes("serve").some((pid) => pid !== server));
      await editor.status(/State: (ready|idle)/);
      await editor.type("h");
      const ghost = await editor.suggestion();
      await editor.press("Tab");
      await editor.saved(name, `${START}${TYPED}igh${ghost}`);
    }));

  test("restarted by command, however often it is given", () =>
    within(START, async () => {
      const server = editor.server();
      for (let count = 0; count < 3; count += 1) {
        await editor.command("Restart the Server");
      }
      await until("another server", () => editor.processes("serve").every((pid) => pid !== server));
      await editor.status(/State: (ready|idle)/);
      assert.notEqual(editor.server(), server); // which fails if there are several
    }));
});

suite("a model that is not there", () => {
  test("is said once, however much is typed; the bundled one, chosen instead, works at once", async () => {
    const missing = "/nowhere/absent.gguf";
    const editor = await Editor.start({ files: FILES, settings: { ...EAGER, "repofill.model.path": missing } });
    try {
      await editor.open(editor.create("new.py", START));
      await editor.status(/Last answer/);
      await editor.type(`first = 1\nsecond = 2\n${TYPED.slice(0, -1)}`, 100);
      await until("a message", async () => (await editor.messages()).length > 0);
      await editor.type(TYPED.slice(-1));
      await sleep(2000);
      const messages = await editor.messages();
      assert.equal(messages.length, 1, messages.join("\n"));
      assert.match(messages[0] ?? "", /^repofill: .*\/nowhere\/absent\.gguf/);
      await editor.command("Choose a Model File");
      await editor.choose("The bundled model");
      const settings = `${editor.folder}/data/Machine/settings.json`;
      await until("the setting to change", () => !fs.readFileSync(settings, "utf-8").includes(missing));
      await sleep(2000); // the server is told after that; nothing on the screen says when
      await editor.type("i");
      await editor.suggestion();
      await editor.status(/State: ready/);
    } finally {
      await editor.stop();
    }
  });
});

suite("a model from an address", () => {
  const bundled = path.resolve("../../models/bundled/repofill-small.gguf");
  let server: http.Server;
  let editor: Editor;
  let respond: (response: http.ServerResponse) => void = () => undefined;

  before(async () => {
    server = http.createServer((_, response) => {
      respond(response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    editor = await Editor.start({ files: FILES, settings: EAGER });
    await editor.open(editor.create("new.py", START));
    await editor.status(/State: ready/);
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await editor.stop();
  });

  const models = (): string[] => {
    const folder = path.join(editor.folder, "data", "User", "globalStorage", "repofill.repofill", "models");
    return fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  };

  async function ask(name: string): Promise<void> {
    await editor.command("Download a Model");
    const input = editor.page.locator(".quick-input-widget input.input");
    await input.fill(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`);
    await editor.press("Enter");
  }

  test("what is no model is refused, and nothing is left of it", async () => {
    respond = (response) => response.writeHead(200, { "content-type": "text/html" }).end("<h1>Sign in</h1>");
    await ask("page.gguf");
    await editor.page.getByText(/could not be downloaded: .*page\.gguf: it is not a GGUF file/).first().waitFor();
    assert.deepEqual(models(), []);
  });

  test("it can be given up while it arrives, and nothing is left of it", async () => {
    const ended = new Promise<void>((resolve) => {
      respond = (response) => {
        response.once("close", resolve);
        response.writeHead(200, { "content-length": 4_000_000 }).write(Buffer.alloc(1_000_000));
      };
    });
    await ask("slow.gguf");
    await editor.page.getByText(/1\.0 MB of 4\.0 MB \(25 %\)|MB of 4\.0 MB/).first().waitFor();
    await editor.page.getByRole("button", { name: "Cancel" }).click();
    await ended;
    await until("nothing to be left", () => models().length === 0, () => models().join(" "));
  });

  test("a good one is kept under its name, and used", async () => {
    const bytes = fs.readFileSync(bundled);
    respond = (response) => response.writeHead(200, { "content-length": bytes.length }).end(bytes);
    await ask("another.gguf");
    await until("the setting to change", () =>
      fs.readFileSync(`${editor.folder}/data/Machine/settings.json`, "utf-8").includes("another.gguf"),
    );
    assert.deepEqual(models(), ["another.gguf"]);
    await sleep(2000); // the server is told after that; nothing on the screen says when
    await editor.page.locator(".editor-instance .monaco-editor").first().click();
    await editor.press("Control+End");
    await editor.type(TYPED);
    await editor.cycleTo(REST);
    await until("the server to have it open", () => {
      const model = editor.model();
      return model !== undefined && fs.readFileSync(`/proc/${model}/maps`, "utf-8").includes("another.gguf");
    });
  });
});

suite("a notebook", () => {
  test("is one text: an earlier cell is context, and the cell that is typed in gets the suggestion", async () => {
    const { "loads.py": loads } = FILES;
    const cell = (source: string): object => ({
      cell_type: "code", execution_count: null, metadata: {}, outputs: [], source: source.split(/(?<=\n)/),
    });
    const notebook = JSON.stringify({
      cells: [cell(`def first(shape):\n    ${TYPED}${REST}\n    return outline`), cell("def second(shape):")],
      metadata: { language_info: { name: "python" } }, nbformat: 4, nbformat_minor: 5,
    });
    const editor = await Editor.start({ files: { "loads.py": loads, "study.ipynb": notebook }, settings: EAGER });
    try {
      await editor.open("loads.py");
      await editor.status(/State: ready/);
      await editor.openNotebook("study.ipynb");
      await editor.press("Enter");
      await editor.type(TYPED);
      await editor.cycleTo(REST);
      await editor.page.screenshot({ path: "out/e2e/notebook.png" });
      await editor.press("Tab");
      await editor.press("Control+S");
      const source = (): string => {
        const saved = fs.readFileSync(editor.file("study.ipynb"), "utf-8") || '{"cells": []}'; // empty while it is written
        const { cells } = JSON.parse(saved) as { cells: { source: string[] }[] };
        return cells[1]?.source.join("") ?? "";
      };
      const wanted = `def second(shape):\n    ${TYPED}${REST}`;
      await until("the notebook to be saved", () => source() === wanted, source);
      assert.deepEqual(await editor.messages(), []);
    } catch (error) {
      await editor.page.screenshot({ path: "out/e2e/failed-notebook.png" });
      throw error;
    } finally {
      await editor.stop();
    }
  });
});

suite("a workspace nobody trusts", () => {
  test("names neither program nor model, and gets suggestions", async () => {
    const evil = { "repofill.server.command": "/bin/false", "repofill.model.path": "/nowhere/evil.gguf" };
    const files = { ...FILES, ".vscode/settings.json": JSON.stringify(evil) };
    const editor = await Editor.start({ files, settings: EAGER, trusted: false });
    try {
      await editor.page.locator(".statusbar-item", { hasText: "Restricted Mode" }).waitFor();
      await editor.open(editor.create("new.py", START));
      await editor.status(/State: ready/);
      await editor.type(TYPED);
      await editor.cycleTo(REST);
      assert.deepEqual(await editor.messages(), []);
    } finally {
      await editor.stop();
    }
  });
});

suite("several folders", () => {
  test("are read by one server, each as a project of its own", async () => {
    const files = Object.entries(FILES);
    const both = [...files.map(([name, text]) => [`one/${name}`, text]), ["two/only.py", FILES["shapes.py"]]];
    const editor = await Editor.start({
      files: Object.fromEntries(both) as Record<string, string>,
      settings: EAGER,
      roots: ["one", "two"],
    });
    try {
      await editor.open("two/only.py");
      await editor.status(new RegExp(`State: ready\nProject: ${files.length + 1} files\n`));
      await editor.press("Enter", "Enter");
      await editor.type(`def second(shape):\n${TYPED}`);
      await editor.cycleTo(REST);
      assert.ok(editor.server());
    } finally {
      await editor.stop();
    }
  });
});

suite("without a server", () => {
  let editor: Editor;

  before(async () => {
    editor = await Editor.start({ files: FILES, settings: EAGER, server: "" });
    await editor.status(/The server is not installed/);
  });
  after(() => editor.stop());

  test("it says so, and installing one is asked first", async () => {
    await editor.page.getByRole("button", { name: "Install…" }).click();
    const dialog = editor.page.locator(".monaco-dialog-box");
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.waitFor({ state: "detached" });
    await editor.status(/The server is not installed/);
    await editor.command("Explain the Last Suggestion");
    await editor.page.getByText("repofill: The server is not installed").first().waitFor();
    await editor.command("repofill: Show All Commands");
    await editor.page.locator('.quick-input-list .monaco-list-row[data-index="0"]', { hasText: "Install the Server" }).waitFor();
    await editor.press("Escape");
  });

  test("it is installed after the commands were shown and agreed to, and works", async () => {
    await editor.statusItem.click();
    const dialog = editor.page.locator(".monaco-dialog-box");
    await dialog.waitFor();
    const shown = await dialog.innerText();
    assert.match(shown, /python3\S* -I -m venv /);
    assert.match(shown, /-m pip install .*repofill-[\d.]+-py3-none-any\.whl/);
    assert.deepEqual(editor.processes("pip"), []); // nothing happens before the user agrees
    await dialog.getByRole("button", { name: "Install", exact: true }).click();
    await editor.page.getByText("Installing repofill's server").first().waitFor();
    await editor.status(/The server is being installed/);
    await editor.open(editor.create("new.py", START));
    await editor.status(/State: ready/, INSTALLING_LIMIT_MS);
    const [command] = fs.readFileSync(`/proc/${editor.server()}/cmdline`, "utf-8").split("\0");
    assert.ok(command?.startsWith(editor.folder), command);
    await editor.type(TYPED);
    await editor.cycleTo(REST);
  });

  test("installing it anew can be given up: it is as it was, and nothing goes on", async () => {
    const server = editor.server();
    await editor.command("Install the Server");
    await editor.page.locator(".monaco-dialog-box").getByRole("button", { name: "Install", exact: true }).click();
    await until("pip", () => editor.processes("pip").length > 0);
    await editor.status(/The server is being installed/);
    await editor.page.getByRole("button", { name: "Cancel" }).click();
    await editor.status(/State: ready/);
    assert.deepEqual(editor.processes("pip"), []);
    assert.equal(editor.server(), server);
    await editor.command("Restart the Server");
    await until("another server", () => editor.processes("serve").every((pid) => pid !== server));
    await editor.status(/State: (ready|idle)/);
  });
});
