/**
 * The line with the join code. Every way of running the worker prints it where its owner looks.
 *
 * @module
 */
import type { JoinCode } from "./access/join-code.ts";

/** What a worker tells its owner so that a first machine can join. */
export function announceJoinCode({ code, expiresAt }: JoinCode, origin: string): string {
  const until = new Date(expiresAt).toISOString().slice(11, 16);
  return `Join code ${code}, good once and until ${until} UTC. On the machine with the servers:\n` +
    `  npx mcp-runner connect ${origin} --code ${code}`;
}
