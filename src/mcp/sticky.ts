/**
 * Texts that a runner gives to clients and that must come back to the same runner: a `requestState`,
 * the id of a task. They begin with its id, which is a name and no credential.
 *
 * @module
 */
const SEPARATOR = ".";

/** `text` as one that belongs to `runner`. */
export function stickTo(runner: string, text: string): string {
  return runner + SEPARATOR + text;
}

/** What `stickTo(runner, …)` was given; undefined for a text of another runner, or of nobody. */
export function unstick(runner: string, text: string): string | undefined {
  const prefix = runner + SEPARATOR;
  return text.startsWith(prefix) ? text.slice(prefix.length) : undefined;
}
