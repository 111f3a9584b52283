/** The part of VS Code's `WorkspaceConfiguration.inspect` that counts here. */
export interface Inspected {
  readonly globalValue?: unknown;
  readonly workspaceValue?: unknown;
  readonly workspaceFolderValue?: unknown;
}

type Nested = Record<string, Record<string, unknown>>;

/**
 * The values that somebody set, nested as the server reads them. Defaults are left out: they would cover the user's
 * `repofill.toml`. What is "machine" in package.json is never taken from a workspace: VS Code sees to that itself, this
 * is the second lock.
 */
export function explicitSettings(
  properties: Readonly<Record<string, { readonly scope: string }>>,
  inspect: (name: string) => Inspected | undefined,
): Nested {
  const nested: Nested = {};
  for (const [name, { scope }] of Object.entries(properties)) {
    const [, section, leaf] = name.split(".");
    const found = inspect(name);
    if (section === undefined || leaf === undefined || section === "server" || found === undefined) {
      continue;
    }
    const value =
      scope === "machine"
        ? found.globalValue
        : (found.workspaceFolderValue ?? found.workspaceValue ?? found.globalValue);
    if (value !== undefined) {
      (nested[section] ??= {})[leaf] = value;
    }
  }
  return nested;
}

/** The list with the language added, or without it where it was there. */
export function toggled(languages: readonly string[], language: string): string[] {
  return languages.includes(language) ? languages.filter((other) => other !== language) : [...languages, language];
}
