import type { Duplex } from "node:stream";
import type { Socket } from "node:net";
import { IDLE_MS } from "./settings.ts";

/**
 * Joins two connections until both have ended: each end is passed on by itself, a reset ends both, and so
 * does `IDLE_MS` without a byte.
 */
export function splice(client: Duplex & Pick<Socket, "setTimeout">, upstream: Socket): void {
  for (const [from, to] of [[client, upstream], [upstream, client]] as const) {
    from.on("error", () => {});
    from.setTimeout(IDLE_MS, () => from.destroy());
    from.once("close", () => {
      // Ended in order, it has passed on its end; else nobody is there any more.
      if (!from.readableEnded || !from.writableFinished) to.destroy();
    });
    if (from.destroyed) to.destroy();
    else from.pipe(to);
  }
}
