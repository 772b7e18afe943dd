import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import type { Credentials } from "../local/credentials.ts";

/**
 * The origin of a worker's URL. Only https, except to this machine: a tunnel token must not travel
 * in clear text.
 *
 * @throws {GatewayError} `usage`.
 */
export function workerOrigin(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const loopback = parsed !== undefined &&
    /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(parsed.hostname);
  if (parsed?.protocol === "https:" || (parsed?.protocol === "http:" && loopback)) {
    return parsed.origin;
  }
  throw new GatewayError(
    "usage",
    `Cannot use "${printable(url)}" as worker: its URL must begin with https://` +
      " (http:// only for this machine)",
  );
}

/**
 * The worker that a command is about: the one named, else the only one known.
 *
 * @throws {GatewayError} `usage` when that is not clear.
 */
export function chooseWorker(url: string | undefined, { workers }: Credentials): string {
  if (url !== undefined) return workerOrigin(url);
  const known = Object.keys(workers);
  const [only] = known;
  if (only !== undefined && known.length === 1) return only;
  throw new GatewayError(
    "usage",
    known.length === 0
      ? 'This machine has joined no worker yet: name its URL, as in "mcp-runner connect https://…"'
      : `Name one of the workers of this machine: ${known.join(", ")}`,
  );
}
