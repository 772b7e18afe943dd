import type { Call } from "../../src/call.ts";
import type { ExchangeCaller } from "../server/exchange.ts";

/** On whose behalf a call is made. */
export function callerOf(call: Call): ExchangeCaller {
  return {
    client: call.caller.client,
    protocolVersion: call.protocolVersion,
    capabilities: call.clientCapabilities,
    logLevel: call.logLevel,
  };
}
