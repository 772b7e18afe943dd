/** Longest texts that are compared line by line. */
const MAX_LINES = 2_000;

/** Lines that are the same, shown around a change. */
const CONTEXT = 2;

/**
 * What has changed from `before` to `after`: lines that begin with `-`, `+` or a space, and `…` where lines
 * that are the same are left out. Texts of too many lines are shown whole, one after the other.
 */
export function lineDiff(before: readonly string[], after: readonly string[]): readonly string[] {
  const all = before.length > MAX_LINES || after.length > MAX_LINES
    ? [...before.map((line) => `- ${line}`), ...after.map((line) => `+ ${line}`)]
    : compared(before, after);
  const isShown = all.map((_, n) =>
    all.slice(Math.max(0, n - CONTEXT), n + CONTEXT + 1).some((line) => !line.startsWith(" "))
  );
  return all.flatMap((line, n) => isShown[n] ? [line] : isShown[n - 1] !== false ? ["  …"] : []);
}

/** By the longest common subsequence of lines. */
function compared(before: readonly string[], after: readonly string[]): readonly string[] {
  const width = after.length + 1;
  const longest = new Uint16Array((before.length + 1) * width);
  const at = (i: number, j: number): number => longest[i * width + j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      longest[i * width + j] = before[i] === after[j]
        ? at(i + 1, j + 1) + 1
        : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push(`  ${before[i++]}`);
      j++;
    } else if (j >= after.length || (i < before.length && at(i + 1, j) >= at(i, j + 1))) {
      lines.push(`- ${before[i++]}`);
    } else {
      lines.push(`+ ${after[j++]}`);
    }
  }
  return lines;
}
