import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, mock, suite, test } from "node:test";
import type * as vscode from "vscode";
import { Installation } from "../src/installation";
import { Environments } from "../src/logic/environments";
import { CancellationTokenSource, Uri, window, workspace } from "./vscode";

/** Stands in for Python and its pip, which compiles, fails, or installs a server, as $PIP says. */
const PYTHON = `#!/bin/sh
case "$*" in
  "-I -m venv"*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
  "-I -m pip"*)
    echo half > "$TMPDIR/object.o"
    echo "$HTTPS_PROXY" > "$COMPILER.proxy"
    case "$PIP" in
      compiles) sleep 600 & echo $! > "$COMPILER"; echo compiling; wait ;;
      fails) printf '%s\n' "  ERROR: Failed building wheel for llama-cpp-python" "" "╰─> llama-cpp-python" >&2; exit 1 ;;
    esac
    cp /bin/true "\${0%python}repofill" ;;
esac
`;

suite("installing a server", { timeout: 30_000 }, () => {
  const [temporary, searchPath] = [os.tmpdir(), process.env["PATH"]];
  let folder: string;
  let storage: string;
  let installation: Installation;
  let installationOf: (version: string) => Installation;
  let cancellation: CancellationTokenSource;
  let messages: string[];

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(temporary, "repofill-installation-"));
    storage = path.join(folder, "storage");
    for (const name of ["bin", "server", "tmp"]) {
      fs.mkdirSync(path.join(folder, name));
    }
    fs.writeFileSync(path.join(folder, "bin", "python3.14"), PYTHON, { mode: 0o755 });
    fs.writeFileSync(path.join(folder, "server", "repofill-0.1.0.whl"), "");
    process.env["PATH"] = [path.join(folder, "bin"), "/usr/bin", "/bin"].join(path.delimiter);
    process.env["TMPDIR"] = path.join(folder, "tmp");
    process.env["COMPILER"] = path.join(folder, "compiler");
    messages = [];
    mock.method(window, "showInformationMessage", () => Promise.resolve("Install"));
    mock.method(window, "showErrorMessage", (message: string) => Promise.resolve(void messages.push(message)));
    mock.method(window, "withProgress", (_: unknown, task: (...args: unknown[]) => Promise<unknown>) => {
      cancellation = new CancellationTokenSource();
      return task({ report: () => undefined }, cancellation.token);
    });
    const state = new Map<string, unknown>();
    const context = {
      globalState: { get: (key: string) => state.get(key), update: (key: string, value: unknown) => Promise.resolve(state.set(key, value)) },
      extensionUri: Uri.file(folder),
      globalStorageUri: Uri.file(storage),
    } as unknown as vscode.ExtensionContext;
    const log = { info: () => undefined, error: () => undefined } as unknown as vscode.LogOutputChannel;
    installationOf = (version) => new Installation({ ...context, extension: { packageJSON: { version } } } as typeof context, log);
    installation = installationOf("0.1.0");
  });

  afterEach(() => {
    mock.restoreAll();
    process.env["PATH"] = searchPath;
    process.env["TMPDIR"] = temporary;
    fs.rmSync(folder, { recursive: true });
  });

  async function install(pip: "compiles" | "fails" | "installs"): Promise<boolean> {
    process.env["PIP"] = pip;
    return installation.install();
  }

  /** Begins one, and returns when its compiler runs. */
  async function compiling(): Promise<{ installed: Promise<boolean>; compiler: number }> {
    const file = process.env["COMPILER"] ?? "";
    const installed = install("compiles");
    while (!fs.existsSync(file) || fs.readFileSync(file, "utf-8") === "") {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(installation.isUnderWay);
    return { installed, compiler: Number(fs.readFileSync(file, "utf-8")) };
  }

  /** There are these servers, the last of which is used, and nothing else is left. */
  function holds(...environments: string[]): void {
    const all = path.join(storage, "server-0.1.0");
    assert.deepEqual(fs.existsSync(all) ? fs.readdirSync(all).map((name) => path.join(all, name)) : [], environments);
    const last = environments.at(-1);
    const found = last === undefined ? undefined : { command: path.join(last, "bin", "repofill"), origin: "own environment" };
    const own = installation.find();
    assert.deepEqual(own?.origin === "PATH" ? undefined : own, found);
    assert.deepEqual(fs.readdirSync(path.join(folder, "tmp")), []);
    assert.ok(!installation.isUnderWay);
  }

  function used(): string {
    return path.dirname(path.dirname(installation.find()?.command ?? ""));
  }

  test("each goes beside the others, which are removed afterwards", async () => {
    assert.ok(await install("installs"));
    const first = used();
    holds(first);
    assert.ok(await install("installs"));
    holds(first, used());
    await installation.removeOthers();
    assert.notEqual(used(), first);
    holds(used());
  });

  for (const [how, giveUp] of [
    ["is cancelled", () => { cancellation.cancel(); }],
    ["is cut off by the end of the editor", () => installation.end()],
  ] as const) {
    test(`one that ${how} leaves the server that there is, and nothing of itself, be it a file or a process`, async () => {
      assert.ok(await install("installs"));
      const first = used();
      const { installed, compiler } = await compiling();
      await giveUp();
      assert.ok(!(await installed));
      holds(first);
      assert.throws(() => process.kill(compiler, 0), { code: "ESRCH" });
      assert.deepEqual(messages, []);
    });
  }

  test("one that fails says why, and leaves the server that there is", async () => {
    assert.ok(!(await install("fails")));
    holds();
    assert.ok(await install("installs"));
    const first = used();
    assert.ok(!(await install("fails")));
    holds(first);
    const why = "llama.cpp could not be compiled, which takes a C++ compiler. ERROR: Failed building wheel for llama-cpp-python";
    assert.deepEqual(messages, Array(2).fill(`repofill: installing failed: ${why}`));
  });

  test("it goes through the proxy that VS Code goes through", async () => {
    const values = new Map([["proxy", "http://proxy.example:8080"]]);
    const configuration = { get: (name: string, standard: unknown) => values.get(name) ?? standard, inspect: () => undefined };
    mock.method(workspace, "getConfiguration", () => configuration);
    assert.ok(await install("installs"));
    assert.equal(fs.readFileSync(`${process.env["COMPILER"] ?? ""}.proxy`, "utf-8"), "http://proxy.example:8080\n");
  });

  test("who did not want to be asked and then installs one is asked when the next version lacks one", async () => {
    const offers: string[] = [];
    mock.method(window, "showInformationMessage", (message: string) => {
      offers.push(message);
      return Promise.resolve(message.startsWith("Install") ? "Install" : "Not Now");
    });
    assert.ok(!(await installation.offer()));
    assert.ok(!(await installation.offer()));
    assert.equal(offers.length, 1);
    assert.ok(await install("installs"));
    assert.ok(!(await installation.offer()));
    assert.equal(offers.length, 2);
    assert.ok(!(await installationOf("0.2.0").offer()));
    assert.equal(offers.length, 3);
  });

  test("the server of the version before does until this version's is installed, here or in another window", async () => {
    let meanwhile = (): void => undefined;
    mock.method(window, "showInformationMessage", (message: string) => {
      meanwhile();
      return Promise.resolve(message.startsWith("Install") ? "Install" : "Install…");
    });
    assert.ok(await install("installs"));
    const before = used();
    installation = installationOf("0.2.0");
    assert.equal(used(), before);
    assert.ok(await installation.offer());
    assert.ok(!(await install("fails")));
    assert.equal(used(), before);
    const another = new Environments(storage, "0.2.0");
    meanwhile = () => {
      const environment = another.at(1);
      fs.cpSync(before, environment, { recursive: true });
    };
    assert.ok(!(await installation.offer()));
    assert.equal(used(), another.at(1));
    assert.ok(await install("installs"));
    assert.notEqual(used(), another.at(1));
    await installation.removeOthers();
    assert.deepEqual(fs.readdirSync(storage), ["server-0.2.0"]);
    assert.deepEqual(fs.readdirSync(path.join(storage, "server-0.2.0")), [path.basename(used())]);
  });

  test("what another window is installing is left alone, what nobody can be is removed", async () => {
    const day = 24 * 60 * 60_000;
    const now = Date.now();
    const environments = new Environments(storage, "0.1.0");
    for (const time of [now - 2 * day, now - day / 2, now - 1, now]) {
      fs.mkdirSync(environments.at(time), { recursive: true });
    }
    environments.complete(environments.at(now - 1));
    assert.equal(environments.current, environments.at(now - 1));
    const [older, newer] = [new Environments(storage, "0.0.9"), new Environments(storage, "0.2.0")];
    for (const environment of [older.at(now - 3), newer.at(now)]) {
      fs.mkdirSync(environment, { recursive: true });
    }
    older.complete(older.at(now - 3));
    fs.mkdirSync(path.join(storage, "models"));
    await environments.removeOthers(now);
    assert.deepEqual(fs.readdirSync(path.join(storage, "server-0.1.0")), [now - day / 2, now - 1, now].map(String));
    assert.deepEqual(fs.readdirSync(storage).sort(), ["models", "server-0.1.0", "server-0.2.0"]);
  });
});
