/** What the user and the system tell the program by signals. */
export interface Signals {
  /** Aborted by the first Ctrl-C, SIGTERM, or end of the terminal; its reason is the signal's name. */
  readonly stopped: AbortSignal;
  /** Calls `reload` at each SIGHUP that is not the end of the terminal, until `stopped`. */
  onReload(reload: () => void): void;
}

/**
 * Milliseconds within which a repeated signal is the same one: under npx a single Ctrl-C arrives
 * twice, once from the terminal and once from npm.
 */
const SAME_SIGNAL_MS = 500;

/** Listens to the signals of this process; a second Ctrl-C, from an impatient user, ends it at once. */
export function watchSignals(): Signals {
  const controller = new AbortController();
  const reloads = new Set<() => void>();
  let firstAt = 0;
  const stop = (name: NodeJS.Signals): void => {
    if (!controller.signal.aborted) {
      firstAt = performance.now();
      controller.abort(name);
    } else if (performance.now() - firstAt > SAME_SIGNAL_MS) {
      process.exit(name === "SIGINT" ? 130 : 1);
    }
  };
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => stop(name));
  const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  process.on("SIGHUP", () => {
    // A daemon is told to read its config; a program in a terminal, that this was closed.
    if (terminal || reloads.size === 0) stop("SIGHUP");
    else for (const reload of reloads) reload();
  });
  // Nobody reads any more: a program that prints without end ends, one that serves drains first.
  process.stdout.on("error", () => controller.signal.aborted || stop("SIGPIPE"));
  process.stderr.on("error", () => {});
  return {
    stopped: controller.signal,
    onReload: (reload) => void reloads.add(reload),
  };
}
