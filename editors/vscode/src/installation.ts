import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";
import { findServer, installCommands, isNewEnough, onPath, PYTHONS, shown, type Command, type Found } from "./logic/discovery";
import { Environments, remove } from "./logic/environments";
import { COMPILING, shownInstalling, whyFailed } from "./logic/installing";
import { run } from "./logic/run";

const DECLINED = "installation.declined";
const REPORT_MS = 10_000;

/** Where the server is, and how it comes there: only after the user has seen the commands and agreed. */
export class Installation implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  /** An installation began or ended. */
  readonly onDidChange = this.changed.event;
  private readonly version: string;
  private readonly environments: Environments;
  private asking = false;
  private giving: AbortController | undefined;
  private ended: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.version = (context.extension.packageJSON as { version: string }).version;
    this.environments = new Environments(context.globalStorageUri.fsPath, this.version);
  }

  get isUnderWay(): boolean {
    return this.giving !== undefined;
  }

  find(): Found | undefined {
    // `inspect`, not `get`: VS Code keeps a "machine" setting out of workspaces, and this is the second lock.
    const chosen = vscode.workspace.getConfiguration("repofill.server").inspect<string>("command")?.globalValue ?? "";
    return findServer(chosen, this.environments.current, searchPath(), process.platform, isProgram);
  }

  /**
   * Say that there is no server, or only that of another version, unless the user did not want to hear of it. True when one
   * is to be installed.
   */
  async offer(): Promise<boolean> {
    if (!this.isWanted || this.context.globalState.get(DECLINED) === this.version) {
      return false;
    }
    const choice = await vscode.window.showInformationMessage(
      this.find() === undefined
        ? "repofill needs its language server, which is not installed yet."
        : "repofill is newer than its language server, which goes on until the new one is installed.",
      "Install…",
      "Not Now",
    );
    if (choice === "Not Now") {
      await this.context.globalState.update(DECLINED, this.version);
    }
    return choice === "Install…" && this.isWanted; // another window may have installed it meanwhile
  }

  /** Show the commands, and run them if the user agrees, beside a server that is there. True when there is a new one. */
  async install(): Promise<boolean> {
    if (this.asking) {
      return false;
    }
    this.asking = true;
    try {
      const python = await findPython();
      if (python === undefined) {
        void vscode.window.showErrorMessage(
          "repofill: the server needs Python 3.11 or newer, with venv and pip, and there is none on the PATH.",
        );
        return false;
      }
      const environment = this.environments.at(Date.now());
      const commands = this.commands(python, environment);
      if (!(await agreed(commands))) {
        return false;
      }
      return await this.run(commands, environment);
    } finally {
      this.asking = false;
    }
  }

  /** Removes the servers that the newest one replaces. */
  async removeOthers(): Promise<void> {
    await this.environments.removeOthers();
  }

  /** Gives up what is being installed. */
  async end(): Promise<void> {
    this.giving?.abort();
    await this.ended;
  }

  dispose(): void {
    void this.end();
    this.changed.dispose();
  }

  private get isWanted(): boolean {
    const found = this.find();
    return found === undefined || (found.origin === "own environment" && this.environments.isOutdated);
  }

  private commands(python: string, environment: string): readonly Command[] {
    const brought = vscode.Uri.joinPath(this.context.extensionUri, "server").fsPath;
    const wheel = fs.readdirSync(brought).find((name) => name.endsWith(".whl"));
    if (wheel === undefined) {
      throw new Error(`${brought} holds no wheel`);
    }
    return installCommands(python, environment, brought, wheel, process.platform);
  }

  private async run(commands: readonly Command[], environment: string): Promise<boolean> {
    const giving = (this.giving = new AbortController());
    this.changed.fire();
    const options = { location: vscode.ProgressLocation.Notification, title: "Installing repofill's server", cancellable: true };
    const failure = await vscode.window.withProgress(options, async (progress, token) => {
      const given = token.onCancellationRequested(() => {
        giving.abort();
      });
      const began = Date.now();
      let last = "";
      const report = (): void => {
        progress.report({ message: shownInstalling(last, Date.now() - began) });
      };
      const reporting = setInterval(report, REPORT_MS);
      const running = this.runAll(commands, environment, giving.signal, (line) => {
        this.log.info(line);
        last = line;
        report();
      });
      this.ended = running;
      try {
        return await running;
      } finally {
        clearInterval(reporting);
        given.dispose();
        this.giving = undefined;
        this.changed.fire();
      }
    });
    if (failure !== undefined && !giving.signal.aborted) {
      this.log.error(failure);
      const choice = await vscode.window.showErrorMessage(`repofill: installing failed: ${whyFailed(failure)}`, "Show Log");
      if (choice !== undefined) {
        this.log.show();
      }
    }
    return failure === undefined;
  }

  /** What went wrong, if something did; then nothing is left of it. */
  private async runAll(
    commands: readonly Command[],
    environment: string,
    signal: AbortSignal,
    onLine: (line: string) => void,
  ): Promise<string | undefined> {
    const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "repofill-"));
    const variables = { ...process.env, ...proxies(), TMPDIR: temporary, TEMP: temporary, TMP: temporary };
    try {
      for (const command of commands) {
        this.log.info(`$ ${shown(command)}`);
        const failed = await run(command, { environment: variables, signal, onLine });
        if (failed !== undefined || signal.aborted) {
          await remove(environment);
          return failed ?? "given up";
        }
      }
      this.environments.complete(environment);
      return undefined;
    } finally {
      await remove(temporary);
    }
  }
}

async function agreed(commands: readonly Command[]): Promise<boolean> {
  const detail = [
    `These commands will run. They download Python packages, and may compile llama.cpp, which takes ${COMPILING}:`,
    ...commands.map(shown),
  ].join("\n\n");
  const options = { modal: true, detail };
  return (await vscode.window.showInformationMessage("Install repofill's server?", options, "Install")) !== undefined;
}

/** VS Code's own proxy, where the user has set one: pip knows nothing of its settings. */
function proxies(): NodeJS.ProcessEnv {
  const proxy = vscode.workspace.getConfiguration("http").get<string>("proxy", "");
  return proxy === "" ? {} : { HTTP_PROXY: proxy, HTTPS_PROXY: proxy };
}

async function findPython(): Promise<string | undefined> {
  for (const name of PYTHONS) {
    const program = onPath(process.platform === "win32" ? `${name}.exe` : name, searchPath(), isProgram);
    if (program !== undefined && (await run(isNewEnough(program))) === undefined) {
      return program;
    }
  }
  return undefined;
}

function searchPath(): string {
  return process.env["PATH"] ?? "";
}

function isProgram(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}
