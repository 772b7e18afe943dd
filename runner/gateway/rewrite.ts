/**
 * The places where a server's texts name its resources, with the URIs that clients see there. Only for
 * servers that share a URI with another: the texts of all others are not looked at.
 *
 * @module
 */
import { MAX_SERVER_DEPTH, type Outline, readString, scan } from "../../src/mcp/scan.ts";
import type { ExposeUri } from "./uri-space.ts";

/** Most members and elements of a text that is rewritten. */
const MAX_KEPT = 200_000;

/** A place and what comes there. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** A tool object: the page that it shows in MCP Apps, in both spellings. */
export function rewriteToolUris(raw: string, expose: ExposeUri): string {
  return rewrite(raw, 3, (root, edit) => {
    const meta = root.members.get("_meta")?.value;
    edit(meta?.members.get("ui/resourceUri")?.value);
    edit(meta?.members.get("ui")?.value.members.get("resourceUri")?.value);
  }, expose);
}

/** A result of tools/call, prompts/get or resources/read: links, embedded resources and contents. */
export function rewriteResultUris(result: string, expose: ExposeUri): string {
  return rewrite(result, 5, (root, edit) => {
    const block = (content: Outline | undefined): void => {
      edit(content?.members.get("uri")?.value);
      edit(content?.members.get("resource")?.value.members.get("uri")?.value);
    };
    for (const list of ["content", "contents"]) {
      for (const content of root.members.get(list)?.value.elements ?? []) block(content);
    }
    for (const message of root.members.get("messages")?.value.elements ?? []) {
      const content = message.members.get("content")?.value;
      block(content);
      for (const each of content?.elements ?? []) block(each);
    }
  }, expose);
}

/** A notification about a resource. */
export function rewriteNotificationUri(notification: string, expose: ExposeUri): string {
  return rewrite(notification, 2, (root, edit) => {
    edit(root.members.get("params")?.value.members.get("uri")?.value);
  }, expose);
}

function rewrite(
  text: string,
  keep: number,
  find: (root: Outline, edit: (value: Outline | undefined) => void) => void,
  expose: ExposeUri,
): string {
  const edits: Edit[] = [];
  find(scan(text, { keep, maxDepth: MAX_SERVER_DEPTH, maxKept: MAX_KEPT }), (value) => {
    if (value?.kind !== "string") return;
    const own = readString(text.slice(value.start, value.end));
    const exposed = expose(own);
    if (exposed !== own) edits.push({ ...value, text: JSON.stringify(exposed) });
  });
  if (edits.length === 0) return text;
  const parts: string[] = [];
  let at = 0;
  for (const { start, end, text: replacement } of edits.toSorted((a, b) => a.start - b.start)) {
    parts.push(text.slice(at, start), replacement);
    at = end;
  }
  return parts.join("") + text.slice(at);
}
