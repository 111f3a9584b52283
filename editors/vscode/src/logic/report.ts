/** What `repofill.explain` answers. */
export interface Explanation {
  readonly files: readonly ContextFile[];
  readonly tokens: number;
  readonly last: Figures | null;
}

export interface ContextFile {
  readonly path: string;
  readonly tokens: number;
  readonly form: string;
}

export interface Figures {
  readonly items: readonly { readonly text: string; readonly confidence: number; readonly source: string }[];
  readonly prompt_tokens: number;
  readonly cached_tokens: number;
  readonly context: readonly ContextFile[];
  readonly timings_ms: Readonly<Record<string, number>>;
  readonly deadline_ms: number;
  readonly model: string;
}

const SOURCES: Readonly<Record<string, string>> = {
  project: "copied from the project",
  model: "written by the model",
  both: "written by the model, and found in the project",
};

/** The last suggestion as a Markdown document that reads well without being rendered, too. */
export function explained({ files, tokens, last }: Explanation, language: string): string {
  if (last === null) {
    return "# No suggestion yet\n\nNothing has been suggested since the server started.\n";
  }
  const cached = last.prompt_tokens > 0 ? Math.round((100 * last.cached_tokens) / last.prompt_tokens) : 0;
  const stages = Object.entries(last.timings_ms);
  return [
    "# The last suggestion",
    ...(last.items.length > 0
      ? last.items.flatMap((item, index) => [
          `## ${index + 1}. ${percent(item.confidence)} sure, ${SOURCES[item.source] ?? item.source}`,
          fenced(item.text, language),
        ])
      : [silence(last)]),
    "## Prompt",
    `${last.prompt_tokens} tokens for ${code(last.model)}, ${last.cached_tokens} of them (${cached} %) cached.`,
    ...(last.context.length > 0 ? ["Files ahead of this one, in prompt order:", fileTable(last.context)] : []),
    "## Time",
    table(
      ["stage", "ms"],
      stages.map(([stage, ms]) => [stage, ms.toFixed(1)]),
    ),
    "## The next prompt there",
    files.length > 0
      ? `It would show ${tokens} tokens of other files:\n\n${fileTable(files)}`
      : "It would show no other file.",
  ].join("\n\n") + "\n";
}

/** Why nothing was shown. */
function silence(last: Figures): string {
  return (last.timings_ms["total"] ?? 0) < last.deadline_ms
    ? "Nothing was probable enough to be shown."
    : `Nothing was probable enough after ${last.deadline_ms} ms (\`repofill.suggest.deadline_ms\`), when the model had to stop.`;
}

function fileTable(files: readonly ContextFile[]): string {
  return table(
    ["file", "form", "tokens"],
    files.map((file) => [code(file.path), file.form, String(file.tokens)]),
  );
}

/** A Markdown table whose columns are aligned in the source. */
function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heads, ...rows.map((row) => row.map((cell) => cell.replaceAll("|", "\\|")))];
  const widths = heads.map((_, column) => Math.max(3, ...all.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(heads), line(widths.map((width) => "-".repeat(width))), ...all.slice(1).map(line)].join("\n");
}

/** A code block. */
function fenced(text: string, language: string): string {
  const fence = backticks(text, 3);
  return `${fence}${language}\n${text}\n${fence}`;
}

/** A name as it is, in one line: a project must not say by the names of its files what a preview shows or loads. */
function code(name: string): string {
  const fence = backticks(name, 1);
  const gap = fence.length > 1 ? " " : "";
  return `${fence}${gap}${name.replaceAll(/\s/g, " ")}${gap}${fence}`;
}

/** More of them in a row than the text has anywhere. */
function backticks(text: string, least: number): string {
  return "`".repeat(Math.max(least, ...[...text.matchAll(/`+/g)].map(([found]) => found.length + 1)));
}

function percent(probability: number): string {
  return `${Math.round(100 * probability)} %`;
}
