/**
 * How a tunnel ends: the worker closes with one of these codes, the runner reads from it whether to
 * dial again.
 *
 * @module
 */
/** WebSocket close codes of the tunnel, and whether the runner may dial again after each. */
export const CLOSE = {
  /** A frame that breaks the protocol. */
  protocol: 4400,
  /** The tunnel token was revoked. */
  revoked: 4403,
  /** The same runner has opened a newer connection. */
  superseded: 4409,
  /** The worker is about to stop. */
  draining: 4503,
  /** The peer has not been heard of for too long. */
  silent: 4408,
} as const;

/** What to tell the user when the worker closed the tunnel for good; undefined when dialling again may help. */
export function permanentReason(code: number): string | undefined {
  switch (code) {
    case CLOSE.revoked:
      return "The tunnel token of this machine was revoked by the worker's owner: " +
        'run "mcp-runner disconnect", then "mcp-runner connect" with a new join code';
    case CLOSE.superseded:
      return "Another mcp-runner on this machine has taken over the tunnel: " +
        "stop one of the two, or give each its own MCP_RUNNER_HOME";
    default:
      return undefined;
  }
}
