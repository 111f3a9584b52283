import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as vscode from "vscode";
import {
  CloseAction,
  DidChangeConfigurationNotification,
  ErrorAction,
  ExecuteCommandRequest,
  LanguageClient,
  RevealOutputChannelOn,
  type LanguageClientOptions,
  type Middleware,
  type StaticFeature,
} from "vscode-languageclient/node";
import type { Installation } from "./installation";
import { coalesced } from "./logic/coalesce";
import { Crashes } from "./logic/crashes";
import type { Found } from "./logic/discovery";
import { LateAnswers } from "./logic/late";
import type { Explanation } from "./logic/report";
import { explicitSettings } from "./logic/settings";
import { isBusy, type Life, type ServerStatus } from "./logic/state";
import { Typing } from "./logic/typing";

type Answer = vscode.InlineCompletionItem[] | vscode.InlineCompletionList | null | undefined;

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 3000;
const REFRESH_MS = 500;
const IDLE_REFRESH_MS = 3000;
/** A cursor that has not moved for so long rests. */
const REST_MS = 250;
/** Tells the server that suggestions may take the place of brackets and quotes that end the line: VS Code writes them by
 * itself, and shows such a suggestion around them. */
const OVER_CLOSERS: StaticFeature = {
  fillClientCapabilities: (capabilities) => {
    capabilities.experimental = { "repofill.overClosers": true };
  },
  initialize: () => undefined,
  getState: () => ({ kind: "static" }),
  clear: () => undefined,
};
const DOCUMENTS = [{ scheme: "file" }, { scheme: "untitled" }, { scheme: "vscode-notebook-cell" }];

interface Place {
  readonly document: vscode.TextDocument;
  readonly position: vscode.Position;
}

/** The language server's process and the client that speaks to it: found, started, watched, started again. */
export class Server implements vscode.Disposable {
  /** Ends the server, if it runs, and starts it. */
  readonly restart = coalesced(() => this.startAnew());
  /** Where the last suggestion was asked for. */
  lastPlace: Place | undefined;

  private readonly changed = new vscode.EventEmitter<Life>();
  readonly onDidChange = this.changed.event;
  private current: Life = { kind: "stopped" };
  private found: Found | undefined;
  private client: LanguageClient | undefined;
  private process: ChildProcess | undefined;
  private ended = false;
  private readonly crashes = new Crashes();
  private restartTimer: NodeJS.Timeout | undefined;
  private refreshTimer: NodeJS.Timeout | undefined;
  private restTimer: NodeJS.Timeout | undefined;
  private readonly late = new LateAnswers<Answer>(
    (answer) => itemsOf(answer).length > 0,
    (place) => void showLateAnswer(place),
  );
  private readonly typing = new Typing<vscode.InlineCompletionItem>(textOf);

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
    private readonly installation: Installation,
  ) {
    installation.onDidChange(() => {
      this.changed.fire(this.life);
    });
  }

  get life(): Life {
    return this.installation.isUnderWay ? { kind: "installing" } : this.current;
  }

  get isRunning(): boolean {
    return this.client?.isRunning() === true;
  }

  /** Changes over to a server that another window has installed. */
  async follow(): Promise<void> {
    if (this.installation.find()?.command !== this.found?.command) {
      await this.restart();
    }
  }

  /** Installs a server if the user agrees, and starts it in the place of the one that there may be. */
  async install(): Promise<void> {
    if (await this.installation.install()) {
      await this.restart();
      if (this.isRunning) {
        await this.installation.removeOthers();
      }
    }
  }

  /** The prompt and the figures of the last suggestion. Undefined while there is no server or no suggestion yet. */
  async explain(): Promise<Explanation | undefined> {
    const { client, lastPlace } = this;
    if (client === undefined || lastPlace === undefined) {
      return undefined;
    }
    return (await this.execute(client, "repofill.explain", cursorOf(client, lastPlace))) as Explanation;
  }

  /** The cursor moved in an editor, not by typing: if it comes to rest there, the server reads ahead. */
  moved(editor: vscode.TextEditor | undefined): void {
    clearTimeout(this.restTimer);
    if (editor !== undefined) {
      this.restTimer = setTimeout(() => {
        this.rests(editor);
      }, REST_MS);
    }
  }

  private rests({ document, selection }: vscode.TextEditor): void {
    const client = this.client;
    if (client?.isRunning() === true && vscode.languages.match(DOCUMENTS, document) > 0) {
      this.execute(client, "repofill.cursor", cursorOf(client, { document, position: selection.active })).catch((error: unknown) => {
        this.log.debug(`Nothing is read ahead: ${String(error)}`);
      });
    }
  }

  /** Settings changed: the server asks for them. */
  async tellSettings(): Promise<void> {
    if (this.client?.isRunning() === true) {
      await this.client.sendNotification(DidChangeConfigurationNotification.type, { settings: null });
    }
  }

  /** Ends the server for good. */
  async end(): Promise<void> {
    this.ended = true;
    await this.stop();
    await this.restart(); // which waits for a start that is under way, and starts nothing any more
  }

  dispose(): void {
    void this.end();
    this.changed.dispose();
  }

  /** Ends the server, also one that is still starting. */
  private async stop(): Promise<void> {
    clearTimeout(this.restartTimer);
    clearTimeout(this.refreshTimer);
    clearTimeout(this.restTimer);
    this.refreshTimer = undefined;
    this.late.cancel();
    const { client, process } = this;
    this.client = undefined; // from here on its end is no crash
    const limit = setTimeout(() => process?.kill("SIGKILL"), STOP_LIMIT_MS);
    await client?.dispose().catch((error: unknown) => {
      this.log.debug(`Stopping: ${String(error)}`);
    });
    await exited(process);
    clearTimeout(limit);
    if (client !== undefined) {
      this.enter({ kind: "stopped" });
    }
  }

  private async startAnew(): Promise<void> {
    await this.stop();
    if (this.ended) {
      return;
    }
    const found = (this.found = this.installation.find());
    if (found === undefined) {
      this.enter({ kind: "missing" });
      return;
    }
    this.enter({ kind: "starting" });
    this.log.info(`Starting ${found.command} serve (${found.origin})`);
    let process: ChildProcess;
    try {
      process = await spawned(found.command);
    } catch (error) {
      this.enter({ kind: "failed", reason: `${found.command} cannot be started: ${String(error)}` });
      this.say(`${found.command} cannot be started.`);
      return;
    }
    const client = this.makeClient(process);
    [this.client, this.process] = [client, process];
    const limit = setTimeout(() => process.kill("SIGKILL"), START_LIMIT_MS);
    try {
      await client.start();
      if (client !== this.client) {
        await client.dispose(); // stopped meanwhile, when it could not be disposed of yet
      }
      this.refresh();
      this.moved(vscode.window.activeTextEditor);
    } catch (error) {
      this.log.error(`The server did not start: ${String(error)}`);
      process.kill("SIGKILL");
      this.crashed(client);
    } finally {
      clearTimeout(limit);
    }
  }

  private makeClient(process: ChildProcess): LanguageClient {
    const serverLog = vscode.Uri.joinPath(this.context.logUri, "server.log").fsPath;
    this.log.info(`The server's own log, unless repofill.log.file says otherwise: ${serverLog}`);
    process.once("exit", (code, signal) => {
      this.log.info(`The server ended (${signal ?? String(code)})`);
    });
    const options: LanguageClientOptions = {
      documentSelector: DOCUMENTS,
      outputChannel: this.log,
      revealOutputChannelOn: RevealOutputChannelOn.Never, // which also means: no pop-ups
      initializationOptions: { log: { file: serverLog } },
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          this.crashed(client);
          return { action: CloseAction.DoNotRestart, handled: true };
        },
      },
      middleware: this.middleware(),
    };
    const client = new LanguageClient("repofill", "repofill", () => Promise.resolve(process), options);
    client.registerFeature(OVER_CLOSERS);
    return client;
  }

  private middleware(): Middleware {
    return {
      provideInlineCompletionItems: (document, position, context, token, next) =>
        this.suggest(document, position, context, token, (cancellation) =>
          Promise.resolve(next(document, position, context, cancellation)),
        ),
      workspace: {
        configuration: () => {
          this.refreshSoon(); // by then the server goes by them
          this.typing.forget();
          return [this.settings()];
        },
      },
    };
  }

  private async suggest(
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
    ask: (token: vscode.CancellationToken) => Promise<Answer>,
  ): Promise<Answer> {
    const explicit = context.triggerKind === vscode.InlineCompletionTriggerKind.Invoke;
    const line = document.lineAt(position.line).text;
    const [before, after] = [line.slice(0, position.character), line.slice(position.character)];
    const here = { document: document.uri.toString(), line: position.line, before, after };
    const selected = context.selectedCompletionInfo !== undefined; // then what is suggested begins ahead of the cursor
    if (!explicit && !selected) {
      const { items, typed } = this.typing.rest(here);
      if (items.length > 0) {
        return items.map((item) => restOf(item, typed, position));
      }
    }
    const place = placeOf(document, position, context.selectedCompletionInfo?.text);
    const request = (): { answer: Promise<Answer>; cancel: () => void } => {
      const cancellation = new vscode.CancellationTokenSource();
      return {
        answer: ask(cancellation.token).finally(() => {
          cancellation.dispose();
        }),
        cancel: () => {
          cancellation.cancel();
        },
      };
    };
    const cancelled = token.onCancellationRequested(() => {
      this.late.cancel(place);
    });
    try {
      const answer = await this.late.ask(place, request, explicit);
      if (itemsOf(answer).length > 0) {
        this.lastPlace = { document, position };
        this.typing.show(here, selected ? [] : itemsOf(answer));
      }
      return answer;
    } finally {
      cancelled.dispose(); // VS Code also cancels what it has got an answer to; the server may still be at work on it
      this.refreshSoon();
    }
  }

  private settings(): Record<string, unknown> {
    const values = vscode.workspace.getConfiguration();
    const manifest = this.context.extension.packageJSON as {
      contributes: { configuration: { properties: Record<string, { scope: string }> } };
    };
    return explicitSettings(manifest.contributes.configuration.properties, (name) => values.inspect(name));
  }

  private crashed(client: LanguageClient): void {
    if (client !== this.client) {
      return;
    }
    this.client = undefined;
    this.late.cancel();
    this.typing.forget();
    void client.dispose().catch(() => undefined);
    const delay = this.crashes.delayAfterCrash(Date.now());
    if (delay === undefined) {
      this.crashes.forget();
      const reason = "The server ended again and again and is not started any more; the log says why.";
      this.enter({ kind: "failed", reason });
      this.say(reason);
      return;
    }
    this.enter({ kind: "starting" });
    this.restartTimer = setTimeout(() => void this.restart(), delay);
  }

  private say(message: string): void {
    void vscode.window.showErrorMessage(`repofill: ${message}`, "Show Log", "Restart").then((choice) => {
      if (choice !== undefined) {
        void vscode.commands.executeCommand(choice === "Restart" ? "repofill.restart" : "repofill.showLog");
      }
    });
  }

  /** Asks the server how it is in a while, if not before. */
  refreshSoon(delayMs = REFRESH_MS): void {
    this.refreshTimer ??= setTimeout(() => {
      this.refreshTimer = undefined;
      this.refresh();
    }, delayMs);
  }

  /** Asks the server how it is, and again while that is about to change. */
  private refresh(): void {
    const client = this.client;
    if (client?.isRunning() !== true) {
      return;
    }
    this.execute(client, "repofill.status").then(
      (answer) => {
        if (client !== this.client) {
          return;
        }
        const status = answer as ServerStatus;
        this.enter({ kind: "running", status });
        if (status.engine.state === "idle") {
          this.refreshSoon(IDLE_REFRESH_MS); // the first document wakes it
        } else if (isBusy(status)) {
          this.refreshSoon();
        }
      },
      (error: unknown) => {
        this.log.debug(`No status: ${String(error)}`);
      },
    );
  }

  private async execute(client: LanguageClient, command: string, ...values: unknown[]): Promise<unknown> {
    return client.sendRequest(ExecuteCommandRequest.type, { command, arguments: values as [] });
  }

  private enter(life: Life): void {
    this.current = life;
    this.changed.fire(this.life);
  }
}

async function spawned(command: string): Promise<ChildProcess> {
  const process = spawn(command, ["serve"], { windowsHide: true });
  await once(process, "spawn");
  return process;
}

async function exited(process: ChildProcess | undefined): Promise<void> {
  if (process?.exitCode === null && process.signalCode === null) {
    await once(process, "exit");
  }
}

/** A place as the server's commands take it. */
function cursorOf(client: LanguageClient, { document, position: { line, character } }: Place): object {
  return { textDocument: client.code2ProtocolConverter.asTextDocumentIdentifier(document), position: { line, character } };
}

function itemsOf(answer: Answer): readonly vscode.InlineCompletionItem[] {
  return Array.isArray(answer) ? answer : (answer?.items ?? []);
}

function textOf(item: vscode.InlineCompletionItem): string {
  return typeof item.insertText === "string" ? item.insertText : item.insertText.value;
}

/** What of a suggestion is left when so many of its characters stand ahead of the cursor. */
function restOf(item: vscode.InlineCompletionItem, typed: number, position: vscode.Position): vscode.InlineCompletionItem {
  const end = item.range?.end.translate(0, typed) ?? position;
  return new vscode.InlineCompletionItem(textOf(item).slice(typed), new vscode.Range(position, end), item.command);
}

/** A document's version, a position in it, and what the completion menu has selected. */
function placeOf(document: vscode.TextDocument, position: vscode.Position, selected = ""): string {
  return [document.uri.toString(), document.version, position.line, position.character, selected].join("\n");
}

/** Makes the editor ask again, if the cursor is still where the answer belongs. */
async function showLateAnswer(place: string): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (editor?.selection.isEmpty === true && place.startsWith(placeOf(editor.document, editor.selection.active))) {
    await vscode.commands.executeCommand("editor.action.inlineSuggest.trigger");
  }
}
