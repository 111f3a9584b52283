import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, mock, suite, test } from "node:test";
import type * as vscode from "vscode";
import manifest from "../package.json";
import { activate, deactivate } from "../src/extension";
import { programIn } from "../src/logic/discovery";
import { Environments } from "../src/logic/environments";
import { serve } from "./server";
import {
  CancellationTokenSource,
  InlineCompletionItem,
  InlineCompletionTriggerKind,
  live,
  Position,
  StatusBarItem,
  TextEditorSelectionChangeKind,
  Uri,
  type Registration,
} from "./vscode";

/** The language client's own: it makes emitters anew when it ends, and never disposes of what notebooks made it listen to. */
const OF_THE_CLIENT = /\bEventEmitter of \w+Feature\b|^workspace\.onDid\w+TextDocument of NotebookDocumentSyncFeature$/;

const INLINE = "languages.registerInlineCompletionItemProvider";
const INVOKED = { triggerKind: InlineCompletionTriggerKind.Invoke };
const AUTOMATIC = { triggerKind: InlineCompletionTriggerKind.Automatic };

function tests(): void {
  let storage: string;
  let context: vscode.ExtensionContext;

  beforeEach(() => {
    process.env["PATH"] = "";
    live.clear();
    storage = fs.mkdtempSync(path.join(os.tmpdir(), "repofill-disposables-"));
    context = {
      subscriptions: [],
      extension: { packageJSON: manifest },
      extensionUri: Uri.file(process.cwd()),
      globalStorageUri: Uri.file(storage),
      logUri: Uri.file(path.join(storage, "log")),
      globalState: { get: () => undefined, update: () => Promise.resolve() },
    } as unknown as vscode.ExtensionContext;
  });

  afterEach(async () => {
    await deactivate();
    fs.rmSync(storage, { recursive: true });
  });

  /** This file is the server, too: one that answers, be it without a model, or one that does not. */
  function install(kind: "answering" | "modelless" | "mute" = "answering", { version = manifest.version, at = Date.now() } = {}): void {
    const environments = new Environments(storage, version);
    const environment = environments.at(at);
    const program = programIn(environment, "repofill", process.platform);
    fs.mkdirSync(path.dirname(program), { recursive: true });
    environments.complete(environment);
    fs.writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${__filename}" ${kind}\n`, { mode: 0o755 });
  }

  function left(): string[] {
    return [...live].map(({ what }) => what).filter((what) => !OF_THE_CLIENT.test(what));
  }

  function registered(wanted: string): Registration {
    const found = [...live].find(({ what }) => what.startsWith(wanted));
    assert.ok(found, `${wanted} is not among\n${left().join("\n")}`);
    return found;
  }

  /** The language client is there, but not what it registers once the server has answered. */
  function isStarting(): boolean {
    return [...live].some(({ what }) => OF_THE_CLIENT.test(what));
  }

  /** Tells the extension of an event, and returns when the status item says so. */
  async function shows(text: RegExp, event?: string, value?: object): Promise<void> {
    if (event !== undefined) {
      (registered(`${event} of activate`).args[0] as (value: unknown) => void)(value);
    }
    const item = registered("window.createStatusBarItem");
    assert.ok(item instanceof StatusBarItem);
    await until(() => text.test(item.text));
  }

  function command(name: string): Promise<void> {
    return (registered(`commands.registerCommand(${name})`).args[1] as () => Promise<void>)();
  }

  /** What is suggested there. Of the request nothing is left but what the editor made for it. */
  async function suggestion(line: number, text = "", how: object = INVOKED): Promise<unknown> {
    const provider = registered(INLINE).args[1] as {
      provideInlineCompletionItems: (document: object, position: Position, context: object, token: object) => unknown;
    };
    const document = { uri: Uri.file("/a.py"), version: 1, languageId: "python", lineAt: () => ({ text }) };
    const place = new Position(line, text.length);
    const cancellation = new CancellationTokenSource();
    const items = await provider.provideInlineCompletionItems(document, place, how, cancellation.token);
    assert.deepEqual(left().filter((what) => what.includes("CancellationTokenSource")), [cancellation.what]);
    cancellation.dispose();
    return items;
  }

  /** As VS Code does it. */
  async function end(): Promise<void> {
    const ended = deactivate();
    for (const subscription of context.subscriptions) {
      subscription.dispose();
    }
    await ended;
    assert.deepEqual(left(), []);
    await until(() => !process.getActiveResourcesInfo().includes("ProcessWrap")); // no server is left
  }

  test("is disposed of without a server", async () => {
    await activate(context);
    registered("window.createStatusBarItem");
    await end();
  });

  test("is disposed of with a server, after a suggestion", async () => {
    install();
    await activate(context);
    for (const line of [1, 2]) {
      assert.deepEqual(await suggestion(line), [new InlineCompletionItem("rest")]);
    }
    await end();
  });

  test("a suggestion that is being typed goes on without the server, which would begin anew", async () => {
    install();
    await activate(context);
    const typed = async (text: string, how: object = AUTOMATIC): Promise<void> => {
      const texts = (await suggestion(1, text, how)) as InlineCompletionItem[];
      shown.push(...texts.map(({ insertText }) => insertText));
    };
    const shown: string[] = [];
    await suggestion(1, "");
    await typed("r");
    await typed("re");
    await typed("re", INVOKED);
    await typed("rer");
    await typed("rex");
    const start = new Position(1, 0);
    await typed("r", { ...AUTOMATIC, selectedCompletionInfo: { text: "rest", range: { start, end: new Position(1, 1) } } });
    await typed("rr"); // it would stand at the menu's range, not behind the cursor
    assert.deepEqual(shown, ["est", "st", "rest", "est", "rest", "rest", "rest"]);
    await end();
  });

  test("a server of another version does as long as there is none of this one", async () => {
    install("answering", { version: "0.0.9" });
    await activate(context);
    assert.deepEqual(await suggestion(1), [new InlineCompletionItem("rest")]);
    await end();
  });

  test("what another window installs is used here as well", async () => {
    await activate(context);
    await shows(/warning/);
    install("modelless");
    await shows(/error/, "window.onDidChangeWindowState", { focused: true });
    install("answering", { at: Date.now() + 1 });
    await shows(/sparkle/, "window.onDidChangeWindowState", { focused: true });
    await end();
  });

  test("what changed settings have mended is shown without another request", async () => {
    install("modelless");
    await activate(context);
    await shows(/error/);
    await shows(/sparkle/, "workspace.onDidChangeConfiguration", { affectsConfiguration: (name: string) => name === "repofill" });
    await end();
  });

  test("folders that come or go are shown without another request", async () => {
    install();
    await activate(context);
    await shows(/1 ms/);
    await shows(/2 ms/, "workspace.onDidChangeWorkspaceFolders");
    await end();
  });

  test("the server is told where the cursor comes to rest, but not while somebody types", async () => {
    install();
    await activate(context);
    const moved = (line: number, kind: TextEditorSelectionChangeKind): void => {
      const textEditor = { document: { uri: Uri.file("/a.py") }, selection: { active: new Position(line, 4) } };
      (registered("window.onDidChangeTextEditorSelection of activate").args[0] as (value: unknown) => void)({ kind, textEditor });
    };
    const item = registered("window.createStatusBarItem");
    assert.ok(item instanceof StatusBarItem);
    const rest = async (): Promise<string> => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      const before = item.text;
      (registered("workspace.onDidChangeWorkspaceFolders of activate").args[0] as () => void)();
      await until(() => item.text !== before);
      return /"line":\d+/.exec(item.tooltip)?.[0] ?? "";
    };
    moved(1, TextEditorSelectionChangeKind.Mouse);
    moved(2, TextEditorSelectionChangeKind.Mouse);
    assert.equal(await rest(), '"line":2');
    moved(3, TextEditorSelectionChangeKind.Mouse);
    moved(4, TextEditorSelectionChangeKind.Keyboard);
    assert.equal(await rest(), '"line":2');
    await end();
  });

  test("is disposed of before the server starts", async () => {
    install();
    const activated = activate(context);
    await end();
    await activated;
  });

  test("is disposed of while the server starts", async () => {
    install();
    const activated = activate(context);
    await until(isStarting);
    await end();
    await activated;
  });

  test("is disposed of while a server starts that does not answer", async () => {
    install("mute");
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      const activated = activate(context);
      await until(isStarting);
      const ended = end();
      mock.timers.tick(3000);
      await ended;
      await activated;
    } finally {
      mock.timers.reset();
    }
  });

  test("is disposed of after a crash", async () => {
    install();
    await activate(context);
    await command("repofill.reindex").catch(() => undefined);
    await until(() => left().every((what) => !what.startsWith(INLINE)));
    await end();
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise(setImmediate);
  }
}

if (process.argv[2] === "answering" || process.argv[2] === "modelless") {
  serve(process.argv[2] === "modelless");
} else if (process.argv[2] === "mute") {
  process.stdin.resume();
} else {
  suite("the extension, and what is registered with VS Code", { timeout: 30_000 }, tests);
}
