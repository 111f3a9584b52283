// stylua, 120 columns and 2 spaces: `node format.mjs STYLUA [--write] FILE…` names files formatted otherwise, or mends them.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [library, ...rest] = process.argv.slice(2);
const stylua = await import(pathToFileURL(library).href);
const write = rest[0] === "--write";
function config() { // each call of formatCode takes its own away
  const made = stylua.Config.new();
  made.column_width = 120;
  made.indent_type = stylua.IndentType.Spaces;
  made.indent_width = 2;
  return made;
}

for (const file of write ? rest.slice(1) : rest) {
  const source = readFileSync(file, "utf8");
  const formatted = stylua.formatCode(source, config(), undefined, stylua.OutputVerification.Full);
  if (formatted === source) continue;
  if (write) {
    writeFileSync(file, formatted);
  } else {
    console.error(`${file} is not formatted`);
    process.exitCode = 1;
  }
}
