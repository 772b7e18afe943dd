import type { ContainerSpec } from "../runner/docker/container.ts";
import type { Engine } from "../runner/docker/engine.ts";
import type { Echo } from "./echo.ts";
import { timeCall } from "./load.ts";
import { measurePairs, type Paired } from "./paired.ts";
import { startAttached } from "./subject/attach.ts";
import type { WholePath } from "./subject/whole-path.ts";

/** What a cold call needs. */
export interface ColdOptions {
  readonly whole: WholePath;
  readonly engine: Engine;
  readonly spec: ContainerSpec;
  readonly times: number;
  readonly nextEcho: () => Echo;
  readonly signal: AbortSignal;
}

/**
 * A call whose server has no container yet, through the whole path, beside the part of it that nobody
 * can save: the engine's start of such a container and the server's answer to initialize.
 */
export function measureCold(options: ColdOptions): Promise<Paired> {
  const { whole, engine, spec, times, nextEcho, signal } = options;
  const names = { name: "cold call", baseline: "container start and initialize alone" };
  return measurePairs(names, {
    times,
    signal,
    each: async () => {
      await whole.chill();
      return timeCall(whole.modern, nextEcho());
    },
    baseline: async () => {
      await using stack = new AsyncDisposableStack();
      const startedAt = performance.now();
      await startAttached(stack, engine, spec);
      return performance.now() - startedAt;
    },
  });
}
