/** How long llama.cpp takes to compile. */
export const COMPILING = "4 minutes on a quick machine and up to 20 on a slow or busy one";

const MINUTE_MS = 60_000;

const OF_LLAMA = /\bbuil(d|ding)\b.*\bllama[-_]cpp[-_]python\b/i;

/** Why it failed, for people: pip's last error, and what it means where a compiler is missing. */
export function whyFailed(error: string): string {
  return OF_LLAMA.test(error) ? `llama.cpp could not be compiled, which takes a C++ compiler. ${error}` : error;
}

/** How far it is, for people: what pip said last, and for how long it has been going on. */
export function shownInstalling(line: string, elapsedMs: number): string {
  const compiles = /^\s*Building wheel for llama[-_]cpp[-_]python\b(?!.*\bfinished\b)/.test(line);
  const minutes = Math.floor(elapsedMs / MINUTE_MS);
  const text = compiles ? `compiling llama.cpp, which takes ${COMPILING}` : line.trim();
  return minutes === 0 ? text : `${text} (${minutes} min so far)`;
}
