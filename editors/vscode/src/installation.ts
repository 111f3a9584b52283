import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { createInterface } from "node:readline";
import * as vscode from "vscode";
import {
  environmentOf,
  findServer,
  installCommands,
  IS_NEW_ENOUGH,
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
    const chosen = vscode.workspace.getConfiguration("repofill.server").inspect<string>("command")?.globalValue ?? "";
    return findServer(chosen, this.environment, process.env["PATH"] ?? "", process.platform, isProgram);
  }

  /** Say that there is no server, unless the user did not want to hear of it. */
  async offer(then: () => Promise<void>): Promise<void> {
    if (this.context.globalState.get(DECLINED) === true) {
      return;
    }
    const choice = await vscode.window.showInformationMessage(
      "repofill needs its language server, which is not installed yet.",
      "Install…",
      "Not Now",
    );
    if (choice === "Install…") {
      await this.install(then);
    } else if (choice === "Not Now") {
      await this.context.globalState.update(DECLINED, true);
    }
  }

  /** Show the commands, and run them if the user agrees. */
  async install(then: () => Promise<void>): Promise<void> {
    if (this.running) {
      return;
    }
    this.running = true;
    try {
      const commands = this.commands();
      if (commands === undefined) {
        void vscode.window.showErrorMessage(
          "repofill: the server needs Python 3.11 or newer, with venv, and there is none on the PATH.",
        );
      } else if (await agreed(commands)) {
        await this.run(commands);
        await then();
      }
    } finally {
      this.running = false;
    }
  }

  private commands(): readonly Command[] | undefined {
    const python = PYTHONS.map((name) =>
      onPath(process.platform === "win32" ? `${name}.exe` : name, process.env["PATH"] ?? "", isProgram),
    );
    return undefined;
  }
}
