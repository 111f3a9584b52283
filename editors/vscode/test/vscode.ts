/** Stands in for VS Code, by esbuild's `--alias:vscode`, and knows what is registered with it. */

/** What has been registered, made or listened to, and not disposed of. */
export const live = new Set<Registration>();

export class Registration {
  readonly what: string;

  constructor(
    what: string,
    readonly args: readonly unknown[] = [],
  ) {
    this.what = `${what} of ${maker()}`;
    live.add(this);
  }

  dispose(): void {
    live.delete(this);
  }
}

const OF_THIS_FILE = /^(maker|Registration|EventEmitter|CancellationTokenSource|StatusBarItem|LogOutputChannel|Object|Array|Proxy)$/;

/** A part of VS Code's interface: whatever it is asked to register, make or tell is counted. */
function counting<Own extends object>(part: string, own: Own): Own {
  return new Proxy(own, {
    get: (_, name): unknown => {
      if (name in own || typeof name === "symbol" || !/^(create|register|on)[A-Z]/.test(name)) {
        return Reflect.get(own, name);
      }
      return (...args: unknown[]) => {
        const what = typeof args[0] === "string" ? `(${args[0]})` : "";
        const registration = new Registration(`${part}.${name}${what}`, args);
        if (name.startsWith("on") && Array.isArray(args[2])) {
          args[2].push(registration); // the listener's third argument: where it is to be disposed of
        }
        return registration;
      };
    },
  });
}

type Listener = (value: unknown) => void;

export class EventEmitter extends Registration {
  private readonly listeners: Registration[] = [];

  constructor(kind = "EventEmitter") {
    super(kind);
  }

  readonly event = (listener: Listener): Registration => {
    const registration = new Registration(`listener to ${this.what}`, [listener]);
    this.listeners.push(registration);
    return registration;
  };

  fire(value: unknown): void {
    for (const registration of this.listeners.filter((listener) => live.has(listener))) {
      (registration.args[0] as Listener)(value);
    }
  }

  override dispose(): void {
    super.dispose();
    for (const listener of this.listeners) {
      listener.dispose();
    }
  }
}

export class CancellationTokenSource extends EventEmitter {
  readonly token = { isCancellationRequested: false, onCancellationRequested: this.event };

  constructor() {
    super("CancellationTokenSource");
  }

  cancel(): void {
    this.token.isCancellationRequested = true;
    this.fire(undefined);
  }
}

/** The class or function that calls what is in this file. */
function maker(): string {
  const names = [...(new Error().stack ?? "").matchAll(/ at (?:new )?_?([A-Za-z]+)\S* /g)].map(([, name]) => name ?? "");
  return names.find((name) => !OF_THIS_FILE.test(name)) ?? "";
}

export class StatusBarItem extends Registration {
  text = "";
  tooltip = "";
  readonly show = (): void => undefined;
}

/** Like VS Code's own, it takes nothing any more once it is disposed of. */
class LogOutputChannel extends Registration {
  readonly logLevel = LogLevel.Info;
  readonly onDidChangeLogLevel = (): Registration => new Registration("LogOutputChannel.onDidChangeLogLevel");
  readonly info = (line: unknown): void => {
    if (!live.has(this)) {
      throw new Error(`Channel has been closed, before this: ${String(line)}`);
    }
  };
  readonly trace = this.info;
  readonly debug = this.info;
  readonly warn = this.info;
  readonly error = this.info;
}

const said = (): Promise<undefined> => Promise.resolve(undefined);

export const window = counting("window", {
  createOutputChannel: (name: string) => new LogOutputChannel(`window.createOutputChannel(${name})`),
  createStatusBarItem: (name: string) => new StatusBarItem(`window.createStatusBarItem(${name})`),
  showInformationMessage: said,
  showErrorMessage: said,
  withProgress: (_: unknown, task: (...args: unknown[]) => Promise<unknown>) =>
    task({ report: () => undefined }, new CancellationTokenSource().token),
  activeTextEditor: undefined,
  visibleTextEditors: [],
  tabGroups: counting("window.tabGroups", { all: [] }),
});

export const workspace = counting("workspace", {
  getConfiguration: () => ({ get: (_: string, standard: unknown) => standard, inspect: () => undefined }),
  workspaceFolders: undefined,
  textDocuments: [],
  notebookDocuments: [],
});

export const languages = counting("languages", { match: () => 10 });
export const commands = counting("commands", {});
export const extensions = counting("extensions", {});
export const env = { appName: "a stand-in", language: "en" };
export const version = "1.91.0";

export const CodeActionKind = {};
export enum ConfigurationTarget {
  Global = 1,
  Workspace = 2,
}
export enum InlineCompletionTriggerKind {
  Invoke,
  Automatic,
}
export enum LogLevel {
  Info = 3,
}
export enum ProgressLocation {
  Notification = 15,
}
export enum StatusBarAlignment {
  Right = 2,
}
export enum TextEditorSelectionChangeKind {
  Keyboard = 1,
  Mouse = 2,
}
export enum ViewColumn {
  Beside = -2,
}

export class Uri {
  private constructor(
    readonly scheme: string,
    readonly path: string,
  ) {}

  static parse(text: string): Uri {
    const colon = text.indexOf(":");
    return new Uri(text.slice(0, colon), text.slice(colon + 1).replace(/^\/\//, ""));
  }

  static file(file: string): Uri {
    return new Uri("file", file);
  }

  static joinPath(uri: Uri, ...parts: string[]): Uri {
    return new Uri(uri.scheme, [uri.path, ...parts].join("/"));
  }

  get fsPath(): string {
    return this.path;
  }

  toString(): string {
    return `${this.scheme}:${this.scheme === "file" ? "//" : ""}${this.path}`;
  }
}

export class Position {
  constructor(
    readonly line: number,
    readonly character: number,
  ) {}
}

export class Range {
  constructor(
    readonly start: Position,
    readonly end: Position,
  ) {}
}

export class Disposable {
  constructor(readonly dispose: () => void) {}

  static from(...disposables: Disposable[]): Disposable {
    return new Disposable(() => {
      for (const disposable of disposables) {
        disposable.dispose();
      }
    });
  }
}

export class InlineCompletionItem {
  constructor(readonly insertText: string) {}
}

class Value extends Object {}
export {
  Value as CallHierarchyItem,
  Value as CancellationError,
  Value as CodeAction,
  Value as CodeLens,
  Value as CompletionItem,
  Value as Diagnostic,
  Value as DocumentLink,
  Value as InlayHint,
  Value as SymbolInformation,
  Value as ThemeColor,
  Value as TypeHierarchyItem,
};
