/**
 * Whether a URI may be one that a URI template (RFC 6570) stands for: what decides which server is
 * asked for a resource that no list names.
 *
 * Templates come from servers and URIs from clients, so no regular expression is built of either: the
 * time is bounded by the length of the template by that of the URI.
 *
 * @module
 */

/** Most expressions of a template that is matched; one with more matches nothing. */
const MAX_EXPRESSIONS = 32;

/** A piece of a template: text that must be there, or a gap that an expression leaves. */
type Piece = { readonly literal: string } | { readonly gap: "segment" | "any" };

/**
 * Whether `uri` may be an expansion of `template`. An expression without an operator stands for at
 * least one character and no slash; one with an operator may bring slashes along or be left out, and
 * stands for anything. What the values may be is left to the server.
 */
export function matchesTemplate(template: string, uri: string): boolean {
  const pieces = piecesOf(template);
  if (pieces === undefined) return false;
  /** Which offsets in `uri` the pieces so far can end at. */
  let ends = new Uint8Array(uri.length + 1);
  ends[0] = 1;
  for (const piece of pieces) {
    const next = "literal" in piece
      ? afterLiteral(uri, ends, piece.literal)
      : afterGap(uri, ends, piece.gap);
    if (next === undefined) return false;
    ends = next;
  }
  return ends[uri.length] === 1;
}

function afterLiteral(
  uri: string,
  ends: Uint8Array,
  literal: string,
): Uint8Array<ArrayBuffer> | undefined {
  const next = new Uint8Array(uri.length + 1);
  let any = false;
  for (let at = ends.indexOf(1); at >= 0; at = ends.indexOf(1, at + 1)) {
    if (!uri.startsWith(literal, at)) continue;
    next[at + literal.length] = 1;
    any = true;
  }
  return any ? next : undefined;
}

function afterGap(
  uri: string,
  ends: Uint8Array,
  gap: "segment" | "any",
): Uint8Array<ArrayBuffer> | undefined {
  const next = new Uint8Array(uri.length + 1);
  if (gap === "any") {
    const first = ends.indexOf(1);
    return first < 0 ? undefined : next.fill(1, first);
  }
  let any = false;
  let inside = false;
  for (let at = 0; at < uri.length; at++) {
    inside = (inside || ends[at] === 1) && uri[at] !== "/";
    if (inside) {
      next[at + 1] = 1;
      any = true;
    }
  }
  return any ? next : undefined;
}

/** The pieces of a template; undefined for one with too many expressions. */
function piecesOf(template: string): readonly Piece[] | undefined {
  const pieces: Piece[] = [];
  let at = 0;
  let expressions = 0;
  while (at < template.length) {
    const open = template.indexOf("{", at);
    const close = open < 0 ? -1 : template.indexOf("}", open);
    // A brace that is never closed is text.
    if (close < 0) break;
    if (open > at) pieces.push({ literal: template.slice(at, open) });
    if (++expressions > MAX_EXPRESSIONS) return undefined;
    const operator = /^[+#./;?&=,!@|]/.test(template.slice(open + 1, open + 2));
    pieces.push({ gap: operator ? "any" : "segment" });
    at = close + 1;
  }
  if (at < template.length) pieces.push({ literal: template.slice(at) });
  return pieces;
}
