import { GatewayError } from "../../src/errors.ts";
import type { Outline } from "../../src/mcp/scan.ts";

/**
 * Refuses an object with members whose names differ only in case. Some servers take one for the other (Go's
 * encoding/json does, CVE-2026-27896): what was checked would not be what is done.
 *
 * @param what Of a request, for the message: `params`.
 * @throws {GatewayError} `invalid_params`.
 */
export function checkUnambiguous({ members }: Outline, what: string): void {
  const seen = new Set<string>();
  for (const name of members.keys()) seen.add(folded(name));
  if (seen.size === members.size) return;
  throw new GatewayError(
    "invalid_params",
    `Cannot read the request: two members of its ${what} have names that differ only in case`,
  );
}

/** One text for all cases of a name, also for letters such as the long s, which becomes S and s. */
function folded(name: string): string {
  return name.toUpperCase().toLowerCase();
}
