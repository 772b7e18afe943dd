/** How much a log line matters. */
export type Level = "debug" | "info" | "warn" | "error";

/** Named values of a log line. Never a token, a secret, or a payload. */
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where a program tells its operator what happened. */
export interface Log {
  (level: Level, message: string, fields?: Fields): void;
}

/**
 * Text that is safe to print on a terminal as one line: control characters, which a hostile server or
 * peer could use to move the cursor or forge lines, become visible escapes (`\x1b`, `\u202e`).
 */
export function printable(text: string): string {
  return text.replace(
    // deno-lint-ignore no-control-regex -- control characters are what this function is about
    /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (c) => {
      const code = c.charCodeAt(0);
      return code < 0x100
        ? `\\x${code.toString(16).padStart(2, "0")}`
        : `\\u${code.toString(16).padStart(4, "0")}`;
    },
  );
}

/** A log that writes one line of JSON for each message: time, level, message, then the fields. */
export function jsonLog(write: (line: string) => void, now: () => number = Date.now): Log {
  return (level, message, fields = {}) =>
    write(JSON.stringify({ time: new Date(now()).toISOString(), level, message, ...fields }));
}
