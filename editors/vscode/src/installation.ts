import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { createInterface } from "node:readline";
import * as vscode from "vscode";
import {
  environmentOf,
  findServer,
  installCommands,
  isNewEnough,
  onPath,
  PYTHONS,
  shown,
  type Command,
  type Found,
} from "./logic/discovery";

const DECLINED = "installation.declined";

/** Where the server is, and how it comes there: only after the user has seen the commands and agreed. */
export class Installation {
  private readonly environment: string;
  private running = false;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {
    const { version } = context.extension.packageJSON as { version: string };
    this.environment = environmentOf(context.globalStorageUri.fsPath, version);
  }

  find(): Found | undefined {
    // `inspect`, not `get`: VS Code keeps a "machine" setting out of workspaces, and this is the second lock.
    const chosen = vscode.workspace.getConfiguration("repofill.server").inspect<string>("command")?.globalValue ?? "";
    return findServer(chosen, this.environment, searchPath(), process.platform, isProgram);
  }

  /** Say that there is no server, unless the user did not want to hear of it. True when there is one now. */
  async offer(): Promise<boolean> {
    if (this.context.globalState.get(DECLINED) === true) {
      return false;
    }
    const choice = await vscode.window.showInformationMessage(
      "repofill needs its language server, which is not installed yet.",
      "Install…",
      "Not Now",
    );
    if (choice === "Not Now") {
      await this.context.globalState.update(DECLINED, true);
    }
    return choice === "Install…" && this.install();
  }

  /** Show the commands, and run them if the user agrees. True when there is a new server. */
  async install(): Promise<boolean> {
    if (this.running) {
      return false;
    }
    this.running = true;
    try {
      const python = await findPython();
      if (python === undefined) {
        void vscode.window.showErrorMessage(
          "repofill: the server needs Python 3.11 or newer, with venv and pip, and there is none on the PATH.",
        );
        return false;
      }
      const commands = this.commands(python);
      return (await agreed(commands)) && (await this.run(commands));
    } finally {
      this.running = false;
    }
  }

  private commands(python: string): readonly Command[] {
    const brought = vscode.Uri.joinPath(this.context.extensionUri, "server").fsPath;
    const wheel = fs.readdirSync(brought).find((name) => name.endsWith(".whl"));
    if (wheel === undefined) {
      throw new Error(`${brought} holds no wheel`);
    }
    return installCommands(python, this.environment, brought, wheel, process.platform);
  }

  private async run(commands: readonly Command[]): Promise<boolean> {
    fs.mkdirSync(this.context.globalStorageUri.fsPath, { recursive: true });
    const failure = await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title: "Installing repofill's server", cancellable: true },
      async (progress, token) => {
        for (const command of commands) {
          this.log.info(`$ ${shown(command)}`);
          const failed = await run(command, token, (line) => {
            this.log.info(line);
            progress.report({ message: line });
          });
          if (failed !== undefined) {
            fs.rmSync(this.environment, { recursive: true, force: true });
            return token.isCancellationRequested ? "cancelled" : failed;
          }
        }
        return undefined;
      },
    );
    if (failure !== undefined && failure !== "cancelled") {
      this.log.error(failure);
      const choice = await vscode.window.showErrorMessage(`repofill: installing failed: ${failure}`, "Show Log");
      if (choice !== undefined) {
        this.log.show();
      }
    }
    return failure === undefined;
  }
}

async function agreed(commands: readonly Command[]): Promise<boolean> {
  const detail = [
    "These commands will run. They download Python packages, and may compile llama.cpp, which takes some minutes:",
    ...commands.map(shown),
  ].join("\n\n");
  const options = { modal: true, detail };
  return (await vscode.window.showInformationMessage("Install repofill's server?", options, "Install")) !== undefined;
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

/** Runs to the end; what it said last if it fails. */
function run(command: Command, token?: vscode.CancellationToken, onLine?: (line: string) => void) {
  return new Promise<string | undefined>((resolve) => {
    const [program, ...args] = command;
    let last = "";
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], windowsHide: true });
    const cancelled = token?.onCancellationRequested(() => child.kill());
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on("line", (line) => {
        last = line.trim() === "" ? last : line.trim();
        onLine?.(line);
      });
    }
    child.once("error", (error) => {
      resolve(error.message);
    });
    child.once("close", (code) => {
      cancelled?.dispose();
      resolve(code === 0 ? undefined : last === "" ? `exit status ${String(code)}` : last);
    });
  });
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
