/**
 * What one client may hold open before it has sent a whole request: time, and sockets. Against clients
 * that dribble, stall or only connect; whoever operates a worker may change them.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";

/** Limits of the connections to a worker on Node or Deno. */
export interface Limits {
  /** Milliseconds for the headers of a request, from the first byte or the opening of the socket. */
  readonly headersMs: number;
  /** Milliseconds for a body to arrive whole. */
  readonly bodyMs: number;
  /**
   * Sockets of one remote address at a time; 0: any number. Off unless asked for: behind a proxy all
   * clients, and every runner's tunnel, have the one address of the proxy.
   */
  readonly maxSockets: number;
}

/** The limits of whoever sets none. */
export const DEFAULT_LIMITS: Limits = { headersMs: 10_000, bodyMs: 30_000, maxSockets: 0 };

/** Variables of what only Node can do: Deno shows its server neither sockets nor half a request. */
const NODE_ONLY = ["MCP_RUNNER_HEADERS_MS", "MCP_RUNNER_MAX_SOCKETS"] as const;

/**
 * The limits that the environment asks for.
 *
 * @throws {GatewayError} `usage` for a value that is none, and for a limit that `runtime` would not
 * hold: to seem protected is worse than to know.
 */
export function readLimits(
  env: Readonly<Record<string, string | undefined>>,
  runtime: "node" | "deno",
): Limits {
  const unheld = runtime === "deno"
    ? NODE_ONLY.find((name) => (env[name] ?? "") !== "")
    : undefined;
  if (unheld !== undefined) {
    throw new GatewayError(
      "usage",
      `Cannot use ${unheld}: Deno has no such limit, set one in the proxy or run the worker on Node`,
    );
  }
  const read = (name: string, least: number, most: number, otherwise: number): number => {
    const text = env[name] ?? "";
    if (text === "") return otherwise;
    const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
    if (value >= least && value <= most) return value;
    throw new GatewayError(
      "usage",
      `Cannot use ${name}: it is "${text}", it must be a whole number from ${least} to ${most}`,
    );
  };
  return {
    headersMs: read("MCP_RUNNER_HEADERS_MS", 100, 600_000, DEFAULT_LIMITS.headersMs),
    bodyMs: read("MCP_RUNNER_BODY_MS", 100, 600_000, DEFAULT_LIMITS.bodyMs),
    maxSockets: read("MCP_RUNNER_MAX_SOCKETS", 0, 1_000_000, DEFAULT_LIMITS.maxSockets),
  };
}
