import { GatewayError } from "../../src/errors.ts";
import { quote } from "./problem.ts";

/** What one container may use at most. */
export interface Limits {
  readonly memoryBytes: number;
  /** Processor time in cores; 0.5 is half a core. */
  readonly cpuCores: number;
  /** Processes and threads together. */
  readonly pids: number;
}

const MIB = 1024 ** 2;

/** Enough for the usual server, too little to harm the machine. */
export const DEFAULT_LIMITS: Limits = { memoryBytes: 512 * MIB, cpuCores: 1, pids: 128 };

const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  k: 1024,
  m: MIB,
  g: 1024 ** 3,
  t: 1024 ** 4,
};

/** Below it no runtime starts, and the engine's own message does not say so. */
const MIN_MEMORY_BYTES = 16 * MIB;
const MAX_MEMORY_BYTES = 1024 ** 4;

const DECIMAL = /^\d{1,15}(?:\.\d{1,6})?$/;

/**
 * Bytes of `512m`, `1.5g`, `64kb` or a plain number; units are powers of 1024, as the engine reads them.
 *
 * @throws {GatewayError} `config_invalid`.
 */
export function parseMemory(text: string): number {
  const [, number = "", unit = ""] = /^([\d.]+)\s*([bkmgt]?)b?$/i.exec(text) ?? [];
  if (!DECIMAL.test(number)) {
    throw refused(
      `${quote(text)} is not a size, write one such as 512m, 1.5g or a number of bytes`,
    );
  }
  const bytes = Math.floor(Number(number) * (UNITS[unit.toLowerCase()] ?? 1));
  return within(bytes, text, MIN_MEMORY_BYTES, MAX_MEMORY_BYTES, "16m to 1t");
}

/**
 * Processor cores, whole or not.
 *
 * @throws {GatewayError} `config_invalid`.
 */
export function parseCpus(text: string): number {
  if (!DECIMAL.test(text)) {
    throw refused(`${quote(text)} is not a number, write one such as 0.5 or 2`);
  }
  return within(Number(text), text, 0.01, 64, "0.01 to 64");
}

/**
 * How many processes and threads.
 *
 * @throws {GatewayError} `config_invalid`.
 */
export function parsePids(text: string): number {
  if (!/^\d{1,15}$/.test(text)) {
    throw refused(`${quote(text)} is not a whole number, write one such as 128`);
  }
  return within(Number(text), text, 8, 4096, "8 to 4096");
}

function within(value: number, text: string, min: number, max: number, range: string): number {
  if (value >= min && value <= max) return value;
  throw refused(`${quote(text)} is too ${value < min ? "small" : "large"}, allowed is ${range}`);
}

function refused(message: string): GatewayError {
  return new GatewayError("config_invalid", message);
}
