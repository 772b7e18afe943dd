/**
 * The word of `known` that was probably meant by `word`: the nearest by edits (at most a third of its
 * letters), else one that it contains or that contains it. Undefined when none is near.
 */
export function suggest(word: string, known: readonly string[]): string | undefined {
  const meant = word.toLowerCase();
  // Far longer than any key; the cost of a comparison is the product of the lengths.
  if (meant.length > 64) return undefined;
  const near = known
    .map((candidate) => ({ candidate, edits: edits(meant, candidate.toLowerCase()) }))
    .filter(({ candidate, edits }) => edits <= Math.max(1, Math.floor(candidate.length / 3)))
    .toSorted((a, b) => a.edits - b.edits);
  return near[0]?.candidate ?? known.find((candidate) => overlaps(meant, candidate.toLowerCase()));
}

function overlaps(a: string, b: string): boolean {
  return Math.min(a.length, b.length) >= 3 && (a.includes(b) || b.includes(a));
}

/** Insertions, deletions, replacements and swaps of neighbours between `a` and `b`. */
function edits(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
        ? (before[j - 2] ?? 0) + 1
        : Infinity;
      next.push(Math.min(replaced, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}
