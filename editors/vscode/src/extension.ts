import * as vscode from "vscode";
import { registerCommands } from "./commands";
import { Installation } from "./installation";
import { Server } from "./server";
import { StatusItem } from "./status";

let installation: Installation | undefined;
let server: Server | undefined;
let log: vscode.LogOutputChannel | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const opened = (log = vscode.window.createOutputChannel("repofill", { log: true }));
  const offered = (installation = new Installation(context, opened));
  const started = (server = new Server(context, opened, offered));
  context.subscriptions.push(offered, started, new StatusItem(started), ...registerCommands(context, started, offered, opened));
  context.subscriptions.push(
    vscode.window.onDidChangeWindowState(() => void started.follow()),
    vscode.window.onDidChangeActiveTextEditor((editor) => {
      started.moved(editor);
    }),
    vscode.window.onDidChangeTextEditorSelection(({ kind, textEditor }) => {
      started.moved(kind === vscode.TextEditorSelectionChangeKind.Keyboard ? undefined : textEditor); // which means typing
    }),
    vscode.workspace.onDidChangeWorkspaceFolders(() => {
      started.refreshSoon();
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("repofill.server")) {
        void started.restart();
      } else if (event.affectsConfiguration("repofill")) {
        void started.tellSettings();
      }
    }),
  );
  await started.restart();
  void offered.offer().then((wanted) => (wanted ? started.install() : undefined));
}

export async function deactivate(): Promise<void> {
  await Promise.all([installation?.end(), server?.end()]);
  log?.dispose(); // not before: the server's end is logged, and a closed log throws
}
