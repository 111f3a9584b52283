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
    const { text, tooltip, warns } = statusItem(life, isOn());
    this.item.command = life.kind === "missing" ? "repofill.installServer" : "repofill.menu";
    this.item.text = text;
    this.item.tooltip = tooltip;
    this.item.backgroundColor = warns ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
  }
}

/** Whether suggestions are on in the active editor's language. */
function isOn(): boolean {
  const suggest = vscode.workspace.getConfiguration("repofill.suggest");
  const language = vscode.window.activeTextEditor?.document.languageId;
  const off = suggest.get<string[]>("disabled_languages", []);
  return suggest.get<boolean>("enabled", true) && (language === undefined || !off.includes(language));
}
