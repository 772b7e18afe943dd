/**
 * The notifications that go out to clients: what a runner may send beside a result, and what the home
 * tells by itself.
 *
 * @module
 */
import {
  MAX_SERVER_DEPTH,
  type Outline,
  scan,
  spliceObject,
  stringMember,
} from "../../src/mcp/scan.ts";
import { RESERVED_PREFIX } from "../../src/mcp/meta.ts";

/** `_meta` key of what belongs to a stream that a client listens to (MCP 2026-07-28). */
export const SUBSCRIPTION_ID_KEY = `${RESERVED_PREFIX}subscriptionId`;

/** Method of the notification that a resource has changed. */
export const RESOURCE_UPDATED = "notifications/resources/updated";

/**
 * Whether `text` is a JSON-RPC notification of MCP: what is a request must never reach a client on the
 * stream of its own (MCP 2026-07-28 streamable-http "Receiving Messages").
 */
export function isNotification(text: string): boolean {
  return methodOf(text)?.startsWith("notifications/") === true;
}

/** The method of a JSON-RPC notification; undefined for any other text. */
export function methodOf(text: string): string | undefined {
  const root = outlineOf(text, 1);
  if (root?.kind !== "object" || root.members.has("id")) return undefined;
  return stringMember(text, root, "method");
}

/** A notification with the id of the subscription that it belongs to, given as JSON text. */
export function withSubscription(text: string, id: string): string {
  const root = outlineOf(text, 3);
  if (root === undefined) return text;
  const params = root.members.get("params")?.value;
  const meta = params?.members.get("_meta")?.value;
  const marked = { [SUBSCRIPTION_ID_KEY]: id };
  const newMeta = meta?.kind === "object"
    ? spliceObject(text, meta, marked)
    : `{${JSON.stringify(SUBSCRIPTION_ID_KEY)}:${id}}`;
  const newParams = params?.kind === "object"
    ? spliceObject(text, params, { _meta: newMeta })
    : `{"_meta":${newMeta}}`;
  return spliceObject(text, root, { params: newParams });
}

/** The notification that a list has changed. */
export function listChanged(list: "tools" | "prompts" | "resources"): string {
  return `{"jsonrpc":"2.0","method":"notifications/${list}/list_changed"}`;
}

function outlineOf(text: string, keep: number): Outline | undefined {
  try {
    return scan(text, { keep, maxDepth: MAX_SERVER_DEPTH });
  } catch {
    // No JSON, or with a key that occurs twice: nothing that a runner would send.
    return undefined;
  }
}
