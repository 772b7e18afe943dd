/** A stream whose writes can be held back and then sent together, as Node's streams can. */
export interface Corkable {
  cork(): void;
  uncork(): void;
}

/**
 * Sends writes that fall into one turn of the event loop together: a system call for each would cost
 * more than the messages. The first of a turn goes out at once, so that a single one never waits.
 *
 * @param atEndOfTurn Runs a function once everything that is due now has run (`setImmediate`).
 * @returns To be called before each write.
 */
export function batchWrites(
  stream: Corkable,
  atEndOfTurn: (run: () => void) => void,
): () => void {
  let written: "none" | "one" | "more" = "none";
  return () => {
    if (written === "none") {
      written = "one";
      atEndOfTurn(() => {
        if (written === "more") stream.uncork();
        written = "none";
      });
    } else if (written === "one") {
      written = "more";
      stream.cork();
    }
  };
}
