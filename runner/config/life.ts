import { GatewayError } from "../../src/errors.ts";
import { quote } from "./problem.ts";

/** For whom a process of a server lives: for everybody, for one client, or for one call. */
export type Lifetime = "shared" | "client" | "call";

/** How long the processes of a server live, and how much they do at once. Times in milliseconds. */
export interface Life {
  readonly lifetime: Lifetime;
  /** Without a call for this long it is stopped; undefined: never. */
  readonly idleMs: number | undefined;
  /** Calls that it carries out at once; more wait in a queue. */
  readonly concurrency: number;
  /** Calls that may wait; more are refused. */
  readonly queue: number;
  /** From the start of its container to its lists. */
  readonly startMs: number;
  /** From the moment that a call was written to its answer; undefined: what the client's call allows. */
  readonly callMs: number | undefined;
}

/** What holds where the config says nothing. */
export const DEFAULT_LIFE: Life = {
  lifetime: "shared",
  idleMs: 10 * 60_000,
  concurrency: 64,
  queue: 256,
  startMs: 30_000,
  callMs: undefined,
};

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

const MAX_DURATION_MS = 24 * 3_600_000;

/**
 * Milliseconds of `30s`, `10m`, `1.5h` or `500ms`.
 *
 * @throws {GatewayError} `config_invalid`.
 */
export function parseDuration(text: string): number {
  const [, number, unit = ""] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * (UNITS[unit] ?? Number.NaN));
  if (Number.isNaN(ms)) {
    throw refused(`${quote(text)} is not a time, write one such as 30s, 10m or 1.5h`);
  }
  if (ms < 100 || ms > MAX_DURATION_MS) {
    throw refused(`${quote(text)} is too ${ms < 100 ? "short" : "long"}, allowed is 100ms to 24h`);
  }
  return ms;
}

/**
 * As `parseDuration`; `never` is undefined.
 *
 * @throws {GatewayError} `config_invalid`.
 */
export function parseIdle(text: string): number | undefined {
  return text === "never" ? undefined : parseDuration(text);
}

/**
 * @throws {GatewayError} `config_invalid`.
 */
export function parseLifetime(text: string): Lifetime {
  if (text === "shared" || text === "client" || text === "call") return text;
  throw refused(`${quote(text)} is not a lifetime, allowed are shared, client and call`);
}

/**
 * A whole number of calls.
 *
 * @throws {GatewayError} `config_invalid`.
 */
export function parseCount(text: string): number {
  if (/^\d{1,4}$/.test(text) && Number(text) > 0) return Number(text);
  throw refused(`${quote(text)} is not a number of calls, write 1 to 9999`);
}

function refused(message: string): GatewayError {
  return new GatewayError("config_invalid", message);
}
