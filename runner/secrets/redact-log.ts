import type { Log } from "../../src/log.ts";
import type { Redactor } from "./redactor.ts";

/** A log in whose messages and fields no secret that `redactor` knows is left. */
export function redactLog(log: Log, redactor: Redactor): Log {
  return (level, message, fields) => {
    if (fields === undefined) return log(level, redactor.redact(message));
    const entries = Object.entries(fields).map(([name, value]) =>
      [name, typeof value === "string" ? redactor.redact(value) : value] as const
    );
    log(level, redactor.redact(message), Object.fromEntries(entries));
  };
}
