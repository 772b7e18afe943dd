/**
 * The text of one entry of a large `catalog.yaml`, so that the rest need not be parsed: Docker's takes a
 * second, and each start and each reload would wait for it.
 *
 * @module
 */

/**
 * A catalog with no entry but `name`, in the lines that it has in `text`. Undefined where the text is not
 * laid out as YAML programs write it; the whole is to be read then.
 */
export function sliceOf(text: string, name: string): string | undefined {
  const registry = /^registry:[ \t]*\r?\n/m.exec(text);
  if (registry === null) return undefined;
  const from = registry.index + registry[0].length;
  const [, indent = ""] = /^( +)\S/m.exec(text.slice(from, from + 1024)) ?? [];
  const start = lineStart(text, from, [`${indent}${name}:`, `${indent}"${name}":`]);
  if (indent === "" || start === undefined) return undefined;
  const end = /^ *\S/gm;
  end.lastIndex = text.indexOf("\n", start) + 1;
  if (end.lastIndex === 0) return undefined;
  let stop = text.length;
  for (let found = end.exec(text); found !== null; found = end.exec(text)) {
    // A comment may be anywhere.
    if (found[0].length - 1 > indent.length || found[0].endsWith("#")) continue;
    stop = found.index;
    break;
  }
  const above = text.slice(0, start).split("\n").length - 2;
  return `registry:\n${"\n".repeat(Math.max(0, above))}${text.slice(start, stop)}`;
}

/** Where the one line is that is one of `lines`, with nothing after it. */
function lineStart(text: string, from: number, lines: readonly string[]): number | undefined {
  for (const line of lines) {
    for (let at = text.indexOf(`\n${line}`, from - 1); at >= 0;) {
      const rest = at + 1 + line.length;
      if (/^[ \t]*\r?\n/.test(text.slice(rest, rest + 8))) return at + 1;
      at = text.indexOf(`\n${line}`, rest);
    }
  }
  return undefined;
}
