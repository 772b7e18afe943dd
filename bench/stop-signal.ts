/**
 * For a harness that starts things: aborts at the first Ctrl-C or SIGTERM, and everything is cleared
 * away; a second one does not wait.
 */
export function stopSignal(say: (line: string) => void): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(130);
      say("Stopping");
      controller.abort(new Error(`Stopped by ${name}`));
    });
  }
  return controller.signal;
}
