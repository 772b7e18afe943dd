/**
 * What a request must be to become a tunnel; checked before a runtime upgrades it.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import { SUBPROTOCOL } from "../../src/tunnel/frame.ts";

/**
 * Checks that a request may become a tunnel, before any runtime upgrades it (Deno throws for a
 * subprotocol that was not offered).
 *
 * @throws {GatewayError} `upgrade_required`; also the answer to a runner that asks, without an
 * upgrade, whether its token is still good. `forbidden_origin` for a browser.
 */
export function checkUpgrade(headers: Headers): void {
  if (headers.has("origin")) {
    throw new GatewayError("forbidden_origin", "Cannot open a tunnel from a web page");
  }
  const offered = (headers.get("sec-websocket-protocol") ?? "").split(",").map((p) => p.trim());
  if (headers.get("upgrade")?.toLowerCase() !== "websocket" || !offered.includes(SUBPROTOCOL)) {
    throw new GatewayError(
      "upgrade_required",
      `Cannot open a tunnel: ask for a WebSocket with the subprotocol ${SUBPROTOCOL}; ` +
        'an older or newer mcp-runner updates with "npx mcp-runner@latest"',
      { data: { supported: [SUBPROTOCOL] } },
    );
  }
}
