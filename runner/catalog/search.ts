import type { CatalogEntry } from "./entry.ts";

/** An entry that was found, and how well it fits; higher is better. */
export interface Hit {
  readonly entry: CatalogEntry;
  readonly score: number;
}

/** How much a word counts by where it stands. */
const WEIGHTS = { name: 6, title: 4, tags: 3, category: 2, tools: 2, description: 1 } as const;

/** How soon a further occurrence of a word adds nothing, and how much a long text counts less (BM25). */
const SATURATION = 1.2;
const LENGTH_SHARE = 0.75;

/** What the beginning of a word counts against the whole word. */
const PREFIX_SHARE = 0.5;

/** Entries in which words of the query stand, the best first (BM25 over weighted fields). */
export function searchEntries(
  entries: readonly CatalogEntry[],
  query: string,
): readonly Hit[] {
  const indexed = entries.map((entry) => ({ entry, counts: countWords(entry) }));
  const lengths = indexed.map(({ counts }) => sum(counts.values()));
  const average = sum(lengths) / Math.max(1, lengths.length);
  const wanted = [...new Set(wordsOf(query))].map((word) => {
    const times = indexed.map(({ counts }) => occurrences(counts, word));
    const holders = times.filter((count) => count > 0).length;
    return { times, rarity: Math.log(1 + (entries.length - holders + 0.5) / (holders + 0.5)) };
  });
  const found = indexed.map(({ entry }, at) => {
    const share = (lengths[at] ?? 0) / Math.max(1, average);
    const bend = SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * share);
    const score = sum(wanted.map(({ times, rarity }) => {
      const count = times[at] ?? 0;
      return rarity * count * (SATURATION + 1) / (count + bend);
    }));
    return { entry, score };
  });
  return found.filter(({ score }) => score > 0)
    .toSorted((a, b) => b.score - a.score || (a.entry.name < b.entry.name ? -1 : 1));
}

function countWords(entry: CatalogEntry): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const texts: Readonly<Record<keyof typeof WEIGHTS, string>> = {
    name: entry.name,
    title: entry.title,
    tags: entry.tags.join(" "),
    category: entry.category,
    tools: entry.tools.map(({ name }) => name).join(" "),
    description: entry.description,
  };
  for (const field of Object.keys(WEIGHTS) as (keyof typeof WEIGHTS)[]) {
    for (const word of wordsOf(texts[field])) {
      counts.set(word, (counts.get(word) ?? 0) + WEIGHTS[field]);
    }
  }
  return counts;
}

function occurrences(counts: ReadonlyMap<string, number>, word: string): number {
  const whole = counts.get(word) ?? 0;
  if (whole > 0 || word.length < 3) return whole;
  return Math.max(
    0,
    ...[...counts].filter(([other]) => other.startsWith(word))
      .map(([, times]) => times * PREFIX_SHARE),
  );
}

function wordsOf(text: string): readonly string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
