/** What `repofill.status` answers, as far as it is shown. */
export interface ServerStatus {
  readonly ready: boolean;
  readonly engine: { readonly state: string; readonly reason: string };
  readonly folders: readonly { readonly root: string; readonly ready: boolean; readonly files: number }[];
  readonly model: string | null;
  readonly last_ms: number | null;
}

/** Where the server is, as seen from the editor. */
export type Life =
  | { readonly kind: "missing" | "installing" | "starting" | "stopped" }
  | { readonly kind: "failed"; readonly reason: string }
  | { readonly kind: "running"; readonly status: ServerStatus };

export interface Shown {
  readonly text: string;
  readonly tooltip: string;
  readonly warns: boolean;
}

const LIVES = {
  missing: { text: "$(warning) repofill", tooltip: "The server is not installed", warns: true },
  installing: { text: "$(sync~spin) repofill", tooltip: "The server is being installed", warns: false },
  starting: { text: "$(sync~spin) repofill", tooltip: "The server is starting", warns: false },
  stopped: { text: "$(circle-slash) repofill", tooltip: "The server is stopped", warns: false },
} as const;

/** Whether the server is on its way to another state. */
export function isBusy({ engine, folders }: ServerStatus): boolean {
  return engine.state === "starting" || engine.state === "crashed" || folders.some((folder) => !folder.ready);
}

/** The status item's text and tooltip. `off`: where suggestions are switched off, the active editor among it. */
export function statusItem(life: Life, off?: "everywhere" | "in this language"): Shown {
  if (life.kind === "failed") {
    return { text: "$(error) repofill", tooltip: life.reason, warns: true };
  }
  if (life.kind !== "running") {
    return LIVES[life.kind];
  }
  const { engine, folders, last_ms, model } = life.status;
  const files = folders.reduce((sum, folder) => sum + folder.files, 0);
  const reading = folders.some((folder) => !folder.ready);
  const lines = [
    `Model: ${model ?? "not used yet"}`,
    `State: ${engine.state}${engine.reason === "" ? "" : `, ${engine.reason}`}`,
    `Project: ${files} files${reading ? ", still reading" : ""}`,
    `Last answer: ${last_ms === null ? "none yet" : `${Math.round(last_ms)} ms`}`,
    ...(off === undefined ? [] : [`Suggestions are off ${off}`]),
  ];
  const failed = engine.state === "failed";
  const working = isBusy(life.status) ? "$(sync~spin)" : "$(sparkle)";
  const icon = failed ? "$(error)" : off !== undefined ? "$(circle-slash)" : working;
  const latency = last_ms === null || failed ? "" : ` ${Math.round(last_ms)} ms`;
  return { text: `${icon} repofill${latency}`, tooltip: lines.join("\n"), warns: failed };
}
