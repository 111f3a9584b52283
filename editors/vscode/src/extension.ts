import * as vscode from "vscode";
import { registerCommands } from "./commands";
import { Installation } from "./installation";
import { Server } from "./server";
import { StatusItem } from "./status";

let server: Server | undefined;
let log: vscode.LogOutputChannel | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const opened = (log = vscode.window.createOutputChannel("repofill", { log: true }));
  const installation = new Installation(context, opened);
  const started = (server = new Server(context, opened, installation));
  context.subscriptions.push(started, new StatusItem(started), ...registerCommands(context, started, installation, opened));
  context.subscriptions.push(
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("repofill.server")) {
        void started.restart();
      } else if (event.affectsConfiguration("repofill")) {
        void started.tellSettings();
      }
    }),
  );
  await started.restart();
  if (started.life.kind === "missing") {
    void installation.offer().then((installed) => (installed ? started.restart() : undefined));
  }
}

export async function deactivate(): Promise<void> {
  await server?.end();
  log?.dispose(); // not before: the server's end is logged, and a closed log throws
}
