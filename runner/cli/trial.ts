/**
 * `up --try`: one real call of a tool, as a client would make it, once with its container cold and
 * then warm.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import type { Endpoint } from "../client/mcp-client.ts";
import { prepareCall } from "../client/tool-call.ts";
import type { Runner } from "../runner.ts";

/** Calls whose median is the warm figure. */
const WARM_CALLS = 5;

/** A tool and the raw JSON text of its arguments. */
export interface TrialCall {
  readonly tool: string;
  readonly args: string;
}

/** What came of it. */
export interface Trial {
  readonly server: { readonly name: string; readonly image: string; readonly containerId: string };
  readonly tool: string;
  /** The result of the first call. */
  readonly result: unknown;
  /** Milliseconds from the client's request to its answer, whole path. */
  readonly ms: { readonly cold: number; readonly warm: number };
}

/**
 * Makes the calls.
 *
 * @throws {GatewayError} what the call failed with; `server_failed` when the tool itself says so.
 */
export async function tryTool(
  runner: Runner,
  endpoint: Endpoint,
  { tool, args }: TrialCall,
): Promise<Trial> {
  const owner = runner.gateway.offer().servers.find(({ tools }) =>
    tools.some(({ key }) => key === tool)
  );
  const owned = owner === undefined
    ? [...runner.servers.values()].find(({ config: { prefix } }) => tool.startsWith(prefix))
    : runner.servers.get(owner.name);
  if (owned === undefined) {
    throw new GatewayError("usage", `Cannot try "${tool}": no server has a tool of this name`);
  }
  const send = await prepareCall(endpoint, { name: JSON.stringify(tool), arguments: args });
  const call = async (): Promise<{ readonly text: string; readonly ms: number }> => {
    const startedAt = performance.now();
    const text = await send();
    return { text, ms: performance.now() - startedAt };
  };
  await owned.server.rest();
  const cold = await call();
  const result = JSON.parse(cold.text) as { readonly isError?: unknown };
  if (result.isError === true) {
    throw new GatewayError("server_failed", `The tool "${tool}" answered with an error`);
  }
  const warm: number[] = [];
  for (let n = 0; n < WARM_CALLS; n++) warm.push((await call()).ms);
  warm.sort((a, b) => a - b);
  return {
    server: {
      name: owned.config.name,
      image: owned.image() ?? "",
      containerId: owned.server.containers[0] ?? "",
    },
    tool,
    result,
    ms: { cold: round(cold.ms), warm: round(warm[Math.floor(WARM_CALLS / 2)] ?? 0) },
  };
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
