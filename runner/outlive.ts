/** The command that main.ts runs beside a runner; no user calls it, so help does not list it. */
export const REAP = "reap";

/** Said by a runner of which nothing is left. */
export const ALL_CLEAR = ".";

/**
 * Waits on standard input for the runner to end, whatever signal comes: what ends a whole session must not
 * end who clears up after it.
 *
 * @returns Whether it ended without saying that nothing of it is left.
 */
export async function outlived(): Promise<boolean> {
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => {});
  let said = "";
  for await (const chunk of process.stdin) said += chunk;
  return said !== ALL_CLEAR;
}
