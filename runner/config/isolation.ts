import { GatewayError } from "../../src/errors.ts";
import { quote } from "./problem.ts";

/**
 * What one server is let off from the isolation that every server has. Each is shown before the server
 * starts for the first time.
 */
export interface Isolation {
  /** Runs as root of its container. */
  readonly root: boolean;
  /** Its root file system can be written to; what it writes is gone when it stops. */
  readonly writable: boolean;
  /** Programs in `/tmp` can be executed. */
  readonly execTmp: boolean;
  /** Linux capabilities that it has, such as `NET_BIND_SERVICE`; without `CAP_`, sorted. */
  readonly caps: readonly string[];
  /** What runs it in place of the engine's default: gVisor or Kata. */
  readonly runtime: "runsc" | "kata" | undefined;
  /** How many GPUs it sees. */
  readonly gpus: number | "all" | undefined;
}

/** The isolation of a server that is let off nothing. */
export const FULL_ISOLATION: Isolation = {
  root: false,
  writable: false,
  execTmp: false,
  caps: [],
  runtime: undefined,
  gpus: undefined,
};

/**
 * The capabilities that a server can be given. All others would let it out of its container, or see
 * into others: they are refused whatever the config says.
 */
export const GRANTABLE_CAPS: readonly string[] = [
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "IPC_LOCK",
  "KILL",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_NICE",
];

/**
 * The name of a capability that a server may be given, without `CAP_`.
 *
 * @throws {GatewayError} `config_invalid`.
 */
export function parseCap(text: string): string {
  const name = text.toUpperCase().replace(/^CAP_/, "");
  if (GRANTABLE_CAPS.includes(name)) return name;
  throw refused(
    `${quote(text)} is not a capability that a server may have, allowed are ${
      GRANTABLE_CAPS.join(", ")
    }`,
  );
}

/**
 * @throws {GatewayError} `config_invalid`.
 */
export function parseRuntime(text: string): "runsc" | "kata" {
  if (text === "runsc" || text === "kata") return text;
  throw refused(`${quote(text)} is not a runtime, allowed are runsc (gVisor) and kata`);
}

/**
 * A number of GPUs, or all of them.
 *
 * @throws {GatewayError} `config_invalid`.
 */
export function parseGpus(text: string): number | "all" {
  if (text === "all") return text;
  if (/^[1-9]\d?$/.test(text)) return Number(text);
  throw refused(`${quote(text)} is not a number of GPUs, write one such as 1, or all`);
}

/**
 * @throws {GatewayError} `config_invalid`.
 */
export function parseSwitch(text: string): boolean {
  if (text === "true" || text === "false") return text === "true";
  throw refused(`${quote(text)} is neither true nor false`);
}

function refused(message: string): GatewayError {
  return new GatewayError("config_invalid", message);
}
