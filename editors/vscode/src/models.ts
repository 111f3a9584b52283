import { execFile } from "node:child_process";
import { promisify } from "node:util";
import * as vscode from "vscode";
import type { Installation } from "./installation";
import { addressProblem, download, shownFailure, shownProgress } from "./logic/download";

const RUN_MS = 60_000;
const REPORT_MS = 200;

/** Which model the server uses: a file of the user's, one from an address, or the bundled one. */
export class Models {
  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly installation: Installation,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** The path in the user's settings; "" for the bundled one. */
  get current(): string {
    return settings().get<string>("path", "");
  }

  async use(file: string | undefined): Promise<void> {
    await settings().update("path", file, vscode.ConfigurationTarget.Global);
  }

  /** Let the user choose a file, and use it if the server can. */
  async choose(): Promise<void> {
    const filters = { "GGUF models": ["gguf"] };
    const [chosen] = (await vscode.window.showOpenDialog({ title: "Choose a model", filters })) ?? [];
    if (chosen === undefined) {
      return;
    }
    try {
      await this.check(chosen.fsPath);
      await this.use(chosen.fsPath);
    } catch (error) {
      void vscode.window.showErrorMessage(`repofill: ${shownFailure(error)}`);
    }
  }

  /** Ask for an address, fetch the file there, and use it if the server can. */
  async download(): Promise<void> {
    const address = await vscode.window.showInputBox({
      title: "Download a model",
      prompt: "The address of a GGUF file of a model that can fill in the middle",
      placeHolder: "https://…/model.gguf",
      ignoreFocusOut: true,
      validateInput: (typed) => (typed === "" ? undefined : addressProblem(typed)),
    });
    if (address === undefined || address === "") {
      return;
    }
    const folder = vscode.Uri.joinPath(this.context.globalStorageUri, "models").fsPath;
    const { origin, pathname } = new URL(address); // what else there is of it may be a secret
    this.log.info(`Downloading ${origin}${pathname} into ${folder}`);
    const giving = new AbortController();
    try {
      const file = await vscode.window.withProgress(
        { location: vscode.ProgressLocation.Notification, title: "Downloading a model", cancellable: true },
        async (progress, token) => {
          const given = token.onCancellationRequested(() => {
            giving.abort();
          });
          const report = seldom((message) => {
            progress.report({ message });
          });
          try {
            return await download(
              address,
              folder,
              giving.signal,
              (arrived) => {
                report(shownProgress(arrived));
              },
              (part) => this.check(part),
            );
          } finally {
            given.dispose();
          }
        },
      );
      await this.use(file);
      this.log.info(`${file} is complete and in use`);
      void vscode.window.showInformationMessage(`repofill: ${file} is in use now.`);
    } catch (error) {
      if (!giving.signal.aborted) {
        this.log.error(`${origin}${pathname}: ${shownFailure(error)}`);
        void vscode.window.showErrorMessage(`repofill: the model could not be downloaded: ${shownFailure(error)}`);
      }
    }
  }

  /** Throws, with what the server's own command line says of the file, unless it is a model that can fill in. */
  private async check(file: string): Promise<void> {
    const found = this.installation.find();
    if (found === undefined) {
      throw new Error("there is no server yet that could examine a model; install it first");
    }
    try {
      const { stdout } = await promisify(execFile)(found.command, ["models", file, "--json"], { timeout: RUN_MS });
      this.log.info(stdout.trim());
    } catch (error) {
      const said = (error as { stderr?: string }).stderr?.trim().replace(/^repofill: /, "") ?? "";
      throw said === "" ? error : new Error(said);
    }
  }
}

function settings(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration("repofill.model");
}

/** Passes on what comes a while after what it passed on before. */
function seldom(report: (message: string) => void): (message: string) => void {
  let last = 0;
  return (message) => {
    if (Date.now() - last >= REPORT_MS) {
      last = Date.now();
      report(message);
    }
  };
}
