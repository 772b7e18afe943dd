/** What an upstream says of the token that it wants (RFC 6750 §3, RFC 9728 §5.1). */
export interface BearerChallenge {
  /** URL of its metadata; undefined when it names none. */
  readonly resourceMetadata: string | undefined;
  /** Scopes that the request needs; undefined when it names none. */
  readonly scopes: readonly string[] | undefined;
  readonly error: string | undefined;
}

/** Characters of a header that are read. */
const MAX_LENGTH = 8_192;

/** Scopes that are kept of one list. */
const MAX_SCOPES = 64;

/** RFC 6749 §3.3, and short enough to be shown. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/;

// RFC 9110 §11.2: a scheme, or a parameter with its value.
const PART = /[\s,]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y;

/**
 * The first `Bearer` challenge of a `WWW-Authenticate` header, or of several that were joined.
 *
 * @returns undefined without one.
 */
export function bearerChallenge(header: string | undefined): BearerChallenge | undefined {
  const params = new Map<string, string>();
  let found = false;
  const text = header?.slice(0, MAX_LENGTH) ?? "";
  PART.lastIndex = 0;
  for (let part = PART.exec(text); part !== null; part = PART.exec(text)) {
    const [, name = "", quoted, token] = part;
    if (quoted === undefined && token === undefined) {
      if (found) break;
      found = name.toLowerCase() === "bearer";
    } else if (found && !params.has(name.toLowerCase())) {
      params.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? token ?? "");
    }
  }
  if (!found) return undefined;
  const scope = params.get("scope");
  return {
    resourceMetadata: params.get("resource_metadata"),
    scopes: scope === undefined ? undefined : readScopes(scope.split(" ")),
    error: params.get("error"),
  };
}

/** Those of `scopes` that are well-formed, each once. */
export function readScopes(scopes: readonly string[]): readonly string[] {
  return [...new Set(scopes.filter((scope) => SCOPE.test(scope)))].slice(0, MAX_SCOPES);
}
