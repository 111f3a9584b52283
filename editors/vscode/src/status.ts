import * as vscode from "vscode";
import { statusItem } from "./logic/state";
import type { Server } from "./server";

/** Model, state and latency in the status bar; a click shows the commands, or installs what is missing. */
export class StatusItem {
  private readonly item = vscode.window.createStatusBarItem("repofill.status", vscode.StatusBarAlignment.Right, 100);
  private readonly disposables: { dispose(): void }[];

  constructor(private readonly server: Server) {
    this.item.name = "repofill";
    const show = (): void => {
      this.show();
    };
    this.disposables = [
      this.item,
      server.onDidChange(show),
      vscode.window.onDidChangeActiveTextEditor(show),
      vscode.workspace.onDidChangeConfiguration(show),
    ];
    this.show();
    this.item.show();
  }

  dispose(): void {
    vscode.Disposable.from(...this.disposables).dispose();
  }

  private show(): void {
    const { life } = this.server;
    const { text, tooltip, warns } = statusItem(life, whereOff());
    this.item.command = life.kind === "missing" ? "repofill.installServer" : "repofill.menu";
    this.item.text = text;
    this.item.tooltip = tooltip;
    this.item.backgroundColor = warns ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
  }
}

/** Where suggestions are off, if they are in the active editor. */
function whereOff(): "everywhere" | "in this language" | undefined {
  const suggest = vscode.workspace.getConfiguration("repofill.suggest");
  if (!suggest.get<boolean>("enabled", true)) {
    return "everywhere";
  }
  const language = vscode.window.activeTextEditor?.document.languageId;
  const off = suggest.get<string[]>("disabled_languages", []);
  return language !== undefined && off.includes(language) ? "in this language" : undefined;
}
