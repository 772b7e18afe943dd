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

/** Ports that mean the same as none. */
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: ":80", https: ":443" };

/**
 * Whether `rules` let `uri` through: as it is written and in its normal form (RFC 3986 §6.2.2) it is
 * allowed, and it is not denied without its query and fragment, nor without what in front of its host
 * and behind it makes no difference.
 */
export function isUriAllowed(rules: Rules, uri: string): boolean {
  if (FORBIDDEN.test(uri) || !isAllowed(rules, uri)) return false;
  const parts = PARTS.exec(uri);
  if (parts === null) return true;
  const [, written = "", authority = "", path = "", rest = ""] = parts;
  const scheme = written.toLowerCase();
  const host = plain(authority).toLowerCase();
  const where = resolved(plain(path));
  const place = `${scheme}:${host}${where}`;
  const normal = place + plain(rest);
  const bare = `${scheme}:${bareHost(scheme, host)}${where}`;
  return (normal === uri || isAllowed(rules, normal)) &&
    ![place, bare, bare + plain(rest)].some((each) => matchesAny(rules.deny, each));
}

/** Without user, default port, and the names that a file URI may give this machine (RFC 8089). */
function bareHost(scheme: string, authority: string): string {
  const host = authority.replace(/^\/\/[^@]*@/, "//");
  if (scheme === "file") return /^(?:\/\/(?:localhost)?)?$/.test(host) ? "//" : host;
  const port = DEFAULT_PORTS[scheme];
  return port !== undefined && host.endsWith(port) ? host.slice(0, -port.length) : host;
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
