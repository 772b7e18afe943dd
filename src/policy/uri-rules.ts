/**
 * Rules over URIs. A server may take many texts for one resource (`/a/../b`, `%62`, `FILE:`), so a rule
 * must hold for what a text means as well as for how it is written.
 *
 * @module
 */
import { isAllowed, type Rules } from "./allowlist.ts";
import { matchesAny } from "./pattern.ts";

const PARTS = /^([A-Za-z][A-Za-z0-9+.-]*):(\/\/[^/\\?#]*)?([^?#]*)(.*)$/s;

/** No URI has these (RFC 3986 §2), and parsers of URLs leave them out without a word. */
// deno-lint-ignore no-control-regex -- those are the ones
const FORBIDDEN = /[\u0000-\u0020\u007f]/;

/**
 * Whether `rules` let `uri` through: as it is written and in its normal form (RFC 3986 §6.2.2) it is
 * allowed, and without its query and fragment it is not denied.
 */
export function isUriAllowed(rules: Rules, uri: string): boolean {
  if (FORBIDDEN.test(uri) || !isAllowed(rules, uri)) return false;
  const parts = PARTS.exec(uri);
  if (parts === null) return true;
  const [, scheme = "", authority = "", path = "", rest = ""] = parts;
  const place = `${scheme.toLowerCase()}:${plain(authority).toLowerCase()}${resolved(plain(path))}`;
  const normal = place + plain(rest);
  return (normal === uri || isAllowed(rules, normal)) &&
    (rest === "" || !matchesAny(rules.deny, place));
}

/** Without percent-encoding where a character means the same, and of what separates segments. */
function plain(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (whole, hex: string) => {
    const character = String.fromCharCode(parseInt(hex, 16));
    return /[A-Za-z0-9._~/\\-]/.test(character) ? character : whole;
  });
}

/** Without dot segments (RFC 3986 §5.2.4) and empty ones; `\` separates too, as it does for URL parsers. */
function resolved(path: string): string {
  if (!/[/\\]/.test(path)) return path;
  const segments: string[] = [];
  const given = path.split(/[/\\]/);
  for (const [n, segment] of given.entries()) {
    const last = n === given.length - 1;
    if (segment === "..") segments.pop();
    if (segment !== "." && segment !== ".." && (segment !== "" || last)) segments.push(segment);
    else if (last) segments.push("");
  }
  return (/^[/\\]/.test(path) ? "/" : "") + segments.join("/");
}
