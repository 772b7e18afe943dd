import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { isAtLeast, logLevel } from "../../src/mcp/log-level.ts";
import { MAX_SERVER_DEPTH, scan, stringMember } from "../../src/mcp/scan.ts";
import type { Ongoing } from "./ongoing.ts";

/**
 * Gives a `notifications/message` to an exchange, if its caller wants messages of that level. Messages
 * name no request, so only who knows that there is no other exchange may call this.
 *
 * @param params JSON text of the notification's params; one without a known level reaches nobody.
 */
export function passMessage(params: string, ongoing: Ongoing): void {
  const least = ongoing.exchange.caller.logLevel;
  if (least === undefined) return;
  const level = levelOf(params);
  if (level === undefined || !isAtLeast(level, least)) return;
  ongoing.note(`{"jsonrpc":"2.0","method":"notifications/message","params":${params}}`);
}

function levelOf(params: string): v.InferOutput<typeof logLevel> | undefined {
  try {
    const outline = scan(params, { keep: 1, maxDepth: MAX_SERVER_DEPTH });
    const parsed = v.safeParse(logLevel, stringMember(params, outline, "level"));
    return parsed.success ? parsed.output : undefined;
  } catch (error) {
    // Empty params.
    if (!(error instanceof GatewayError)) throw error;
    return undefined;
  }
}
