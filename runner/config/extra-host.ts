import { isIP } from "node:net";
import { GatewayError } from "../../src/errors.ts";
import { quote } from "./problem.ts";

/** A name and the address that it stands for, whatever DNS says of it. */
export interface ExtraHost {
  /** In lower case. */
  readonly host: string;
  readonly address: string;
}

/**
 * Reads `name:address`, as `docker run --add-host` has it.
 *
 * @throws {GatewayError} `config_invalid`.
 */
export function parseExtraHost(text: string): ExtraHost {
  const [, host = "", address = ""] = /^([A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?):(.+)$/
    .exec(text) ?? [];
  const bare = address.replace(/^\[(.*)\]$/, "$1");
  if (isIP(bare) !== 0) return { host: host.toLowerCase(), address: bare };
  throw new GatewayError(
    "config_invalid",
    `${quote(text)} is not <host>:<address>, write one such as nas.home:192.168.1.5`,
  );
}
