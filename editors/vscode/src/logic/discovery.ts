import * as os from "node:os";
import * as path from "node:path";

export interface Found {
  readonly command: string;
  readonly origin: "settings" | "own environment" | "PATH";
}

/** One command of the installation, as a program and its arguments. */
export type Command = readonly [program: string, ...args: string[]];

/** A program inside of a virtual environment. */
export function programIn(environment: string, name: string, platform: NodeJS.Platform): string {
  return platform === "win32"
    ? path.join(environment, "Scripts", `${name}.exe`)
    : path.join(environment, "bin", name);
}

/** The server to start: the user's choice, whether it exists or not, `~` being their home; else the first that exists. */
export function findServer(
  chosen: string,
  environment: string | undefined,
  searchPath: string,
  platform: NodeJS.Platform,
  isProgram: (file: string) => boolean,
): Found | undefined {
  if (chosen !== "") {
    return { command: chosen.replace(/^~(?=[/\\])/, os.homedir()), origin: "settings" };
  }
  const own = environment === undefined ? undefined : programIn(environment, "repofill", platform);
  if (own !== undefined && isProgram(own)) {
    return { command: own, origin: "own environment" };
  }
  const command = onPath(platform === "win32" ? "repofill.exe" : "repofill", searchPath, isProgram);
  return command === undefined ? undefined : { command, origin: "PATH" };
}

/** A program on the search path. Relative entries are skipped: they would name files of the opened project. */
export function onPath(
  name: string,
  searchPath: string,
  isProgram: (file: string) => boolean,
): string | undefined {
  return searchPath
    .split(path.delimiter)
    .filter((folder) => path.isAbsolute(folder))
    .map((folder) => path.join(folder, name))
    .find(isProgram);
}

/** The names Python 3.11 or newer may go by, newest first. */
export const PYTHONS = ["python3.14", "python3.13", "python3.12", "python3.11", "python3", "python"] as const;

/** Exits with 0 when the server runs on this Python, and it can make environments. `-I`: modules of the folder that VS Code
 * was started in, mostly the opened project's, are not Python's own. */
export function isNewEnough(python: string): Command {
  return [python, "-I", "-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"];
}

/** What installs the server: a new environment, the wheel that `brought` holds with tested versions, and a first run. */
export function installCommands(
  python: string,
  environment: string,
  brought: string,
  wheel: string,
  platform: NodeJS.Platform,
): readonly Command[] {
  const pip = [programIn(environment, "python", platform), "-I", "-m", "pip"] as const;
  const constraints = path.join(brought, "constraints.txt");
  return [
    [python, "-I", "-m", "venv", environment],
    [...pip, "install", "--disable-pip-version-check", "--constraint", constraints, path.join(brought, wheel)],
    [programIn(environment, "repofill", platform), "--version"],
  ];
}

/** A command as one would type it. */
export function shown(command: Command): string {
  return command.map((part) => (/^[\w@%+=:,./\\-]+$/.test(part) ? part : `"${part}"`)).join(" ");
}
