import type { ServerConfig } from "../config/config.ts";
import type { ContainerNetwork } from "../docker/create.ts";
import { createEgress, type Egress } from "../egress/egress.ts";
import type { LaunchContext } from "./launcher.ts";

/** How the processes of one server reach the places of its config, if it names any. */
export interface WayOut {
  /**
   * Starts a process with a network that leads there; without one if the config names no place. What the
   * network needs stays until the process has ended.
   *
   * @throws {GatewayError} as `Egress.lease` and `start`.
   */
  through<P extends { readonly exited: Promise<unknown> }>(
    progress: (line: string) => void,
    start: (network: ContainerNetwork | undefined) => Promise<P>,
  ): Promise<P>;
  /** Removes it; no process runs any more. */
  close(): Promise<void>;
}

/** The way out of a server. Nothing is made before its first process. */
export function wayOutOf(config: ServerConfig, context: LaunchContext): WayOut {
  const { name, network, extraHosts } = config;
  const { owner, clock, log, journal } = context;
  let egress: Egress | undefined;
  const made = async (): Promise<Egress | undefined> => {
    if (network.length === 0) return undefined;
    const engine = await context.engine();
    return egress ??= createEgress({
      engine,
      server: name,
      owner,
      targets: network,
      extraHosts,
      clock,
      log,
      blocked: (event) => journal.write(event),
    });
  };
  return {
    through: async (progress, start) => {
      const lease = await (await made())?.lease(progress);
      try {
        const process = await start(lease?.network);
        void process.exited.then(() => lease?.release());
        return process;
      } catch (error) {
        lease?.release();
        throw error;
      }
    },
    close: async () => await egress?.close(),
  };
}
