import type { Redactor } from "./redactor.ts";

/**
 * Takes secrets out of a JSON text, however its strings are escaped, and it stays JSON: in strings and
 * keys the name stands in place of the value, a number that holds a value becomes a string. All else
 * keeps its bytes; a text without secrets is returned as it is.
 */
export function redactJson(text: string, redactor: Redactor): string {
  if (redactor.isEmpty === true) return text;
  // Unusual escapes, and escapes of escapes (JSON in a string), can hide a value: such a text is always
  // looked at string by string.
  if (!/\\[u/\\]/.test(text) && redactor.redact(text) === text) return text;
  let out = "";
  for (let at = 0; at < text.length;) {
    const open = text.indexOf('"', at);
    const begin = open < 0 ? text.length : open;
    out += redactBare(text.slice(at, begin), redactor);
    at = begin === text.length ? begin : endOfString(text, begin);
    out += redactString(text.slice(begin, at), redactor);
  }
  return out;
}

/** Where the string ends that opens at `open`: after its closing quote, or at the end of the text. */
function endOfString(text: string, open: number): number {
  for (let at = open;;) {
    at = text.indexOf('"', at + 1);
    if (at < 0) return text.length;
    let escapes = 0;
    while (text[at - 1 - escapes] === "\\") escapes += 1;
    if (escapes % 2 === 0) return at + 1;
  }
}

function redactString(token: string, redactor: Redactor): string {
  const value = decode(token);
  const redacted = redactor.redact(value);
  return redacted === value ? token : JSON.stringify(redacted);
}

/** What is between strings: punctuation and numbers. */
function redactBare(text: string, redactor: Redactor): string {
  if (redactor.redact(text) === text) return text;
  return text.replace(/[^\s{}[\],:]+/g, (token) => {
    const redacted = redactor.redact(token);
    return redacted === token ? token : JSON.stringify(redacted);
  });
}

function decode(token: string): string {
  const closed = token.length > 1 && token.endsWith('"');
  if (closed && !token.includes("\\")) return token.slice(1, -1);
  try {
    return String(JSON.parse(token));
  } catch {
    // Not JSON after all: what is there is looked at as it is, and becomes JSON if it holds a secret.
    return token;
  }
}
