import assert from "node:assert/strict";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium, type Browser, type Locator, type Page } from "playwright-core";

const CACHE = process.env["REPOFILL_E2E_CACHE"] ?? path.join(os.homedir(), ".cache", "repofill-e2e");
const EXTENSION = process.cwd();
const SERVER = path.resolve(EXTENSION, "../../.venv/bin/repofill");
const LIMIT_MS = Number(process.env["REPOFILL_E2E_LIMIT_MS"] ?? 90_000);

/** VS Code as its users have it, but for what would talk to the network, greet, or blur a comparison. */
const SETTINGS = {
  "workbench.startupEditor": "none",
  "workbench.enableExperiments": false,
  "telemetry.telemetryLevel": "off",
  "chat.disableAIFeatures": true,
  "extensions.autoCheckUpdates": false,
  "extensions.ignoreRecommendations": true,
  "update.mode": "none",
  "security.workspace.trust.startupPrompt": "never",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "editor.minimap.enabled": false,
  "git.enabled": false,
  "files.autoSave": "off",
};

/** A real VS Code in a real browser, on a project of its own, with the extension from its .vsix. */
export class Editor {
  private constructor(
    readonly folder: string,
    readonly home: string,
    readonly page: Page,
    private readonly codeServer: ChildProcess,
    private readonly browser: Browser,
  ) {}

  /**
   * `settings` are the user's for repofill; without `server` none is named, and none is on the PATH. Several `roots` below
   * the project make a multi-root workspace. `trusted`: as if the user had said so.
   */
  static async start({
    files,
    settings = {},
    server = SERVER,
    roots = [],
    trusted = true,
  }: {
    files: Record<string, string>;
    settings?: Record<string, unknown>;
    server?: string;
    roots?: string[];
    trusted?: boolean;
  }): Promise<Editor> {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "repofill-vscode-"));
    const [home, project] = [path.join(folder, "home"), path.join(folder, "project")];
    fs.mkdirSync(home);
    for (const [name, text] of Object.entries(files)) {
      write(path.join(project, name), text);
    }
    const own = server === "" ? settings : { ...settings, "repofill.server.command": server };
    write(path.join(folder, "data", "User", "settings.json"), JSON.stringify(SETTINGS));
    write(path.join(folder, "data", "Machine", "settings.json"), JSON.stringify(own)); // the user's, on this machine
    const workspace = path.join(folder, "all.code-workspace");
    write(workspace, JSON.stringify({ folders: roots.map((root) => ({ path: path.join(project, root) })) }));
    const [codeServer, address] = await startCodeServer(folder, home, trusted);
    let browser: Browser | undefined;
    try {
      browser = await startBrowser(home);
      const page = await browser.newPage({ viewport: { width: 1000, height: 600 } });
      page.setDefaultTimeout(LIMIT_MS);
      await page.goto(`${address}/?${roots.length > 0 ? `workspace=${workspace}` : `folder=${project}`}`);
      await page.locator(".monaco-workbench .statusbar").waitFor();
      if (roots.length > 0) {
        await workspaceShown(page);
      }
      return new Editor(folder, home, page, codeServer, browser);
    } catch (error) {
      await browser?.close();
      codeServer.kill();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.browser.close();
    this.codeServer.kill();
    await until("everything to end", () => this.processes().length === 0);
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  /** Where a file of the project is. */
  file(name: string): string {
    return path.join(this.folder, "project", name);
  }

  create(name: string, text: string): string {
    fs.writeFileSync(this.file(name), text);
    return name;
  }

  // The user's hands

  async press(...keys: string[]): Promise<void> {
    for (const key of keys) {
      await this.page.keyboard.press(key);
    }
  }

  /** Types as a person does; the pause is between two keys. */
  async type(text: string, pauseMs = 30): Promise<void> {
    await this.page.keyboard.type(text, { delay: pauseMs });
  }

  /** Opens a file of the project, with the cursor at its end. */
  async open(name: string): Promise<void> {
    await this.press("Control+P");
    const input = this.page.locator(".quick-input-widget input.input");
    await input.fill(this.file(name));
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: path.basename(name) }).first().waitFor();
    await this.press("Enter");
    await this.page.locator(`.tab.active[data-resource-name="${path.basename(name)}"]`).waitFor();
    await this.page.locator(".editor-instance .monaco-editor.focused").first().waitFor();
    await this.press("Control+End");
  }

  /** Opens a notebook of the project, with the cursor at the end of its last cell. */
  async openNotebook(name: string): Promise<void> {
    await this.press("Control+P");
    await this.page.locator(".quick-input-widget input.input").fill(this.file(name));
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: path.basename(name) }).first().waitFor();
    await this.press("Enter");
    const last = this.page.locator(".notebook-editor .code-cell-row .monaco-editor").last();
    await last.waitFor();
    await last.click();
    await this.page.locator(".notebook-editor .monaco-editor.focused").waitFor();
    await this.press("Control+End");
  }

  /** Runs a command by its title in the palette. */
  async command(title: string): Promise<void> {
    await this.press("F1");
    await this.page.locator(".quick-input-widget input.input").fill(`>${title}`);
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: title }).first().waitFor();
    await this.press("Enter");
  }

  /** Picks from a list that a command shows. */
  async choose(label: string): Promise<void> {
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: label }).first().click();
  }

  /** Closes the active editor, which shows this file, without saving. */
  async close(name: string): Promise<void> {
    await this.command("View: Revert and Close Editor");
    await this.page.locator(`.tab[data-resource-name="${name}"]`).waitFor({ state: "detached" });
  }

  /** Waits for the file's bytes after saving. */
  async saved(name: string, expected: string): Promise<void> {
    const file = this.file(name);
    await this.press("Control+S");
    const wanted = Buffer.from(expected, "utf-8");
    await until(
      `${name} to be saved`,
      () => fs.readFileSync(file).equals(wanted),
      () => `it holds ${JSON.stringify(fs.readFileSync(file, "utf-8"))}\n   instead ${JSON.stringify(expected)}`,
      15_000,
    );
  }

  // The user's eyes

  /** The ghost text on the screen, "" when there is none. VS Code draws it in pieces, and not in order. */
  async ghost(): Promise<string> {
    const pieces = await this.page.locator(".ghost-text-decoration, .ghost-text").evaluateAll((elements) =>
      elements
        .filter((element) => !element.querySelector(".ghost-text-decoration, .ghost-text"))
        .map((element) => {
          const { top, left } = element.getBoundingClientRect();
          return { top: Math.round(top), left, text: element.textContent };
        }),
    );
    pieces.sort((one, other) => one.top - other.top || one.left - other.left);
    const joined = pieces.map(({ top, text }, index) => (index === 0 || top === pieces[index - 1]?.top ? text : `\n${text}`));
    return joined.join("").replaceAll("\u00a0", " ");
  }

  /** Waits until ghost text is there, and still; returns it. */
  async suggestion(accepts: (text: string) => boolean = (text) => text !== ""): Promise<string> {
    let seen = "";
    await until(
      "ghost text",
      async () => {
        const before = await this.ghost();
        await sleep(150);
        seen = await this.ghost();
        return seen === before && accepts(seen);
      },
      () => `last seen: ${JSON.stringify(seen)}`,
    );
    return seen;
  }

  /** Goes through the suggestions until the wanted one is shown: which comes first is the model's affair. */
  async cycleTo(wanted: string | RegExp): Promise<string> {
    const isWanted = (text: string): boolean => (typeof wanted === "string" ? text === wanted : wanted.test(text));
    const seen: string[] = [];
    for (;;) {
      const shown = await this.suggestion();
      if (isWanted(shown)) {
        return shown;
      }
      seen.push(shown);
      assert.ok(seen.length < 12, `${String(wanted)} is not among ${JSON.stringify(seen)}`);
      await this.press("Alt+]");
      await sleep(300);
    }
  }

  async noSuggestion(): Promise<void> {
    await until("no ghost text", async () => (await this.ghost()) === "");
  }

  get statusItem(): Locator {
    return this.page.locator('.statusbar-item[id="repofill.repofill.repofill.status"]');
  }

  async status(pattern: RegExp, limitMs = LIMIT_MS): Promise<void> {
    let seen = "";
    await until(
      `the status ${String(pattern)}`,
      async () => {
        seen = (await this.statusItem.getAttribute("aria-label")) ?? "";
        return pattern.test(seen);
      },
      () => `last seen: ${seen}\n${this.serverLog()}`,
      limitMs,
    );
  }

  /** The end of what the server has logged. */
  private serverLog(): string {
    const file = path.join(this.home, ".state", "repofill", "log", "repofill.log");
    return fs.existsSync(file) ? fs.readFileSync(file, "utf8").slice(-4000) : "no server log";
  }

  /** Messages that popped up and are still there. */
  async messages(): Promise<string[]> {
    return this.page.locator(".notifications-toasts .notification-list-item-message").allTextContents();
  }

  // Processes of this editor alone, by its home

  /** Processes of the given kind: "serve" is the server; its child computes. */
  processes(command = ""): number[] {
    return fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
      try {
        const environment = fs.readFileSync(`/proc/${pid}/environ`, "utf-8").split("\0");
        const words = fs.readFileSync(`/proc/${pid}/cmdline`, "utf-8").split("\0");
        return pid !== process.pid && environment.includes(`HOME=${this.home}`) && (command === "" || words.includes(command));
      } catch {
        return false; // it ended
      }
    });
  }

  server(): number {
    const [pid, ...others] = this.processes("serve");
    assert.ok(pid !== undefined && others.length === 0, "there is one server");
    return pid;
  }

  /** The process with the model; undefined while there is none. */
  model(): number | undefined {
    const parent = this.server();
    return this.processes().find((pid) => parentOf(pid) === parent);
  }
}

/** Waits, and fails with what was seen instead. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  seen: () => string = () => "",
  limitMs = LIMIT_MS,
): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `waited in vain for ${what}\n   ${seen()}`);
    await sleep(50);
  }
}

function parentOf(pid: number): number {
  try {
    return Number(/\) \w (\d+)/.exec(fs.readFileSync(`/proc/${pid}/stat`, "utf-8"))?.[1]);
  } catch {
    return 0; // it ended
  }
}

function write(file: string, text: string): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
}

async function startCodeServer(folder: string, home: string, trusted: boolean): Promise<[ChildProcess, string]> {
  const root = fs.readdirSync(CACHE).find((name) => /^code-server-[\d.]+$/.test(name));
  assert.ok(root !== undefined, `no VS Code in ${CACHE}: run e2e/provision`);
  const modules = path.join(CACHE, root, "node_modules");
  const entry = path.join(modules, "code-server", "out", "node", "entry.js");
  const node = path.join(modules, ".bin", "node");
  const network = Object.entries(process.env).filter(([name]) => /^(pip_|https?_proxy|no_proxy|ssl_cert)/i.test(name));
  const environment = {
    ...Object.fromEntries(network), // for installing the server as its user would
    PATH: `${path.join(modules, ".bin")}:/usr/local/bin:/usr/bin:/bin`,
    HOME: home,
    XDG_CONFIG_HOME: path.join(home, ".config"),
    XDG_STATE_HOME: path.join(home, ".state"),
    PIP_CACHE_DIR: process.env["PIP_CACHE_DIR"] ?? path.join(os.homedir(), ".cache", "pip"),
    LANG: "C.UTF-8",
  };
  const folders = ["--user-data-dir", path.join(folder, "data"), "--extensions-dir", path.join(folder, "extensions")];
  const vsix = path.join(EXTENSION, "repofill.vsix");
  execFileSync(node, [entry, ...folders, "--install-extension", vsix, "--force"], { env: environment, stdio: "pipe" });
  const started = spawn(
    node,
    [
      entry, ...folders, "--bind-addr", "127.0.0.1:0", "--auth", "none", "--disable-telemetry", "--disable-update-check",
      "--disable-getting-started-override", ...(trusted ? ["--disable-workspace-trust"] : []),
    ],
    { env: environment, stdio: ["ignore", "pipe", fs.openSync(path.join(folder, "code-server.log"), "w")] },
  );
  process.once("exit", () => started.kill());
  const said: string[] = [];
  createInterface(started.stdout ?? process.stdin).on("line", (line) => said.push(line));
  const address = (): string | undefined => /http:\/\/127\.0\.0\.1:\d+/.exec(said.join("\n"))?.[0];
  await until("VS Code to listen", () => address() !== undefined, () => said.join("\n"));
  return [started, address() ?? ""];
}

/** Until the window shows the workspace that its address names: now and then VS Code opens an empty one first. */
async function workspaceShown(page: Page): Promise<void> {
  const shown = async (): Promise<boolean> => (await page.title()).includes("(Workspace)");
  try {
    await until("VS Code to open the workspace", shown, () => "", 20_000);
  } catch {
    await page.reload();
    await until("VS Code to open the workspace", shown, () => "");
    await page.locator(".monaco-workbench .statusbar").waitFor();
  }
}

async function startBrowser(home: string): Promise<Browser> {
  const root = path.join(CACHE, "chromium", "root");
  const libraries = path.join(root, "usr", "lib", "x86_64-linux-gnu");
  return chromium.launch({
    executablePath: path.join(root, "usr", "lib", "chromium", "chromium"),
    env: { PATH: "/usr/bin:/bin", HOME: home, LD_LIBRARY_PATH: `${libraries}:${libraries}/pulseaudio`, LANG: "C.UTF-8" },
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}
