import * as vscode from "vscode";
import { registerCommands } from "./commands";
import { Installation } from "./installation";
import { Server } from "./server";
import { StatusItem } from "./status";

let server: Server | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel("repofill", { log: true });
  const installation = new Installation(context, log);
  const started = (server = new Server(context, log, installation));
  context.subscriptions.push(log, started, new StatusItem(started), ...registerCommands(context, started, installation, log));
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
  await server?.stop();
}
