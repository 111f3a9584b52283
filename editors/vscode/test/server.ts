import {
  ConfigurationRequest,
  createProtocolConnection,
  DidChangeConfigurationNotification,
  ExecuteCommandRequest,
  ExitNotification,
  InitializeRequest,
  InlineCompletionRequest,
  ShutdownRequest,
  StreamMessageReader,
  StreamMessageWriter,
  TextDocumentSyncKind,
  type ServerCapabilities,
} from "vscode-languageclient/node";
import type { ServerStatus } from "../src/logic/state";

/** What the real server says of itself. */
const CAPABILITIES: ServerCapabilities = {
  textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental, save: false },
  notebookDocumentSync: { notebookSelector: [{ notebook: "*" }] },
  completionProvider: {},
  inlineCompletionProvider: {},
  executeCommandProvider: { commands: ["repofill.explain", "repofill.status", "repofill.accepted", "repofill.cursor", "repofill.reindex"] },
  workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
};

/**
 * A server that suggests "rest" everywhere, and dies of `repofill.reindex`. It says how often it was asked for its status as
 * the milliseconds of its last answer, and names as its model where a cursor rested last. A model that is `missing` is there once the settings have changed.
 */
export function serve(isMissing: boolean): void {
  let asked = 0;
  let rested: string | null = null;
  const status = (): ServerStatus => {
    const engine = isMissing ? { state: "failed", reason: "no model" } : { state: "ready", reason: "" };
    asked += 1;
    return { ready: !isMissing, engine, folders: [], model: rested, last_ms: asked };
  };
  const connection = createProtocolConnection(
    new StreamMessageReader(process.stdin),
    new StreamMessageWriter(process.stdout),
  );
  connection.onRequest(InitializeRequest.type, () => ({ capabilities: CAPABILITIES }));
  connection.onRequest(ExecuteCommandRequest.type, ({ command, arguments: values }) => {
    if (command === "repofill.reindex") {
      process.exit(1);
    }
    if (command === "repofill.cursor") {
      rested = JSON.stringify(values);
      return null;
    }
    return status();
  });
  connection.onNotification(DidChangeConfigurationNotification.type, async () => {
    await connection.sendRequest(ConfigurationRequest.type, { items: [{ section: "repofill" }] });
    isMissing = false;
  });
  connection.onRequest(InlineCompletionRequest.type, () => [{ insertText: "rest" }]);
  connection.onRequest(ShutdownRequest.type, () => undefined);
  connection.onNotification(ExitNotification.type, () => process.exit());
  connection.listen();
}
