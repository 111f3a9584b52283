import * as vscode from "vscode";
import type { Installation } from "./installation";
import { explained } from "./logic/report";
import { toggled } from "./logic/settings";
import { statusItem } from "./logic/state";
import { Models } from "./models";
import type { Server } from "./server";

const SCHEME = "repofill";
const INSTALL = "repofill.installServer";
const EXPLANATION = vscode.Uri.parse(`${SCHEME}:/The last suggestion.md`);

/** Every command of the extension, registered. */
export function registerCommands(
  context: vscode.ExtensionContext,
  server: Server,
  installation: Installation,
  log: vscode.LogOutputChannel,
): { dispose(): void }[] {
  const explanation = new Explanation(server);
  const lines = new Lines();
  const models = new Models(context, installation, log);
  const commands: Record<string, () => unknown> = {
    explainSuggestion: () => explanation.show(),
    chooseModel: () => chooseModel(models),
    downloadModel: () => models.download(),
    toggleLanguage,
    acceptNextLine: () => lines.acceptNext(),
    restart: () => server.restart(),
    installServer: () => server.install(),
    showLog: () => {
      log.show();
    },
    menu: () => showMenu(server),
  };
  return [
    explanation,
    lines,
    ...Object.entries(commands).map(([name, run]) => vscode.commands.registerCommand(`repofill.${name}`, run)),
  ];
}

/** The last suggestion's prompt and figures as a document of its own. */
class Explanation implements vscode.TextDocumentContentProvider {
  private text = "";
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  private readonly registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);

  constructor(private readonly server: Server) {}

  provideTextDocumentContent(): string {
    return this.text;
  }

  async show(): Promise<void> {
    if (!this.server.isRunning) {
      void vscode.window.showInformationMessage(`repofill: ${statusItem(this.server.life).tooltip}`);
      return;
    }
    const explanation = await this.server.explain();
    const language = this.server.lastPlace?.document.languageId ?? "";
    this.text = explained(explanation ?? { files: [], tokens: 0, last: null }, language);
    this.changed.fire(EXPLANATION);
    try {
      await vscode.commands.executeCommand("markdown.showPreviewToSide", EXPLANATION);
    } catch {
      // VS Code's own Markdown extension is switched off, or the editor lacks it
      await vscode.window.showTextDocument(EXPLANATION, { preview: true, viewColumn: vscode.ViewColumn.Beside });
    }
  }

  dispose(): void {
    this.registration.dispose();
    this.changed.dispose();
  }
}

/**
 * A suggestion taken line by line. Of what comes next, VS Code lets Tab take only what is not indented: a key is bound to
 * this one's context, which is there while the cursor has not moved since.
 */
class Lines {
  private taking = false;
  private readonly listener = vscode.window.onDidChangeTextEditorSelection(() => {
    this.take(false);
  });

  async acceptNext(): Promise<void> {
    await vscode.commands.executeCommand("editor.action.inlineSuggest.acceptNextLine");
    this.take(true);
  }

  dispose(): void {
    this.listener.dispose();
  }

  private take(taking: boolean): void {
    if (this.taking !== taking) {
      this.taking = taking;
      void vscode.commands.executeCommand("setContext", "repofill.takesLines", taking);
    }
  }
}

async function chooseModel(models: Models): Promise<void> {
  const bundled = { label: "The bundled model", description: "small, for Python, TypeScript and JavaScript" };
  const file = { label: "A file…", description: "a GGUF model that can fill in the middle" };
  const address = { label: "Download…", description: "such a file, from an address" };
  const title = `Model in use: ${models.current === "" ? "the bundled one" : models.current}`;
  const choice = await vscode.window.showQuickPick([bundled, file, address], { title });
  if (choice === bundled) {
    await models.use(undefined);
  } else if (choice === file) {
    await models.choose();
  } else if (choice === address) {
    await models.download();
  }
}

/** Switches suggestions off, or on again, in the active editor's language. */
async function toggleLanguage(): Promise<void> {
  const language = vscode.window.activeTextEditor?.document.languageId;
  if (language === undefined) {
    return;
  }
  const suggest = vscode.workspace.getConfiguration("repofill.suggest");
  const isOfWorkspace = suggest.inspect("disabled_languages")?.workspaceValue !== undefined;
  const target = isOfWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
  const languages = toggled(suggest.get<string[]>("disabled_languages", []), language);
  await suggest.update("disabled_languages", languages, target);
  const state = languages.includes(language) ? "off" : "on";
  vscode.window.setStatusBarMessage(`repofill is ${state} in ${language}`, 3000);
}

/** All commands but this one, as package.json names them; without a server, what installs it comes first. */
async function showMenu(server: Server): Promise<void> {
  const manifest = vscode.extensions.getExtension("repofill.repofill")?.packageJSON as {
    contributes: { commands: { command: string; title: string }[] };
  };
  const items = manifest.contributes.commands
    .filter(({ command }) => command !== "repofill.menu")
    .map(({ command, title }) => ({ label: title, command }));
  if (server.life.kind === "missing") {
    items.sort((one, other) => Number(other.command === INSTALL) - Number(one.command === INSTALL));
  }
  const choice = await vscode.window.showQuickPick(items, { title: "repofill" });
  if (choice !== undefined) {
    await vscode.commands.executeCommand(choice.command);
  }
}
