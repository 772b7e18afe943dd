/** Longest accepted pattern, in characters. */
export const MAX_PATTERN_LENGTH = 128;

/**
 * Whether `name` matches `pattern`, where `*` stands for any run of characters and `?` for one.
 * Case-sensitive, the whole name. Walks both strings once with one remembered star, so that a
 * hostile pattern costs at most |pattern| × |name| steps: no regular expression is built.
 */
export function matches(pattern: string, name: string): boolean {
  let p = 0;
  let n = 0;
  let star = -1;
  let resume = 0;
  while (n < name.length) {
    const c = pattern[p];
    if (c === "*") {
      star = p++;
      resume = n;
    } else if (c !== undefined && (c === "?" || c === name[n])) {
      p++;
      n++;
    } else if (star >= 0) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** Whether `name` matches at least one of `patterns`. */
export function matchesAny(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => matches(pattern, name));
}
