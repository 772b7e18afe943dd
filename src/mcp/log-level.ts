import * as v from "valibot";

/** Syslog's severities (RFC 5424 §6.2.1) as MCP names them, from the least severe on. */
const LEVELS = [
  "debug",
  "info",
  "notice",
  "warning",
  "error",
  "critical",
  "alert",
  "emergency",
] as const;

/** A severity as a client or a server writes it. */
export const logLevel = v.picklist(LEVELS);

/** How severe a log message is. */
export type LogLevel = (typeof LEVELS)[number];

/** Whether a message of `level` is wanted by who asked for `least` and what is more severe. */
export function isAtLeast(level: LogLevel, least: LogLevel): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(least);
}
