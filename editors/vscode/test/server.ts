import {
  createProtocolConnection,
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
  executeCommandProvider: { commands: ["repofill.explain", "repofill.status", "repofill.accepted", "repofill.reindex"] },
  workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
};
const STATUS: ServerStatus = { ready: true, engine: { state: "ready", reason: "" }, folders: [], model: null, last_ms: null };

/** A server that suggests "rest" everywhere, and dies of `repofill.reindex`. */
export function serve(): void {
  const connection = createProtocolConnection(
    new StreamMessageReader(process.stdin),
    new StreamMessageWriter(process.stdout),
  );
  connection.onRequest(InitializeRequest.type, () => ({ capabilities: CAPABILITIES }));
  connection.onRequest(ExecuteCommandRequest.type, ({ command }) => (command === "repofill.reindex" ? process.exit(1) : STATUS));
  connection.onRequest(InlineCompletionRequest.type, () => [{ insertText: "rest" }]);
  connection.onRequest(ShutdownRequest.type, () => undefined);
  connection.onNotification(ExitNotification.type, () => process.exit());
  connection.listen();
}
