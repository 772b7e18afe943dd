import { stringMember } from "../../src/mcp/scan.ts";
import type { Params } from "../server/params.ts";

/** Longest name or URI that the call log keeps, in UTF-16 code units. */
const MAX_LENGTH = 256;

/** The tool, prompt or resource that a request names, as the client wrote it; without what may be private. */
export function requestedName(method: string, params: Params | undefined): string | undefined {
  if (params === undefined) return undefined;
  const { text, outline } = params;
  const ref = method === "completion/complete" ? outline.members.get("ref")?.value : outline;
  if (ref === undefined) return undefined;
  const name = stringMember(text, ref, "name");
  if (name !== undefined) return name.slice(0, MAX_LENGTH);
  const uri = stringMember(text, ref, "uri");
  return uri && withoutQuery(uri);
}

/**
 * A URI without user information, query and fragment, in which secrets are sent, and a `data:` URI without
 * its data. A name that is no URI stays as it is.
 */
export function withoutQuery(uri: string): string {
  if (/^data:/i.test(uri)) return "data:";
  if (!/^[a-z][a-z0-9+.-]*:/i.test(uri)) return uri.slice(0, MAX_LENGTH);
  const [place = ""] = uri.slice(0, 8 * MAX_LENGTH).split(/[?#]/, 1);
  return place.replace(/^([^/]*:\/\/)[^/]*@/, "$1").slice(0, MAX_LENGTH);
}
